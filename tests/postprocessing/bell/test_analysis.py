"""A whole Bell test: planted counts come out, however they are cut into blocks."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from postprocessing.bell.analysis import bell_test
from postprocessing.bell.game import Game
from postprocessing.bell.trials import Trials
from postprocessing.errors import InvalidArgumentError

HERALDS = ("psi_minus", "psi_plus")


def draw(trials, seed, *, win=0.82, signal=0.0, drifts=False):
    """Return columns of trials that are won so often, under two heralds of two games."""
    rng = np.random.default_rng(seed)
    x, y, heralds = rng.integers(0, 2, (3, trials), dtype=np.uint8)
    # Signs +++- and ++-+.
    minus = np.where(heralds == 0, x & y, x & (1 - y)).astype(bool)
    a = np.where(rng.random(trials) < 0.5 + signal * (2.0 * y - 1), 1, -1).astype(np.int8)
    chance = win + (np.linspace(-0.1, 0.1, trials) if drifts else 0)
    won = rng.random(trials) < chance
    b = np.where(won ^ minus, a, -a).astype(np.int8)
    return x, y, a, b, heralds, HERALDS, np.arange(trials) / 10


def test_of(columns, **given):
    return bell_test([Trials(*columns)], GAME, **given)


test_of.__test__ = False
GAME = Game("+++-", {"psi_plus": "++-+"})


def cut(columns, edges):
    """Yield the same trials in blocks, some of them empty."""
    for first, last in zip([0, *edges], [*edges, len(columns[0])], strict=True):
        parts = [c if isinstance(c, tuple) else c[first:last] for c in columns]
        yield Trials(*parts)


def test_planted_counts_come_out():
    columns = draw(5000, 1)
    x, y, a, b, heralds, _, _ = columns
    found = test_of(columns)
    assert found.trials == 5000
    for k, herald in enumerate(HERALDS):
        for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
            of_pair = (heralds == k) & (x == i) & (y == j)
            for name, signs in {"++": (1, 1), "+-": (1, -1), "-+": (-1, 1), "--": (-1, -1)}.items():
                planted = int((of_pair & (a == signs[0]) & (b == signs[1])).sum())
                assert found.counts[herald][f"{i}{j}"][name] == planted
            product = (a * b)[of_pair]
            value, error = found.correlators[herald][f"{i}{j}"]
            assert value == pytest.approx(product.mean())
            assert error == pytest.approx(product.std() / math.sqrt(len(product)))
    sign = np.where(np.where(heralds == 0, x & y, x & (1 - y)) > 0, -1, 1)
    score = a * b * sign
    assert found.wins == int((score == 1).sum())
    means = [score[(x == i) & (y == j)].mean() for i in (0, 1) for j in (0, 1)]
    assert found.chsh == pytest.approx(sum(means))
    assert found.chsh_standard_error == pytest.approx(4 / math.sqrt(5000), rel=0.5)
    assert found.p_value_binomial == pytest.approx(stats.binom.sf(found.wins - 1, 5000, 0.75))


@pytest.mark.parametrize("edges", [[1], [49, 50, 51], [0, 0, 4999], list(range(13, 5000, 13))])
def test_blocks_of_any_size_say_the_same(edges):
    columns = draw(5000, 2)
    whole = test_of(columns, training_trials=60)
    assert bell_test(cut(columns, edges), GAME, training_trials=60) == whole
    assert whole.over_time[0].trials == 60
    assert sum(part.trials for part in whole.over_time) == 5000
    assert whole.over_time[-1].end_s == pytest.approx(499.9)
    assert whole.over_time[-1].log10_p_value_pbr == whole.log10_p_value_pbr < -10
    assert whole.over_time[-1].log10_p_value_binomial == whole.log10_p_value_binomial < -10


def test_progress_is_told_after_each_block():
    told = []
    bell_test(cut(draw(1000, 2), [100, 700]), GAME, on_progress=told.append)
    assert told == [100, 700, 1000]


def test_training_looks_at_earlier_parts_alone():
    """What comes later changes no factor before: both tests have the same beginning."""
    columns, other = draw(3000, 3), draw(3000, 4)
    joined = [
        c if isinstance(c, tuple) else np.concatenate([c, d])
        for c, d in zip(columns, other, strict=True)
    ]
    short, long = test_of(columns), test_of(joined)
    same = len(short.over_time) - 1
    assert short.over_time[:same] == long.over_time[:same]


def test_p_values_of_signalling_and_drift_are_uniform():
    """Kolmogorov-Smirnov on 200 honest tests each; false alarm 1e-5 in all."""
    honest = [test_of(draw(12_000, seed)) for seed in range(200)]
    names = list(honest[0].no_signalling_p_values)
    assert names == [f"{h}: {s}_{k}" for h in HERALDS for s in ("alice", "bob") for k in (0, 1)]
    found = {name: [test.no_signalling_p_values[name] for test in honest] for name in names}
    found |= {
        name: [test.setting_p_values[name] for test in honest]
        for name in ("alice", "bob", "independent")
    }
    found["drift"] = [test.drift_p_value for test in honest]
    for name, values in found.items():
        # Fisher's exact test is discrete, and never below its level.
        assert stats.kstest(values, "uniform", alternative="greater").pvalue > 1e-6, name
        assert np.mean(values) < 0.65


def test_signalling_and_drift_are_seen():
    signalling = test_of(draw(20_000, 5, signal=0.05)).no_signalling_p_values
    assert max(p for name, p in signalling.items() if "alice" in name) < 1e-6
    assert test_of(draw(20_000, 5, drifts=True)).drift_p_value < 1e-6
    biased = test_of(draw(20_000, 5), setting_probability_alice=0.55)
    assert biased.setting_p_values["alice"] < 1e-6 < biased.setting_p_values["bob"]


def test_exact_and_normal_tests_of_two_shares_agree():
    """At the border between them, on the same shares."""
    small, large = test_of(draw(39_000, 6)), test_of(draw(41_000, 6))
    for name, p in small.no_signalling_p_values.items():
        assert 0 < p <= 1
        assert 0 < large.no_signalling_p_values[name] <= 1


def test_a_game_is_never_chosen_by_the_data():
    columns = draw(5000, 7)
    wrong = bell_test([Trials(*columns)], Game("---+"))
    assert wrong.p_value_binomial == 1
    assert wrong.chsh < 0
    # The ratio bets on behaviours, not on a game: local ones are none of these.
    assert wrong.p_value_pbr < 1e-6


def test_a_test_stopped_by_its_trials_takes_the_missing_ones_as_lost():
    columns = draw(1000, 8)
    found = test_of(columns, most_trials=1200)
    assert found.p_value_binomial == pytest.approx(stats.binom.sf(found.wins - 1, 1200, 0.75))
    assert found.p_value_pbr == test_of(columns).p_value_pbr
    with pytest.raises(InvalidArgumentError, match="most_trials must be at least the 1000"):
        test_of(columns, most_trials=999)


def test_the_most_trials_hold_under_optional_stopping():
    """Devices that stop while ahead: 2000 tests at a level of 5 %, false alarm 1e-6.

    With the trials that there happen to be, the same devices exceed it.
    """
    rng, most = np.random.default_rng(9), 300
    score = np.cumsum(rng.random((2000, most)) < 0.75, axis=1)
    trials = np.arange(1, most + 1)
    naive = stats.binom.sf(score - 1, trials, 0.75).min(axis=1) <= 0.05
    fixed = stats.binom.sf(score - 1, most, 0.75).min(axis=1) <= 0.05
    assert stats.binomtest(int(naive.sum()), 2000, 0.05, "greater").pvalue < 1e-6
    assert stats.binomtest(int(fixed.sum()), 2000, 0.05, "greater").pvalue > 1e-6


def test_predictability_weakens_both():
    columns = draw(20_000, 10)
    values = [test_of(columns, predictability=tau) for tau in (0, 1e-3, 1e-2, 0.1)]
    for name in ("log10_p_value_binomial", "log10_p_value_pbr"):
        found = [getattr(test, name) for test in values]
        assert found == sorted(found)
        assert found[-1] == 0


def test_json_holds_everything():
    found = test_of(draw(2000, 11)).to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)).keys() >= {
        "trials", "wins", "chsh", "chsh_standard_error", "p_value_binomial", "p_value_pbr",
        "no_signalling_p_values", "counts", "game", "law",
    }  # fmt: skip


def test_values_without_counts_are_none():
    bits, signs = np.zeros(3, np.uint8), np.ones(3, np.int8)
    found = bell_test([Trials(bits, bits, signs, signs)])
    assert (found.chsh, found.chsh_standard_error) == (None, None)
    assert found.correlators["all"] == {"00": (1.0, 0.0), "01": None, "10": None, "11": None}
    assert set(found.no_signalling_p_values.values()) == {1.0}
    json.dumps(found.to_dict(), allow_nan=False)
    assert [section.title for section in found.present()]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"alice_settings": np.array([0, 2], np.uint8)}, "alice_settings"),
        ({"bob_settings": np.array([0, 1])}, "bob_settings"),
        ({"alice_outcomes": np.array([1, 0], np.int8)}, "alice_outcomes"),
        ({"bob_outcomes": np.array([1, -1])}, "bob_outcomes"),
        ({"bob_outcomes": np.ones(3, np.int8)}, "bob_outcomes"),
        ({"heralds": np.array([0, 1], np.uint8)}, "heralds"),
        ({"herald_names": ("a", "a")}, "herald_names"),
        ({"herald_names": ()}, "herald_names"),
        ({"times_s": np.array([0, np.nan])}, "times_s"),
        ({"times_s": [0, 1]}, "times_s"),
    ],
)
def test_trials_refuse_what_they_cannot_be(change, named):
    bits, signs = np.array([0, 1], np.uint8), np.array([1, -1], np.int8)
    good = {
        "alice_settings": bits,
        "bob_settings": bits,
        "alice_outcomes": signs,
        "bob_outcomes": signs,
    }
    with pytest.raises(InvalidArgumentError, match=f"^{named} "):
        Trials(**good | change)


@pytest.mark.parametrize("signs", ["", "+++", "++++", "--++", "+++0", "+++-+", 7, None])
def test_games_are_chsh_games(signs):
    with pytest.raises(InvalidArgumentError):
        Game(signs)


@pytest.mark.parametrize(
    "texts", [["+++-", "+++-"], ["=+++-"], ["a=+++-", "a=+++-"], ["a="], ["++-"]]
)
def test_texts_of_games_are_refused(texts):
    with pytest.raises(InvalidArgumentError, match="game"):
        Game.of(texts)


def test_heralds_are_those_of_the_game():
    bits, signs = np.array([0, 1], np.uint8), np.array([1, -1], np.int8)
    with pytest.raises(InvalidArgumentError, match="game must be one of all"):
        bell_test([Trials(bits, bits, signs, signs)], Game.of(["x=+++-"]))
    other = Trials(bits, bits, signs, signs, herald_names=("b",))
    with pytest.raises(InvalidArgumentError, match="herald_names"):
        bell_test([Trials(bits, bits, signs, signs), other])
