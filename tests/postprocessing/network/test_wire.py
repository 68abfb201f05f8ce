"""Messages as bytes: every kind comes back as it was, and nothing else passes for one."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar, Literal

import msgpack
import numpy as np
import pytest

from postprocessing.errors import ProtocolError
from postprocessing.network.wire import decode, encode, kinds_of_messages
from postprocessing.protocol.messages import (
    Abort,
    Acceptance,
    AmplificationSeed,
    DisclosedTests,
    Message,
    SettingsAnnouncement,
    Syndromes,
    Verification,
)


@dataclass(frozen=True)
class Part:
    """A part of a message."""

    name: str
    weights: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Unheard(Message):
    """A message of every kind of field, which no line of the wire format names."""

    stage: ClassVar[str] = "test"
    count: int
    ratio: float
    is_last: bool
    label: Literal["one", "two"]
    note: str | None
    parts: tuple[Part, ...]
    pair: tuple[int, str]
    tag: bytes
    bits: np.ndarray[tuple[int], np.dtype[np.uint8]]
    rows: np.ndarray[tuple[int, int], np.dtype[np.uint8]]
    number: int = 3


def _round_trip(message: Message) -> Message:
    return decode(bytearray(b"".join(encode(message))))


def _same(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and bool((one == other).all())
    return type(one) is type(other) and one == other


RANDOM = np.random.default_rng(3)
EXAMPLES = (
    SettingsAnnouncement(RANDOM.integers(0, 256, 1001, np.uint8), "ab" * 32),
    DisclosedTests(RANDOM.integers(0, 2, 777, np.uint8)),
    DisclosedTests(np.empty(0, np.uint8)),
    AmplificationSeed(bytes([1])),
    Acceptance(accepted=False),
    Syndromes(RANDOM.integers(0, 256, (3, 41), np.uint8), 327),
    Syndromes(np.empty((0, 41), np.uint8), 327),
    Verification(bytes(range(16)), b"\xff\x00", 13),
    Abort("too few test rounds"),
    Unheard(
        2**63,
        0.1,
        True,
        "two",
        None,
        (Part("é", (1.5, -0.0)), Part("", ())),
        (-5, "x"),
        b"",
        np.array([0, 1, 1], np.uint8),
        np.array([[1, 0], [1, 1], [0, 0]], np.uint8),
    ),
)


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda m: type(m).__name__)
def test_every_kind_of_message_comes_back(message):
    found = _round_trip(message)
    assert type(found) is type(message)
    for field in fields(message):
        assert _same(getattr(message, field.name), getattr(found, field.name)), field.name
    assert found.leaked_bits == message.leaked_bits


def test_every_message_of_the_protocol_is_known():
    """Those of the transcript and of the session, as soon as they are defined."""
    assert kinds_of_messages().keys() >= {"SettingsAnnouncement", "AmplificationSeed", "Unheard"}


def test_bits_take_an_eighth():
    bits = DisclosedTests(RANDOM.integers(0, 2, 80_000, np.uint8))
    assert sum(map(len, encode(bits))) < 10_100


def test_arrays_are_not_copied():
    settings = RANDOM.integers(0, 256, 1001, np.uint8)
    content = encode(SettingsAnnouncement(settings, ""))[-1]
    assert np.shares_memory(np.frombuffer(content, np.uint8), settings)


def test_prefix_free():
    """No message is the beginning of another, nor goes on after its end."""
    for message in EXAMPLES:
        body = b"".join(encode(message))
        for wrong in (body[:-1], body + b"\0"):
            if wrong:
                with pytest.raises(ProtocolError, match="malformed message"):
                    decode(bytearray(wrong))


def test_spoiled_bytes_never_crash():
    """Whatever a byte becomes, it is refused as malformed, or is another message."""
    refused = 0
    for message in EXAMPLES:
        body = b"".join(encode(message))
        for _ in range(200):
            spoiled = bytearray(body)
            spoiled[RANDOM.integers(len(body))] ^= 1 << RANDOM.integers(8)
            try:
                assert isinstance(decode(spoiled), Message)
            except ProtocolError:
                refused += 1
    assert refused > 100


@pytest.mark.parametrize(
    "head",
    [
        ["Acceptance", {"accepted": 1}],
        ["Acceptance", {}],
        ["Acceptance", {"accepted": True, "more": 1}],
        ["Acceptance", [True]],
        ["Message", {}],
        ["Nothing", {}],
        ["Abort", {"reason": b"bytes"}],
        ["DisclosedTests", {"outcomes": [0, 1]}],
        ["DisclosedTests", {"outcomes": msgpack.ExtType(1, msgpack.packb(["|O", [1], False]))}],
        ["DisclosedTests", {"outcomes": msgpack.ExtType(1, msgpack.packb(["|u1", [-1], False]))}],
        ["DisclosedTests", {"outcomes": msgpack.ExtType(1, msgpack.packb(["|u1", [9], False]))}],
        ["DisclosedTests", {"outcomes": msgpack.ExtType(2, b"")}],
        7,
    ],
)
def test_other_heads_are_refused(head):
    packed = msgpack.packb(head)
    with pytest.raises(ProtocolError, match="malformed message"):
        decode(bytearray(len(packed).to_bytes(4, "big") + packed))


def test_messages_hold_numbers_only():
    with pytest.raises(TypeError, match="no message may hold object"):
        encode(DisclosedTests(np.array([None])))
    with pytest.raises(TypeError, match="no field of a message may be of type set"):
        encode(Abort({1}))
