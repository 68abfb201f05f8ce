"""Statistical proof of the sampler: frequencies, serial correlations and gaps of many rounds.

Run: ``python tests/acceptance/sampler_proof.py [ROUNDS]``, by default 1e10 rounds; a minute or two
on two threads. A tenth of the rounds is tested for correlations, a hundredth for gaps. A right
sampler fails with probability 1e-6 in all; one whose probabilities are rounded to sixteen bits
must fail at 1e10 rounds. Exits with 1 unless both is so.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba as nb
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table
from scipy import stats

from emulator import EntangledCoherent, JointDistribution, Link, Sampler
from postprocessing import LocalSettings

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

ROUNDS = BIASED_ROUNDS = 10**10
FALSE_ALARM = 1e-6
THREADS = 2
CHUNK = 1 << 20
LOCAL = LocalSettings(0.1, 0.15)
POINTS = [
    EntangledCoherent(Link(distance_km=0), mean_photon_number=0.3, misalignment_error=0.05),
    EntangledCoherent(Link(distance_km=100)),
    EntangledCoherent(Link(distance_km=300), misalignment_error=0.03),
]
COLUMNS = ("Alice's setting", "Alice's outcome", "Bob's setting", "Bob's outcome", "herald")
LAGS = 64
# Rounds of one counter of Philox are neighbours or 8192 apart, those of one stretch up to 16384.
PAIR_LAGS = (1, 2, 3, 4, 5, 7, 8, 16, 32, 64, 8192, 16384)
HERALD_PROBABILITIES = (1e-1, 1e-4, 1e-9)
GAP_BINS = 1000
LEAST_EXPECTED = 10
# Each point's frequencies, each column's lags, each lag's pairs, each herald probability's gaps.
TESTS = len(POINTS) + len(COLUMNS) * LAGS + len(PAIR_LAGS) + len(HERALD_PROBABILITIES)


@dataclass(frozen=True)
class Result:
    """A statistic, what it is compared with, its two-sided p-value, and of how many it is worst."""

    test: str
    rounds: int
    statistic: float
    reference: str
    p_value: float
    of: int = 1

    @property
    def passed(self) -> bool:
        """Whether a right sampler would be at all likely to look like this."""
        return self.p_value > FALSE_ALARM / TESTS


def chi_square(test: str, rounds: int, statistic: float, freedom: int) -> Result:
    """Compare with a chi-square law; a fit too good to be random is as suspicious as a bad one."""
    law = stats.chi2(freedom)
    p_value = min(1.0, 2 * min(float(law.sf(statistic)), float(law.cdf(statistic))))
    return Result(test, rounds, statistic, f"chi-square of {freedom}", p_value)


def over_chunks(rounds: int, count: Callable[[int, int], npt.NDArray]) -> npt.NDArray:
    """Sum ``count(first, size)`` over all chunks of the rounds, on all threads."""
    starts = range(0, rounds, CHUNK)
    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(lambda start: count(start, min(CHUNK, rounds - start)), starts))


def name(model: EntangledCoherent) -> str:
    """Name a point."""
    error, intensity = model.misalignment_error, model.intensity
    return f"{model.link.distance_km} km, μ = {intensity:.3g}, e_d = {error}"


def exact_law(joint: JointDistribution, sampler: Sampler) -> Floats:
    """Return each category's probability, straight from the joint distribution."""
    alice, bob = (LOCAL.choice(joint.scheme, party) for party in ("alice", "bob"))
    law = np.einsum("x,y,xyhab->xyhab", alice, bob, joint.heralded())
    x, a, y, b, herald = sampler.columns
    assert len(x) == np.count_nonzero(law)
    return law[x, y, herald, a, b] / law.sum()


