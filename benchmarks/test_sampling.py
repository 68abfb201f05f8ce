"""Throughput of the sampler beside numpy's own categorical sampling, on the same distribution."""

import numpy as np
import pytest

from emulator import EntangledCoherent, Link, Sampler
from postprocessing import LocalSettings

ROUNDS = 10_000_000


@pytest.fixture(scope="module")
def joint():
    return EntangledCoherent(Link(distance_km=100)).joint_distribution()


@pytest.mark.benchmark(group="sampling")
@pytest.mark.parametrize("threads", [1, 2])
def test_heralded_rounds(benchmark, joint, threads):
    """Settings, herald, outcomes and pulse number of each round."""
    sampler = Sampler(joint, LocalSettings(0.09, 0.09), seed=1)

    def draw():
        for _ in sampler.blocks(ROUNDS, threads=threads):
            pass

    draw()
    benchmark.pedantic(draw, rounds=5)
    _report(benchmark)


@pytest.mark.benchmark(group="sampling")
def test_numpy_searchsorted(benchmark, joint):
    """The peer: inverting the cumulative distribution with numpy, one category a round."""
    law = joint.heralded().ravel()
    cumulative, rng = np.cumsum(law) / law.sum(), np.random.default_rng(1)
    benchmark.pedantic(lambda: np.searchsorted(cumulative, rng.random(ROUNDS)), rounds=5)
    _report(benchmark)


def _report(benchmark):
    rate = ROUNDS / benchmark.stats.stats.median / 1e6
    benchmark.extra_info["Mrounds_per_s"] = round(rate, 1)
    print(f"  {rate:.1f} Mrounds/s")
