"""Sixty-four lanes of 8 or 16 bits, octets or shorts, and their operations.

numba widens small integers to 64 bits, which leaves nothing for the compiler to vectorise; these
operations stay as wide as they are written.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from llvmlite import ir
from numba import types

from postprocessing.simd.compile import intrinsic
from postprocessing.simd.vectors import (
    VectorType,
    arithmetic,
    loader,
    splat,
    spreader,
    storer,
    vector_type,
)

LANES = 64
_BIT = ir.IntType(1)

# Inside a kernel; numba knows the types, mypy does not.
Octets: TypeAlias = Any
Shorts: TypeAlias = Any

octets, shorts = vector_type("octets", LANES, 8), vector_type("shorts", LANES, 16)
_OCTETS, _SHORTS = octets.vector, shorts.vector

load_octets, store_octets = loader(octets), storer(octets)
load_shorts, store_shorts = loader(shorts), storer(shorts)
spread, spread_shorts = spreader(octets, types.int8), spreader(shorts, types.int16)
add, exclusive_or = arithmetic(octets, "add"), arithmetic(octets, "xor")
either = arithmetic(octets, "or_")
add_shorts, subtract_shorts = arithmetic(shorts, "add"), arithmetic(shorts, "sub")


def _call(builder: Any, name: str, vector: Any, arguments: Any) -> Any:
    """Call an LLVM intrinsic that takes and returns vectors of one type."""
    suffix = f"v{LANES}i{vector.element.width}"
    parameters = [argument.type for argument in arguments]
    function = ir.FunctionType(vector, parameters)
    full_name = f"llvm.{name}.{suffix}"
    declared = builder.module.globals.get(full_name)
    return builder.call(declared or ir.Function(builder.module, function, full_name), arguments)


def _binary(name: str) -> Any:
    """Make a lane-wise function of two octets of an LLVM intrinsic."""

    @intrinsic
    def operation(_: Any, x: Any, y: Any) -> Any:
        return octets(octets, octets), lambda c, b, s, a: _call(b, name, _OCTETS, list(a))

    return operation


smaller, larger = _binary("umin"), _binary("umax")
subtract_to_zero, add_to_full = _binary("usub.sat"), _binary("uadd.sat")


def _share(bits: int) -> Any:
    """Make a function that divides unsigned octets by a power of two, rounding down."""

    @intrinsic
    def operation(_: Any, x: Any) -> Any:
        return octets(octets), lambda c, b, s, a: b.lshr(a[0], splat(b, _OCTETS, bits))

    return operation


half, quarter, eighth = _share(1), _share(2), _share(3)


@intrinsic
def magnitude(_: Any, x: Any) -> Any:
    """Return the absolute values of signed octets, unsigned: 128 for −128."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _call(builder, "abs", _OCTETS, [arguments[0], _BIT(0)])

    return octets(octets), emit


@intrinsic
def widen(_: Any, x: Any) -> Any:
    """Return signed octets as shorts."""
    return shorts(octets), lambda c, b, s, a: b.sext(a[0], _SHORTS)


@intrinsic
def saturate(_: Any, x: Any) -> Any:
    """Return shorts as signed octets, those out of range as the nearest there is."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        least, most = splat(builder, _SHORTS, -128), splat(builder, _SHORTS, 127)
        clipped = _call(builder, "smax", _SHORTS, [arguments[0], least])
        return builder.trunc(_call(builder, "smin", _SHORTS, [clipped, most]), _OCTETS)

    return octets(shorts), emit


@intrinsic
def signs(_: Any, x: Any) -> Any:
    """Return octets that have the signs of shorts in their highest bits."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.trunc(builder.lshr(arguments[0], splat(builder, _SHORTS, 8)), _OCTETS)

    return octets(shorts), emit


@intrinsic
def where_equal(_: Any, x: Any, y: Any, chosen: Any, other: Any) -> Any:
    """Return `chosen` where x = y, else `other`."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        equal = builder.icmp_unsigned("==", arguments[0], arguments[1])
        return builder.select(equal, arguments[2], arguments[3])

    return octets(octets, octets, octets, octets), emit


@intrinsic
def with_sign(_: Any, x: Any, sign: Any) -> Any:
    """Return x, negated where the highest bit of `sign` is set."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        negative = builder.icmp_signed("<", arguments[1], splat(builder, _OCTETS, 0))
        return builder.select(negative, builder.neg(arguments[0]), arguments[0])

    return octets(octets, octets), emit


@intrinsic
def any_sign(_: Any, x: Any) -> Any:
    """Tell whether the highest bit of any octet is set."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        negative = builder.icmp_signed("<", arguments[0], splat(builder, _OCTETS, 0))
        mask = builder.bitcast(negative, ir.IntType(LANES))
        return builder.icmp_unsigned("!=", mask, ir.IntType(LANES)(0))

    return types.boolean(octets), emit


@intrinsic
def sign_word(_: Any, x: Any) -> Any:
    """Return the signs of 64 shorts as a word, lane i in bit i."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        negative = builder.icmp_signed("<", arguments[0], splat(builder, _SHORTS, 0))
        return builder.bitcast(negative, ir.IntType(LANES))

    return types.uint64(shorts), emit


def _by_word(lanes: VectorType) -> Any:
    @intrinsic
    def choose(_: Any, word: Any, chosen: Any, other: Any) -> Any:
        """Return `chosen` in the lanes whose bits of `word` are set, else `other`."""

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            mask = builder.bitcast(arguments[0], ir.VectorType(_BIT, LANES))
            return builder.select(mask, arguments[1], arguments[2])

        return lanes(types.uint64, lanes, lanes), emit

    return choose


choose_shorts, choose_octets = _by_word(shorts), _by_word(octets)
