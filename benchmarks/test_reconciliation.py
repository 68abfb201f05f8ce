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
from sizes import repeats, size

from emulator.speed.peers import parity_check
from postprocessing.bits import PackedBits
from postprocessing.design.leakage import leakage_budget
from postprocessing.reconciliation import (
    Frames,
    RateAdaptation,
    deal,
    decode,
    encode,
    verification_tag,
)
from postprocessing.round_probabilities import RoundProbabilities

KEY_BITS = size(4_000_000, 400_000)
QBERS = [0.001, 0.01, 0.03, 0.05, 0.08]


def key_and_rates(qber: float, mode: str) -> tuple[RateAdaptation, Frames, Frames]:
    """Return the code of a long key, a key in frames and its noisy copy."""
    plan = leakage_budget(10**8, RoundProbabilities(0.98, 0.001), qber, 64, 1e-2, (mode,))
    generator = np.random.default_rng(1)
    key = generator.integers(0, 2, KEY_BITS, dtype=np.uint8)
    noisy = key ^ (generator.random(KEY_BITS) < qber).astype(np.uint8)
    rates = plan.reconciliation
    return rates, *(deal(PackedBits.from_bits(bits), rates) for bits in (key, noisy))


def report(benchmark: BenchmarkFixture, label: str, **info: float) -> None:
    """Attach and print the throughput."""
    rate = KEY_BITS / benchmark.stats.stats.min / 1e6
    benchmark.extra_info.update(info, mbit_per_second=rate)
    details = ", ".join(f"{name} {value:.4g}" for name, value in info.items())
    print(f"\n{label}: {rate:.1f} Mbit/s {details}")


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize("mode", ["throughput", "efficiency"])
@pytest.mark.parametrize("qber", QBERS)
def test_decode(benchmark: BenchmarkFixture, qber: float, mode: str) -> None:
    rates, key, noisy = key_and_rates(qber, mode)
    syndromes = encode(rates, key)
    decode(rates, noisy.chosen(np.arange(1)), syndromes[:1], qber)
    decoded = benchmark.pedantic(decode, (rates, noisy, syndromes, qber, 0, 1), rounds=repeats(3))
    good = ~decoded.failed
    assert np.array_equal(decoded.frames.words[good], key.words[good])
    iterations = float(decoded.iterations[good].mean())
    report(benchmark, f"decode {rates.code} at {qber:g}", iterations=iterations)


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize("qber", QBERS)
def test_encode(benchmark: BenchmarkFixture, qber: float) -> None:
    rates, key, _ = key_and_rates(qber, "throughput")
    encode(rates, key)
    benchmark.pedantic(encode, (rates, key), rounds=repeats(5))
    report(benchmark, f"encode {rates.code}")


@pytest.mark.benchmark(timer=time.process_time)
def test_tag(benchmark: BenchmarkFixture) -> None:
    key = PackedBits.from_bytes(np.random.default_rng(2).bytes(KEY_BITS // 8))
    verification_tag(key, bytes(16), 64)
    benchmark.pedantic(verification_tag, (key, bytes(range(16)), 64), rounds=repeats(5))
    report(benchmark, "tag")


def cpu_seconds(run: Callable[..., object], *arguments: object) -> float:
    """Return the CPU time of a call, whatever its threads."""
    started = time.process_time()
    run(*arguments)
    return time.process_time() - started


# What `ldpc` offers for codes of this size: method, schedule, scaling of the minimum sum.
PEER_MODES = [
    ("minimum_sum", "serial", 0.75),
    ("minimum_sum", "serial", 0.9),
    ("minimum_sum", "parallel", 0.75),
    ("product_sum", "serial", 1.0),
    ("product_sum", "parallel", 1.0),
]
PEER_FRAMES = 4
# Enough for its parallel schedule too; ours takes 12 to 14.
PEER_ITERATIONS = 60


@pytest.mark.parametrize("qber", [0.02, 0.05])
def test_beside_ldpc(qber: float) -> None:
    """Decode the same frames by both, warm, and compare with the fastest mode that decodes all."""
    ldpc = pytest.importorskip("ldpc", exc_type=ImportError)
    rates, key, noisy = key_and_rates(qber, "throughput")
    chosen = np.arange(PEER_FRAMES)
    key, noisy = key.chosen(chosen), noisy.chosen(chosen)
    errors = (key.words ^ noisy.words).view(np.uint8)
    bits: npt.NDArray[np.uint8] = np.unpackbits(errors, axis=1, bitorder="little")
    matrix = parity_check(rates)
    theirs = [(matrix @ frame.astype(np.int64) % 2).astype(np.uint8) for frame in bits]
    ours = encode(rates, key)
    decode(rates, noisy, ours, qber, 0, 1)
    mbits = PEER_FRAMES * rates.frame_bits / 1e6
    our_rate = mbits / min(
        cpu_seconds(decode, rates, noisy, ours, qber, 0, 1) for _ in range(PEER_FRAMES)
    )
    best = 0.0
    for method, schedule, scaling in PEER_MODES:
        peer = ldpc.BpDecoder(
            matrix,
            error_rate=qber,
            max_iter=PEER_ITERATIONS,
            bp_method=method,
            schedule=schedule,
            ms_scaling_factor=scaling,
            input_vector_type="syndrome",
        )
        peer.decode(theirs[0])
        started = time.process_time()
        found = [peer.decode(syndrome) for syndrome in theirs]
        rate = mbits / (time.process_time() - started)
        right = (np.array(found) == bits).all(axis=1).sum()
        best = max(best, rate if right == PEER_FRAMES else 0.0)
        print(f"\nldpc {method} {schedule} {scaling}: {rate:.3f} Mbit/s, {right} frames right")
    assert best
    print(
        f"{rates.code} at {qber:g}, n {rates.frame_bits}: {our_rate:.1f} Mbit/s, the best of ldpc "
        f"{best:.3f} Mbit/s, ratio {our_rate / best:.0f}"
    )
