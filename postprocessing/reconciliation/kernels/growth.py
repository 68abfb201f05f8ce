"""Kernel that lifts a base matrix edge by edge: progressive edge growth on quasi-cyclic graphs.

The Tanner graph of the lifted code looks the same from every bit of a block column, so that one
breadth-first search, from the first bit, tells how long the cycles through a new block would be.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from postprocessing.simd.compile import kernel

Integers = npt.NDArray[np.int64]
Depths = npt.NDArray[np.int32]

_UNREACHED = 1 << 20
_DEEPEST = 12


@kernel
def _search(
    column: int,
    blocks: tuple[Integers, Integers, Integers, Integers],
    counts: tuple[Integers, Integers],
    distance: Depths,
    seen: npt.NDArray[np.bool_],
    limits: tuple[int, int],
) -> None:
    """Write the depth at which each check is first met from bit 0 of `column`.

    `blocks` are the shifts and rows by column, then the shifts and columns by row, and `counts` how
    many there are; the search ends at a depth or a number of bits, `limits`.
    """
    column_rows, column_shifts, row_columns, row_shifts = blocks
    column_counts, row_counts = counts
    lifting = distance.shape[1]
    distance[:] = _UNREACHED
    seen[:] = False
    seen[column, 0] = True
    bits = np.empty((seen.size, 2), np.int64)
    bits[0, 0], bits[0, 1] = column, 0
    begin, end = 0, 1
    for depth in range(limits[0]):
        for i in range(begin, end):
            at, bit = bits[i, 0], bits[i, 1]
            for k in range(column_counts[at]):
                row, check = column_rows[at, k], bit - column_shifts[at, k]
                check += lifting if check < 0 else 0
                if distance[row, check] != _UNREACHED:
                    continue
                distance[row, check] = depth
                for j in range(row_counts[row]):
                    neighbour = row_columns[row, j]
                    other = check + row_shifts[row, j]
                    other -= lifting if other >= lifting else 0
                    if not seen[neighbour, other]:
                        seen[neighbour, other] = True
                        bits[end, 0], bits[end, 1] = neighbour, other
                        end += 1
        begin = i + 1
        if begin == end or end > limits[1]:
            return


@kernel
def _farthest(
    distance: Depths, allowed: npt.NDArray[np.bool_], row_counts: Integers, draw: Integers
) -> tuple[int, int]:
    """Return row and check of the greatest distance, of those in the lightest row, near a draw."""
    rows, lifting = distance.shape
    best_row, best_check, best, weight = -1, -1, -1, 0
    for i in range(rows):
        row = (i + draw[0]) % rows
        if not allowed[row]:
            continue
        start = draw[1] % lifting
        for j in range(lifting):
            check = j + start
            check -= lifting if check >= lifting else 0
            here = distance[row, check]
            if here > best or (here == best and row_counts[row] < weight):
                best_row, best_check, best, weight = row, check, here, row_counts[row]
    return best_row, best_check


@kernel
def grow(
    weights: Integers,
    order: Integers,
    most_bits: Integers,
    shifts: npt.NDArray[np.int16],
    lifting: int,
    draws: Integers,
) -> None:
    """Place ``weights[c]`` blocks in each column of `shifts`, which is all −1 at the start.

    Columns are filled in `order`, each block where the shortest cycle it closes is longest, as far
    as a search that ends after the depth with ``most_bits[c]`` bits can tell, in a row among the
    lightest. `draws` (edges, 2) settle what is equal.
    """
    rows, columns = shifts.shape
    widest = 3 * weights.sum() // rows + 8
    blocks = (
        np.zeros((columns, weights.max()), np.int64),
        np.zeros((columns, weights.max()), np.int64),
        np.zeros((rows, widest), np.int64),
        np.zeros((rows, widest), np.int64),
    )
    column_counts, row_counts = np.zeros(columns, np.int64), np.zeros(rows, np.int64)
    distance = np.empty((rows, lifting), np.int32)
    seen = np.empty((columns, lifting), np.bool_)
    edge = 0
    for column in order:
        for k in range(weights[column]):
            free = shifts[:, column] < 0
            lightest = np.min(np.where(free, row_counts, _UNREACHED))
            allowed = free & (row_counts <= lightest + min(k, 1))
            limits = (_DEEPEST, most_bits[column])
            _search(column, blocks, (column_counts, row_counts), distance, seen, limits)
            row, check = _farthest(distance, allowed, row_counts, draws[edge])
            shift = (lifting - check) % lifting
            shifts[row, column] = shift
            blocks[0][column, k], blocks[1][column, k] = row, shift
            blocks[2][row, row_counts[row]], blocks[3][row, row_counts[row]] = column, shift
            column_counts[column] += 1
            row_counts[row] += 1
            edge += 1
