"""Carry-less products of four pairs of words at once, by the best means the processor has.

A product of 64-bit polynomials over GF(2) has 127 bits. It is kept as an opaque pair of quads that
may be added to other pairs, and `halves` parts the sum into its low and high words: the carry-less
instructions take every second lane, so that sorting the words out once per sum saves shuffles.

Which multiplier a kernel uses is an argument without content: its type selects the code, and
numba compiles and caches a kernel for each type it meets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import (
    NativeValue,
    models,
    register_model,
    typeof_impl,
    unbox,
)

from postprocessing.simd.compile import intrinsic
from postprocessing.simd.vectors import shuffled, splat
from postprocessing.simd.words import VECTOR, quad

_INT8 = ir.IntType(8)
_PAIR = ir.VectorType(ir.IntType(64), 2)
_WORD = (1 << 64) - 1


@dataclass(frozen=True)
class Multiplier:
    """A way to multiply without carries.

    Parameters
    ----------
    name : str
        Its name.
    features : frozenset of str
        What the processor must have, as LLVM calls it.
    """

    name: str
    features: frozenset[str]


WIDE = Multiplier("vpclmulqdq", frozenset({"avx2", "vpclmulqdq"}))
NARROW = Multiplier("pclmulqdq", frozenset({"avx2", "pclmul"}))
PORTABLE = Multiplier("portable", frozenset())


@cache
def available_multipliers() -> tuple[Multiplier, ...]:
    """Return the multipliers of this processor, as far as numba compiles for it, fastest first."""
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    enabled = {feature[1:] for feature in features.split(",") if feature.startswith("+")}
    return tuple(m for m in (WIDE, NARROW, PORTABLE) if m.features <= enabled)


class MultiplierType(types.Type):
    """The numba type of one multiplier."""

    def __init__(self, multiplier: str) -> None:
        self.multiplier = multiplier
        super().__init__(name=f"multiplier({multiplier})")


@register_model(MultiplierType)
class MultiplierModel(models.OpaqueModel):
    """A multiplier has no content."""


@typeof_impl.register(Multiplier)
def _typeof(multiplier: Multiplier, _: Any) -> MultiplierType:
    return MultiplierType(multiplier.name)


@unbox(MultiplierType)
def _unbox(_: Any, __: Any, context: Any) -> Any:
    return NativeValue(context.context.get_dummy_value())


@intrinsic
def product(_: Any, multiplier: Any, x: Any, y: Any) -> Any:
    """Return the four carry-less products of the lanes of x and y, as an opaque pair."""
    emit_product = _PRODUCTS[multiplier.multiplier]

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pair = emit_product(builder, arguments[1], arguments[2])
        return context.make_tuple(builder, signature.return_type, pair)

    return types.UniTuple(quad, 2)(multiplier, quad, quad), emit


@intrinsic
def halves(_: Any, multiplier: Any, first: Any, second: Any) -> Any:
    """Return the low and the high words of a sum of products."""
    sorted_already = multiplier.multiplier == PORTABLE.name

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, p, q = arguments
        if not sorted_already:
            even, odd = (shuffled(builder, p, q, order) for order in ([0, 4, 2, 6], [1, 5, 3, 7]))
            p, q = even, odd
        return context.make_tuple(builder, signature.return_type, (p, q))

    return types.UniTuple(quad, 2)(multiplier, quad, quad), emit


def _wide_product(builder: Any, x: Any, y: Any) -> list[Any]:
    """Emit two instructions on 256 bits: the even lanes, the odd lanes."""
    instruction = _declared(builder, "llvm.x86.pclmulqdq.256", VECTOR, [VECTOR, VECTOR, _INT8])
    return [builder.call(instruction, [x, y, _INT8(lanes)]) for lanes in (0x00, 0x11)]


def _narrow_product(builder: Any, x: Any, y: Any) -> list[Any]:
    """Emit four instructions on 128 bits, in the order of the wide product."""
    instruction = _declared(builder, "llvm.x86.pclmulqdq", _PAIR, [_PAIR, _PAIR, _INT8])

    def on_half(lanes: list[int], selection: int) -> Any:
        parts = [shuffled(builder, v, v, lanes) for v in (x, y)]
        return builder.call(instruction, [*parts, _INT8(selection)])

    return [
        shuffled(builder, on_half([0, 1], lanes), on_half([2, 3], lanes), [0, 1, 2, 3])
        for lanes in (0x00, 0x11)
    ]


def _declared(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, arguments), name)


def _portable_product(builder: Any, x: Any, y: Any) -> list[Any]:
    """Emit Karatsuba's product of 32-bit halves; the result is (low words, high words)."""
    low_mask, half = splat(builder, VECTOR, 0xFFFFFFFF), splat(builder, VECTOR, 32)
    x_low, y_low = (_with_holes(builder, builder.and_(v, low_mask)) for v in (x, y))
    x_high, y_high = (_with_holes(builder, builder.lshr(v, half)) for v in (x, y))
    x_sum, y_sum = (
        [builder.xor(p, q) for p, q in zip(*pair, strict=True)]
        for pair in ((x_low, x_high), (y_low, y_high))
    )
    low = _product_with_holes(builder, x_low, y_low)
    high = _product_with_holes(builder, x_high, y_high)
    middle = _product_with_holes(builder, x_sum, y_sum)
    middle = builder.xor(middle, builder.xor(low, high))
    return [
        builder.xor(low, builder.shl(middle, half)),
        builder.xor(high, builder.lshr(middle, half)),
    ]


def _with_holes(builder: Any, x: Any) -> list[Any]:
    """Emit the four parts of 32-bit words that have only every fourth bit."""
    return [builder.and_(x, splat(builder, VECTOR, 0x11111111 << r)) for r in range(4)]


def _product_with_holes(builder: Any, x: list[Any], y: list[Any]) -> Any:
    """Emit the carry-less product of 32-bit words from integer products of their parts.

    An integer product of two parts adds at most 8 ones at a bit; the carries of up to 3 bits stay
    in the holes, and its lowest bit is the sum over GF(2).
    """
    residues = []
    for r in range(4):
        terms = [builder.mul(x[i], y[(r - i) % 4]) for i in range(4)]
        total = reduce(builder.xor, terms)
        bits = 0x1111111111111111 << r & _WORD
        residues.append(builder.and_(total, splat(builder, VECTOR, bits)))
    return reduce(builder.or_, residues)


_PRODUCTS: dict[str, Callable[[Any, Any, Any], list[Any]]] = {
    WIDE.name: _wide_product,
    NARROW.name: _narrow_product,
    PORTABLE.name: _portable_product,
}
