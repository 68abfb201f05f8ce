"""Throughput of the sampler and of the sifting beside others' samplers, on one distribution.

Rounds are streamed in blocks; each peer draws as many categories a call as it does best.
"""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from rich.console import Console
from rich.table import Table
from scipy.stats.sampling import DiscreteAliasUrn, DiscreteGuideTable
from sizes import repeats, size

from emulator import EntangledCoherent, Link, Sampler, emulate
from postprocessing import LocalSettings
from postprocessing.protocol.randomness import draw_coins
from postprocessing.sifting.sift import count_pairs, count_surplus, packed_settings, sift
from postprocessing.testing import tally_tests

ROUNDS = size(100_000_000, 1_000_000)
# Peers below 200 Mrounds/s.
PEER_ROUNDS = size(10_000_000, 100_000)
BLOCK = 1 << 20
LOCAL = LocalSettings(0.0937, 0.0937)


@pytest.fixture(scope="module")
def sampler():
    return Sampler(EntangledCoherent(Link(distance_km=100)).joint_distribution(), LOCAL, seed=1)


@pytest.fixture(scope="module")
def rounds(sampler):
    return emulate(sampler, heralded_rounds=ROUNDS, threads=2)


@pytest.fixture(scope="module")
def rates():
    """Collect throughputs, and print them in one table at the end."""
    found: dict[str, tuple[float, float, float]] = {}
    yield found
    table = Table("what", "Mrounds/s (median)", "slowest", "fastest")
    for what, numbers in found.items():
        table.add_row(what, *(f"{number:.1f}" for number in numbers))
    console = Console(width=120)
    console.print()
    console.print(table)


def _measure(benchmark, rates, what, function, rounds=ROUNDS):
    """Time a function five times or more, after once for the caches."""
    benchmark.pedantic(function, rounds=repeats(7), warmup_rounds=1)
    stats = benchmark.stats.stats
    rates[what] = tuple(rounds / seconds / 1e6 for seconds in (stats.median, stats.max, stats.min))
    benchmark.extra_info["Mrounds_per_s"] = round(rates[what][0], 1)


@pytest.mark.benchmark(group="sampling")
@pytest.mark.parametrize("gaps", [False, True], ids=["rounds", "rounds and gaps"])
@pytest.mark.parametrize("threads", [1, 2])
def test_heralded_rounds(benchmark, rates, sampler, threads, gaps):
    """Settings, herald and outcomes of each round, and how many pulses it took."""

    def draw():
        for _ in sampler.blocks(ROUNDS, threads=threads, gaps=gaps):
            pass

    what = f"sampler: rounds{' and gaps' if gaps else ''}, {threads} thread(s)"
    _measure(benchmark, rates, what, draw)


@pytest.mark.benchmark(group="sampling")
@pytest.mark.parametrize("threads", [1, 2])
def test_emulate(benchmark, rates, sampler, threads):
    """The whole quantum phase: rounds and gaps, and both parties' records in memory."""
    what = f"emulate: both records and the pulses, {threads} thread(s)"
    _measure(
        benchmark, rates, what, lambda: emulate(sampler, heralded_rounds=ROUNDS, threads=threads)
    )


@pytest.mark.benchmark(group="sampling")
@pytest.mark.parametrize("threads", [1, 2])
def test_rounds_with_tally(benchmark, rates, sampler, threads):
    """Rounds drawn and counted by category, block by block."""

    def draw():
        return sum(sampler.tally(block) for block in sampler.blocks(ROUNDS, threads=threads))

    _measure(
        benchmark, rates, f"sampler: rounds on {threads} thread(s), their tally on another", draw
    )


@pytest.mark.benchmark(group="sampling")
def test_tally(benchmark, rates, sampler):
    """The diagnostic tally of a block alone."""
    block = sampler.draw(0, BLOCK)
    times = 100
    what = "tally of a block in the cache, 1 thread"
    tally = [sampler.tally] * times
    _measure(benchmark, rates, what, lambda: [count(block) for count in tally], times * BLOCK)


def _sift_one(settings, party, record, peer_settings, coins):
    packed_settings(record)
    count_pairs(party, record, peer_settings)
    return sift(settings, party, record, peer_settings, coins)


@pytest.fixture(scope="module")
def public(rounds):
    """Both parties' announced settings and the coins."""
    settings = EntangledCoherent(Link(100)).bell_scheme
    alice, bob = packed_settings(rounds.alice), packed_settings(rounds.bob)
    surplus = count_surplus(settings, count_pairs("alice", rounds.alice, bob))
    coins = draw_coins(np.random.default_rng(1).bytes, surplus, LOCAL.thinning_probability)
    return settings, alice, bob, coins


