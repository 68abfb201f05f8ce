"""The prediction-based ratio: sound by exact sums, honest over many tests, close to the limit."""

from fractions import Fraction
from itertools import product

import local_realism
import numpy as np
import pytest
from scipy.optimize import minimize

from postprocessing.bell.game import Game, SettingLaw
from postprocessing.bell.ratio import log_ratios, ratio_p_value, trained_factors
from postprocessing.bell.strategies import LOCAL, NO_SIGNALLING, nearest_mixture

SIGNS = Game().table(["all"])
LAWS = [
    SettingLaw(),
    SettingLaw(predictability=0.03),
    SettingLaw(0.1, 0.85, 0.04),
    SettingLaw(1e-6, 0.5),
]
# State angle, and both sides' angles: most relative entropy at a detection efficiency of 0.85.
EBERHARD = (0.42290123, (-1.70151183, -1.03573835), (-1.44005876, -2.10587317))


def werner(visibility):
    """Return P(ab|xy) at the best directions of the CHSH game."""
    product_of = np.array([[1, -1], [-1, 1]])
    expected = visibility / np.sqrt(2) * SIGNS[0]
    return (1 + expected[:, :, None, None] * product_of) / 4


def eberhard(efficiency):
    """Return P(ab|xy) of a partly entangled pair, a missed photon counted as −1."""
    angle, *sides = EBERHARD
    state = np.array([[np.cos(angle), 0], [0, np.sin(angle)]])
    (alice, bob) = ([np.array([np.cos(t), np.sin(t)]) for t in side] for side in sides)
    found = np.zeros((2, 2, 2, 2))
    for x, y in product((0, 1), repeat=2):
        both = efficiency**2 * (alice[x] @ state @ bob[y]) ** 2
        of_alice = efficiency * ((alice[x] @ state) ** 2).sum()
        of_bob = efficiency * ((state @ bob[y]) ** 2).sum()
        found[x, y] = [[both, of_alice - both], [of_bob - both, 1 - of_alice - of_bob + both]]
    return found


def least_relative_entropy(behaviour, pairs):
    """Return min D(p‖q) in bits over local q, by scipy's SLSQP over 16 weights."""
    joint = (behaviour * pairs[:, :, None, None]).ravel()
    columns = (LOCAL * pairs[:, :, None, None]).reshape(16, 16).T

    def entropy(weights):
        return float(joint @ np.log2(joint / (columns @ weights)))

    def slope(weights):
        return -(columns.T @ (joint / (columns @ weights))) / np.log(2)

    found = minimize(
        entropy,
        np.full(16, 1 / 16),
        jac=slope,
        method="SLSQP",
        bounds=[(1e-9, 1)] * 16,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-13, "maxiter": 2000},
    )
    return found.fun


def counts_of(rng, behaviour, law, trials):
    joint = (behaviour * law.pairs[:, :, None, None]).ravel()
    return rng.multinomial(trials, joint / joint.sum()).reshape(2, 2, 2, 2)


