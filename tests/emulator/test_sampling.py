"""Sampled rounds against the joint distribution, a literal sampler, and themselves."""

import tracemalloc

import numpy as np
import pytest
from devices import SCHEME
from scipy import stats

from emulator.sampling.emulation import emulate
from emulator.sampling.sampler import DEFAULT_BLOCK_SIZE, Sampler, Stream, byte_source
from emulator.schemes.entangled_coherent import EntangledCoherent
from emulator.schemes.optics import Link
from emulator.states.distribution import JointDistribution
from postprocessing.errors import InvalidArgumentError
from postprocessing.records import PartyRecord
from postprocessing.scheme import LocalSettings

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
    choices = np.outer(LOCAL.choice(SCHEME, "alice"), LOCAL.choice(SCHEME, "bob"))
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
    x = rng.choice(3, pulses, p=LOCAL.choice(SCHEME, "alice"))
    y = rng.choice(2, pulses, p=LOCAL.choice(SCHEME, "bob"))
    cumulative = joint.probabilities.reshape(3, 2, -1).cumsum(axis=2)[x, y]
    cell = (rng.random(pulses)[:, None] >= cumulative[:, :-1]).sum(axis=1)
    announcement, a, b = np.unravel_index(cell, joint.probabilities.shape[2:])
    herald = np.array(
        [SCHEME.heralds.index(n) if n in SCHEME.heralds else -1 for n in joint.announcements]
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
    block = next(Sampler(joint, LOCAL, seed=6).blocks(len(gaps), gaps=True))
    fast_gaps = np.diff(block.pulse_indices()).astype(np.int64)
    edges = np.arange(1, 30)
    table = np.array(
        [[np.sum(g == e) for e in edges] + [np.sum(g >= 30)] for g in (gaps, fast_gaps)]
    )
    assert stats.chi2_contingency(table[:, table.sum(axis=0) >= 10]).pvalue > FALSE_ALARM


def _drawn(sampler, rounds, first_round=0, **options):
    blocks = list(sampler.blocks(rounds, first_round=first_round, gaps=True, **options))
    return tuple(np.concatenate([getattr(b, n) for b in blocks]) for n in ("categories", "gaps"))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("block_size", [1 << 10, 4093, 100_003, 1 << 20])
def test_same_rounds_for_any_block_size_and_threads(honest, block_size, threads):
    sampler = Sampler(honest, LOCAL, seed=7)
    whole = sampler.draw(0, 100_003, gaps=True)
    categories, gaps = _drawn(sampler, 100_003, block_size=block_size, threads=threads)
    np.testing.assert_array_equal(categories, whole.categories)
    np.testing.assert_array_equal(gaps, whole.gaps)


@pytest.mark.parametrize("first_round", [1, 2, 3, 4095, 4097, 16_383, 16_384, 16_385, 50_001])
def test_rounds_can_start_anywhere(honest, first_round):
    """Also inside a word and inside a stretch of words, of rounds as of gaps."""
    sampler = Sampler(honest, LOCAL, seed=7)
    whole = sampler.draw(0, 100_003, gaps=True)
    options = {"first_round": first_round, "block_size": 30_011, "threads": 2}
    categories, gaps = _drawn(sampler, 100_003 - first_round, **options)
    np.testing.assert_array_equal(categories, whole.categories[first_round:])
    np.testing.assert_array_equal(gaps, whole.gaps[first_round:])
    np.testing.assert_array_equal(sampler.draw_gaps(first_round, 100), gaps[:100])


def test_gaps_are_drawn_on_request_and_change_no_round(honest):
    sampler = Sampler(honest, LOCAL, seed=7)
    block = next(sampler.blocks(1000))
    assert (len(block), len(block.gaps)) == (1000, 0)
    np.testing.assert_array_equal(block.categories, sampler.draw(0, 1000, gaps=True).categories)


def test_blocks_are_unlimited_by_default(honest):
    blocks = Sampler(honest, LOCAL, seed=7).blocks(block_size=1000, threads=2)
    assert [len(next(blocks)) for _ in range(20)] == [1000] * 20
    blocks.close()


def _pairs(one, other):
    """Return how often each pair of values occurs, of values that occur in 1 % of the places."""
    pairs = np.bincount(one.astype(np.int64) * 256 + other, minlength=1 << 16).reshape(256, 256)
    least = len(one) / 100
    return pairs[np.ix_(pairs.sum(axis=1) > least, pairs.sum(axis=0) > least)]


def test_sequences_of_other_seeds_and_streams_are_others(honest):
    """Each pair of sequences differs, and pairs of their categories occur as if independent."""
    keys = [(1, 0), (2, 0), (2**70, 0), (1, 1), (1, 2**56 - 1)]
    blocks = [Sampler(honest, LOCAL, *key).draw(0, 200_000, gaps=True) for key in keys]
    pairs = [(one, other) for i, one in enumerate(blocks) for other in blocks[:i]]
    share = FALSE_ALARM / len(pairs)
    for one, other in pairs:
        assert stats.chi2_contingency(_pairs(one.categories, other.categories)).pvalue > share
        logs = np.log([one.gaps, other.gaps])
        correlation = np.corrcoef(logs)[0, 1] * np.sqrt(len(one))
        assert abs(correlation) < stats.norm.isf(share / 2)


def test_rounds_and_gaps_are_independent(honest):
    block = Sampler(honest, LOCAL, seed=4).draw(0, 500_000, gaps=True)
    lengths = np.searchsorted(np.quantile(block.gaps, [0.25, 0.5, 0.75]), block.gaps)
    for shift in range(8):
        table = _pairs(block.categories, np.roll(lengths, shift))
        assert stats.chi2_contingency(table).pvalue > FALSE_ALARM / 8


def test_another_seed_gives_other_rounds(honest):
    one, other = (emulate(Sampler(honest, LOCAL, seed), heralded_rounds=1000) for seed in (1, 2))
    assert (one.alice.outcomes != other.alice.outcomes).any()
    assert one.pulses != other.pulses


def test_impossible_cells_are_never_drawn(classical):
    rounds = emulate(Sampler(classical, LOCAL, seed=8), heralded_rounds=200_000)
    assert not rounds.alice.outcomes.any()
    assert not rounds.bob.outcomes.any()
    assert not rounds.bob.heralds.any()


def test_block_goes_to_the_parties_and_into_the_tally(honest):
    sampler = Sampler(honest, LOCAL, seed=2)
    for rounds in (0, 1, 3, 4, 10_007):
        block = sampler.draw(0, rounds)
        halves = np.empty((2, rounds), np.uint8)
        sampler.split(block, *halves)
        x, a, y, b, herald = sampler.columns[:, block.categories]
        for half, setting, outcome in ((halves[0], x, a), (halves[1], y, b)):
            record = PartyRecord(half)
            np.testing.assert_array_equal(record.settings, setting)
            np.testing.assert_array_equal(record.outcomes, outcome)
            np.testing.assert_array_equal(record.heralds, herald)
        literal = np.bincount(block.categories, minlength=len(sampler.probabilities))
        np.testing.assert_array_equal(sampler.tally(block), literal)


def test_pulses_are_numbered_from_1(honest):
    block = Sampler(honest, LOCAL, seed=2).draw(0, 1000, gaps=True)
    numbers = block.pulse_indices()
    assert (numbers.dtype, int(numbers[0])) == (np.uint64, int(block.gaps[0]))
    assert block.gaps.min() >= 1
    np.testing.assert_array_equal(np.diff(numbers), block.gaps[1:])
    np.testing.assert_array_equal(block.pulse_indices(2**52), numbers + np.uint64(2**52))


def test_settings_are_chosen_independently(honest):
    rounds = emulate(Sampler(honest, LOCAL, seed=9), heralded_rounds=1_000_000)
    table = np.zeros((3, 2))
    np.add.at(table, (rounds.alice.settings, rounds.bob.settings), 1)
    assert stats.chi2_contingency(table).pvalue > FALSE_ALARM


def test_pulse_limited_run_has_binomially_many_rounds(honest):
    pulses = 10_000_000
    rounds = emulate(Sampler(honest, LOCAL, seed=10), pulses=pulses)
    assert rounds.pulses == pulses
    test = stats.binomtest(len(rounds), pulses, honest.gain)
    assert test.pvalue > FALSE_ALARM


def test_pulse_limited_run_is_the_start_of_a_longer_one(honest):
    """The rounds whose pulses lie within the limit, a limit on a heralded pulse included."""
    sampler = Sampler(honest, LOCAL, seed=10)
    numbers = sampler.draw(0, 3000, gaps=True).pulse_indices()
    longer = emulate(sampler, heralded_rounds=3000)
    assert longer.pulses == numbers[-1]
    for count in (1, 1234, 2999):
        at = int(numbers[count - 1])
        for pulses, rounds in ((at, count), (at - 1, count - 1)):
            run = emulate(sampler, pulses=max(pulses, 1))
            kept = rounds if pulses else int(numbers[0] == 1)
            assert len(run) == kept
            for party in ("alice", "bob"):
                head = getattr(longer, party).first(kept)
                np.testing.assert_array_equal(getattr(run, party).codes, head.codes)


def test_parts_of_a_schedule_follow_one_another(honest, classical):
    """With equal heralds each device has an equal part of the rounds, as its own sampler draws."""
    other = JointDistribution(
        classical.scheme, classical.announcements, _mixed(classical, honest.gain)
    )
    schedule = [Sampler(honest, LOCAL, 3, 0), Sampler(other, LOCAL, 3, 1)]
    schedule.append(Sampler(honest, LOCAL, 3, 2))
    run = emulate(schedule, heralded_rounds=9000)
    pulses = 0
    for sampler, start in zip(schedule, (0, 3000, 6000), strict=True):
        block = sampler.draw(start, 3000, gaps=True)
        halves = np.empty((2, 3000), np.uint8)
        sampler.split(block, *halves)
        np.testing.assert_array_equal(run.alice.codes[start : start + 3000], halves[0])
        np.testing.assert_array_equal(run.bob.codes[start : start + 3000], halves[1])
        pulses += int(block.gaps.sum())
    assert run.pulses == pulses
    assert run.alice.outcomes[:3000].any()
    assert not run.alice.outcomes[3000:6000].any()


def _mixed(joint, herald_probability):
    """Return the table of devices that herald with another probability."""
    table = joint.probabilities.copy()
    table[:, :, 1:] *= herald_probability / joint.gain
    table[:, :, 0, 0, 0] = 1 - herald_probability
    return table


@pytest.mark.parametrize(
    "limit", [{"heralded_rounds": 2 * DEFAULT_BLOCK_SIZE + 77}, {"pulses": 30_000_000}]
)
def test_run_is_the_same_on_any_number_of_threads(honest, strong, limit):
    schedule = [Sampler(joint, LOCAL, 3, part) for part, joint in enumerate((honest, strong))]
    first = emulate(schedule, threads=1, **limit)
    assert len(first) > 100_000
    for threads in (2, 3):
        run = emulate(schedule, threads=threads, **limit)
        assert run.pulses == first.pulses
        np.testing.assert_array_equal(run.alice.codes, first.alice.codes)
        np.testing.assert_array_equal(run.bob.codes, first.bob.codes)


def test_pulse_limited_schedule_gives_each_device_its_pulses(honest, classical):
    """Two devices in turn: each one's rounds are binomial in its own half of the pulses."""
    parts = 3_000_000
    schedule = [Sampler(joint, LOCAL, 5, n) for n, joint in enumerate((classical, honest))]
    run = emulate(schedule, pulses=2 * parts)
    alone = emulate(schedule[0], pulses=parts)
    head = len(alone)
    np.testing.assert_array_equal(run.alice.codes[:head], alone.alice.codes)
    assert run.alice.outcomes[head : head + 100].any()
    test = stats.binomtest(len(run) - head, parts, honest.gain)
    assert test.pvalue > FALSE_ALARM


def test_progress_counts_the_rounds(honest):
    for limit in ({"heralded_rounds": 2_500_000}, {"pulses": 100_000_000}):
        drawn = []
        run = emulate(Sampler(honest, LOCAL, 3), threads=2, on_rounds=drawn.append, **limit)
        assert drawn == sorted(drawn)
        assert drawn[-1] == len(run)


def test_bytes_of_streams_are_reproducible_and_distinct():
    drawn = {byte_source(seed, stream)(16) for seed in (1, 2) for stream in Stream}
    assert len(drawn) == 2 * len(Stream)
    assert byte_source(1, Stream.GAPS)(16) in drawn


def test_pulses_follow_the_herald_probability(honest):
    n, herald = 1_000_000, honest.gain
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
    with pytest.raises(InvalidArgumentError, match="seed must be a whole number of at least 0"):
        Sampler(honest, LOCAL, seed=-1)


@pytest.mark.parametrize("stream", [-1, 2**56])
def test_streams_out_of_range_are_refused(honest, stream):
    with pytest.raises(InvalidArgumentError, match="stream must be a whole number in"):
        Sampler(honest, LOCAL, seed=1, stream=stream)


def test_heralds_too_rare_to_number_their_pulses_are_refused():
    rare = EntangledCoherent(Link(distance_km=1400, dark_count_probability=0.0))
    with pytest.raises(InvalidArgumentError, match="gain must be at least 1e-12"):
        Sampler(rare.joint_distribution(), LOCAL, seed=1)
    scarce = EntangledCoherent(Link(distance_km=1000, dark_count_probability=0.0))
    sampler = Sampler(scarce.joint_distribution(), LOCAL, seed=1)
    with pytest.raises(InvalidArgumentError, match="heralded_rounds must be a whole number"):
        emulate(sampler, heralded_rounds=10**8)
    assert emulate(sampler, heralded_rounds=10).pulses > 10**10


def test_halves_and_tallies_are_checked(honest, classical):
    sampler, other = Sampler(honest, LOCAL, seed=1), Sampler(classical, LOCAL, seed=1)
    block = sampler.draw(0, 1000)
    halves = np.empty((2, 999), np.uint8)
    with pytest.raises(InvalidArgumentError, match=r"halves must be of the block's length 1000"):
        sampler.split(block, *halves)
    with pytest.raises(InvalidArgumentError, match=r"block must be one of \d+ categories, got"):
        other.tally(block)
    with pytest.raises(InvalidArgumentError, match=r"block must be one of \d+ categories, got"):
        other.split(block, *np.empty((2, 1000), np.uint8))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"block_size": 0}, r"block_size must be a whole number"),
        ({"threads": 0}, r"threads must be a whole number"),
        ({"first_round": -5}, r"first_round must be a whole number"),
        ({"first_round": 2**63}, r"first_round must be a whole number"),
    ],
)
def test_blocks_are_checked(honest, arguments, match):
    with pytest.raises(InvalidArgumentError, match=match):
        list(Sampler(honest, LOCAL, seed=1).blocks(10, **arguments))


def test_memory_does_not_grow_with_the_parts_of_a_drift(honest):
    """Four thousand rounds in 200 parts take far less than a block of the usual size each."""
    sampler = Sampler(honest, LOCAL, seed=1)
    emulate([sampler] * 2, pulses=1000)
    tracemalloc.start()
    emulate([sampler] * 200, pulses=round(4000 / sampler.gain))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20
