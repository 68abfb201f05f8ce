"""Throughput of reconciliation, Mbit of key a second of CPU time on one thread, beside `ldpc`.

Run as ``pytest benchmarks/test_reconciliation.py -s``; the numbers are in ``extra_info`` too.
`ldpc` decodes the same noise on the same code in the same run.
"""

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from scipy import sparse

from postprocessing.amplification.packing import pack_bits
from postprocessing.leakage import plan_leakage
from postprocessing.reconciliation import (
    Frames,
    RateAdaptation,
    deal,
    decode,
    encode,
    verification_tag,
)
from postprocessing.reconciliation.codes import decoded_graph
from postprocessing.rounds import RoundProbabilities

KEY_BITS = 4_000_000
QBERS = [0.001, 0.01, 0.03, 0.05, 0.08]


def key_and_rates(qber: float, mode: str) -> tuple[RateAdaptation, Frames, Frames]:
    """Return the code of a long key, a key in frames and its noisy copy."""
    plan = plan_leakage(10**8, RoundProbabilities(0.98, 0.001), qber, 64, 1e-2, mode)
    generator = np.random.default_rng(1)
    key = generator.integers(0, 2, KEY_BITS, dtype=np.uint8)
    noisy = key ^ (generator.random(KEY_BITS) < qber).astype(np.uint8)
    rates = plan.reconciliation
    return rates, *(deal(pack_bits(bits), KEY_BITS, rates) for bits in (key, noisy))


def report(benchmark: BenchmarkFixture, label: str, **info: float) -> None:
    """Attach and print the throughput."""
    rate = KEY_BITS / benchmark.stats.stats.min / 1e6
    benchmark.extra_info.update(info, mbit_per_second=rate)
    details = ", ".join(f"{name} {value:.4g}" for name, value in info.items())
    print(f"\n{label}: {rate:.1f} Mbit/s {details}")


@pytest.mark.parametrize("mode", ["throughput", "efficiency"])
@pytest.mark.parametrize("qber", QBERS)
def test_decode(benchmark: BenchmarkFixture, qber: float, mode: str) -> None:
    rates, key, noisy = key_and_rates(qber, mode)
    syndromes = encode(rates, key)
    decode(rates, noisy.chosen(np.arange(1)), syndromes[:1], qber)
    decoded = benchmark.pedantic(decode, (rates, noisy, syndromes, qber, 0, 1), rounds=3)
    good = ~decoded.failed
    assert np.array_equal(decoded.frames.words[good], key.words[good])
    iterations = float(decoded.iterations[good].mean())
    report(benchmark, f"decode {rates.code} at {qber:g}", iterations=iterations)


@pytest.mark.parametrize("qber", QBERS)
def test_encode(benchmark: BenchmarkFixture, qber: float) -> None:
    rates, key, _ = key_and_rates(qber, "throughput")
    encode(rates, key)
    benchmark.pedantic(encode, (rates, key), rounds=5)
    report(benchmark, f"encode {rates.code}")


def test_tag(benchmark: BenchmarkFixture) -> None:
    words = np.random.default_rng(2).integers(0, 2**64, KEY_BITS // 64, dtype=np.uint64)
    verification_tag(words[:1], bytes(16), 64)
    benchmark.pedantic(verification_tag, (words, bytes(range(16)), 64), rounds=5)
    report(benchmark, "tag")


def parity_check(rates: RateAdaptation) -> sparse.csr_matrix:
    """Return the lifted matrix of the first attempt."""
    graph, lifting = decoded_graph(rates, 0), rates.mother.lifting
    block_rows = np.repeat(np.arange(len(graph.row_starts) - 1), np.diff(graph.row_starts))
    within = np.arange(lifting)
    rows = block_rows[:, np.newaxis] * lifting + within
    columns = graph.edges[:, :1] * lifting + (within + graph.edges[:, 1:]) % lifting
    entries = np.ones(rows.size, np.uint8)
    shape = ((len(graph.row_starts) - 1) * lifting, rates.columns * lifting)
    return sparse.csr_matrix((entries, (rows.ravel(), columns.ravel())), shape=shape)


def cpu_seconds(run: Callable[..., object], *arguments: object) -> float:
    """Return the CPU time of a call, whatever its threads."""
    started = time.process_time()
    run(*arguments)
    return time.process_time() - started


@pytest.mark.parametrize("method", ["minimum_sum", "product_sum"])
@pytest.mark.parametrize("qber", [0.02, 0.05])
def test_beside_ldpc(qber: float, method: str) -> None:
    """Decode one frame by both, serial schedules, on the same errors."""
    ldpc = pytest.importorskip("ldpc", exc_type=ImportError)
    rates, key, noisy = key_and_rates(qber, "throughput")
    errors = key.words[0] ^ noisy.words[0]
    bits: npt.NDArray[np.uint8] = np.unpackbits(errors.view(np.uint8), bitorder="little")
    matrix = parity_check(rates)
    syndrome = (matrix @ bits.astype(np.int64) % 2).astype(np.uint8)
    peer = ldpc.BpDecoder(
        matrix,
        error_rate=qber,
        max_iter=60,
        bp_method=method,
        schedule="serial",
        ms_scaling_factor=0.75,
    )
    theirs = cpu_seconds(peer.decode, syndrome)
    found = np.array_equal(peer.decode(syndrome), bits)
    syndromes = encode(rates, key)
    decode(rates, noisy, syndromes, qber, 0, 1)
    ours = cpu_seconds(decode, rates, noisy, syndromes, qber, 0, 1) / len(key)
    n = rates.frame_bits
    print(
        f"\n{rates.code} at {qber:g}: {n / ours / 1e6:.1f} Mbit/s, ldpc {method} "
        f"{n / theirs / 1e6:.3f} Mbit/s ({'right' if found else 'not decoded'}), "
        f"ratio {theirs / ours:.0f}"
    )
