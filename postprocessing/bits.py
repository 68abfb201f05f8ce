"""Strings of bits, packed 64 to a word in the one order that the whole pipe keeps.

Bit i of a string is bit i mod 64 of word ⌊i/64⌋, the least significant bit of a word first. In
bytes that is bit i mod 8 of byte ⌊i/8⌋.
"""

from __future__ import annotations

from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from postprocessing.checks import check_bits, whole_number
from postprocessing.errors import InvalidArgumentError

# Bits, one an element; and packed.
Bits: TypeAlias = npt.NDArray[np.uint8]
Words: TypeAlias = npt.NDArray[np.uint64]

WORD_BITS = 64
_MOST_BITS = 2**53


class PackedBits(Struct, frozen=True, eq=False, array_like=True, forbid_unknown_fields=True):
    """A string of bits: bit i is bit i mod 64 of word ⌊i/64⌋.

    Parameters
    ----------
    words : ndarray of uint64, shape (⌈length/64⌉,)
        The bits; those past the last one are 0.
    length : int
        Number of bits, at least 0.

    Raises
    ------
    InvalidArgumentError
        If `words` is not a contiguous array of so many words, or has ones past the last bit.

    Examples
    --------
    >>> import numpy as np
    >>> key = PackedBits.from_bits(np.array([1, 0, 1, 1], np.uint8))
    >>> key.words, len(key)
    (array([13], dtype=uint64), 4)
    >>> (key ^ PackedBits(np.array([1], np.uint64), 4)).to_bits()
    array([0, 0, 1, 1], dtype=uint8)
    """

    words: Words
    length: int

    def __post_init__(self) -> None:
        """Check that the words are those of a string of this length."""
        if type(self.length) is not int:
            raise InvalidArgumentError("length", self.length, "a whole number as an int")
        length = whole_number("length", self.length, 0, _MOST_BITS)
        check_words("words", self.words, length)
        if length % WORD_BITS and int(self.words[-1]) >> length % WORD_BITS:
            raise InvalidArgumentError("words", "ones past the last bit", "0 there")

    @classmethod
    def from_bits(cls, bits: Bits | npt.NDArray[np.bool_]) -> Self:
        """Pack bits.

        Parameters
        ----------
        bits : ndarray of uint8 or bool, shape (n,)
            The bits, 0 or 1, one an element.

        Raises
        ------
        InvalidArgumentError
            If `bits` is not a flat array of bits.

        Examples
        --------
        >>> PackedBits.from_bits(np.array([0, 1, 1], np.uint8)).words
        array([6], dtype=uint64)
        """
        check_bits("bits", bits.view(np.uint8) if bits.dtype == np.bool_ else bits)
        return cls(whole_words(np.packbits(bits, bitorder="little")), bits.size)

    @classmethod
    def from_bytes(cls, content: bytes | memoryview | Bits, length: int | None = None) -> Self:
        """Return the first bits of a string of bytes, as a copy.

        Parameters
        ----------
        content : bytes, memoryview or ndarray of uint8
            The bytes, the lowest bit of each first.
        length : int, optional
            Number of bits; by default all there are.

        Raises
        ------
        InvalidArgumentError
            If the bytes hold fewer bits.

        Examples
        --------
        >>> PackedBits.from_bytes(bytes([0b101, 255]), length=10).to_bits()
        array([1, 0, 1, 0, 0, 0, 0, 0, 1, 1], dtype=uint8)
        """
        given = np.frombuffer(content, np.uint8)
        length = 8 * given.size if length is None else length
        length = whole_number("length", length, 0, 8 * given.size)
        words = np.zeros(word_count(length), "<u8")
        size = -(-length // 8)
        words.view(np.uint8)[:size] = given[:size]
        clear_tail(words, length)
        return cls(words.astype(np.uint64, copy=False), length)

    def __len__(self) -> int:
        """Return the number of bits."""
        return self.length

    def __repr__(self) -> str:
        """Return how many bits there are, not which: they may be a key."""
        return f"PackedBits({self.length} bits)"

    def __eq__(self, other: object) -> bool:
        """Tell whether the other is the same string."""
        if not isinstance(other, PackedBits):
            return NotImplemented
        return self.length == other.length and np.array_equal(self.words, other.words)

    def __xor__(self, other: PackedBits) -> Self:
        """Return the sum modulo 2 with a string of the same length."""
        if self.length != other.length:
            raise InvalidArgumentError("other", f"{other.length} bits", f"{self.length} bits long")
        return type(self)(self.words ^ other.words, self.length)

    def __and__(self, other: PackedBits) -> Self:
        """Return the product modulo 2 with a string of the same length."""
        if self.length != other.length:
            raise InvalidArgumentError("other", f"{other.length} bits", f"{self.length} bits long")
        return type(self)(self.words & other.words, self.length)

    @property
    def ones(self) -> int:
        """Number of bits that are 1."""
        return int(np.bitwise_count(self.words).sum())

    def to_bits(self) -> Bits:
        """Return the bits, one an element.

        Returns
        -------
        ndarray of uint8, shape (length,)
            The bits.

        Examples
        --------
        >>> PackedBits(np.array([13], np.uint64), 5).to_bits()
        array([1, 0, 1, 1, 0], dtype=uint8)
        """
        return np.unpackbits(octets(self.words), count=self.length, bitorder="little")

    def to_bytes(self) -> bytes:
        r"""Return the ⌈length/8⌉ bytes, the lowest bit of each first.

        Examples
        --------
        >>> PackedBits(np.array([0x102], np.uint64), 9).to_bytes()
        b'\x02\x01'
        """
        return octets(self.words)[: -(-self.length // 8)].tobytes()

    def copy(self) -> Self:
        """Return the string in memory of its own."""
        return type(self)(self.words.copy(), self.length)


def word_count(bits: int) -> int:
    """Return the number of words that hold so many bits."""
    return -(-bits // WORD_BITS)


def octets(words: Words) -> Bits:
    """Return words, along the last axis, as bytes, the lowest first; without a copy if contiguous.

    Examples
    --------
    >>> octets(np.array([0x0201], np.uint64))
    array([1, 2, 0, 0, 0, 0, 0, 0], dtype=uint8)
    """
    return np.ascontiguousarray(words).astype("<u8", copy=False).view(np.uint8)


def whole_words(octets: Bits) -> Words:
    """Return bytes, along the last axis, as words, filled up with zeros.

    Examples
    --------
    >>> whole_words(np.array([1, 2], np.uint8))
    array([513], dtype=uint64)
    """
    missing = -octets.shape[-1] % 8
    if missing:
        octets = np.pad(octets, [(0, 0)] * (octets.ndim - 1) + [(0, missing)])
    return np.ascontiguousarray(octets).view("<u8").astype(np.uint64, copy=False)


def check_words(argument: str, words: Any, bits: int) -> None:
    """Refuse anything but a contiguous flat array of the words that hold so many bits.

    Raises
    ------
    InvalidArgumentError
        If `words` is not a contiguous one-dimensional array of ⌈bits/64⌉ uint64.
    """
    flat = isinstance(words, np.ndarray) and words.ndim == 1 and words.flags.c_contiguous
    if not flat or words.dtype != np.uint64:
        given = type(words).__name__
        if isinstance(words, np.ndarray):
            given = f"{words.dtype} of shape {words.shape}"
        raise InvalidArgumentError(argument, given, "a flat, contiguous array of uint64")
    if words.size != word_count(bits):
        allowed = f"{word_count(bits)} words long for {bits} bits"
        raise InvalidArgumentError(argument, f"{words.size} words", allowed)


def clear_tail(words: Words, length: int) -> None:
    """Set the bits of the last word past `length` to 0."""
    if length % WORD_BITS:
        words[-1] &= np.uint64((1 << length % WORD_BITS) - 1)
