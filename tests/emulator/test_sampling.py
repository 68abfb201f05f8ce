"""The sampler against the joint distribution, a literal sampler, and itself."""

import numpy as np
import pytest
from scipy import stats

from emulator.distribution import JointDistribution
from emulator.optics import Link
from emulator.protocols.entangled_coherent import SETTINGS, EntangledCoherent
from emulator.sampling import Sampler, _round_table, emulate
from postprocessing.errors import InvalidArgumentError
from postprocessing.rounds import LocalSettings

LOCAL = LocalSettings(0.2, 0.3)
# Each statistical test is two-sided at 1e-6; seeds are fixed.
FALSE_ALARM = 1e-6
POINTS = [
    {"distance_km": 0, "mean_photon_number": 0.3, "misalignment_error": 0.05},
    {"distance_km": 100, "mean_photon_number": 0.09, "misalignment_error": 0.0},
    {"distance_km": 300, "mean_photon_number": 0.05, "misalignment_error": 0.03},
]


def _joint(distance_km, **parameters) -> JointDistribution:
    return EntangledCoherent(Link(distance_km=distance_km), **parameters).joint_distribution()


def _law(joint: JointDistribution):
    choices = np.outer(LOCAL.choice(SETTINGS, "alice"), LOCAL.choice(SETTINGS, "bob"))
    return choices[..., None, None, None] * joint.heralded()


def _counts(rounds, shape):
    alice, bob = rounds.alice, rounds.bob
    cells = (alice.settings, bob.settings, alice.heralds, alice.outcomes, bob.outcomes)
    return np.bincount(np.ravel_multi_index(cells, shape), minlength=np.prod(shape))


def _chi_square(observed, expected):
    """Return the p-value, with cells expecting fewer than 10 counts pooled."""
    rare = expected < 10
    pooled = np.append(observed[~rare], observed[rare].sum())
    theory = np.append(expected[~rare], expected[rare].sum())
    keep = theory > 0
    assert pooled[~keep].sum() == 0
    statistic = ((pooled - theory)[keep] ** 2 / theory[keep]).sum()
    return stats.chi2.sf(statistic, keep.sum() - 1)


@pytest.mark.parametrize("point", POINTS)
def test_rounds_follow_the_joint_distribution(point):
    joint = _joint(**point)
    law = _law(joint)
    rounds = emulate(Sampler(joint, LOCAL, seed=11), heralded_rounds=2_000_000)
    p_value = _chi_square(_counts(rounds, law.shape), law.ravel() * len(rounds))
    assert FALSE_ALARM < p_value < 1 - FALSE_ALARM


def test_agrees_with_a_literal_pulse_by_pulse_sampler():
    """Every pulse drawn: settings, then announcement and outcomes; the unheralded discarded."""
    joint = _joint(**POINTS[0])
    rng = np.random.default_rng(5)
    pulses = 1_000_000
    x = rng.choice(3, pulses, p=LOCAL.choice(SETTINGS, "alice"))
    y = rng.choice(2, pulses, p=LOCAL.choice(SETTINGS, "bob"))
    cumulative = joint.probabilities.reshape(3, 2, -1).cumsum(axis=2)[x, y]
    cell = (rng.random(pulses)[:, None] >= cumulative[:, :-1]).sum(axis=1)
    announcement, a, b = np.unravel_index(cell, joint.probabilities.shape[2:])
    herald = np.array(
        [SETTINGS.heralds.index(n) if n in SETTINGS.heralds else -1 for n in joint.outcomes]
    )
    kept = np.flatnonzero(herald[announcement] >= 0)
    shape = joint.heralded().shape
    cells = np.ravel_multi_index(
        (x[kept], y[kept], herald[announcement[kept]], a[kept], b[kept]), shape
    )
    literal = np.bincount(cells, minlength=np.prod(shape))

    fast = emulate(Sampler(joint, LOCAL, seed=6), pulses=pulses)
    table = np.array([literal, _counts(fast, shape)])
    table = table[:, table.sum(axis=0) >= 10]
    assert stats.chi2_contingency(table).pvalue > FALSE_ALARM

    gaps = np.diff(kept)
    block = next(Sampler(joint, LOCAL, seed=6).blocks(len(gaps)))
    fast_gaps = np.diff(block.pulse_indices).astype(np.int64)
    edges = np.arange(1, 30)
    table = np.array(
        [[np.sum(g == e) for e in edges] + [np.sum(g >= 30)] for g in (gaps, fast_gaps)]
    )
    assert stats.chi2_contingency(table[:, table.sum(axis=0) >= 10]).pvalue > FALSE_ALARM


