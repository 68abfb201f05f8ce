"""What the vector types have in common: a numba type over an LLVM vector, and how to emit on it.

LLVM maps the vectors to whatever registers the processor has, so that kernels are portable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import models, register_model

from postprocessing.simd.compile import intrinsic

_INDEX = ir.IntType(32)


class VectorType(types.Type):
    """The numba type of some integers of one width in a register.

    Parameters
    ----------
    name : str
        Its name.
    vector : llvmlite.ir.VectorType
        The LLVM vector.
    """

    def __init__(self, name: str, vector: Any) -> None:
        super().__init__(name=name)
        self.vector = vector


@register_model(VectorType)
class VectorModel(models.PrimitiveModel):
    """A vector is one LLVM value."""

    def __init__(self, manager: Any, fe_type: Any) -> None:
        super().__init__(manager, fe_type, fe_type.vector)


def vector_type(name: str, lanes: int, width: int) -> VectorType:
    """Return the type of so many integers of so many bits."""
    return VectorType(name, ir.VectorType(ir.IntType(width), lanes))


def splat(builder: Any, vector: Any, value: Any) -> Any:
    """Emit a vector of equal entries, an LLVM value or an int."""
    if isinstance(value, int):
        return ir.Constant(vector, [value] * vector.count)
    single = builder.insert_element(ir.Constant(vector, ir.Undefined), value, _INDEX(0))
    return shuffled(builder, single, single, [0] * vector.count)


def shuffled(builder: Any, x: Any, y: Any, order: Sequence[int]) -> Any:
    """Emit the lanes `order` of x followed by y."""
    indices = ir.Constant(ir.VectorType(_INDEX, len(order)), list(order))
    return builder.shuffle_vector(x, y, indices)


def loader(kind: VectorType) -> Any:
    """Make the function that reads a vector from a contiguous array."""

    @intrinsic
    def load(_: Any, array: Any, i: Any) -> Any:
        """Return the entries from ``array[i]`` on, unchecked."""

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            vector = builder.load(_pointer(context, builder, signature, arguments, kind))
            vector.align = _alignment(kind)
            return vector

        return kind(array, types.intp), emit

    return load


def storer(kind: VectorType) -> Any:
    """Make the function that writes a vector to a contiguous array."""

    @intrinsic
    def store(_: Any, array: Any, i: Any, x: Any) -> Any:
        """Set the entries from ``array[i]`` on, unchecked."""

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = _pointer(context, builder, signature, arguments, kind)
            builder.store(arguments[2], pointer).align = _alignment(kind)
            return context.get_dummy_value()

        return types.void(array, types.intp, kind), emit

    return store


def spreader(kind: VectorType, entry: Any) -> Any:
    """Make the function that repeats a number of the numba type `entry` in all lanes."""

    @intrinsic
    def spread(_: Any, value: Any) -> Any:
        """Return a vector of equal entries."""
        return kind(entry), lambda c, b, s, a: splat(b, kind.vector, a[0])

    return spread


def arithmetic(kind: VectorType, method: str) -> Any:
    """Make a lane-wise function of two vectors of an LLVM instruction."""

    @intrinsic
    def operation(_: Any, x: Any, y: Any) -> Any:
        return kind(kind, kind), lambda c, b, s, a: getattr(b, method)(*a)

    return operation


def _pointer(context: Any, builder: Any, signature: Any, arguments: Any, kind: VectorType) -> Any:
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.bitcast(builder.gep(array.data, [arguments[1]]), kind.vector.as_pointer())


def _alignment(kind: VectorType) -> int:
    """Return the bytes that arrays of the entries are aligned to."""
    width: int = kind.vector.element.width
    return width // 8
