"""Kernel that looks for a few bits of low weight whose checks are nearly all satisfied.

Such sets are codewords of low weight or trapping sets: a decoder that has only these bits wrong
sees next to nothing. Bits are (block column, place), checks (block row, place).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from postprocessing.simd.compile import kernel

Integers = npt.NDArray[np.int64]


@kernel
def _toggle(odd: Integers, count: int, row: int, check: int) -> int:
    """Change the parity of a check in the list of odd ones; return how many there are."""
    for k in range(count):
        if odd[k, 0] == row and odd[k, 1] == check:
            odd[k] = odd[count - 1]
            return count - 1
    odd[count, 0], odd[count, 1] = row, check
    return count + 1


@kernel
def _first_but(odd: Integers, count: int, excused: Integers, chosen: Integers) -> None:
    """Write the first odd check that is not the excused one to `chosen`."""
    for k in range(count):
        if odd[k, 0] != excused[0] or odd[k, 1] != excused[1]:
            chosen[:] = odd[k]
            return


@kernel
def find(
    start: int,
    columns: tuple[Integers, Integers, Integers],
    rows: tuple[Integers, Integers, Integers],
    lifting: int,
    most: int,
    most_nodes: int,
) -> int:
    """Return the size of a set of 2 to `most` bits with at most one odd check; 0 if none is found.

    The set contains bit 0 of block column `start` and no bit of a column before it. `columns` are
    rows and shifts by column, and how many; `rows` are the columns of light bits and shifts by row,
    and how many. The search gives up after `most_nodes` sets.
    """
    column_rows, column_shifts, weights = columns
    row_columns, row_shifts, row_counts = rows
    heaviest = np.max(weights)
    odd = np.empty((most + 1, heaviest * most, 2), np.int64)
    counts, tried = np.zeros(most + 1, np.int64), np.zeros(most + 1, np.int64)
    # One check may stay odd: which, once it is decided.
    excused, aim = np.full((most + 1, 2), -1, np.int64), np.empty((most + 1, 2), np.int64)
    bits = np.empty((most + 1, 2), np.int64)
    bits[1, 0], bits[1, 1] = start, 0
    for k in range(weights[start]):
        check = (lifting - column_shifts[start, k]) % lifting
        counts[1] = _toggle(odd[1], counts[1], column_rows[start, k], check)
    aim[1] = odd[1, 0]
    size, nodes = 1, 0
    while size > 0 and nodes < most_nodes:
        row, check = aim[size, 0], aim[size, 1]
        if size == most or tried[size] == row_counts[row]:
            if size < most and excused[size, 0] < 0:
                excused[size] = aim[size]
                _first_but(odd[size], counts[size], excused[size], aim[size])
                tried[size] = 0
            else:
                size -= 1
            continue
        column = row_columns[row, tried[size]]
        place = (check + row_shifts[row, tried[size]]) % lifting
        tried[size] += 1
        taken = column < start
        for k in range(1, size + 1):
            taken |= bits[k, 0] == column and bits[k, 1] == place
        if taken:
            continue
        nodes += 1
        larger = size + 1
        odd[larger] = odd[size]
        count = counts[size]
        for k in range(weights[column]):
            touched = (place + lifting - column_shifts[column, k]) % lifting
            count = _toggle(odd[larger], count, column_rows[column, k], touched)
        if count <= 1:
            return larger
        if count - 1 > heaviest * (most - larger):
            continue
        bits[larger, 0], bits[larger, 1] = column, place
        excused[larger], counts[larger], tried[larger] = excused[size], count, 0
        _first_but(odd[larger], count, excused[larger], aim[larger])
        size = larger
    return 0
