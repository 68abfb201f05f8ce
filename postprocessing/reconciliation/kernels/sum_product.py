"""Kernels of the layered sum-product decoder in single precision.

Arrays over one frame are shaped (block columns, 2Z): every block column is stored twice in a row,
so that each cyclic shift of it is one contiguous run of Z entries that the compiler vectorises.
Rows of `edges` are (block column, shift), grouped by block row.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from postprocessing.simd.compile import kernel

Bits = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]
Signs = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

# Messages stay below this magnitude: 1 - tanh(15/2) is still ten steps of float32 away from zero.
_LLR_LIMIT = np.float32(15.0)
_LLR_LEAST = np.float32(1e-3)
_TANH_LIMIT = np.float32(1 - 6e-7)
# Beyond what the messages of all checks on one bit can outweigh.
_CERTAIN = np.float32(1e4)
_LOG2_E = np.float32(1.4426950)
_LN_2 = np.float32(0.6931472)
_F = np.float32


@kernel(fastmath=True, inline="always")
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


@kernel(fastmath=True, inline="always")
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


@kernel(fastmath=True)
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


@kernel(fastmath=True)
def _scatter(posterior: Floats, message: Floats, tangent: Floats, product: Floats) -> None:
    """Replace bit-to-check messages by check-to-bit ones and update the posteriors."""
    for i in range(message.shape[0]):
        x = min(max(product[i] / tangent[i], -_TANH_LIMIT), _TANH_LIMIT)
        outgoing = _twice_atanh(x)
        posterior[i] = message[i] + outgoing
        message[i] = outgoing


@kernel
def _mirror(block: Floats, shift: int) -> None:
    """Copy the run of Z entries from `shift` on to its other place in a doubled block column."""
    lifting = block.shape[0] // 2
    block[shift + lifting :] = block[shift:lifting]
    block[:shift] = block[lifting : lifting + shift]


@kernel(fastmath=True)
def _iterate(
    posteriors: Floats,
    messages: Floats,
    signs: Signs,
    row_starts: Integers,
    edges: Integers,
    tangents: Floats,
    product: Floats,
) -> None:
    """Run one iteration, block row after block row (layered schedule)."""
    lifting = product.shape[0]
    for row in range(signs.shape[0]):
        first, last = row_starts[row], row_starts[row + 1]
        for i in range(lifting):
            product[i] = _F(1) if signs[row, i] == 0 else _F(-1)
        for edge in range(first, last):
            shift = edges[edge, 1]
            run = posteriors[edges[edge, 0], shift : shift + lifting]
            _gather(run, messages[edge], tangents[edge - first], product)
        for edge in range(first, last):
            shift = edges[edge, 1]
            block = posteriors[edges[edge, 0]]
            run = block[shift : shift + lifting]
            _scatter(run, messages[edge], tangents[edge - first], product)
            _mirror(block, shift)


@kernel
def _matches(posteriors: Floats, signs: Signs, row_starts: Integers, edges: Integers) -> bool:
    """Tell whether the hard decisions have the syndrome."""
    lifting = signs.shape[1]
    parity = np.empty(lifting, np.bool_)
    for row in range(signs.shape[0]):
        for i in range(lifting):
            parity[i] = signs[row, i] != 0
        for edge in range(row_starts[row], row_starts[row + 1]):
            shift = edges[edge, 1]
            run = posteriors[edges[edge, 0], shift : shift + lifting]
            for i in range(lifting):
                parity[i] ^= run[i] < _F(0)
        if parity.any():
            return False
    return True


@kernel
def _load(frame: Words, known_from: int, llr: np.float32, posteriors: Floats) -> None:
    """Set the log-likelihood ratios of a frame; bits from `known_from` on are zero for sure."""
    lifting = posteriors.shape[1] // 2
    for bit in range(frame.shape[0] * 64):
        value = -llr if (frame[bit // 64] >> np.uint64(bit % 64)) & np.uint64(1) else llr
        value = _CERTAIN if bit >= known_from else value
        posteriors[bit // lifting, bit % lifting] = value
        posteriors[bit // lifting, bit % lifting + lifting] = value


@kernel
def _decide(posteriors: Floats, frame: Words) -> None:
    """Write the hard decisions: 1 where the log-likelihood ratio is negative."""
    lifting = posteriors.shape[1] // 2
    frame[:] = np.uint64(0)
    for bit in range(frame.shape[0] * 64):
        if posteriors[bit // lifting, bit % lifting] < _F(0):
            frame[bit // 64] |= np.uint64(1) << np.uint64(bit % 64)


@kernel
def decode(
    frames: Words,
    known_from: Integers,
    signs: Signs,
    row_starts: Integers,
    edges: Integers,
    llr: float,
    max_iterations: int,
    iterations: Integers,
) -> None:
    """Correct `frames` (frames, words) in place towards `signs` (frames, block rows, Z).

    Bits from ``known_from[k]`` on are zero for sure. ``iterations[k]`` becomes the number of
    iterations spent, −1 if the frame does not reach its syndrome, and stays as it was.
    """
    lifting = signs.shape[2]
    widest = np.max(row_starts[1:] - row_starts[:-1])
    posteriors = np.empty((frames.shape[1] * 64 // lifting, 2 * lifting), np.float32)
    messages = np.empty((edges.shape[0], lifting), np.float32)
    tangents = np.empty((widest, lifting), np.float32)
    product = np.empty(lifting, np.float32)
    for k in range(frames.shape[0]):
        _load(frames[k], known_from[k], _F(llr), posteriors)
        messages[:] = _F(0)
        iterations[k] = -1
        for iteration in range(max_iterations + 1):
            if _matches(posteriors, signs[k], row_starts, edges):
                iterations[k] = iteration
                _decide(posteriors, frames[k])
                break
            if iteration < max_iterations:
                _iterate(posteriors, messages, signs[k], row_starts, edges, tangents, product)
