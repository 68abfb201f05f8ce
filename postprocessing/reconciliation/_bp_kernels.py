"""Kernels of the syndrome encoder and of the layered sum-product decoder.

Arrays over one frame are shaped (block columns, 2Z): every block column is stored twice in a row,
so that each cyclic shift of it is one contiguous run of Z entries that the compiler vectorises.
"""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

# Messages stay below this magnitude: 1 - tanh(15/2) is still ten steps of float32 away from zero.
_LLR_LIMIT = np.float32(15.0)
_LLR_LEAST = np.float32(1e-3)
_TANH_LIMIT = np.float32(1 - 6e-7)
# Beyond what the messages of all checks on one bit can outweigh.
_CERTAIN = np.float32(1e4)
# A second attempt trusts the channel less: it frees most frames that a few bits in a trapping set
# of weight-3 columns hold up (seen: four such bits that share five of their checks).
_ATTEMPTS = 2
_RELAXATION = np.float32(0.85)
_LOG2_E = np.float32(1.4426950)
_LN_2 = np.float32(0.6931472)
_F = np.float32


@nb.njit(cache=True, nogil=True)
def accumulate_syndrome(bits: Bits, row_starts: Integers, edges: Integers, syndrome: Bits) -> None:
    """Add H·bits to `syndrome` (block rows, Z); `bits` is (block columns, 2Z), entries 0 or 1."""
    lifting = syndrome.shape[1]
    for row in range(syndrome.shape[0]):
        target = syndrome[row]
        for edge in range(row_starts[row], row_starts[row + 1]):
            source = bits[edges[edge, 1], edges[edge, 2] : edges[edge, 2] + lifting]
            for i in range(lifting):
                target[i] ^= source[i]


@nb.njit(cache=True, nogil=True)
def double(frame: Bits, doubled: Bits) -> None:
    """Write a frame of n bits into the (block columns, 2Z) layout."""
    lifting = doubled.shape[1] // 2
    for column in range(doubled.shape[0]):
        block = frame[column * lifting : (column + 1) * lifting]
        doubled[column, :lifting] = block
        doubled[column, lifting:] = block


