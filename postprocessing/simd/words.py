"""Four 64-bit words in one register: a numba type over LLVM's ``<4 x i64>`` and its operations.

LLVM maps them to whatever vectors the processor has, so that this module is portable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numba as nb
from llvmlite import ir
from numba import types
from numba.extending import models, register_model

# Without their types: mypy would take a call inside a kernel for one of the decorated function.
compiled: Any = nb.njit
intrinsic: Any = nb.extending.intrinsic

LANES = 4
INT32 = ir.IntType(32)
VECTOR = ir.VectorType(ir.IntType(64), LANES)

# Inside a kernel; numba knows the type, mypy does not.
Quad: TypeAlias = Any


class QuadType(types.Type):
    """The numba type of four words in a register."""

    def __init__(self) -> None:
        super().__init__(name="quad")


quad = QuadType()


@register_model(QuadType)
class QuadModel(models.PrimitiveModel):
    """A quad is one LLVM vector value."""

    def __init__(self, manager: Any, fe_type: Any) -> None:
        super().__init__(manager, fe_type, VECTOR)


def splat(builder: Any, word: Any) -> Any:
    """Emit a vector of four times the same word, an LLVM value or an int."""
    if isinstance(word, int):
        return ir.Constant(VECTOR, [word] * LANES)
    single = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), word, INT32(0))
    return shuffled(builder, single, single, [0] * LANES)


def shuffled(builder: Any, x: Any, y: Any, order: Sequence[int]) -> Any:
    """Emit the lanes `order` of x followed by y."""
    indices = ir.Constant(ir.VectorType(INT32, len(order)), list(order))
    return builder.shuffle_vector(x, y, indices)


def _pointer(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.bitcast(builder.gep(array.data, [arguments[1]]), VECTOR.as_pointer())


@intrinsic
def load(_: Any, words: Any, i: Any) -> Any:
    """Return ``words[i : i + 4]`` of a contiguous array, unchecked."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = builder.load(_pointer(context, builder, signature, arguments))
        vector.align = 8
        return vector

    return quad(words, types.intp), emit


@intrinsic
def store(_: Any, words: Any, i: Any, x: Any) -> Any:
    """Set ``words[i : i + 4]`` of a contiguous array, unchecked."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature, arguments)
        builder.store(arguments[2], pointer).align = 8
        return context.get_dummy_value()

    return types.void(words, types.intp, quad), emit


@intrinsic
def broadcast(_: Any, word: Any) -> Any:
    """Return a quad of four equal words."""
    return quad(types.uint64), lambda c, b, s, arguments: splat(b, arguments[0])


@intrinsic
def add(_: Any, x: Any, y: Any) -> Any:
    """Return the sum over GF(2)."""
    return quad(quad, quad), lambda c, b, s, arguments: b.xor(*arguments)


@intrinsic
def mask(_: Any, x: Any, y: Any) -> Any:
    """Return the bits common to both."""
    return quad(quad, quad), lambda c, b, s, arguments: b.and_(*arguments)


@intrinsic
def left(_: Any, x: Any, count: Any) -> Any:
    """Shift each word towards its high bits."""
    return quad(quad, types.uint64), lambda c, b, s, a: b.shl(a[0], splat(b, a[1]))


@intrinsic
def right(_: Any, x: Any, count: Any) -> Any:
    """Shift each word towards its low bits."""
    return quad(quad, types.uint64), lambda c, b, s, a: b.lshr(a[0], splat(b, a[1]))


def _two_quad_shuffle(order: Sequence[int]) -> Any:
    @intrinsic
    def shuffle(_: Any, x: Any, y: Any) -> Any:
        return quad(quad, quad), lambda c, b, s, a: shuffled(b, a[0], a[1], order)

    return shuffle


def _one_quad_shuffle(order: Sequence[int]) -> Any:
    @intrinsic
    def shuffle(_: Any, x: Any) -> Any:
        return quad(quad), lambda c, b, s, a: shuffled(b, a[0], splat(b, 0), order)

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


@compiled
def transpose(x0: Quad, x1: Quad, x2: Quad, x3: Quad) -> tuple[Quad, Quad, Quad, Quad]:
    """Return the columns of the 4 x 4 matrix of words with the given rows."""
    y0, y1, y2, y3 = even_lanes(x0, x1), odd_lanes(x0, x1), even_lanes(x2, x3), odd_lanes(x2, x3)
    return low_halves(y0, y2), low_halves(y1, y3), high_halves(y0, y2), high_halves(y1, y3)
