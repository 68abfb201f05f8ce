"""A key as frames: packed words dealt out like cards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from postprocessing.errors import InvalidArgumentError
from postprocessing.reconciliation.codes import WORD_BITS, RateAdaptation
from postprocessing.scheme import Bits

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Frames:
    """Frames of packed bits: bit i of a frame is bit i mod 64 of its word ⌊i/64⌋.

    Parameters
    ----------
    words : ndarray of uint64, shape (frames, columns · Z/64)
        The frames, filled up with zeros.
    lengths : ndarray of int64, shape (frames,)
        Number of key bits in each; the bits from there on are zero and known to be.
    """

    words: Words
    lengths: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.words)

    def bits(self) -> Bits:
        """Return the key bits, one an element, frame after frame."""
        parts = [
            np.unpackbits(octets(words), count=length, bitorder="little")
            for words, length in zip(self.words, self.lengths, strict=True)
        ]
        return np.concatenate([np.empty(0, np.uint8), *parts])

    def filled(self, bits: Bits) -> Self:
        """Return frames of the same lengths that hold other bits, frame after frame."""
        words = np.zeros_like(self.words)
        for row, part in zip(words, np.split(bits, np.cumsum(self.lengths)[:-1]), strict=True):
            packed = whole_words(np.packbits(part, bitorder="little"))
            row[: len(packed)] = packed
        return type(self)(words, self.lengths)

    def chosen(self, which: npt.NDArray[np.bool_ | np.intp]) -> Self:
        """Return a copy of some of the frames, by flags or by indices."""
        return type(self)(self.words[which], self.lengths[which])


def octets(words: Words) -> npt.NDArray[np.uint8]:
    """Return words, along the last axis, as bytes whose lowest bit is the first."""
    return np.ascontiguousarray(words).astype("<u8", copy=False).view(np.uint8)


def whole_words(octets: npt.NDArray[np.uint8]) -> Words:
    """Return bytes, along the last axis, as words, filled up with zeros."""
    missing = -octets.shape[-1] % 8
    if missing:
        octets = np.pad(octets, [(0, 0)] * (octets.ndim - 1) + [(0, missing)])
    return np.ascontiguousarray(octets).view("<u8").astype(np.uint64, copy=False)


def frame_count(length: int, adaptation: RateAdaptation) -> int:
    """Return the number of frames that a key of `length` bits makes."""
    words = -(-length // WORD_BITS)
    return -(-words // (adaptation.frame_bits // WORD_BITS))


def deal(words: Words, length: int, adaptation: RateAdaptation) -> Frames:
    """Deal a key out to frames of nearly equal length, as few as hold it.

    Word i goes to frame i mod F, so that devices that drift give every frame the same error rate.

    Parameters
    ----------
    words : ndarray of uint64, shape (⌈length/64⌉,)
        The key, packed; bits past the last one are 0.
    length : int
        Its number of bits, at least 0.
    adaptation : RateAdaptation
        The code and the size of frames.

    Returns
    -------
    Frames
        The frames.

    Raises
    ------
    InvalidArgumentError
        If `words` are not as many words as the key fills.
    """
    size = -(-length // WORD_BITS)
    if words.shape != (size,) or words.dtype != np.uint64:
        given = f"{words.dtype} of shape {words.shape}"
        raise InvalidArgumentError("words", given, f"{size} words of uint64 for {length} bits")
    frames = frame_count(length, adaptation)
    dealt = np.zeros(
        (frames, adaptation.columns * adaptation.mother.lifting // WORD_BITS), np.uint64
    )
    lengths = np.zeros(frames, np.int64)
    for k in range(frames):
        hand = words[k::frames]
        dealt[k, : len(hand)] = hand
        lengths[k] = len(hand) * WORD_BITS
    if frames:
        lengths[(size - 1) % frames] -= size * WORD_BITS - length
    return Frames(dealt, lengths)


def collect(frames: Frames) -> Words:
    """Return the words of the key that `deal` dealt out."""
    counts = -(-frames.lengths // WORD_BITS)
    words = np.empty(int(counts.sum()), np.uint64)
    for k in range(len(frames)):
        words[k :: len(frames)] = frames.words[k, : counts[k]]
    return words
