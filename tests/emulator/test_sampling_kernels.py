"""The sampler's kernels: known answers of Philox, exact inversion, the logarithm and the gaps."""

import bisect
import math
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest
from devices import SCHEME
from scipy import stats

from emulator.sampling.kernels import (
    WORDS_PER_STRETCH,
    _log,
    _philox,
    count_categories,
    draw_categories,
    draw_gaps,
    write_stretch,
)
from emulator.sampling.sampler import Sampler, Stream, cumulative_words, guide_table
from emulator.states.distribution import JointDistribution
from postprocessing.scheme import BellScheme, LocalSettings

LOCAL = LocalSettings(0.2, 0.3)
# Each statistical test is two-sided at 1e-6; seeds are fixed.
FALSE_ALARM = 1e-6
KEY = 0x0123456789ABCDEF
# Those of a second sequence of a seed, so that the high half of a counter counts too.
STREAMS = (Stream.ROUNDS + (77 << 40), Stream.FURTHER_BITS + (77 << 40))
# Counter, key and answer in 32-bit words: the known answers that come with Random123.
KNOWN_ANSWERS = [
    ("00000000 " * 4, "00000000 " * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff " * 4, "ffffffff " * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


def _halves(text):
    return [int(word, 16) for word in text.split()]


def _wide(low, high):
    return low | high << 32


@lru_cache(maxsize=1 << 16)
def _literal_philox(counter, stream, key):
    """Return the four 32-bit words of Philox4x32-10, by Python's whole numbers."""
    c = [counter & 0xFFFFFFFF, counter >> 32, stream & 0xFFFFFFFF, stream >> 32]
    k = [key & 0xFFFFFFFF, key >> 32]
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c[0], 1 << 32)
        high1, low1 = divmod(0xCD9E8D57 * c[2], 1 << 32)
        c = [high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c


def _literal_word(number, stream, key):
    """Return a word of a stream by its place: low halves of 2048 counters, then high ones."""
    stretch, place = divmod(number, 4096)
    c = _literal_philox(stretch * 2048 + place % 2048, stream, key)
    return _wide(*c[:2]) if place < 2048 else _wide(*c[2:])


def _literal_categories(first, rounds, streams, key, cumulative):
    """Invert 64 bits for every round: 16 of its piece above 48 further ones."""
    bounds = [int(bound) for bound in cumulative]
    categories = []
    for number in range(first, first + rounds):
        piece = (_literal_word(number // 4, streams[0], key) >> 16 * (number % 4)) & 0xFFFF
        further = _wide(*_literal_philox(number, streams[1], key)[:2]) >> 16
        categories.append(bisect.bisect_right(bounds, piece << 48 | further))
    return categories


def _draw(first, rounds, table, cumulative):
    out = np.empty(rounds, table.dtype)
    streams = tuple(np.uint64(stream) for stream in STREAMS)
    draw_categories(first, streams, np.uint64(KEY), table, cumulative, out)
    return out


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_philox_gives_the_known_answers(counter, key, answer):
    c, k, known = _halves(counter), _halves(key), _halves(answer)
    low, stream, wide_key = _wide(*c[:2]), _wide(*c[2:]), _wide(*k)
    words = (_wide(*known[:2]), _wide(*known[2:]))
    assert _literal_philox(low, stream, wide_key) == known
    assert _philox(np.uint64(low), np.uint64(stream), np.uint64(wide_key)) == words
    stretch = np.empty(WORDS_PER_STRETCH, np.uint64)
    number, place = divmod(low, WORDS_PER_STRETCH // 2)
    write_stretch(number, np.uint64(stream), np.uint64(wide_key), stretch)
    assert (stretch[place], stretch[place + WORDS_PER_STRETCH // 2]) == words


def test_stretches_follow_one_another():
    words = np.empty((3, WORDS_PER_STRETCH), np.uint64)
    for number, stretch in enumerate(words):
        write_stretch(number + 2**31, np.uint64(STREAMS[0]), np.uint64(KEY), stretch)
    first = 2**31 * WORDS_PER_STRETCH
    literal = [_literal_word(first + i, STREAMS[0], KEY) for i in range(words.size)]
    np.testing.assert_array_equal(words.ravel(), literal)


def _law(kind):
    """Return the probabilities of laws with rare, with many and with very many categories."""
    rng = np.random.default_rng(3)
    if kind == "two":
        return np.array([1 / 3, 2 / 3])
    if kind == "tiny":
        return np.append(np.full(200, 1e-5), 1 - 200e-5)
    if kind == "clustered":
        return np.concatenate([[0.5], np.exp2(-20 - 30 * rng.random(250)), [0.5]])
    sizes = {"most of a byte": 255, "least of two bytes": 256, "many": 20_000}
    return rng.dirichlet(np.ones(sizes[kind]))


KINDS = ("two", "tiny", "clustered", "most of a byte", "least of two bytes", "many")


@pytest.mark.parametrize("first", [0, 16_380, 2**40 + 5])
@pytest.mark.parametrize("kind", KINDS)
def test_categories_are_the_exact_inversion(kind, first):
    """Every round, also past 2³² of them and across the end of a stretch."""
    law = _law(kind)
    cumulative = cumulative_words(law / law.sum())
    table = guide_table(cumulative)
    assert table.dtype == (np.uint8 if len(law) <= 255 else np.uint16)
    drawn = _draw(first, 6000, table, cumulative)
    literal = _literal_categories(first, 6000, STREAMS, KEY, cumulative)
    np.testing.assert_array_equal(drawn, literal)
    if kind == "many":
        assert np.mean(table == np.iinfo(table.dtype).max) > 0.2


@pytest.mark.parametrize("kind", KINDS)
def test_further_bits_alone_give_the_same_rounds(kind):
    """A table that decides nothing makes every round take all its 64 bits."""
    law = _law(kind)
    cumulative = cumulative_words(law / law.sum())
    table = guide_table(cumulative)
    undecided = np.full_like(table, np.iinfo(table.dtype).max)
    drawn = _draw(12_345, 2_000_000, table, cumulative)
    np.testing.assert_array_equal(drawn, _draw(12_345, 2_000_000, undecided, cumulative))
    assert undecided[0] not in drawn
    for rounds in (0, 1, 2, 255, 256, 257, 513, 4039, 4040, 4041, 16_385):
        np.testing.assert_array_equal(_draw(12_345, rounds, undecided, cumulative), drawn[:rounds])


@pytest.mark.parametrize("number", [0, 1, 255, 16_384])
def test_bounds_belong_to_the_upper_category(number):
    """A category ends just below its bound: a bound at the very word of a round, or one above."""
    piece = _literal_word(number // 4, STREAMS[0], KEY) >> 16 * (number % 4) & 0xFFFF
    further = _wide(*_literal_philox(number, STREAMS[1], KEY)[:2]) >> 16
    for above, category in ((0, 1), (1, 0)):
        cumulative = np.array([(piece << 48 | further) + above], np.uint64)
        assert _draw(number, 1, guide_table(cumulative), cumulative) == [category]


@pytest.mark.parametrize("joint", ["honest", "wide"])
def test_sampler_is_the_exact_inversion(joint, request):
    """The same for a whole sampler: its key, its streams, its bounds."""
    distribution = _wide_joint() if joint == "wide" else request.getfixturevalue(joint)
    for seed, stream in ((0, 0), (123, 5), (1, 2**56 - 1)):
        sampler = Sampler(distribution, LOCAL, seed, stream)
        key = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
        streams = (stream << 8, 1 + (stream << 8))
        literal = _literal_categories(
            777, 4000, streams, key, cumulative_words(sampler.probabilities)
        )
        drawn = sampler.draw(777, 4000).categories
        np.testing.assert_array_equal(drawn, literal)
        assert drawn.dtype == (np.uint16 if joint == "wide" else np.uint8)


def _wide_joint():
    """Return devices with 32 heralds of very unequal probabilities: 768 categories."""
    heralds = tuple(str(herald) for herald in range(32))
    settings = BellScheme(
        alice_labels=SCHEME.alice_labels,
        bob_labels=SCHEME.bob_labels,
        heralds=heralds,
        key_pair=SCHEME.key_pair,
        chsh_signs=SCHEME.chsh_signs,
        flip=((False, False),) * 32,
    )
    share = np.exp2(-np.arange(32.0))
    outcomes = np.array([[0.4, 0.1], [0.1, 0.4]])
    cells = share[:, None, None] / share.sum() * outcomes
    return JointDistribution(settings, heralds, np.broadcast_to(cells, (3, 2, 32, 2, 2)))


@pytest.mark.parametrize("joint", ["honest", "strong", "classical", "wide"])
def test_probabilities_are_exact_to_the_last_bit(joint, request):
    """The words of a category are its probability to 2⁻⁵³; a cell of probability 0 has none."""
    distribution = _wide_joint() if joint == "wide" else request.getfixturevalue(joint)
    sampler = Sampler(distribution, LOCAL, seed=1)
    settings = distribution.scheme
    choices = np.outer(LOCAL.choice(settings, "alice"), LOCAL.choice(settings, "bob"))
    law = choices[..., None, None, None] * distribution.heralded()
    x, a, y, b, herald = sampler.columns
    exact = law[x, y, herald, a, b] / law.sum()
    bounds = [0, *(int(bound) for bound in cumulative_words(sampler.probabilities)), 2**64]
    words = np.array([(high - low) / 2**64 for low, high in pairwise(bounds)])
    assert np.abs(words - exact).max() <= 2.0**-53
    assert len(exact) == np.count_nonzero(law)
    assert len({tuple(column) for column in sampler.columns.T}) == len(exact)


@pytest.mark.parametrize("kind", KINDS)
def test_bounds_are_rounded_exact_sums(kind):
    law = [Fraction(p) for p in _law(kind).tolist()]
    bounds = cumulative_words(_law(kind))
    assert (bounds.dtype, len(bounds)) == (np.uint64, len(law) - 1)
    total, done = sum(law), Fraction(0)
    for p, bound in zip(law[:300], bounds[:300].tolist(), strict=False):
        done += p
        assert abs(done / total * 2**64 - bound) <= Fraction(1, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_table_decides_just_what_sixteen_bits_decide(kind):
    cumulative = cumulative_words(_law(kind))
    table = guide_table(cumulative)
    undecided = np.iinfo(table.dtype).max
    bounds = [0, *(int(bound) for bound in cumulative), 2**64]
    for top, category in enumerate(table.tolist()):
        first, last = top << 48, (top << 48) + 2**48 - 1
        if category == undecided:
            low, high = (bisect.bisect_right(bounds, word) for word in (first, last))
            assert low < high
        else:
            assert bounds[category] <= first
            assert last < bounds[category + 1]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_counts_are_those_of_bincount(dtype):
    rng = np.random.default_rng(1)
    for size in (0, 1, 3, 4, 5, 10_007):
        categories = rng.integers(0, 200, size).astype(dtype)
        counts = np.ones((4, 200), np.int64)
        count_categories(categories, counts)
        np.testing.assert_array_equal(counts.sum(0) - 4, np.bincount(categories, minlength=200))


def test_logarithm_is_good_to_two_units_in_the_last_place():
    """On random numbers of all sizes, around powers of 2 and √½ times them, and at both ends."""
    rng = np.random.default_rng(2)
    small = np.exp2(-54 * rng.random(100_000))
    near_1 = 1 - np.maximum(np.exp2(-53 * rng.random(20_000)), 2.0**-53)
    around = [
        centre * (1 + width * (rng.random(5000) - 0.5))
        for centre in (0.5, math.sqrt(0.5), math.sqrt(0.5) / 2, 2.0**-40)
        for width in (0.2, 1e-6, 4e-16)
    ]
    numbers = np.concatenate([rng.random(100_000) + 2.0**-54, small, near_1, *around])
    for x in [*numbers[numbers < 1].tolist(), 2.0**-54, 2.0**-1000, np.nextafter(1.0, 0.0)]:
        exact = math.log(x)
        assert abs(_log(x) - exact) <= 2 * math.ulp(exact)
    assert _log(1.0) == 0


def _sampler_of(herald_probability, seed=1):
    """Return a sampler of devices that herald this often and then answer at random."""
    table = np.zeros((3, 2, 2, 2, 2))
    table[:, :, 0, 0, 0] = 1 - herald_probability
    table[:, :, 1] = herald_probability / 4
    settings = BellScheme(
        alice_labels=SCHEME.alice_labels,
        bob_labels=SCHEME.bob_labels,
        heralds=("h",),
        key_pair=SCHEME.key_pair,
        chsh_signs=SCHEME.chsh_signs,
        flip=((False, False),),
    )
    return Sampler(JointDistribution(settings, ("none", "h"), table), LOCAL, seed)


@pytest.mark.parametrize("herald_probability", [1 - 1e-9, 0.9, 1e-1, 1e-4, 1e-9, 1e-12])
def test_gaps_are_geometric(herald_probability):
    """Chi-square over bins as equally likely as whole numbers allow, the sum, the gaps of 1."""
    n = 300_000
    sampler = _sampler_of(herald_probability)
    herald = sampler.gain
    assert herald == pytest.approx(herald_probability, rel=1e-12)
    gaps = sampler.draw_gaps(0, n)
    log_unheralded = math.log1p(-herald)
    edges = np.unique(np.ceil(np.log1p(-np.arange(1, 200) / 200) / log_unheralded))
    # P(gap > g) = (1 − P)^g at each edge.
    law = -np.diff(np.exp(log_unheralded * np.concatenate([[0], edges, [math.inf]])))
    observed = np.bincount(np.searchsorted(edges, gaps, side="left"), minlength=len(law))
    expected = n * law
    assert stats.binomtest(int((gaps == 1).sum()), n, herald).pvalue > FALSE_ALARM
    if herald < 0.99:
        assert expected.min() >= 10
        p_value = stats.chi2.sf(((observed - expected) ** 2 / expected).sum(), len(law) - 1)
        assert FALSE_ALARM < p_value < 1 - FALSE_ALARM
        deviation = (gaps.sum(dtype=np.float64) * herald - n) / math.sqrt(n * (1 - herald))
        assert abs(deviation) < stats.norm.isf(FALSE_ALARM / 2)


def test_gaps_are_the_literal_ones():
    """1 + ⌊ln u / ln(1 − P)⌋ for u by the 53 leading bits of the word of the round."""
    log_unheralded = math.log1p(-1e-7)
    drawn = np.empty(3000, np.uint64)
    first = 2**34 + 3000
    draw_gaps(first, np.uint64(STREAMS[0]), np.uint64(KEY), log_unheralded, drawn)
    for i, gap in enumerate(drawn.tolist()):
        uniform = ((_literal_word(first + i, STREAMS[0], KEY) >> 11) + 0.5) * 2.0**-53
        assert gap == pytest.approx(1 + math.floor(math.log(uniform) / log_unheralded), abs=1)
        assert gap == 1 + math.floor(_log(uniform) / log_unheralded)


def test_always_heralding_devices_have_gaps_of_1():
    sampler = _sampler_of(1.0)
    assert (sampler.draw_gaps(0, 10_000) == 1).all()
