"""Four 64-bit words in one register: LLVM's ``<4 x i64>`` and its operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from numba import types

from postprocessing.simd.compile import intrinsic, kernel
from postprocessing.simd.vectors import (
    arithmetic,
    loader,
    shuffled,
    splat,
    spreader,
    storer,
    vector_type,
)

LANES = 4
# Inside a kernel; numba knows the type, mypy does not.
Quad: TypeAlias = Any

quad = vector_type("quad", LANES, 64)
VECTOR = quad.vector

load, store = loader(quad), storer(quad)
broadcast = spreader(quad, types.uint64)
# The sum over GF(2), and the bits common to both.
add, mask = arithmetic(quad, "xor"), arithmetic(quad, "and_")


def _shift(method: str) -> Any:
    """Make a function that shifts each word by the same number of bits."""

    @intrinsic
    def shift(_: Any, x: Any, count: Any) -> Any:
        return quad(quad, types.uint64), lambda c, b, s, a: getattr(b, method)(
            a[0], splat(b, VECTOR, a[1])
        )

    return shift


# Towards the high bits, towards the low bits.
left, right = _shift("shl"), _shift("lshr")


def _two_quad_shuffle(order: Sequence[int]) -> Any:
    @intrinsic
    def shuffle(_: Any, x: Any, y: Any) -> Any:
        return quad(quad, quad), lambda c, b, s, a: shuffled(b, a[0], a[1], order)

    return shuffle


def _one_quad_shuffle(order: Sequence[int]) -> Any:
    @intrinsic
    def shuffle(_: Any, x: Any) -> Any:
        return quad(quad), lambda c, b, s, a: shuffled(b, a[0], splat(b, VECTOR, 0), order)

    return shuffle


even_lanes = _two_quad_shuffle([0, 4, 2, 6])
odd_lanes = _two_quad_shuffle([1, 5, 3, 7])
low_halves = _two_quad_shuffle([0, 1, 4, 5])
high_halves = _two_quad_shuffle([2, 3, 6, 7])

# One or two lanes up, the last one or two lanes down to the first; zeros come in.
up_one = _one_quad_shuffle([4, 0, 1, 2])
up_two = _one_quad_shuffle([4, 4, 0, 1])
last_one = _one_quad_shuffle([3, 4, 4, 4])
last_two = _one_quad_shuffle([2, 3, 4, 4])


@kernel
def transpose(x0: Quad, x1: Quad, x2: Quad, x3: Quad) -> tuple[Quad, Quad, Quad, Quad]:
    """Return the columns of the 4 x 4 matrix of words with the given rows."""
    y0, y1, y2, y3 = even_lanes(x0, x1), odd_lanes(x0, x1), even_lanes(x2, x3), odd_lanes(x2, x3)
    return low_halves(y0, y2), low_halves(y1, y3), high_halves(y0, y2), high_halves(y1, y3)
