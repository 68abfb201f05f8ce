"""Messages as bytes: a MessagePack head with the fields, then the contents of the arrays.

The kinds of message are a closed union, each known by the name of its class; a head is checked
against the types of its fields. In the head an array is its shape; whether it holds bytes or words
follows from its field.

Arrays are sent from where they lie, and those of bytes are received where they stay.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from postprocessing.bits import Bits, Words
from postprocessing.errors import ProtocolError
from postprocessing.network.messages import SessionMessage
from postprocessing.protocol.messages import Message, ProtocolMessage

Buffer = bytes | memoryview
AnyMessage = ProtocolMessage | SessionMessage

# What arrays are on the line.
_DTYPES: dict[Any, np.dtype[Any]] = {Bits: np.dtype("u1"), Words: np.dtype("<u8")}
_HEAD_LENGTH_BYTES = 4
_MOST_DIMENSIONS, _MOST_LENGTH = 2, 2**32


def encode(message: Message) -> list[Buffer]:
    """Return a message as bytes, in pieces that follow each other.

    Parameters
    ----------
    message : Message
        A message of any kind of `AnyMessage`.

    Returns
    -------
    list of bytes or memoryview
        Head length, head, and the arrays, whose memory is that of the message where contiguous.
    """
    contents: list[Buffer] = []

    def shape(value: object) -> object:
        if isinstance(value, np.ndarray):
            contents.append(_content(value))
            return value.shape
        if isinstance(value, np.generic):
            return value.item()
        raise TypeError(f"no field of a message may be of type {type(value).__name__}")

    head = msgspec.msgpack.encode(message, enc_hook=shape)
    return [len(head).to_bytes(_HEAD_LENGTH_BYTES, "big"), head, *contents]


def decode(body: bytearray) -> Message:
    """Return the message that `encode` made these bytes of.

    Parameters
    ----------
    body : bytearray
        All pieces; arrays of bytes are views of it.

    Raises
    ------
    ProtocolError
        If these are not the bytes of a message.
    """
    try:
        return _decode(memoryview(body))
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ProtocolError(f"malformed message: {type(error).__name__} in its bytes") from error


def _decode(body: memoryview) -> Message:
    start = _HEAD_LENGTH_BYTES + int.from_bytes(body[:_HEAD_LENGTH_BYTES], "big")
    if start > len(body):
        raise ValueError("the head is cut short")
    content = body[start:]

    def array(kind: Any, shape: Any) -> npt.NDArray[Any]:
        nonlocal content
        dtype = _DTYPES[kind]
        size = _count(shape) * dtype.itemsize
        if size > len(content):
            raise ValueError("an array is cut short")
        taken, content = content[:size], content[size:]
        found = np.frombuffer(taken, dtype).reshape(shape)
        # Words are copied to where words may begin.
        return found if dtype == np.uint8 else found.astype(np.uint64)

    head = body[_HEAD_LENGTH_BYTES:start]
    message: Message = msgspec.msgpack.decode(head, type=AnyMessage, dec_hook=array)
    if len(content):
        raise ValueError("bytes beyond the message")
    return message


def _count(shape: Any) -> int:
    """Return the number of elements of an array of one or two dimensions."""
    if not isinstance(shape, list) or not 1 <= len(shape) <= _MOST_DIMENSIONS:
        raise ValueError("not one or two dimensions")
    if not all(type(length) is int and 0 <= length < _MOST_LENGTH for length in shape):
        raise ValueError("not lengths")
    return math.prod(shape)


def _content(array: npt.NDArray[Any]) -> memoryview:
    """Return an array's bytes."""
    dtype = array.dtype.newbyteorder("<")
    if dtype not in _DTYPES.values() or not 1 <= array.ndim <= _MOST_DIMENSIONS:
        raise TypeError(f"no message may hold {array.dtype} of shape {array.shape}")
    content = np.ascontiguousarray(array).astype(dtype, copy=False)
    return content.reshape(-1).view(np.uint8).data
