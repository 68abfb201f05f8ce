"""Other implementations of single stages, on the same input as ours, where they are installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.fft
from scipy import sparse

from emulator.speed.cases import (
    BESIDE_QBER,
    HASHED_BITS,
    Case,
    Prepared,
    hash_input,
    key_and_rates,
    sampler,
    short,
)
from postprocessing.amplification import toeplitz_hash_packed
from postprocessing.bits import Bits
from postprocessing.reconciliation import Frames, RateAdaptation, encode
from postprocessing.reconciliation.codes import decoded_graph, lifted

# Peers are slower, by up to a thousand times.
_DRAWS = 2_000_000
_FRAMES = 2
# Enough for the serial schedule, the fastest of `ldpc` that decodes everything here.
_ITERATIONS = 60

Hash = Callable[[], Bits]


def parity_check(rates: RateAdaptation) -> sparse.csr_matrix:
    """Return the lifted matrix of the first attempt."""
    graph = decoded_graph(rates, 0)
    return sparse.csr_matrix(lifted(graph, rates.columns, rates.mother.lifting))


def frame_bits(frames: Frames) -> npt.NDArray[np.uint8]:
    """Return the bits of whole frames, shape (frames, bits)."""
    return np.unpackbits(frames.words.view(np.uint8), axis=1, bitorder="little")


def scipy_hash(bits: Bits, seed: Bits, length: int) -> Hash:
    """Return the hash by the real transforms of scipy."""
    size = scipy.fft.next_fast_len(seed.size, real=True)

    def work() -> Bits:
        counts = scipy.fft.irfft(scipy.fft.rfft(bits, size) * scipy.fft.rfft(seed, size), size)
        kept = np.rint(counts[bits.size - 1 : bits.size - 1 + length])
        return (kept.astype(np.int64) & 1).astype(np.uint8)

    return work


def cryptomite_hash(bits: Bits, seed: Bits, length: int) -> Hash:
    """Return the hash by `cryptomite`, whose seed begins with our diagonal 0."""
    from cryptomite.toeplitz import Toeplitz

    extractor = Toeplitz(bits.size, length)
    given = bits.tolist(), np.roll(seed, 1 - bits.size).tolist()
    return lambda: np.array(extractor.extract(*given), dtype=np.uint8)


def randextract_hash(bits: Bits, seed: Bits, length: int) -> Hash:
    """Return the hash by `randextract`, whose seed begins with our diagonal 0."""
    from randextract import ToeplitzHashing

    extractor, rolled = ToeplitzHashing(bits.size, length), np.roll(seed, 1 - bits.size)
    return lambda: np.asarray(extractor.extract(bits, rolled), dtype=np.uint8)


# Each takes its input in the form it wants, and returns what there is to time.
HASHES: dict[str, Callable[[Bits, Bits, int], Hash]] = {
    "scipy": scipy_hash,
    "cryptomite": cryptomite_hash,
    "randextract": randextract_hash,
}


def _drawing(draw: Callable[[npt.NDArray[np.float64]], npt.NDArray[Any]], _: int) -> Prepared:
    law = sampler().probabilities

    def is_right(drawn: npt.NDArray[Any]) -> bool:
        shares = np.bincount(drawn, minlength=len(law)) / len(drawn)
        return bool(np.abs(shares - law).max() < 5 / len(drawn) ** 0.5)

    return Prepared(_DRAWS, partial(draw, law), is_right)


def _numpy_draw(law: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    return np.random.default_rng(1).choice(len(law), _DRAWS, p=law)


def _scipy_draw(law: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    from scipy.stats.sampling import DiscreteGuideTable

    drawn = DiscreteGuideTable(law, random_state=np.random.default_rng(1)).rvs(_DRAWS)
    return np.asarray(drawn, np.int64)


def _scipy_encoding(_: int) -> Prepared:
    rates, key, _noisy = key_and_rates("throughput", BESIDE_QBER)
    # As it is sent: the sums of split rows, then their halves.
    bits, matrix = frame_bits(key), rates.mother.sparse_parity_check()[:, : rates.frame_bits]
    wanted = encode(rates, key)[:, : rates.mother.rows * rates.mother.lifting // 8]

    def work() -> npt.NDArray[np.uint8]:
        return (bits @ matrix.T & 1).astype(np.uint8)

    def is_right(found: npt.NDArray[np.uint8]) -> bool:
        return bool(np.array_equal(np.packbits(found, axis=1, bitorder="little"), wanted))

    return Prepared(int(key.lengths.sum()), work, is_right)


def _ldpc_decoding(_: int) -> Prepared:
    from ldpc.bp_decoder import BpDecoder

    rates, key, noisy = key_and_rates("throughput", BESIDE_QBER)
    few = np.arange(_FRAMES)
    errors = frame_bits(key.chosen(few)) ^ frame_bits(noisy.chosen(few))
    matrix = parity_check(rates)
    syndromes = [(matrix @ frame.astype(np.int64) % 2).astype(np.uint8) for frame in errors]
    peer = BpDecoder(
        matrix,
        error_rate=BESIDE_QBER,
        max_iter=_ITERATIONS,
        bp_method="minimum_sum",
        schedule="serial",
        ms_scaling_factor=0.75,
        input_vector_type="syndrome",
    )
    return Prepared(
        _FRAMES * rates.frame_bits,
        lambda: np.array([peer.decode(syndrome) for syndrome in syndromes]),
        lambda found: bool(np.array_equal(found, errors)),
    )


def _hashing(name: str, _: int) -> Prepared:
    n = HASHED_BITS[0]
    string, seed = hash_input(n)
    wanted = toeplitz_hash_packed(string, seed, n // 2).to_bits()
    bits, diagonals = string.to_bits(), seed.to_bits()
    return Prepared(
        n,
        HASHES[name](bits, diagonals, n // 2),
        lambda found: bool(np.array_equal(found, wanted)),
    )


def peer_cases() -> list[Case]:
    """Return what others do of it, of those that are installed."""
    decoding = f"throughput, {BESIDE_QBER:.0%}"
    cases = [
        Case("sampling", "categories", "Mrounds/s", partial(_drawing, _numpy_draw), by="numpy"),
        Case("sampling", "categories", "Mrounds/s", partial(_drawing, _scipy_draw), by="scipy"),
        Case("encoding", decoding, "Mbit/s", _scipy_encoding, by="scipy"),
        Case("decoding", decoding, "Mbit/s", _ldpc_decoding, by="ldpc"),
    ]
    cases += [
        Case("amplification", f"{short(HASHED_BITS[0])} bits to half", "Mbit/s", prepare, by=name)
        for name, prepare in ((name, partial(_hashing, name)) for name in HASHES)
    ]
    return [case for case in cases if importlib.util.find_spec(case.by) is not None]
