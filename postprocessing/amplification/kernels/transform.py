"""The Frobenius additive FFT over GF(2^64) and its inverse.

2^m elements E_k stand for f = Σ_k E_k X_k(x) on the points v_(32+m) + V_m; each point stands for
its orbit of 64 conjugates, so that 2^m words carry 2^(m+6) bits. Layer i, from m − 1 down to 0,
has blocks j of 2^(i+1) elements, halves a and b, and the twiddle factor

    t = v_(32+m−i) + Σ_b j_b v_(1+b);   a += t·b,  b += a.

Two layers are done in one sweep, on blocks that fit the caches. (Cantor 1989; Lin, Chung and Han
2014; Chen, Cheng, Kuo, Li and Yang, "Multiplying boolean polynomials with Frobenius partitions in
additive fast Fourier transform", 2018.)
"""

from __future__ import annotations

from typing import Any

from postprocessing.amplification.kernels.basis import Words
from postprocessing.amplification.kernels.carryless import product
from postprocessing.amplification.kernels.field import sum_of_products, times
from postprocessing.simd.compile import kernel
from postprocessing.simd.words import (
    LANES,
    Quad,
    add,
    broadcast,
    load,
    store,
    transpose,
)

# Blocks of 2^11 elements fit the first-level cache, 2^15 the second.
_FIRST_LEVEL, _SECOND_LEVEL = 11, 15


@kernel
def _combination(table: Words, j: int) -> Any:
    """Return Σ_b j_b v_(s+b), s as in the table of 3 x 1024 elements."""
    return table[0, j & 1023] ^ table[1, (j >> 10) & 1023] ^ table[2, j >> 20]


@kernel
def _butterflies(
    how: Any, e0: Quad, e1: Quad, e2: Quad, e3: Quad, t: Quad, u: Quad, w: Quad
) -> tuple[Quad, Quad, Quad, Quad]:
    """Do layer i with factor t on (e0, e1 | e2, e3), then i − 1 with u and w = u + v_1.

    e0 + t·e2 is needed in e0 + t·e2 + u·e1 and e2 + e0 + t·e2 + w·e3 only: one reduction less.
    """
    first, second = product(how, t, e2)
    e1 = add(e1, times(how, t, e3))
    e3 = add(e3, e1)
    f0 = add(e0, sum_of_products(how, u, e1, first, second))
    f2 = add(add(e0, e2), sum_of_products(how, w, e3, first, second))
    return f0, add(e1, f0), f2, add(e3, f2)


@kernel
def _inverse_butterflies(
    how: Any, e0: Quad, e1: Quad, e2: Quad, e3: Quad, t: Quad, u: Quad, w: Quad
) -> tuple[Quad, Quad, Quad, Quad]:
    """Undo `_butterflies`."""
    e1, e3 = add(e1, e0), add(e3, e2)
    first, second = product(how, u, e1)
    e2 = add(add(e2, e0), sum_of_products(how, w, e3, first, second))
    e0 = add(e0, sum_of_products(how, t, e2, first, second))
    e3 = add(e3, e1)
    return e0, add(e1, times(how, t, e3)), e2, e3


@kernel
def _one_layer(
    how: Any,
    e: Words,
    start: int,
    stop: int,
    i: int,
    m: int,
    basis: Words,
    sums: Words,
    inverse: bool,
) -> None:
    """Do layer i on the blocks of ``e[start:stop]``."""
    half = 1 << i
    for a in range(start, stop, 2 * half):
        t = broadcast(basis[32 + m - i] ^ _combination(sums[0], a >> (i + 1)))
        for p in range(a, a + half, LANES):
            x, y = load(e, p), load(e, p + half)
            if inverse:
                y = add(y, x)
                x = add(x, times(how, t, y))
            else:
                x = add(x, times(how, t, y))
                y = add(y, x)
            store(e, p, x)
            store(e, p + half, y)


