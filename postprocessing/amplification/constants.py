"""The constants of the transforms, derived from the field's polynomial alone.

In Python integers: bit i of an element of GF(2^64) is its coefficient of x^i.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from postprocessing.bits import Words

MODULUS = 1 << 64 | 1 << 4 | 1 << 3 | 1 << 1 | 1
_DEGREE = 64


def times(a: int, b: int) -> int:
    """Return the product in GF(2^64)."""
    result = 0
    while b:
        if b & 1:
            result ^= a
        a, b = a << 1, b >> 1
        if a >> _DEGREE:
            a ^= MODULUS
    return result


def _trace(a: int) -> int:
    total = 0
    for _ in range(_DEGREE):
        total, a = total ^ a, times(a, a)
    return total


@cache
def cantor_basis() -> tuple[int, ...]:
    """Return v_0 = 1, v_1, ..., v_63 with v_i² + v_i = v_(i−1).

    From any v_63 of trace 1 the others follow downwards, and v_0 is its trace (Cantor 1989).
    """
    last = next(x for x in (1 << i for i in range(_DEGREE)) if _trace(x) == 1)
    chain = [last]
    while len(chain) < _DEGREE:
        chain.append(times(chain[-1], chain[-1]) ^ chain[-1])
    return tuple(reversed(chain))


def point_values() -> tuple[int, ...]:
    """Return X_(i·2^m), i < 64, on the points v_(32+m) + V_m: Π_j v_(32−j)^(i_j), for every m."""
    basis = cantor_basis()
    values = [1]
    for j in range(6):
        values += [times(value, basis[32 - j]) for value in values]
    return tuple(values)


def inverse_map(images: tuple[int, ...]) -> tuple[int, ...]:
    """Return the images of the bits under the inverse of a linear map, by Gauss and Jordan."""
    rows = [(image, 1 << i) for i, image in enumerate(images)]
    for bit in range(len(images)):
        pivot = next(i for i in range(bit, len(rows)) if rows[i][0] >> bit & 1)
        rows[bit], rows[pivot] = rows[pivot], rows[bit]
        value, combination = rows[bit]
        rows = [
            (v ^ value, c ^ combination) if i != bit and v >> bit & 1 else (v, c)
            for i, (v, c) in enumerate(rows)
        ]
    return tuple(combination for _, combination in rows)


def subset_sums(elements: tuple[int, ...]) -> Words:
    """Return Σ_b j_b e_b for all j."""
    sums = np.zeros(1, dtype=np.uint64)
    for element in elements:
        sums = np.concatenate([sums, sums ^ np.uint64(element)])
    return sums


def byte_tables(images: tuple[int, ...]) -> Words:
    """Return the linear map of each byte's 256 values, shape (8, 256)."""
    return np.stack([subset_sums(images[i : i + 8]) for i in range(0, _DEGREE, 8)])


def passes(low: int, high: int) -> list[tuple[int, int]]:
    """Return the Taylor passes (log2 h, log2 s) that convert index bits `low` to `high` − 1.

    With w the greatest power of two below their number, s_w(x) = x^(2^w) + x parts the bits into
    w low ones and the rest; then both parts are converted.
    """
    count = high - low
    if count < 2:
        return []
    width = 1 << (count - 1).bit_length() - 1
    first = [(low + width + r, low + r) for r in reversed(range(count - width))]
    return first + passes(low + width, high) + passes(low, low + width)


class PassPlan(NamedTuple):
    """Passes by their reach: h ≥ 2^16 bits, h in [2^8, 2^16), and those below."""

    whole: npt.NDArray[np.int64]
    chunked: npt.NDArray[np.int64]
    low: npt.NDArray[np.int64]


@cache
def pass_plan(index_bits: int) -> PassPlan:
    """Return the passes for 2^index_bits coefficients, index_bits ≥ 16, parted by their reach."""
    steps = passes(0, index_bits)
    parts = [[p for p in steps if low <= p[0] < high] for low, high in ((16, 64), (8, 16), (0, 8))]
    return PassPlan(*(np.array(part, dtype=np.int64).reshape(-1, 2) for part in parts))


class FieldTables(NamedTuple):
    """What the kernels read: basis, its subset sums from v_1 and v_2, and the byte tables."""

    basis: Words
    sums: Words
    encoding: Words
    decoding: Words


@cache
def field_tables() -> FieldTables:
    """Return the tables, derived once per process."""
    basis, values = cantor_basis(), point_values()
    sums = [[subset_sums(basis[s + b : s + b + 10]) for b in (0, 10, 20)] for s in (1, 2)]
    return FieldTables(
        np.array(basis, dtype=np.uint64),
        np.array(sums),
        byte_tables(values),
        byte_tables(inverse_map(values)),
    )