def grouped(law: Floats, least: float) -> npt.NDArray[np.uint8]:
    """Number the categories, the rarest together so that each group has a least probability."""
    together = int(np.searchsorted(np.cumsum(np.sort(law)), least)) + 1
    together = max(together, int(np.count_nonzero(law < least)))
    rank = np.argsort(np.argsort(-law))
    return np.minimum(rank, len(law) - together).astype(np.uint8)


def frequencies(model: EntangledCoherent, sampler: Sampler, rounds: int, what: str) -> Result:
    """Test the categories' frequencies; the rarest are pooled."""
    law = exact_law(model.joint_distribution(), sampler)
    observed = over_chunks(rounds, lambda start, size: sampler.tally(sampler.draw(start, size)))
    groups = grouped(law, LEAST_EXPECTED / rounds)
    observed, expected = np.bincount(groups, observed), np.bincount(groups, law) * rounds
    statistic = float(((observed - expected) ** 2 / expected).sum())
    return chi_square(f"{what}: {name(model)}", rounds, statistic, len(expected) - 1)


@nb.njit(nogil=True, fastmath=True)
def products(scores: Floats, size: int) -> Floats:
    """Return the sums of products of scores at each lag, piece by piece for the cache."""
    sums = np.zeros(LAGS)
    for first in range(0, size, 2048):
        for lag in range(LAGS):
            total = 0.0
            for i in range(first, min(first + 2048, size)):
                total += scores[i] * scores[i + lag + 1]
            sums[lag] += total
    return sums


def serial_correlations(sampler: Sampler, law: Floats, rounds: int) -> list[Result]:
    """Test the correlation of each column with itself at each lag; report each one's worst."""
    results = []
    for column, values in zip(COLUMNS, sampler.columns.astype(float), strict=True):
        centred = values - law @ values
        scores = centred / math.sqrt(law @ centred**2)

        def count(start: int, size: int, scores: Floats = scores) -> Floats:
            return products(scores[sampler.draw(start, size + LAGS).categories], size)

        # Products of independent standard scores are uncorrelated and of variance 1.
        z = over_chunks(rounds, count) / math.sqrt(rounds)
        lag = int(np.abs(z).argmax())
        p_value = float(2 * stats.norm.sf(abs(z[lag])))
        test = f"serial correlation of {column}, worst at lag {lag + 1}"
        results.append(Result(test, rounds, float(z[lag]), "standard normal", p_value, LAGS))
    return results


@nb.njit(nogil=True)
def pair_counts(groups: npt.NDArray[np.uint8], lag: int, size: int, count: int) -> Counts:
    """Count the pairs of groups at a lag."""
    pairs = np.zeros((count, count), np.int64)
    for i in range(size):
        pairs[groups[i], groups[i + lag]] += 1
    return pairs


def pairs_at_lag(sampler: Sampler, law: Floats, rounds: int, lag: int) -> Result:
    """Test that categories at a lag are independent, the rarest as one group.

    Pairs overlap, so only what is left after subtracting both margins is tested: these terms are
    uncorrelated whichever rounds the pairs share.
    """
    group = grouped(law, math.sqrt(LEAST_EXPECTED / rounds))
    margin = np.bincount(group, law)

    def count(start: int, size: int) -> Counts:
        groups = group[sampler.draw(start, size + lag).categories]
        return pair_counts(groups, lag, size, len(margin))

    share = over_chunks(rounds, count) / rounds
    first, second = share.sum(axis=1) - margin, share.sum(axis=0) - margin
    excess = share - np.outer(margin, margin) - np.outer(first, margin) - np.outer(margin, second)
    statistic = float(rounds * (excess**2 / np.outer(margin, margin)).sum())
    return chi_square(
        f"pairs of categories at lag {lag}", rounds, statistic, (len(margin) - 1) ** 2
    )


def heralding(probability: float) -> JointDistribution:
    """Return devices that herald with this probability and answer at random."""
    settings = EntangledCoherent(Link(100)).bell_scheme
    table = np.zeros((3, 2, 3, 2, 2))
    table[:, :, 0, 0, 0] = 1 - probability
    table[:, :, 1:] = probability / 8
    return JointDistribution(settings, ("none", *settings.heralds), table)


