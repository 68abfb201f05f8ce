"""Bits packed into 64-bit words: bit i of a string is bit i mod 64 of word ⌊i/64⌋."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from postprocessing.errors import InvalidArgumentError
from postprocessing.scheme import Bits

Words: TypeAlias = npt.NDArray[np.uint64]


def word_count(bits: int) -> int:
    """Return the number of words that hold so many bits."""
    return -(-bits // 64)


def pack_bits(bits: Bits) -> Words:
    """Pack bits, one an element, into words.

    Parameters
    ----------
    bits : ndarray of uint8, shape (n,)
        Bits 0 or 1.

    Returns
    -------
    ndarray of uint64, shape (⌈n/64⌉,)
        The words; bits past the last one are 0.

    Examples
    --------
    >>> import numpy as np
    >>> pack_bits(np.array([1, 0, 1, 1], np.uint8))
    array([13], dtype=uint64)
    """
    words = np.zeros(word_count(bits.size), dtype="<u8")
    words.view(np.uint8)[: -(-bits.size // 8)] = np.packbits(bits, bitorder="little")
    return words.astype(np.uint64, copy=False)


def unpack_bits(words: Words, length: int) -> Bits:
    """Return the first bits of packed words, one an element.

    Parameters
    ----------
    words : ndarray of uint64
        The words.
    length : int
        Number of bits.

    Returns
    -------
    ndarray of uint8, shape (length,)
        The bits.

    Examples
    --------
    >>> import numpy as np
    >>> unpack_bits(np.array([13], np.uint64), length=5)
    array([1, 0, 1, 1, 0], dtype=uint8)
    """
    octets = words.astype("<u8", copy=False).view(np.uint8)
    return np.unpackbits(octets, count=length, bitorder="little")


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
    if length % 64:
        words[-1] &= np.uint64((1 << length % 64) - 1)
