"""The field GF(2^64) = GF(2)[x]/(x^64 + x^4 + x^3 + x + 1), four elements at a time.

Bit i of a word is the coefficient of x^i.
"""

from __future__ import annotations

from typing import Any

from postprocessing.amplification.kernels.carryless import halves, product
from postprocessing.simd.compile import intrinsic, kernel
from postprocessing.simd.vectors import splat
from postprocessing.simd.words import VECTOR, Quad, add, quad


@intrinsic
def fold(_: Any, low: Any, high: Any) -> Any:
    """Return low + x^64 · high, where x^64 = 1 + x + x^3 + x^4 = (1 + x)(1 + x^3).

    What (1 + x)(1 + x^3) · high has above bit 63 is the four top bits i of `high` times the same
    factor once more: i + ⌊i/x⌋ + ⌊i/x^3⌋, which may be added to `high` beforehand.
    """

    def emit(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        low, high = arguments
        top = b.lshr(high, splat(b, VECTOR, 60))
        for spill in (top, *(b.lshr(top, splat(b, VECTOR, shift)) for shift in (1, 3))):
            high = b.xor(high, spill)
        factor = b.xor(high, b.add(high, high))
        return b.xor(low, b.xor(factor, b.shl(factor, splat(b, VECTOR, 3))))

    return quad(quad, quad), emit


@kernel
def reduced(multiplier: Any, first: Quad, second: Quad) -> Quad:
    """Return the field elements of a sum of carry-less products."""
    low, high = halves(multiplier, first, second)
    return fold(low, high)


@kernel
def times(multiplier: Any, x: Quad, y: Quad) -> Quad:
    """Return the products of field elements."""
    first, second = product(multiplier, x, y)
    return reduced(multiplier, first, second)


@kernel
def sum_of_products(multiplier: Any, x: Quad, y: Quad, first: Quad, second: Quad) -> Quad:
    """Return x · y plus an unreduced product, with one reduction."""
    p, q = product(multiplier, x, y)
    return reduced(multiplier, add(p, first), add(q, second))
