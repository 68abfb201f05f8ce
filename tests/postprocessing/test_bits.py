"""Packed bits: the order, both ways between every form, and what is no string of bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postprocessing.bits import PackedBits, octets, whole_words
from postprocessing.errors import InvalidArgumentError

STRINGS = st.lists(st.integers(0, 1), max_size=200)


def _packed(bits: list[int]) -> PackedBits:
    return PackedBits.from_bits(np.array(bits, np.uint8))


@given(STRINGS)
def test_the_order_is_the_literal_one(bits):
    packed = _packed(bits)
    assert len(packed) == len(bits)
    assert packed.words.shape == (-(-len(bits) // 64),)
    for i, bit in enumerate(bits):
        assert (int(packed.words[i // 64]) >> i % 64) & 1 == bit
        assert (packed.to_bytes()[i // 8] >> i % 8) & 1 == bit
    assert packed.ones == sum(bits)


@given(STRINGS)
def test_every_form_leads_back(bits):
    packed = _packed(bits)
    np.testing.assert_array_equal(packed.to_bits(), bits)
    assert PackedBits.from_bytes(packed.to_bytes(), len(bits)) == packed
    assert PackedBits.from_bits(np.array(bits, bool)) == packed
    np.testing.assert_array_equal(whole_words(octets(packed.words)), packed.words)
    assert octets(packed.words).tobytes()[: len(packed.to_bytes())] == packed.to_bytes()


@given(st.binary(max_size=50), st.data())
def test_the_first_bits_of_bytes(content, data):
    length = data.draw(st.integers(0, 8 * len(content)))
    whole, first = PackedBits.from_bytes(content), PackedBits.from_bytes(content, length)
    assert whole.to_bytes() == content
    np.testing.assert_array_equal(first.to_bits(), whole.to_bits()[:length])
    assert PackedBits(first.words, length) == first


@given(STRINGS, st.data())
def test_sum_of_two_strings(bits, data):
    others = data.draw(st.lists(st.integers(0, 1), min_size=len(bits), max_size=len(bits)))
    total = _packed(bits) ^ _packed(others)
    np.testing.assert_array_equal(total.to_bits(), np.array(bits, int) ^ np.array(others, int))


def test_equal_is_the_same_bits():
    one = _packed([1, 0])
    assert one == _packed([1, 0])
    assert one != _packed([1, 0, 0])
    assert one != _packed([1, 1])
    assert one != "10"


def test_bytes_are_seen_where_they_lie_and_copies_are_not():
    packed, content = _packed([1] * 70), bytearray(b"\x01")
    assert np.shares_memory(octets(packed.words), packed.words)
    assert not np.shares_memory(packed.copy().words, packed.words)
    found = PackedBits.from_bytes(memoryview(content))
    content[0] = 0
    assert found.ones == 1


@pytest.mark.parametrize(
    ("words", "length", "match"),
    [
        (np.array([4], np.uint64), 2, "words must be 0 there, got 'ones past the last bit'"),
        (np.zeros(2, np.uint64), 64, "words must be 1 words long for 64 bits"),
        (np.zeros(0, np.uint64), 1, "words must be 1 words long for 1 bits"),
        (np.zeros(1, np.int64), 64, "words must be a flat, contiguous array of uint64"),
        (np.zeros((1, 1), np.uint64), 64, "words must be a flat, contiguous array of uint64"),
        (np.zeros(4, np.uint64)[::2], 128, "words must be a flat, contiguous array of uint64"),
        ([0], 64, "words must be a flat, contiguous array of uint64, got 'list'"),
        (np.zeros(0, np.uint64), -1, "length must be a whole number"),
        (np.zeros(1, np.uint64), 1.0, "length must be a whole number"),
    ],
)
def test_what_is_no_string_of_bits_is_refused(words, length, match):
    with pytest.raises(InvalidArgumentError, match=match):
        PackedBits(words, length)


def test_other_arguments_are_checked():
    with pytest.raises(InvalidArgumentError, match="bits must be bits 0 or 1, got 2"):
        _packed([2])
    with pytest.raises(InvalidArgumentError, match="bits must be a flat array of uint8"):
        PackedBits.from_bits(np.zeros((2, 2), bool))
    with pytest.raises(InvalidArgumentError, match="length must be a whole number"):
        PackedBits.from_bytes(b"\0", 9)
    with pytest.raises(InvalidArgumentError, match="other must be 1 bits long, got '2 bits'"):
        _packed([1]) ^ _packed([1, 0])
