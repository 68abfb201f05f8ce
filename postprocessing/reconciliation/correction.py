"""How far a corrector has come with its frames, attempt by attempt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from postprocessing.bits import PackedBits
from postprocessing.reconciliation.codes import RateAdaptation
from postprocessing.reconciliation.decoder import decode
from postprocessing.reconciliation.frames import Frames, deal
from postprocessing.reconciliation.ladder import Ascent, Ladder


@dataclass(frozen=True, eq=False)
class Correction:
    """How far the corrector has come.

    Parameters
    ----------
    adaptation : RateAdaptation
        The code and its rates.
    qber : float
        Expected error rate, in [0, 1/2].
    frames : Frames
        All frames, decoded where that went well.
    left : ndarray of int, shape (k,)
        Indices of those that are left.
    syndromes : ndarray of uint8, shape (k, bytes)
        All that was sent for these.
    iterations : ndarray of int64, shape (frames,)
        Iterations of the attempt that decoded a frame; −1 where none has.
    """

    adaptation: RateAdaptation
    qber: float
    frames: Frames
    left: npt.NDArray[np.intp]
    syndromes: npt.NDArray[np.uint8]
    iterations: npt.NDArray[np.int64]

    @classmethod
    def of(cls, key: PackedBits, adaptation: RateAdaptation, qber: float) -> Self:
        """Return the frames of a key before any syndrome has come."""
        frames = deal(key, adaptation)
        none = np.empty((len(frames), 0), np.uint8)
        left, iterations = np.arange(len(frames)), np.full(len(frames), -1, np.int64)
        return cls(adaptation, qber, frames, left, none, iterations)

    def further(
        self, added: npt.NDArray[np.uint8], attempt: int, threads: int | None
    ) -> tuple[Self, PackedBits]:
        """Decode what is left by the syndromes that an attempt adds.

        Parameters
        ----------
        added : ndarray of uint8, shape (k, bytes)
            What `encode` gives for the frames that are left.
        attempt : int
            From 0.
        threads : int or None
            Threads that share the frames.

        Returns
        -------
        Correction
            What has become of it.
        PackedBits
            One flag a frame that was left: 1 where it still is.
        """
        syndromes, received = np.hstack([self.syndromes, added]), self.frames.chosen(self.left)
        decoded = decode(self.adaptation, received, syndromes, self.qber, attempt, threads)
        frames, failed = self.frames.replaced(self.left, decoded.frames), decoded.failed
        iterations = self.iterations.copy()
        iterations[self.left] = decoded.iterations
        left = self.left[failed]
        further = replace(
            self, frames=frames, left=left, syndromes=syndromes[failed], iterations=iterations
        )
        return further, PackedBits.from_bits(failed)

    @property
    def bits_left(self) -> int:
        """Bits of the frames that are left."""
        return self.frames.length_of(self.left)

    def filled_in(self, disclosed: PackedBits) -> Frames:
        """Return all frames, those that are left with the bits of the reference."""
        return self.frames.filled_at(self.left, disclosed)


def begin_correction(
    key: PackedBits, adaptation: RateAdaptation | Ladder, qber: float
) -> Correction | Ascent:
    """Return the corrector's key before any syndrome has come, on a ladder or not."""
    if isinstance(adaptation, Ladder):
        return Ascent.of(key, adaptation, qber)
    return Correction.of(key, adaptation, qber)
