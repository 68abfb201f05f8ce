"""Sixty-four lanes of 8 or 16 bits: numba types over LLVM vectors, and their operations.

numba widens small integers to 64 bits, which leaves nothing for the compiler to vectorise; these
operations stay as wide as they are written. LLVM maps them to whatever vectors the processor has.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numba as nb
from llvmlite import ir
from numba import types
from numba.extending import models, register_model

# Without their types: mypy would take a call inside a kernel for one of the decorated function.
compiled: Any = nb.njit(cache=True, nogil=True, error_model="numpy")
intrinsic: Any = nb.extending.intrinsic

LANES = 64
_BIT = ir.IntType(1)
_INT8, _INT16, _INT32 = ir.IntType(8), ir.IntType(16), ir.IntType(32)
_OCTETS = ir.VectorType(_INT8, LANES)
_SHORTS = ir.VectorType(_INT16, LANES)

# Inside a kernel; numba knows the types, mypy does not.
Octets: TypeAlias = Any
Shorts: TypeAlias = Any


class LanesType(types.Type):
    """The numba type of 64 lanes."""

    def __init__(self, name: str, vector: Any) -> None:
        super().__init__(name=name)
        self.vector = vector


octets = LanesType("octets", _OCTETS)
shorts = LanesType("shorts", _SHORTS)


@register_model(LanesType)
class LanesModel(models.PrimitiveModel):
    """Lanes are one LLVM vector value."""

    def __init__(self, manager: Any, fe_type: Any) -> None:
        super().__init__(manager, fe_type, fe_type.vector)


def _splat(builder: Any, vector: Any, value: Any) -> Any:
    if isinstance(value, int):
        return ir.Constant(vector, [value] * LANES)
    undefined = ir.Constant(vector, ir.Undefined)
    single = builder.insert_element(undefined, value, _INT32(0))
    order = ir.Constant(ir.VectorType(_INT32, LANES), [0] * LANES)
    return builder.shuffle_vector(single, undefined, order)


def _call(builder: Any, name: str, vector: Any, arguments: Any) -> Any:
    """Call an LLVM intrinsic that takes and returns vectors of one type."""
    suffix = f"v{LANES}i{vector.element.width}"
    parameters = [argument.type for argument in arguments]
    function = ir.FunctionType(vector, parameters)
    full_name = f"llvm.{name}.{suffix}"
    declared = builder.module.globals.get(full_name)
    return builder.call(declared or ir.Function(builder.module, function, full_name), arguments)


def _pointer(context: Any, builder: Any, signature: Any, arguments: Any, vector: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.bitcast(builder.gep(array.data, [arguments[1]]), vector.as_pointer())


def _load(lanes: LanesType) -> Any:
    @intrinsic
    def load(_: Any, array: Any, i: Any) -> Any:
        """Return 64 entries of a contiguous array from ``array[i]`` on, unchecked."""

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = _pointer(context, builder, signature, arguments, lanes.vector)
            vector = builder.load(pointer)
            vector.align = 1
            return vector

        return lanes(array, types.intp), emit

    return load


def _store(lanes: LanesType) -> Any:
    @intrinsic
    def store(_: Any, array: Any, i: Any, x: Any) -> Any:
        """Set 64 entries of a contiguous array from ``array[i]`` on, unchecked."""

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = _pointer(context, builder, signature, arguments, lanes.vector)
            builder.store(arguments[2], pointer).align = 1
            return context.get_dummy_value()

        return types.void(array, types.intp, lanes), emit

    return store


load_octets, store_octets = _load(octets), _store(octets)
load_shorts, store_shorts = _load(shorts), _store(shorts)


def _binary(name: str) -> Any:
    """Make a lane-wise function of two octets of an LLVM intrinsic."""

    @intrinsic
    def operation(_: Any, x: Any, y: Any) -> Any:
        return octets(octets, octets), lambda c, b, s, a: _call(b, name, _OCTETS, list(a))

    return operation


smaller, larger = _binary("umin"), _binary("umax")
subtract_to_zero, add_to_full = _binary("usub.sat"), _binary("uadd.sat")


def _arithmetic(lanes: LanesType, method: str) -> Any:
    """Make a lane-wise function of an LLVM instruction."""

    @intrinsic
    def operation(_: Any, x: Any, y: Any) -> Any:
        return lanes(lanes, lanes), lambda c, b, s, a: getattr(b, method)(*a)

    return operation


add, exclusive_or = _arithmetic(octets, "add"), _arithmetic(octets, "xor")
either = _arithmetic(octets, "or_")
add_shorts, subtract_shorts = _arithmetic(shorts, "add"), _arithmetic(shorts, "sub")


@intrinsic
def spread(_: Any, value: Any) -> Any:
    """Return octets that all are `value`, an int8."""
    return octets(types.int8), lambda c, b, s, a: _splat(b, _OCTETS, a[0])


@intrinsic
def quarter(_: Any, x: Any) -> Any:
    """Return a quarter of each unsigned octet, rounded down."""
    return octets(octets), lambda c, b, s, a: b.lshr(a[0], _splat(b, _OCTETS, 2))


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
        least, most = _splat(builder, _SHORTS, -128), _splat(builder, _SHORTS, 127)
        clipped = _call(builder, "smax", _SHORTS, [arguments[0], least])
        return builder.trunc(_call(builder, "smin", _SHORTS, [clipped, most]), _OCTETS)

    return octets(shorts), emit


@intrinsic
def signs(_: Any, x: Any) -> Any:
    """Return octets that have the signs of shorts in their highest bits."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.trunc(builder.lshr(arguments[0], _splat(builder, _SHORTS, 8)), _OCTETS)

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
        negative = builder.icmp_signed("<", arguments[1], _splat(builder, _OCTETS, 0))
        return builder.select(negative, builder.neg(arguments[0]), arguments[0])

    return octets(octets, octets), emit


@intrinsic
def any_sign(_: Any, x: Any) -> Any:
    """Tell whether the highest bit of any octet is set."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        negative = builder.icmp_signed("<", arguments[0], _splat(builder, _OCTETS, 0))
        mask = builder.bitcast(negative, ir.IntType(LANES))
        return builder.icmp_unsigned("!=", mask, ir.IntType(LANES)(0))

    return types.boolean(octets), emit


@intrinsic
def sign_word(_: Any, x: Any) -> Any:
    """Return the signs of 64 shorts as a word, lane i in bit i."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        negative = builder.icmp_signed("<", arguments[0], _splat(builder, _SHORTS, 0))
        return builder.bitcast(negative, ir.IntType(LANES))

    return types.uint64(shorts), emit


def _by_word(lanes: LanesType) -> Any:
    @intrinsic
    def choose(_: Any, word: Any, chosen: Any, other: Any) -> Any:
        """Return `chosen` in the lanes whose bits of `word` are set, else `other`."""

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            mask = builder.bitcast(arguments[0], ir.VectorType(_BIT, LANES))
            return builder.select(mask, arguments[1], arguments[2])

        return lanes(types.uint64, lanes, lanes), emit

    return choose


choose_shorts, choose_octets = _by_word(shorts), _by_word(octets)


@intrinsic
def spread_shorts(_: Any, value: Any) -> Any:
    """Return shorts that all are `value`, an int16."""
    return shorts(types.int16), lambda c, b, s, a: _splat(b, _SHORTS, a[0])
