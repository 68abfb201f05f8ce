"""Kernels of the quantised belief-propagation decoder, layer after layer (block row).

Messages are int8, posteriors int16 (int8 ones would drift once they saturate). The posteriors of a
block column are Z + 64 in a row, the first 64 repeated at the end, so that 64 entries from any
cyclic position on are one run. Rows of `edges` are (block column, shift), grouped by block row.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from postprocessing.simd import lanes
from postprocessing.simd.compile import kernel
from postprocessing.simd.lanes import LANES

Words = npt.NDArray[np.uint64]
Signs = npt.NDArray[np.int8]
Posteriors = npt.NDArray[np.int16]
Messages = npt.NDArray[np.int8]
Integers = npt.NDArray[np.int64]
Lanes: TypeAlias = Any

# Log-likelihood ratios are counted in eighths.
SCALE = 8.0
_FULL = np.int8(127)
# Of a bit that is not in doubt: more than its messages can outweigh.
CERTAIN = np.int16(8000)
# ln(1 + e^-x), all in eighths, is about max(0, 22 - x)/4; closer is the greatest of these.
_CORRECTION = np.int8(22)
_STEEP, _MIDDLE, _FLAT = np.int8(12), np.int8(20), np.int8(28)


@kernel
def mend(posteriors: Posteriors, column: int, shift: int, lifting: int) -> None:
    """Make both copies of the first 64 entries equal after a pass over a block column.

    The run that straddled the end wrote its last ``shift % 64`` entries to the copy only.
    """
    late = np.uint64((np.int64(1) << np.int64(shift % LANES)) - 1)
    head, tail = (
        lanes.load_shorts(posteriors, column),
        lanes.load_shorts(posteriors, column + lifting),
    )
    merged = lanes.choose_shorts(late, tail, head)
    lanes.store_shorts(posteriors, column, merged)
    lanes.store_shorts(posteriors, column + lifting, merged)


@kernel
def place(edges: Integers, edge: int, offset: int, lifting: int) -> int:
    """Return where the posteriors of checks from `offset` on begin."""
    position: int = edges[edge, 1] + offset
    if position >= lifting:
        position -= lifting
    start: int = edges[edge, 0] * (lifting + LANES) + position
    return start


@kernel
def _flat_correction(x: Lanes) -> Lanes:
    """Return ln(1 + e^-x) in eighths, where x is not small."""
    middle = lanes.quarter(lanes.subtract_to_zero(lanes.spread(_MIDDLE), x))
    return lanes.larger(middle, lanes.eighth(lanes.subtract_to_zero(lanes.spread(_FLAT), x)))


@kernel
def soft_minimum(x: Lanes, y: Lanes, fine: bool) -> Lanes:
    """Return the magnitude of two messages combined at a check, in eighths."""
    distance = lanes.either(lanes.subtract_to_zero(x, y), lanes.subtract_to_zero(y, x))
    total = lanes.add_to_full(x, y)
    if fine:
        # The sum is hardly ever so small that the steep line is the greatest.
        gain = _flat_correction(total)
        steep = lanes.half(lanes.subtract_to_zero(lanes.spread(_STEEP), distance))
        loss = lanes.larger(steep, _flat_correction(distance))
    else:
        correction = lanes.spread(_CORRECTION)
        gain = lanes.quarter(lanes.subtract_to_zero(correction, total))
        loss = lanes.quarter(lanes.subtract_to_zero(correction, distance))
    return lanes.subtract_to_zero(lanes.add(lanes.smaller(x, y), gain), loss)


@kernel
def iterate(
    posteriors: Posteriors,
    messages: Messages,
    signs: Signs,
    row_starts: Integers,
    edges: Integers,
    forward: Messages,
    fine: bool,
) -> None:
    """Run one iteration of quantised belief propagation; `forward` is scratch."""
    rows, lifting = signs.shape
    for row in range(rows):
        first, last = row_starts[row], row_starts[row + 1]
        for offset in range(0, lifting, LANES):
            sign = lanes.load_octets(signs, row * lifting + offset)
            so_far = lanes.spread(_FULL)
            for edge in range(first, last):
                posterior = lanes.load_shorts(posteriors, place(edges, edge, offset, lifting))
                message = lanes.load_octets(messages, edge * lifting + offset)
                extrinsic = lanes.saturate(lanes.subtract_shorts(posterior, lanes.widen(message)))
                sign = lanes.exclusive_or(sign, extrinsic)
                lanes.store_octets(forward, (edge - first) * LANES, so_far)
                so_far = soft_minimum(so_far, lanes.magnitude(extrinsic), fine)
            backward = lanes.spread(_FULL)
            for step in range(last - first):
                edge = last - 1 - step
                at = place(edges, edge, offset, lifting)
                message = lanes.load_octets(messages, edge * lifting + offset)
                rest = lanes.subtract_shorts(
                    lanes.load_shorts(posteriors, at), lanes.widen(message)
                )
                extrinsic = lanes.saturate(rest)
                before = lanes.load_octets(forward, (edge - first) * LANES)
                size = soft_minimum(before, backward, fine)
                answer = lanes.with_sign(size, lanes.exclusive_or(sign, extrinsic))
                lanes.store_octets(messages, edge * lifting + offset, answer)
                lanes.store_shorts(posteriors, at, lanes.add_shorts(rest, lanes.widen(answer)))
                backward = soft_minimum(backward, lanes.magnitude(extrinsic), fine)
        for edge in range(first, last):
            mend(posteriors, edges[edge, 0] * (lifting + LANES), edges[edge, 1], lifting)


@kernel
def unsatisfied(
    posteriors: Posteriors, signs: Signs, row_starts: Integers, edges: Integers, start: int
) -> int:
    """Return a block row whose checks fail, −1 if there is none; look at row `start` first."""
    rows, lifting = signs.shape
    for step in range(rows):
        row: int = (start + step) % rows
        for offset in range(0, lifting, LANES):
            sign = lanes.load_octets(signs, row * lifting + offset)
            for edge in range(row_starts[row], row_starts[row + 1]):
                at = place(edges, edge, offset, lifting)
                sign = lanes.exclusive_or(sign, lanes.signs(lanes.load_shorts(posteriors, at)))
            if lanes.any_sign(sign):
                return row
    return -1


@kernel
def load(
    frame: Words, known_from: int, reliability: int, posteriors: Posteriors, lifting: int
) -> None:
    """Set the posteriors of a frame of packed bits; bits from `known_from` on are surely 0."""
    positive = lanes.spread_shorts(np.int16(reliability))
    negative = lanes.spread_shorts(np.int16(-reliability))
    per_column = lifting // LANES
    for word in range(frame.shape[0]):
        column, place_in = word // per_column, (word % per_column) * LANES
        values = lanes.choose_shorts(frame[word], negative, positive)
        lanes.store_shorts(posteriors, column * (lifting + LANES) + place_in, values)
    for bit in range(known_from, frame.shape[0] * LANES):
        posteriors[(bit // lifting) * (lifting + LANES) + bit % lifting] = CERTAIN
    for column in range(frame.shape[0] // per_column):
        start = column * (lifting + LANES)
        lanes.store_shorts(posteriors, start + lifting, lanes.load_shorts(posteriors, start))


@kernel
def decide(posteriors: Posteriors, frame: Words, lifting: int) -> None:
    """Write the hard decisions, 1 where the posterior is negative."""
    per_column = lifting // LANES
    for word in range(frame.shape[0]):
        column, place_in = word // per_column, (word % per_column) * LANES
        at = column * (lifting + LANES) + place_in
        frame[word] = lanes.sign_word(lanes.load_shorts(posteriors, at))


@kernel
def spread_syndrome(
    syndrome: Words, halves: Words, split: Integers, signs: Signs, lifting: int
) -> None:
    """Write the signs of the checks to decode, negative where the syndrome bit is 1.

    `syndrome` holds the words of the whole block rows, `halves` those of the halves of the rows in
    `split`; a split row keeps what the half leaves of it.
    """
    per_row = lifting // LANES
    zero, negative = lanes.spread(np.int8(0)), lanes.spread(np.int8(-128))
    for word in range(syndrome.shape[0]):
        lanes.store_octets(signs, word * LANES, lanes.choose_octets(syndrome[word], negative, zero))
    for half in range(split.shape[0]):
        for i in range(per_row):
            word, row_word = half * per_row + i, split[half] * per_row + i
            other = syndrome[row_word] ^ halves[word]
            at = (syndrome.shape[0] + word) * LANES
            lanes.store_octets(signs, at, lanes.choose_octets(halves[word], negative, zero))
            lanes.store_octets(signs, row_word * LANES, lanes.choose_octets(other, negative, zero))


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
    columns = frames.shape[1] * LANES // lifting
    widest = np.max(row_starts[1:] - row_starts[:-1])
    posteriors = np.empty(columns * (lifting + LANES), np.int16)
    messages = np.empty(edges.shape[0] * lifting, np.int8)
    forward = np.empty(widest * LANES, np.int8)
    reliability = max(1, round(SCALE * llr))
    for k in range(frames.shape[0]):
        load(frames[k], known_from[k], reliability, posteriors, lifting)
        messages[:] = 0
        row, spent = unsatisfied(posteriors, signs[k], row_starts, edges, 0), 0
        while row >= 0 and spent < max_iterations:
            iterate(posteriors, messages, signs[k], row_starts, edges, forward, False)
            spent += 1
            row = unsatisfied(posteriors, signs[k], row_starts, edges, row)
        iterations[k] = -1 if row >= 0 else spent
        if row < 0:
            decide(posteriors, frames[k], lifting)
