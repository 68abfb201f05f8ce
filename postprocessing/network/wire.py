"""Messages as bytes: a MessagePack head with the fields, then the contents of the arrays.

The kinds of message are a closed union, each known by the name of its class; a head is checked
against the types of its fields. In the head an array of bytes is its shape, a string of bits its
length: bits go eight to a byte.

Arrays are sent from where they lie, and those of bytes are received where they stay.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from postprocessing.bits import PackedBits
from postprocessing.errors import ProtocolError
from postprocessing.network.messages import SessionMessage
from postprocessing.protocol.messages import Message, ProtocolMessage

Buffer = bytes | memoryview
AnyMessage = ProtocolMessage | SessionMessage

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

    def description(value: object) -> object:
        if isinstance(value, PackedBits):
            contents.append(value.octets.data)
            return len(value)
        if isinstance(value, np.ndarray):
            contents.append(_content(value))
            return value.shape
        if isinstance(value, np.generic):
            return value.item()
        raise TypeError(f"no field of a message may be of type {type(value).__name__}")

    head = msgspec.msgpack.encode(message, enc_hook=description)
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

    def take(size: int) -> memoryview:
        nonlocal content
        if size > len(content):
            raise ValueError("an array is cut short")
        taken, content = content[:size], content[size:]
        return taken

    def revive(kind: type, description: Any) -> PackedBits | npt.NDArray[np.uint8]:
        if kind is PackedBits:
            (length,) = _lengths([description])
            return PackedBits.from_bytes(take(-(-length // 8)), length)
        shape = _lengths(description)
        return np.frombuffer(take(int(np.prod(shape, dtype=object))), np.uint8).reshape(shape)

    head = body[_HEAD_LENGTH_BYTES:start]
    message: Message = msgspec.msgpack.decode(head, type=AnyMessage, dec_hook=revive)
    if len(content):
        raise ValueError("bytes beyond the message")
    return message


def _lengths(description: Any) -> list[int]:
    """Return the lengths of one or two dimensions."""
    if not isinstance(description, list) or not 1 <= len(description) <= _MOST_DIMENSIONS:
        raise ValueError("not one or two dimensions")
    if not all(type(length) is int and 0 <= length < _MOST_LENGTH for length in description):
        raise ValueError("not lengths")
    return description


def _content(array: npt.NDArray[Any]) -> memoryview:
    """Return an array's bytes."""
    if array.dtype != np.uint8 or not 1 <= array.ndim <= _MOST_DIMENSIONS:
        raise TypeError(f"no message may hold {array.dtype} of shape {array.shape}")
    return np.ascontiguousarray(array).reshape(-1).data