@nb.njit(cache=True, nogil=True)
def encode(frames: Bits, row_starts: Integers, edges: Integers, syndromes: Bits) -> None:
    """Fill zeroed `syndromes` (frames, block rows, Z) with those of `frames` (frames, n)."""
    lifting = syndromes.shape[2]
    doubled = np.empty((frames.shape[1] // lifting, 2 * lifting), np.uint8)
    for k in range(frames.shape[0]):
        double(frames[k], doubled)
        accumulate_syndrome(doubled, row_starts, edges, syndromes[k])


@nb.njit(fastmath=True, inline="always")
def _tanh_half(x: np.float32) -> np.float32:
    """tanh(x/2) for x > 0, to about 1e-6: exp(-x) = 2^-n 2^-f with a polynomial for 2^-f."""
    y = x * _LOG2_E
    n = np.int32(y)
    f = y - _F(n)
    p = _F(0.99999994) + f * (
        _F(-0.6931432)
        + f * (_F(0.24017949) + f * (_F(-0.05529966) + f * (_F(0.009210876) - f * _F(0.000947554))))
    )
    power = np.int32(np.int32(np.int32(127) - n) << np.int32(23))
    exponential = p * power.view(np.float32)
    return (_F(1) - exponential) / (_F(1) + exponential)


@nb.njit(fastmath=True, inline="always")
def _twice_atanh(x: np.float32) -> np.float32:
    """2 atanh(x) = ln((1 + x)/(1 - x)) for |x| < 1: exponent and a polynomial in the mantissa."""
    ratio = np.float32((_F(1) + x) / (_F(1) - x))
    bits = ratio.view(np.int32)
    exponent = _F(np.int32(np.int32(bits >> np.int32(23)) - np.int32(127)))
    mantissa = np.int32((bits & np.int32(0x7FFFFF)) | np.int32(0x3F800000)).view(np.float32)
    z = mantissa - _F(1)
    log2 = z * (
        _F(1.44268325)
        + z
        * (
            _F(-0.72044237)
            + z
            * (_F(0.46930169) + z * (_F(-0.30338967) + z * (_F(0.14643361) - z * _F(0.03459521))))
        )
    )
    return (exponent + log2) * _LN_2


@nb.njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _gather(posterior: Floats, message: Floats, tangent: Floats, product: Floats) -> None:
    """Replace check-to-bit messages by bit-to-check ones; multiply their tanh into `product`."""
    for i in range(message.shape[0]):
        extrinsic = posterior[i] - message[i]
        message[i] = extrinsic
        magnitude = min(max(abs(extrinsic), _LLR_LEAST), _LLR_LIMIT)
        t = _tanh_half(magnitude)
        t = t if extrinsic >= _F(0) else -t
        tangent[i] = t
        product[i] *= t


@nb.njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _scatter(posterior: Floats, message: Floats, tangent: Floats, product: Floats) -> None:
    """Replace bit-to-check messages by check-to-bit ones and update the posteriors."""
    for i in range(message.shape[0]):
        x = min(max(product[i] / tangent[i], -_TANH_LIMIT), _TANH_LIMIT)
        outgoing = _twice_atanh(x)
        posterior[i] = message[i] + outgoing
        message[i] = outgoing


@nb.njit(cache=True, nogil=True)
def _mirror(block: Floats, shift: int) -> None:
    """Copy the run of Z entries from `shift` on to its other place in a doubled block column."""
    lifting = block.shape[0] // 2
    block[shift + lifting :] = block[shift:lifting]
    block[:shift] = block[lifting : lifting + shift]


@nb.njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def iterate(
    posteriors: Floats,
    messages: Floats,
    signs: Floats,
    row_starts: Integers,
    edges: Integers,
    tangents: Floats,
    product: Floats,
) -> None:
    """Run one iteration, block row after block row (layered schedule)."""
    lifting = product.shape[0]
    for row in range(signs.shape[0]):
        first, last = row_starts[row], row_starts[row + 1]
        product[:] = signs[row]
        for edge in range(first, last):
            shift = edges[edge, 2]
            run = posteriors[edges[edge, 1], shift : shift + lifting]
            _gather(run, messages[edge], tangents[edge - first], product)
        for edge in range(first, last):
            shift = edges[edge, 2]
            block = posteriors[edges[edge, 1]]
            run = block[shift : shift + lifting]
            _scatter(run, messages[edge], tangents[edge - first], product)
            _mirror(block, shift)


@nb.njit(cache=True, nogil=True)
def _matches(
    decision: Bits, syndrome: Bits, row_starts: Integers, edges: Integers, mismatch: Bits
) -> bool:
    """Tell whether `decision` (block columns, 2Z) has the syndrome; `mismatch` is scratch."""
    mismatch[:] = syndrome
    accumulate_syndrome(decision, row_starts, edges, mismatch)
    return not mismatch.any()


@nb.njit(cache=True, nogil=True)
def decode(
    frames: Bits,
    known: Integers,
    syndromes: Bits,
    row_starts: Integers,
    edges: Integers,
    llr: float,
    max_iterations: int,
    iterations: Integers,
) -> None:
    """Correct `frames` (frames, n) in place towards `syndromes` (frames, block rows, Z).

    Bits from ``known[k]`` on are certain. ``iterations[k]`` becomes the number of iterations spent,
    −1 if the frame does not reach its syndrome within `max_iterations` in any attempt.
    """
    rows, lifting = syndromes.shape[1], syndromes.shape[2]
    columns = frames.shape[1] // lifting
    widest = np.max(row_starts[1:] - row_starts[:-1])
    decision = np.empty((columns, 2 * lifting), np.uint8)
    mismatch = np.empty((rows, lifting), np.uint8)
    posteriors = np.empty((columns, 2 * lifting), np.float32)
    messages = np.empty((edges.shape[0], lifting), np.float32)
    tangents = np.empty((widest, lifting), np.float32)
    product = np.empty(lifting, np.float32)
    for k in range(frames.shape[0]):
        double(frames[k], decision)
        iterations[k] = 0
        if _matches(decision, syndromes[k], row_starts, edges, mismatch):
            continue
        signs = _F(1) - _F(2) * syndromes[k].astype(np.float32)
        iterations[k] = -1
        magnitude = _F(llr)
        for attempt in range(_ATTEMPTS):
            double(frames[k], decision)
            _load(decision, posteriors, known[k], magnitude)
            messages[:] = _F(0)
            for iteration in range(1, max_iterations + 1):
                iterate(posteriors, messages, signs, row_starts, edges, tangents, product)
                _decide(posteriors, decision)
                if _matches(decision, syndromes[k], row_starts, edges, mismatch):
                    iterations[k] = attempt * max_iterations + iteration
                    break
            if iterations[k] > 0:
                break
            magnitude *= _RELAXATION
        for column in range(columns):
            frames[k, column * lifting : (column + 1) * lifting] = decision[column, :lifting]


@nb.njit(cache=True, nogil=True)
def _load(decision: Bits, posteriors: Floats, known: int, llr: np.float32) -> None:
    """Set the log-likelihood ratios of a frame; bits from `known` on are certainly zero."""
    lifting = decision.shape[1] // 2
    for column in range(decision.shape[0]):
        bits, block = decision[column], posteriors[column]
        for i in range(2 * lifting):
            block[i] = llr - (llr + llr) * _F(bits[i])
        for i in range(max(0, known - column * lifting), lifting):
            block[i] = block[i + lifting] = _CERTAIN


@nb.njit(cache=True, nogil=True)
def _decide(posteriors: Floats, decision: Bits) -> None:
    """Write the hard decisions: 1 where the log-likelihood ratio is negative."""
    for column in range(decision.shape[0]):
        bits, block = decision[column], posteriors[column]
        for i in range(bits.shape[0]):
            bits[i] = block[i] < _F(0)
