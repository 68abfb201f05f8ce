"""Speed of the Toeplitz hash, output half the input."""

from __future__ import annotations

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from postprocessing.amplification import seed_length, toeplitz_hash


@pytest.mark.benchmark(group="amplification")
@pytest.mark.parametrize("length", [10**6, 10**7])
def test_toeplitz_hash(benchmark: BenchmarkFixture, length: int) -> None:
    generator = np.random.default_rng(0)
    bits = generator.integers(0, 2, length, dtype=np.uint8)
    seed = generator.integers(0, 2, seed_length(length, length // 2), dtype=np.uint8)
    hashed = benchmark.pedantic(toeplitz_hash, (bits, seed, length // 2), rounds=3)
    benchmark.extra_info["input_mbit_per_s"] = length / 1e6 / benchmark.stats.stats.median
    assert hashed.size == length // 2
