"""Messages as bytes: every kind comes back as it was, and nothing else passes for one."""

from __future__ import annotations

from typing import get_args

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postprocessing.bits import PackedBits
from postprocessing.errors import ProtocolError
from postprocessing.network.messages import Hello, KeyHeld, Present
from postprocessing.network.wire import AnyMessage, decode, encode
from postprocessing.protocol.messages import (
    Abort,
    Acceptance,
    AmplificationSeed,
    DisclosedFrames,
    DisclosedTests,
    FrameStatus,
    Message,
    RoundMarks,
    SettingsAnnouncement,
    Syndromes,
    ThinningCoins,
    Verification,
    VerificationVerdict,
)

RANDOM = np.random.default_rng(3)


def _bits(count: int) -> PackedBits:
    return PackedBits.from_bits(RANDOM.integers(0, 2, count, np.uint8))


def _round_trip(message: Message) -> Message:
    return decode(bytearray(b"".join(encode(message))))


def _same(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and bool((one == other).all())
    return type(one) is type(other) and one == other


def _framed(head: object, content: bytes = b"") -> bytearray:
    packed = head if isinstance(head, bytes) else msgspec.msgpack.encode(head)
    return bytearray(len(packed).to_bytes(4, "big") + packed + content)


EXAMPLES = (
    SettingsAnnouncement(RANDOM.integers(0, 256, 1001, np.uint8), "ab" * 32),
    RoundMarks(_bits(63)),
    ThinningCoins(_bits(64)),
    DisclosedTests(_bits(777)),
    DisclosedTests(_bits(0)),
    Acceptance(accepted=False),
    Syndromes(RANDOM.integers(0, 256, (3, 41), np.uint8), 327),
    Syndromes(np.empty((0, 41), np.uint8), 327),
    FrameStatus(_bits(3)),
    DisclosedFrames(_bits(130)),
    Verification(bytes(range(16)), b"\xff\x00", 13),
    VerificationVerdict(matches=True),
    AmplificationSeed(bytes([1])),
    Abort("too few test rounds"),
    Abort("é"),
    Hello("bob", "distill", "ab", None, emulated=True, keys_left=2**63),
    Present(),
    Hello("alice", "confirm"),
    KeyHeld(bytes(32), held=True),
)


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda m: type(m).__name__)
def test_every_kind_of_message_comes_back(message):
    found = _round_trip(message)
    assert type(found) is type(message)
    for name in message.__struct_fields__:
        assert _same(getattr(message, name), getattr(found, name)), name
    assert found.leaked_bits == message.leaked_bits


def test_every_message_is_of_the_union():
    """Those of the transcript and of the session; and each has an example here."""
    kinds = set(get_args(AnyMessage))
    assert kinds == set(Message.__subclasses__())
    assert kinds == {type(message) for message in EXAMPLES}


def test_bits_take_an_eighth():
    bits = DisclosedTests(_bits(80_000))
    assert sum(map(len, encode(bits))) < 10_100


def test_arrays_are_not_copied():
    settings, bits = RANDOM.integers(0, 256, 1001, np.uint8), _bits(1001)
    for message, memory in (
        (SettingsAnnouncement(settings, ""), settings),
        (DisclosedTests(bits), bits.words),
    ):
        content = encode(message)[-1]
        assert np.shares_memory(np.frombuffer(content, np.uint8), memory)
    body = bytearray(b"".join(encode(SettingsAnnouncement(settings, ""))))
    assert np.shares_memory(np.frombuffer(body, np.uint8), decode(body).settings)


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
            refused += not _is_message(spoiled)
    assert refused > 100


@given(st.binary(max_size=200))
@example(b"")
def test_any_bytes_are_a_message_or_refused(body):
    _is_message(bytearray(body))


@given(
    tag=st.sampled_from([kind.__name__ for kind in get_args(AnyMessage)]),
    fields=st.lists(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-(2**63), 2**64 - 1)
            | st.floats()
            | st.text(max_size=5)
            | st.binary(max_size=5),
            lambda parts: (
                st.lists(parts, max_size=3)
                | st.dictionaries(st.text(max_size=3) | st.integers(0, 9), parts, max_size=3)
            ),
            max_leaves=5,
        ),
        max_size=7,
    ),
    content=st.binary(max_size=20),
)
def test_any_fields_are_a_message_or_refused(tag, fields, content):
    _is_message(_framed([tag, *fields], content))