@pytest.mark.benchmark(group="sifting")
@pytest.mark.parametrize("party", ["alice", "bob"])
def test_sifting_of_one_party(benchmark, rates, rounds, public, party):
    """Settings packed, surplus counted, key and test rounds taken out."""
    settings, alice, bob, coins = public
    peer = bob if party == "alice" else alice
    record = getattr(rounds, party)
    what = f"sifting of {party.capitalize()} alone, 1 thread"
    _measure(benchmark, rates, what, lambda: _sift_one(settings, party, record, peer, coins))


@pytest.mark.benchmark(group="sifting")
def test_sifting_of_both_parties(benchmark, rates, rounds, public):
    """One party after the other, then the score of the game."""
    settings, alice, bob, coins = public

    def whole():
        one = _sift_one(settings, "alice", rounds.alice, bob, coins)
        other = _sift_one(settings, "bob", rounds.bob, alice, coins)
        public = one.winning_parities, one.at_key_setting
        return tally_tests(one.test_outcomes, other.test_outcomes, *public)

    assert whole().chsh == pytest.approx(2.42, abs=200 / ROUNDS**0.5)
    _measure(benchmark, rates, "sifting of both parties and the score, 1 thread", whole)


@njit(cache=False, nogil=True, boundscheck=False)
def _alias_draw(state, thresholds, aliases, out):
    """Walker's alias method on SplitMix64: six bits choose the column, the others decide it."""
    for i in range(len(out)):
        state += np.uint64(0x9E3779B97F4A7C15)
        z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
        column = np.int64(z & np.uint64(63))
        stays = (z >> np.uint64(6)) < thresholds[column]
        out[i] = np.uint8(column) if stays else aliases[column]
    return state


def _alias_tables(probabilities):
    """Return Vose's tables, padded to 64 columns; thresholds count 58 bits."""
    scaled = np.zeros(64)
    scaled[: len(probabilities)] = probabilities * 64
    aliases = np.arange(64, dtype=np.uint8)
    small = [i for i in range(64) if scaled[i] < 1]
    large = [i for i in range(64) if scaled[i] >= 1]
    while small and large:
        low, high = small.pop(), large[-1]
        aliases[low] = high
        scaled[high] -= 1 - scaled[low]
        if scaled[high] < 1:
            small.append(large.pop())
    return np.array([min(int(s * 2**58), 2**58) for s in scaled], np.uint64), aliases


@pytest.mark.benchmark(group="sampling")
def test_alias_method(benchmark, rates, sampler):
    """The same number of categories by the alias method, compiled, on a generator of 64 bits."""
    thresholds, aliases = _alias_tables(sampler.probabilities)
    out = np.empty(BLOCK, np.uint8)
    state = _alias_draw(np.uint64(1), thresholds, aliases, out)
    shares = np.bincount(out, minlength=len(sampler.probabilities)) / BLOCK
    np.testing.assert_allclose(shares, sampler.probabilities, atol=3e-3)

    def draw():
        current = state
        for _ in range(0, ROUNDS, BLOCK):
            current = np.uint64(_alias_draw(current, thresholds, aliases, out))

    _measure(benchmark, rates, "numba: alias method on SplitMix64, 1 thread", draw)


@pytest.mark.benchmark(group="sampling")
def test_numpy_choice(benchmark, rates, sampler):
    law, rng = sampler.probabilities, np.random.default_rng(1)
    what = "numpy: Generator.choice, 1 thread"
    _measure(benchmark, rates, what, lambda: rng.choice(len(law), PEER_ROUNDS, p=law), PEER_ROUNDS)


@pytest.mark.benchmark(group="sampling")
def test_numpy_searchsorted(benchmark, rates, sampler):
    cumulative, rng = np.cumsum(sampler.probabilities), np.random.default_rng(1)

    def draw():
        for _ in range(0, PEER_ROUNDS, BLOCK):
            np.searchsorted(cumulative, rng.random(BLOCK))

    drawn = -(-PEER_ROUNDS // BLOCK) * BLOCK
    _measure(benchmark, rates, "numpy: searchsorted, 1 thread", draw, drawn)


@pytest.mark.benchmark(group="sampling")
@pytest.mark.parametrize("method", [DiscreteGuideTable, DiscreteAliasUrn])
def test_scipy(benchmark, rates, sampler, method):
    urn = method(sampler.probabilities, random_state=np.random.default_rng(1))
    what = f"scipy: {method.__name__}, 1 thread"
    _measure(benchmark, rates, what, lambda: urn.rvs(PEER_ROUNDS), PEER_ROUNDS)


@pytest.mark.benchmark(group="sampling")
@pytest.mark.parametrize("place", ["memory", "cache"])
def test_write_limit(benchmark, rates, place):
    """Nothing but writing a byte a round: all to memory, or a block again and again."""
    out = np.empty(ROUNDS if place == "memory" else BLOCK, np.uint8)

    def fill():
        for value in range(-(-ROUNDS // len(out))):
            out.fill(value & 1)

    drawn = -(-ROUNDS // len(out)) * len(out)
    _measure(benchmark, rates, f"limit: bytes written to {place}, 1 thread", fill, drawn)