def parts_of(rng, behaviour, law, trials):
    parts, done = [], 0
    while done < trials:
        size = min(max(50, done // 10), trials - done)
        parts.append(counts_of(rng, behaviour, law, size)[None])
        done += size
    return parts


def test_there_are_16_local_strategies_and_8_boxes():
    assert len({strategy.tobytes() for strategy in NO_SIGNALLING}) == 24
    assert np.allclose(NO_SIGNALLING.sum(axis=(3, 4)), 1)
    marginals = NO_SIGNALLING.sum(axis=4), NO_SIGNALLING.sum(axis=3)
    assert np.array_equal(marginals[0][:, :, 0], marginals[0][:, :, 1])
    assert np.array_equal(marginals[1][:, 0], marginals[1][:, 1])
    scores = np.einsum("xy,sxyab,ab->s", SIGNS[0], NO_SIGNALLING, [[1, -1], [-1, 1]])
    assert np.abs(scores[:16]).tolist() == [2] * 16
    assert sorted(scores[16:].tolist()) == [-4, 0, 0, 0, 0, 0, 0, 4]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("trials", [1, 30, 10_000, 10**8])
def test_no_strategy_expects_more_than_1_exactly(law, trials):
    rng = np.random.default_rng(trials)
    tau = Fraction(law.predictability)
    sides = [
        [(1 - p, p) for p in (Fraction(side) - tau, Fraction(side), Fraction(side) + tau)]
        for side in (law.alice, law.bob)
    ]
    for behaviour in (werner(0.9), werner(0.3), eberhard(0.85), NO_SIGNALLING[17]):
        factors = trained_factors(counts_of(rng, behaviour, law, trials), SIGNS[0], law)
        assert (factors >= 0).all()
        for alice, bob in product(product((0, 1), repeat=2), repeat=2):
            for p, q in product(*sides):
                expected = sum(
                    p[x] * q[y] * Fraction(factors[x, y, alice[x], bob[y]])
                    for x, y in product((0, 1), repeat=2)
                )
                assert expected <= 1


def test_without_a_past_or_beside_local_devices_nothing_is_bet():
    nothing = np.zeros((2, 2, 2, 2), np.int64)
    assert (trained_factors(nothing, SIGNS[0], SettingLaw()) == 1).all()
    local = (1000 * LOCAL[:3].sum(axis=0)).astype(np.int64)
    assert (trained_factors(local, SIGNS[0], SettingLaw()) == 1).all()


@pytest.mark.parametrize("name", local_realism.LAWS)
def test_local_devices_with_memory_stay_at_their_level(name):
    """Of 400 tests each, false alarm 1e-6 a level; 1e4 are in tests/acceptance."""
    rng = np.random.default_rng(5)
    p_values = np.array([local_realism.play(rng, local_realism.LAWS[name]) for _ in range(400)])
    assert local_realism.exceeded(p_values[:, 0]) == {}
    assert local_realism.exceeded(p_values[:, 1]) == {}
    # They are bets, not constants.
    assert p_values[:, 1].min() < 0.5


def test_factors_of_the_data_they_judge_would_fail():
    """What training on earlier parts alone is for: the same devices, judged in hindsight."""
    rng, law, below = np.random.default_rng(5), SettingLaw(), 0
    for _ in range(200):
        counts = counts_of(rng, LOCAL[:8].mean(axis=0), law, 400)
        below += ratio_p_value(float((counts * np.log(_hindsight(counts, law))).sum())).value < 0.05
    assert below > 40


def _hindsight(counts, law):
    share = (counts + 0.25) / (counts + 0.25).sum()
    return share / nearest_mixture(share, LOCAL, law.pairs)


@pytest.mark.parametrize(
    ("behaviour", "law"),
    [
        (werner(0.9), SettingLaw()),
        (eberhard(0.85), SettingLaw()),
        (eberhard(0.85), SettingLaw(0.455, 0.455)),
    ],
    ids=["Werner", "Eberhard", "Eberhard, uneven settings"],
)
def test_the_ratio_grows_as_the_relative_entropy(behaviour, law):
    """At 1e5 trials within 10 % of the most: the mean of 40 tests has a spread below 1.5 %."""
    trials, rng = 10**5, np.random.default_rng(11)
    found = [log_ratios(parts_of(rng, behaviour, law, trials), SIGNS, law)[-1] for _ in range(40)]
    most = least_relative_entropy(behaviour, law.pairs)
    assert np.mean(found) / np.log(2) / trials == pytest.approx(most, rel=0.1)


def test_the_nearest_mixture_is_that_of_another_optimiser():
    for law in LAWS[:3]:
        joint = eberhard(0.85) * law.pairs[:, :, None, None]
        nearest = nearest_mixture(joint, LOCAL, law.pairs)
        found = float((joint * np.log2(joint / nearest)).sum())
        assert found == pytest.approx(least_relative_entropy(eberhard(0.85), law.pairs), rel=1e-4)


def test_each_herald_has_factors_of_its_own():
    """Two heralds with opposite games: together they look local, apart they do not."""
    rng, law = np.random.default_rng(2), SettingLaw()
    one = parts_of(rng, werner(0.9), law, 10**4)
    other = [part[..., ::-1] for part in one]
    both = [np.concatenate(parts) for parts in zip(one, other, strict=True)]
    signs = Game("+++-", {"b": "---+"}).table(["a", "b"])
    assert log_ratios(both, signs, law)[-1] == pytest.approx(2 * log_ratios(one, SIGNS, law)[-1])