def _is_message(body: bytearray) -> bool:
    """Tell whether these are the bytes of a message; anything but a refusal is let through."""
    try:
        message = decode(body)
    except ProtocolError:
        return False
    assert isinstance(message, Message)
    for name in message.__struct_fields__:
        value = getattr(message, name)
        assert not isinstance(value, np.ndarray) or value.dtype == np.uint8
    return True


@pytest.mark.parametrize(
    "head",
    [
        ["Acceptance", 1],
        ["Acceptance"],
        ["Acceptance", True, 1],
        {"type": "Acceptance", "accepted": True},
        ["Message"],
        ["Nothing"],
        [b"Acceptance", True],
        [],
        7,
        ["Abort", b"bytes"],
        ["KeyHeld", "text", True],
        ["Hello", "eve", "distill"],
        ["Hello", "bob", "distill", None, None, 0],
        ["Verification", b"", b"", 1.0],
        ["DisclosedTests", []],
        ["DisclosedTests", [[0]]],
        ["DisclosedTests", [[0], 1]],
        ["DisclosedTests", [[0], 0, 0]],
        ["DisclosedTests", [[0], True]],
        ["DisclosedTests", [[0], -1]],
        ["DisclosedTests", [[0, 0], 0]],
        ["DisclosedTests", [[1], 64]],
        ["DisclosedTests", [[2**61], 2**64 - 1]],
        ["DisclosedTests", {"words": [0], "length": 0}],
        ["DisclosedTests", 0],
        ["DisclosedTests", None],
        ["SettingsAnnouncement", 3, ""],
        ["SettingsAnnouncement", [], ""],
        ["SettingsAnnouncement", [1, 1, 1], ""],
        ["SettingsAnnouncement", [-1], ""],
        ["SettingsAnnouncement", [True], ""],
        ["SettingsAnnouncement", [2**63, 0], ""],
        ["SettingsAnnouncement", [2**64 - 1, 2**64 - 1], ""],
        ["SettingsAnnouncement", {"0": 1}, ""],
        ["DisclosedTests", [msgspec.msgpack.Ext(1, b"\x01"), 1]],
        # Text that is none, more elements than there are bytes, and nothing but beginnings.
        b"\x92\xa5Abort\xa2\xff\xfe",
        b"\x92\xaeDisclosedTests\x92\xdd\xff\xff\xff\xff",
        b"\x92\xaeDisclosedTests\x92\xdf\xff\xff\xff\xff",
        b"\x92\xaeDisclosedTests\x92\xc6\xff\xff\xff\xff",
        b"\x92\xaeDisclosedTests\x92" + b"\x91" * 1_000_000,
        b"\x92\xaeDisclosedTests\x92\x81\x80\x00",
        b"\x91" * 1_000_000,
        b"\xc1",
        b"",
    ],
    ids=lambda head: repr(head)[:40],
)
def test_other_heads_are_refused(head):
    with pytest.raises(ProtocolError, match="malformed message"):
        decode(_framed(head))


def test_a_head_longer_than_the_message_is_refused():
    for body in (b"", b"\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x02\x91"):
        with pytest.raises(ProtocolError, match="malformed message"):
            decode(bytearray(body))


def test_bits_past_the_last_one_are_refused():
    head = ["DisclosedTests", [[1], 3]]
    message = decode(_framed(head, b"\x07" + bytes(7)))
    assert message.outcomes == PackedBits.from_bits(np.ones(3, np.uint8))
    for content in (b"\x0f" + bytes(7), b"\x07" + bytes(6) + b"\x80", bytes(9), bytes(7)):
        with pytest.raises(ProtocolError, match="malformed message"):
            decode(_framed(head, content))


def test_numbers_of_numpy_are_numbers():
    assert _round_trip(Acceptance(np.True_)).accepted is True
    assert _round_trip(Verification(b"", b"", np.int64(3))).tag_bits == 3


def test_messages_hold_bytes_and_bits_only():
    for array in (np.array([None]), np.zeros(3), np.zeros((1, 1, 1), np.uint8)):
        with pytest.raises(TypeError, match="no message may hold"):
            encode(SettingsAnnouncement(array, ""))
    with pytest.raises(TypeError, match="no field of a message may be of type object"):
        encode(Abort(object()))
