"""Throughput of reconciliation, Mbit of key a second, one thread and all of them.

Run as ``pytest benchmarks/test_reconciliation.py``; the numbers are in ``extra_info`` too.
"""

import os

import numpy as np
import numpy.typing as npt
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from postprocessing.reconciliation import (
    QCLDPCCode,
    code_family,
    decode_frames,
    encode_frames,
    verification_tag,
)

KEY_BITS = 4_000_000
QBERS = [7e-6, 0.01, 0.03, 0.05]
FRAME_ERROR_RATE = 6e-5


def key_and_code(qber: float) -> tuple[QCLDPCCode, npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return the cheapest code for `qber`, a key and its noisy copy."""
    code = next(code for code in code_family() if code.frame_error_rate(qber) <= FRAME_ERROR_RATE)
    generator = np.random.default_rng(1)
    key = generator.integers(0, 2, KEY_BITS, dtype=np.uint8)
    return code, key, key ^ (generator.random(KEY_BITS) < qber)


def report(benchmark: BenchmarkFixture, label: str, **info: float) -> None:
    """Attach and print the throughput."""
    rate = KEY_BITS / benchmark.stats.stats.min / 1e6
    benchmark.extra_info.update(info, mbit_per_second=rate)
    details = ", ".join(f"{name} {value:.4g}" for name, value in info.items())
    print(f"\n{label}: {rate:.1f} Mbit/s {details}")


@pytest.mark.parametrize("threads", sorted({1, os.cpu_count() or 1}))
@pytest.mark.parametrize("qber", QBERS)
def test_decode(benchmark: BenchmarkFixture, qber: float, threads: int) -> None:
    code, key, received = key_and_code(qber)
    syndromes = encode_frames(code, key)
    decode_frames(code, received[: code.frame_bits], syndromes[:1], qber)
    decoded = benchmark.pedantic(
        decode_frames, (code, received, syndromes, qber, threads), rounds=3
    )
    assert not decoded.failed.any()
    assert np.array_equal(decoded.bits, key)
    entropy = -qber * np.log2(qber) - (1 - qber) * np.log2(1 - qber)
    report(
        benchmark,
        f"decode {code.name} at {qber:g}, {threads} threads",
        leak_per_bit=code.leak_per_bit,
        efficiency=code.leak_per_bit / entropy,
        iterations=float(decoded.iterations.mean()),
    )


@pytest.mark.parametrize("qber", QBERS)
def test_encode(benchmark: BenchmarkFixture, qber: float) -> None:
    code, key, _ = key_and_code(qber)
    encode_frames(code, key[:1])
    benchmark.pedantic(encode_frames, (code, key), rounds=5)
    report(benchmark, f"encode {code.name}")


def test_tag(benchmark: BenchmarkFixture) -> None:
    key = np.random.default_rng(2).integers(0, 2, KEY_BITS, dtype=np.uint8)
    verification_tag(key[:1], bytes(16), 64)
    benchmark.pedantic(verification_tag, (key, bytes(range(16)), 64), rounds=5)
    report(benchmark, "tag")