@kernel
def _two_layers(
    how: Any,
    e: Words,
    start: int,
    stop: int,
    i: int,
    m: int,
    basis: Words,
    sums: Words,
    inverse: bool,
) -> None:
    """Do layers i and i − 1 on the blocks of ``e[start:stop]``."""
    quarter = 1 << (i - 1)
    for a in range(start, stop, 4 * quarter):
        j = a >> (i + 1)
        below = basis[33 + m - i] ^ _combination(sums[1], j)
        t = broadcast(basis[32 + m - i] ^ _combination(sums[0], j))
        u, w = broadcast(below), broadcast(below ^ basis[1])
        for p in range(a, a + quarter, LANES):
            e0, e1 = load(e, p), load(e, p + quarter)
            e2, e3 = load(e, p + 2 * quarter), load(e, p + 3 * quarter)
            if inverse:
                e0, e1, e2, e3 = _inverse_butterflies(how, e0, e1, e2, e3, t, u, w)
            else:
                e0, e1, e2, e3 = _butterflies(how, e0, e1, e2, e3, t, u, w)
            store(e, p, e0)
            store(e, p + quarter, e1)
            store(e, p + 2 * quarter, e2)
            store(e, p + 3 * quarter, e3)


@kernel
def _last_layers(
    how: Any, e: Words, start: int, stop: int, m: int, basis: Words, sums: Words, inverse: bool
) -> None:
    """Do layers 1 and 0, four blocks of four elements at a time, a lane each."""
    # The blocks' numbers j are 0 to 3 in the lanes plus a multiple of 4.
    first, second = load(sums[0, 0], 0), load(sums[1, 0], 0)
    t_base = add(broadcast(basis[31 + m]), first)
    u_base = add(broadcast(basis[32 + m]), second)
    one = broadcast(basis[1])
    for p in range(start, stop, 4 * LANES):
        t = add(t_base, broadcast(_combination(sums[0], p >> 2)))
        u = add(u_base, broadcast(_combination(sums[1], p >> 2)))
        w = add(u, one)
        e0, e1, e2, e3 = transpose(load(e, p), load(e, p + 4), load(e, p + 8), load(e, p + 12))
        if inverse:
            e0, e1, e2, e3 = _inverse_butterflies(how, e0, e1, e2, e3, t, u, w)
        else:
            e0, e1, e2, e3 = _butterflies(how, e0, e1, e2, e3, t, u, w)
        e0, e1, e2, e3 = transpose(e0, e1, e2, e3)
        store(e, p, e0)
        store(e, p + 4, e1)
        store(e, p + 8, e2)
        store(e, p + 12, e3)


@kernel
def _layers(
    how: Any, e: Words, start: int, low: int, high: int, m: int, basis: Words, sums: Words
) -> None:
    """Do layers high − 1 down to low on the 2^high elements from `start`."""
    stop = start + (1 << high)
    for i in range(high - 1, low, -2):
        _two_layers(how, e, start, stop, i, m, basis, sums, False)
    if (high - low) & 1:
        _one_layer(how, e, start, stop, low, m, basis, sums, False)


@kernel
def _inverse_layers(
    how: Any, e: Words, start: int, low: int, high: int, m: int, basis: Words, sums: Words
) -> None:
    """Undo `_layers`."""
    stop = start + (1 << high)
    if (high - low) & 1:
        _one_layer(how, e, start, stop, low, m, basis, sums, True)
        low += 1
    for i in range(low + 1, high, 2):
        _two_layers(how, e, start, stop, i, m, basis, sums, True)


@kernel
def transform(how: Any, e: Words, m: int, basis: Words, sums: Words) -> None:
    """Evaluate 2^m ≥ 2^11 elements in place.

    `basis` is the Cantor basis, ``sums[0]`` and ``sums[1]`` tabulate Σ_b j_b v_(1+b) and
    Σ_b j_b v_(2+b).
    """
    second, first = min(m, _SECOND_LEVEL), _FIRST_LEVEL
    _layers(how, e, 0, second, m, m, basis, sums)
    for middle in range(0, 1 << m, 1 << second):
        _layers(how, e, middle, first, second, m, basis, sums)
        for start in range(middle, middle + (1 << second), 1 << first):
            _layers(how, e, start, 2, first, m, basis, sums)
            _last_layers(how, e, start, start + (1 << first), m, basis, sums, False)


@kernel
def inverse_transform(how: Any, e: Words, m: int, basis: Words, sums: Words) -> None:
    """Undo `transform`."""
    second, first = min(m, _SECOND_LEVEL), _FIRST_LEVEL
    for middle in range(0, 1 << m, 1 << second):
        for start in range(middle, middle + (1 << second), 1 << first):
            _last_layers(how, e, start, start + (1 << first), m, basis, sums, True)
            _inverse_layers(how, e, start, 2, first, m, basis, sums)
        _inverse_layers(how, e, middle, first, second, m, basis, sums)
    _inverse_layers(how, e, 0, second, m, m, basis, sums)