def _columns(joint, block_size, threads):
    sampler = Sampler(joint, LOCAL, seed=7)
    blocks = list(sampler.blocks(100_003, block_size=block_size, threads=threads))
    columns = np.concatenate([b.columns for b in blocks], axis=1)
    return columns.tobytes(), np.concatenate([b.pulse_indices for b in blocks]).tobytes()


def test_same_rounds_for_any_block_size_and_threads(honest):
    first = _columns(honest, 1 << 20, 1)
    for block_size in (1 << 10, 4093, 1 << 20):
        for threads in (1, 2):
            assert _columns(honest, block_size, threads) == first


def test_another_seed_gives_other_rounds(honest):
    one, other = (emulate(Sampler(honest, LOCAL, seed), heralded_rounds=1000) for seed in (1, 2))
    assert (one.alice.outcomes != other.alice.outcomes).any()
    assert one.pulses != other.pulses


def test_probabilities_are_exact_to_the_last_bit(honest):
    bounds, categories = _round_table(honest, LOCAL)
    x, a, y, b, herald = categories
    words = np.diff([0, *[int(bound) for bound in bounds], 2**64])
    law = _law(honest)
    exact = law[x, y, herald, a, b] / law.sum()
    deviation = np.array([int(w) / 2**64 for w in words]) - exact
    assert np.abs(deviation).max() <= 2.0**-53


def test_impossible_cells_are_never_drawn(classical):
    rounds = emulate(Sampler(classical, LOCAL, seed=8), heralded_rounds=200_000)
    assert not rounds.alice.outcomes.any()
    assert not rounds.bob.outcomes.any()


def test_settings_are_chosen_independently(honest):
    rounds = emulate(Sampler(honest, LOCAL, seed=9), heralded_rounds=1_000_000)
    table = np.zeros((3, 2))
    np.add.at(table, (rounds.alice.settings, rounds.bob.settings), 1)
    assert stats.chi2_contingency(table).pvalue > FALSE_ALARM


def test_pulse_limited_run_has_binomially_many_rounds(honest):
    pulses = 10_000_000
    rounds = emulate(Sampler(honest, LOCAL, seed=10), pulses=pulses)
    assert rounds.pulses == pulses
    test = stats.binomtest(len(rounds), pulses, honest.herald_probability)
    assert test.pvalue > FALSE_ALARM


def test_pulses_follow_the_herald_probability(honest):
    n, herald = 1_000_000, honest.herald_probability
    pulses = emulate(Sampler(honest, LOCAL, seed=12), heralded_rounds=n).pulses
    deviation = (pulses - n / herald) / np.sqrt(n * (1 - herald)) * herald
    assert abs(deviation) < stats.norm.isf(FALSE_ALARM / 2)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({}, "heralded_rounds must be given, or else pulses"),
        ({"heralded_rounds": 10, "pulses": 10}, "heralded_rounds must be given, or else pulses"),
        ({"heralded_rounds": 0}, "heralded_rounds must be a whole number in .*, got 0"),
        ({"pulses": -1}, "pulses must be a whole number in .*, got -1"),
    ],
)
def test_stopping_rules_are_checked(honest, arguments, match):
    with pytest.raises(InvalidArgumentError, match=match):
        emulate(Sampler(honest, LOCAL, seed=1), **arguments)


def test_negative_seed_is_refused(honest):
    with pytest.raises(InvalidArgumentError, match="seed must be at least 0, got -1"):
        Sampler(honest, LOCAL, seed=-1)


def test_heralds_too_rare_to_number_their_pulses_are_refused():
    rare = EntangledCoherent(Link(distance_km=1400, dark_count_probability=0.0))
    with pytest.raises(InvalidArgumentError, match="herald_probability must be at least 1e-12"):
        Sampler(rare.joint_distribution(), LOCAL, seed=1)
    scarce = EntangledCoherent(Link(distance_km=1000, dark_count_probability=0.0))
    sampler = Sampler(scarce.joint_distribution(), LOCAL, seed=1)
    with pytest.raises(InvalidArgumentError, match="heralded_rounds must be a whole number"):
        emulate(sampler, heralded_rounds=10**8)
    assert emulate(sampler, heralded_rounds=10).pulses > 10**10
