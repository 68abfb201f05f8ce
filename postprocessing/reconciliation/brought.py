"""Codes that a user brings: any parity-check matrix as a code, and how it decodes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from postprocessing.bits import WORD_BITS, PackedBits
from postprocessing.checks import (
    instance_of,
    plain,
    probability,
    real_numbers,
    seed_number,
    thread_count,
    whole_number,
)
from postprocessing.errors import InvalidArgumentError
from postprocessing.reconciliation.codes import QCLDPCCode, UnratedAdaptation
from postprocessing.reconciliation.decoder import decode
from postprocessing.reconciliation.encoder import encode
from postprocessing.reconciliation.frames import deal
from postprocessing.reconciliation.performance import binary_entropy

if TYPE_CHECKING:
    import pandas as pd

    Matrix = sparse.csr_array[Any, tuple[int, int]]

# Elements of a base matrix, two bytes each.
_MOST_ELEMENTS = 1 << 28
# Decoded at once.
_BITS_AT_ONCE = 1 << 24


def bring_code(matrix: Matrix, name: str = "own") -> QCLDPCCode:
    """Make a code of a parity-check matrix.

    Kernels work on blocks of Z × Z, Z a multiple of 64. A matrix that consists of cyclic shifts of
    such a size, as those of our codes do, becomes that code. Any other is used on 64 words side by
    side: bit 64 j + l of a frame is bit j of word l, and a frame fails where one of its words does.

    Parameters
    ----------
    matrix : csr_array, shape (checks, bits)
        The matrix, of bits of at least 1 check each, anything but 0 being a one.
    name : str, optional
        What it is called.

    Returns
    -------
    QCLDPCCode
        The code, to look at, for `measure_code` and for `reconcile`.

    Raises
    ------
    InvalidArgumentError
        If the matrix has empty rows or columns, no fewer rows than columns, or is too large:
        elements of the base matrix are at most 2²⁸.

    Examples
    --------
    >>> code = bring_code(sparse.csr_array(np.array([[1, 1, 0, 1], [0, 1, 1, 1]])))
    >>> code.lifting, code.rows, code.columns, code.frame_bits
    (64, 2, 4, 256)
    >>> from postprocessing.reconciliation.lookup import get_code
    >>> shipped = get_code("regular3-128-8x800")
    >>> bool((bring_code(shipped.sparse_parity_check()).shifts == shipped.shifts).all())
    True
    """
    ones = instance_of("matrix", matrix, sparse.csr_array).astype(np.bool_).tocoo()
    ones.eliminate_zeros()
    checks, bits = ones.shape
    if checks >= bits:
        raise InvalidArgumentError("matrix", ones.shape, "of fewer checks than bits")
    if len(np.unique(ones.row)) < checks or len(np.unique(ones.col)) < bits:
        raise InvalidArgumentError("matrix", ones.shape, "without empty rows and columns")
    called = instance_of("name", plain(name), str)
    rows, columns = ones.row.astype(np.int64), ones.col.astype(np.int64)
    common = int(np.gcd(checks, bits))
    for lifting in range(common - common % WORD_BITS, 0, -WORD_BITS):
        if common % lifting == 0:
            shifts = _shifts(rows, columns, (checks, bits), lifting)
            if shifts is not None:
                return QCLDPCCode(called, lifting, shifts)
    shifts = _empty(checks, bits)
    shifts[rows, columns] = 0
    return QCLDPCCode(called, WORD_BITS, shifts)


def _shifts(
    rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], shape: tuple[int, int], z: int
) -> npt.NDArray[np.int16] | None:
    """Return the shifts of Z × Z blocks, None if a block is anything but one cyclic shift."""
    if z > np.iinfo(np.int16).max:
        return None
    across = shape[1] // z
    blocks = rows // z * across + columns // z
    kinds, counts = np.unique(blocks * z + (columns - rows) % z, return_counts=True)
    blocks, shifts = np.divmod(kinds, z)
    if (counts != z).any() or len(np.unique(blocks)) < len(blocks):
        return None
    found = _empty(shape[0] // z, across)
    found.reshape(-1)[blocks] = shifts
    return found


def _empty(rows: int, columns: int) -> npt.NDArray[np.int16]:
    if rows * columns > _MOST_ELEMENTS:
        allowed = f"a base matrix of at most {_MOST_ELEMENTS} elements"
        raise InvalidArgumentError("matrix", (rows, columns), allowed)
    return np.full((rows, columns), -1, np.int16)


def measure_code(
    code: QCLDPCCode,
    qbers: npt.ArrayLike,
    *,
    frames: int = 100,
    seed: int = 0,
    threads: int | None = None,
) -> pd.DataFrame:
    """Measure how a code corrects: random frames encoded, disturbed and decoded.

    Parameters
    ----------
    code : QCLDPCCode
        Of `get_code` or `bring_code`; as it is, without a row split.
    qbers : array_like of float
        Error rates, each in (0, 0.4].
    frames : int, optional
        Whole frames at each, 1 to 1e6.
    seed : int, optional
        Of bits and errors.
    threads : int, optional
        Threads that share the frames, in [1, 1000]; by default one a processor.

    Returns
    -------
    pandas.DataFrame
        A row each: ``qber``, ``efficiency`` (syndrome bits over n h(QBER)), ``frames``, ``failed``,
        ``wrong`` (another word with the same syndrome), ``iterations`` on average (NaN if all
        failed) and ``mbit_per_s`` of decoding by the clock.

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range.

    Examples
    --------
    >>> from postprocessing.reconciliation.lookup import get_code
    >>> found = measure_code(get_code("fast0.04-512-53x200"), [0.03, 0.06], frames=4)
    >>> found.failed.tolist(), found.wrong.tolist()
    ([0, 4], [0, 0])
    """
    import pandas as pd

    instance_of("code", code, QCLDPCCode)
    rates = np.atleast_1d(real_numbers("qbers", qbers)).ravel()
    if not len(rates) or not ((rates > 0) & (rates <= 0.4)).all():
        raise InvalidArgumentError("qbers", qbers, "error rates in (0, 0.4]")
    count = whole_number("frames", frames, 1, 10**6)
    generator = np.random.default_rng(seed_number(seed))
    threads = thread_count(threads)
    rows = [_measured(code, probability("qbers", q), count, generator, threads) for q in rates]
    return pd.DataFrame(rows)


def _measured(
    code: QCLDPCCode, qber: float, frames: int, generator: np.random.Generator, threads: int
) -> dict[str, float]:
    """Return the row of an error rate."""
    adaptation = UnratedAdaptation(code.name, code.frame_bits, (0,), code)
    failed, wrong, iterations, seconds = 0, 0, 0, 0.0
    at_once = max(1, _BITS_AT_ONCE // code.frame_bits)
    for first in range(0, frames, at_once):
        bits = min(at_once, frames - first) * code.frame_bits
        key = PackedBits.from_bits(generator.integers(0, 2, bits, dtype=np.uint8))
        errors = PackedBits.from_bits((generator.random(bits) < qber).astype(np.uint8))
        sent, received = deal(key, adaptation), deal(key ^ errors, adaptation)
        syndromes = encode(adaptation, sent)
        if not first:
            # Kernels are loaded before the clock runs.
            decode(adaptation, received.chosen(np.arange(1)), syndromes[:1], qber, 0, 1)
        started = time.perf_counter()
        decoded = decode(adaptation, received, syndromes, qber, 0, threads)
        seconds += time.perf_counter() - started
        good = ~decoded.failed
        failed += int((~good).sum())
        wrong += int((decoded.frames.words[good] != sent.words[good]).any(axis=1).sum())
        iterations += int(decoded.iterations[good].sum())
    return {
        "qber": qber,
        "efficiency": code.leak_per_bit / binary_entropy(qber),
        "frames": frames,
        "failed": failed,
        "wrong": wrong,
        "iterations": iterations / (frames - failed) if failed < frames else np.nan,
        "mbit_per_s": frames * code.frame_bits / seconds / 1e6,
    }
