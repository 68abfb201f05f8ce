"""A key as frames: packed words dealt out like cards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from postprocessing.bits import WORD_BITS, PackedBits, Words, octets, word_count
from postprocessing.reconciliation.codes import QCLDPCCode


class Framing(Protocol):
    """A code and the size of its frames."""

    @property
    def mother(self) -> QCLDPCCode:
        """The code."""

    @property
    def columns(self) -> int:
        """Block columns in use."""

    @property
    def frame_bits(self) -> int:
        """Most key bits in a frame: whole words."""


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

    def bits(self) -> PackedBits:
        """Return the key bits, frame after frame."""
        parts = [
            np.unpackbits(octets(words), count=length, bitorder="little")
            for words, length in zip(self.words, self.lengths, strict=True)
        ]
        return PackedBits.from_bits(np.concatenate([np.empty(0, np.uint8), *parts]))

    def filled(self, bits: PackedBits) -> Self:
        """Return frames of the same lengths that hold other bits, frame after frame."""
        words = np.zeros_like(self.words)
        parts = np.split(bits.to_bits(), np.cumsum(self.lengths))[:-1]
        for row, part in zip(words, parts, strict=True):
            packed = PackedBits.from_bits(part).words
            row[: len(packed)] = packed
        return type(self)(words, self.lengths)

    def chosen(self, which: npt.NDArray[np.bool_ | np.intp]) -> Self:
        """Return a copy of some of the frames, by flags or by indices."""
        return type(self)(self.words[which], self.lengths[which])

    def length_of(self, which: npt.NDArray[np.intp]) -> int:
        """Return the number of bits in the frames of some indices."""
        return int(self.lengths[which].sum())

    def filled_at(self, which: npt.NDArray[np.intp], bits: PackedBits) -> Self:
        """Return a copy in which the frames of some indices hold other bits, frame after frame."""
        return self.replaced(which, self.chosen(which).filled(bits))

    def replaced(self, which: npt.NDArray[np.intp], others: Self) -> Self:
        """Return a copy with others, of the same lengths, in place of those of some indices."""
        words = self.words.copy()
        words[which] = others.words
        return type(self)(words, self.lengths)


def frame_count(length: int, adaptation: Framing) -> int:
    """Return the number of frames that a key of `length` bits makes."""
    return -(-word_count(length) // (adaptation.frame_bits // WORD_BITS))


def deal(key: PackedBits, adaptation: Framing) -> Frames:
    """Deal a key out to frames of nearly equal length, as few as hold it.

    Word i goes to frame i mod F, so that devices that drift give every frame the same error rate.

    Parameters
    ----------
    key : PackedBits
        The key.
    adaptation : Framing
        The code and the size of frames.

    Returns
    -------
    Frames
        The frames.
    """
    size = len(key.words)
    frames = frame_count(len(key), adaptation)
    dealt = np.zeros(
        (frames, adaptation.columns * adaptation.mother.lifting // WORD_BITS), np.uint64
    )
    lengths = np.zeros(frames, np.int64)
    for k in range(frames):
        hand = key.words[k::frames]
        dealt[k, : len(hand)] = hand
        lengths[k] = len(hand) * WORD_BITS
    if frames:
        lengths[(size - 1) % frames] -= size * WORD_BITS - len(key)
    return Frames(dealt, lengths)


def collect(frames: Frames) -> PackedBits:
    """Return the key that `deal` dealt out."""
    counts = -(-frames.lengths // WORD_BITS)
    words = np.empty(int(counts.sum()), np.uint64)
    for k in range(len(frames)):
        words[k :: len(frames)] = frames.words[k, : counts[k]]
    return PackedBits(words, int(frames.lengths.sum()))