def gaps(probability: float, rounds: int, seed: int) -> Result:
    """Test the gaps over bins as equally likely as whole numbers allow."""
    joint = heralding(probability)
    sampler = Sampler(joint, LOCAL, seed)
    log_unheralded = math.log1p(-joint.gain)
    quantiles = np.log1p(-np.arange(1, GAP_BINS) / GAP_BINS) / log_unheralded
    edges = np.unique(np.ceil(quantiles)).astype(np.uint64)

    def count(start: int, size: int) -> Counts:
        bins = np.searchsorted(edges, sampler.draw_gaps(start, size), side="left")
        return np.bincount(bins, minlength=len(edges) + 1)

    observed = over_chunks(rounds, count)
    # P(gap > g) = (1 − P)^g.
    beyond = np.exp(log_unheralded * np.concatenate([[0.0], edges, [math.inf]]))
    expected = -np.diff(beyond) * rounds
    statistic = float(((observed - expected) ** 2 / expected).sum())
    return chi_square(f"gaps at herald probability {probability:g}", rounds, statistic, len(edges))


def rounded_to_sixteen_bits(sampler: Sampler) -> Sampler:
    """Give each undecided entry of the sampler's table to the greatest category that it holds."""
    bounds = [0, *(int(bound) for bound in sampler._cumulative), 2**64]
    table = sampler._table.copy()
    for top in np.flatnonzero(table == np.iinfo(table.dtype).max).tolist():
        held = [
            category
            for category in range(len(bounds) - 1)
            if bounds[category] < (top + 1) << 48 and bounds[category + 1] > top << 48
        ]
        table[top] = max(held, key=lambda category: sampler.probabilities[category])
    sampler._table = table
    return sampler


def show(title: str, results: list[Result], seconds: float) -> None:
    """Print the results in a table."""
    table = Table("test", "rounds", "statistic", "compared with", "p-value", "of", title=title)
    for r in results:
        numbers = f"{r.statistic:.2f}", r.reference, f"{r.p_value:.3g}", str(r.of)
        table.add_row(r.test, f"{r.rounds:.0e}", *numbers)
    console = Console(width=140)
    console.print(table, f"{seconds:.0f} s")


def main() -> int:
    """Run all tests, then those of a sampler that is wrong."""
    rounds = int(float(sys.argv[1])) if len(sys.argv) > 1 else ROUNDS
    started = time.perf_counter()
    samplers = [
        Sampler(model.joint_distribution(), LOCAL, seed) for seed, model in enumerate(POINTS)
    ]
    results = [
        frequencies(model, sampler, rounds, "frequencies")
        for model, sampler in zip(POINTS, samplers, strict=True)
    ]
    law = exact_law(POINTS[0].joint_distribution(), samplers[0])
    results += serial_correlations(samplers[0], law, rounds // 10)
    results += [pairs_at_lag(samplers[0], law, rounds // 10, lag) for lag in PAIR_LAGS]
    results += [
        gaps(probability, rounds // 100, seed)
        for seed, probability in enumerate(HERALD_PROBABILITIES)
    ]
    title = f"The sampler: {TESTS} tests, each to pass at p > {FALSE_ALARM / TESTS:.2g}"
    show(title, results, time.perf_counter() - started)

    started = time.perf_counter()
    biased = [
        frequencies(model, rounded_to_sixteen_bits(sampler), BIASED_ROUNDS, "rounded")
        for model, sampler in zip(POINTS, samplers, strict=True)
    ]
    show(
        "Probabilities rounded to 16 bits: must be rejected", biased, time.perf_counter() - started
    )
    passed = all(r.passed for r in results) and not any(r.passed for r in biased)
    Console().print("passed" if passed else "FAILED")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
