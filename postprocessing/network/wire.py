"""Messages as bytes: a MessagePack head with the fields, then the contents of the arrays.

Any `Message` crosses the wire by its dataclass fields: whole numbers below 2⁶⁴, floats, flags,
text, bytes, None, tuples, arrays of numbers, and frozen dataclasses of these. A kind of message is
known by the name of its class. An array of bits, one a byte, is packed eight to a byte; whether it
is follows from its content, so that the framing tells nothing more.

Arrays are sent from where they lie and received where they stay.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgpack
import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from postprocessing.errors import ProtocolError
from postprocessing.protocol.messages import Message

Buffer = bytes | memoryview
_Array = npt.NDArray[Any]

# Arrays in the head: number, type, shape, and whether packed.
_ARRAY = 1
_NUMBERS = "biuf"
_HEAD_LENGTH_BYTES = 4
_MOST_DIMENSIONS = 2


def kinds_of_messages() -> dict[str, type[Message]]:
    """Return every kind of message there is, by name."""
    found: dict[str, type[Message]] = {}
    waiting = [Message]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            found[kind.__name__] = kind
            waiting.append(kind)
    return found


def encode(message: Message) -> list[Buffer]:
    """Return a message as bytes, in pieces that follow each other.

    Parameters
    ----------
    message : Message
        Any kind of message.

    Returns
    -------
    list of bytes or memoryview
        Head length, head, and the arrays, whose memory is that of the message where possible.
    """
    arrays: list[_Array] = []

    def extension(value: object) -> object:
        if isinstance(value, np.ndarray):
            arrays.append(value)
            return msgpack.ExtType(_ARRAY, msgpack.packb(_description(value)))
        if is_dataclass(value):
            return {field.name: getattr(value, field.name) for field in fields(value)}
        if isinstance(value, np.generic):
            return value.item()
        raise TypeError(f"no field of a message may be of type {type(value).__name__}")

    named = {field.name: getattr(message, field.name) for field in fields(message)}
    head = msgpack.packb([type(message).__name__, named], default=extension)
    length = len(head).to_bytes(_HEAD_LENGTH_BYTES, "big")
    return [length, head, *(_content(array) for array in arrays)]


def decode(body: bytearray) -> Message:
    """Return the message that `encode` made these bytes of.

    Parameters
    ----------
    body : bytearray
        All pieces; arrays of the message are views of it where possible.

    Raises
    ------
    ProtocolError
        If these are not the bytes of a message.
    """
    try:
        return _decode(memoryview(body))
    except (ValueError, TypeError, KeyError, ValidationError, msgpack.UnpackException) as error:
        raise ProtocolError(f"malformed message: {type(error).__name__} in its bytes") from error


def _decode(body: memoryview) -> Message:
    start = _HEAD_LENGTH_BYTES + int.from_bytes(body[:_HEAD_LENGTH_BYTES], "big")
    if start > len(body):
        raise ValueError("the head is cut short")
    content = body[start:]

    def array(code: int, description: bytes) -> _Array:
        nonlocal content
        if code != _ARRAY:
            raise ValueError(f"unknown extension {code}")
        found, size = _array(content, msgpack.unpackb(description))
        content = content[size:]
        return found

    name, named = msgpack.unpackb(body[_HEAD_LENGTH_BYTES:start], ext_hook=array)
    if len(content):
        raise ValueError("bytes beyond the message")
    message = _revive(kinds_of_messages()[name], named)
    assert isinstance(message, Message)
    return message


def _description(array: _Array) -> tuple[str, tuple[int, ...], bool]:
    """Return type, shape and whether the array goes as packed bits."""
    if array.dtype.kind not in _NUMBERS or not 1 <= array.ndim <= _MOST_DIMENSIONS:
        raise TypeError(f"no message may hold {array.dtype} of shape {array.shape}")
    return array.dtype.str, array.shape, _are_bits(array)


def _are_bits(array: _Array) -> bool:
    return array.dtype == np.uint8 and array.ndim == 1 and int(array.max(initial=0)) <= 1


def _content(array: _Array) -> memoryview:
    """Return an array's bytes."""
    packed = np.packbits(array) if _are_bits(array) else np.ascontiguousarray(array)
    return memoryview(packed.reshape(-1).view(np.uint8).data)


def _array(content: memoryview, description: Sequence[Any]) -> tuple[_Array, int]:
    """Return the array at the start of the content, and how many bytes it takes there."""
    dtype_name, shape, packed = description
    dtype, shape = np.dtype(dtype_name), tuple(shape)
    numbers = dtype.kind in _NUMBERS and 1 <= len(shape) <= _MOST_DIMENSIONS
    if not numbers or not all(isinstance(length, int) and length >= 0 for length in shape):
        raise ValueError("not an array of numbers")
    count = int(np.prod(shape, dtype=object))
    size = -(-count // 8) if packed else count * dtype.itemsize
    if size > len(content):
        raise ValueError("an array is cut short")
    if packed:
        return np.unpackbits(np.frombuffer(content[:size], np.uint8), count=count), size
    return np.frombuffer(content[:size], dtype).reshape(shape), size


def _revive(hint: Any, value: Any) -> Any:
    """Return a received value as what a field of this type holds."""
    origin, arguments = get_origin(hint), get_args(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        hints = get_type_hints(hint)
        names = {field.name for field in fields(hint)}
        if not isinstance(value, dict) or not value.keys() <= names:
            raise ValueError(f"not the fields of {hint.__name__}")
        return hint(**{name: _revive(hints[name], given) for name, given in value.items()})
    if origin is np.ndarray:
        if not isinstance(value, np.ndarray):
            raise ValueError("not an array")
        return value
    if origin in (Union, types.UnionType):
        return _revive_one_of(arguments, value)
    if origin is tuple and isinstance(value, list):
        repeated = len(arguments) == 2 and arguments[1] is Ellipsis
        kinds = (arguments[0],) * len(value) if repeated else arguments
        return tuple(_revive(kind, part) for kind, part in zip(kinds, value, strict=True))
    return TypeAdapter(hint).validate_python(value, strict=True)


def _revive_one_of(hints: Sequence[Any], value: Any) -> Any:
    """Return a received value as the first of several types that it fits."""
    for hint in hints:
        try:
            return _revive(hint, value)
        except (ValueError, TypeError):
            continue
    raise ValueError("of none of the allowed types")
