"""Both sides of a ladder: the reference sends bits of syndromes, the corrector climbs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from postprocessing.bits import WORD_BITS, PackedBits, octets
from postprocessing.checks import thread_count
from postprocessing.reconciliation.decoder import log_likelihood_ratio
from postprocessing.reconciliation.frames import Frames, deal
from postprocessing.reconciliation.kernels import climbing as _climbing_kernels
from postprocessing.reconciliation.kernels import encoding as _encoding_kernels
from postprocessing.reconciliation.kernels import layered as _layered_kernels
from postprocessing.reconciliation.ladder.ladder import Ladder, climbed_graph, sent_graph

# Iterations of the first attempt, and of each later one.
_ITERATIONS = 200, 100
_NO_WORDS, _NO_ROWS = np.empty(0, np.uint64), np.empty(0, np.int64)


def syndromes(ladder: Ladder, frames: Frames) -> npt.NDArray[np.uint8]:
    """Return all bits that may be sent for frames, one an element, shape (frames, bits)."""
    graph, lifting = sent_graph(ladder), ladder.mother.lifting
    rows = ladder.mother.rows + ladder.split_rows
    words = np.zeros((len(frames), rows, lifting // WORD_BITS), np.uint64)
    _encoding_kernels.encode(frames.words, graph.row_starts[: rows + 1], graph.edges, words)
    packed = octets(words.reshape(len(frames), rows * lifting // WORD_BITS))
    return np.unpackbits(packed, axis=1, bitorder="little")


@dataclass(frozen=True, eq=False)
class Climber:
    """How far the corrector has come with some frames.

    Parameters
    ----------
    ladder : Ladder
        The code and its rungs.
    frames : Frames
        The frames as they are decided, where all checks are met; else as they were before.
    met : ndarray of bool, shape (frames,)
        Whether all checks are.
    iterations : ndarray of int64, shape (frames,)
        Iterations so far.
    posteriors : ndarray of int16, shape (frames, block columns · (Z + 64))
        What is believed of each bit.
    messages : ndarray of int8, shape (frames, edges · Z)
        What each check has last said to each of its bits.
    signs : ndarray of int8, shape (frames, block rows, Z)
        Negative where the bit of the syndrome is 1.
    """

    ladder: Ladder
    frames: Frames
    met: npt.NDArray[np.bool_]
    iterations: npt.NDArray[np.int64]
    posteriors: npt.NDArray[np.int16]
    messages: npt.NDArray[np.int8]
    signs: npt.NDArray[np.int8]

    @classmethod
    def of(cls, ladder: Ladder, frames: Frames, qber: float) -> Self:
        """Return the frames before any syndrome has come."""
        code, count = ladder.mother, len(frames)
        graph, lifting = climbed_graph(ladder), code.lifting
        reliability = round(_layered_kernels.SCALE * log_likelihood_ratio(qber))
        columns = ladder.columns + ladder.split_rows
        posteriors = np.empty((count, columns * (lifting + WORD_BITS)), np.int16)
        for k in range(count):
            known_from, words = frames.lengths[k], frames.words[k]
            _climbing_kernels.begin(words, known_from, reliability, posteriors[k], lifting)
        return cls(
            ladder,
            frames,
            np.zeros(count, np.bool_),
            np.zeros(count, np.int64),
            posteriors,
            np.zeros((count, len(graph.edges) * lifting), np.int8),
            np.zeros((count, code.rows + ladder.split_rows, lifting), np.int8),
        )

    def chosen(self, which: npt.NDArray[np.bool_]) -> Self:
        """Return a copy with some of the frames."""
        return type(self)(
            self.ladder,
            self.frames.chosen(which),
            self.met[which],
            self.iterations[which],
            self.posteriors[which],
            self.messages[which],
            self.signs[which],
        )

    def further(self, added: npt.NDArray[np.uint8], step: int, threads: int | None) -> Self:
        """Decode from where it stands with the bits that an attempt adds, shape (frames, bits)."""
        further = self.chosen(np.ones(len(self.frames), np.bool_))

        def climb(k: int) -> None:
            further._tell(k, added[k], step)
            further._decode(k, step)

        with ThreadPoolExecutor(thread_count(threads)) as pool:
            for _ in pool.map(climb, range(len(self.frames))):
                pass
        return further

    def _tell(self, k: int, added: npt.NDArray[np.uint8], step: int) -> None:
        ladder, lifting = self.ladder, self.ladder.mother.lifting
        if step == 0:
            whole = PackedBits.from_bits(added[: ladder.whole_bits]).words
            rows = self.signs[k, : ladder.mother.rows]
            _layered_kernels.spread_syndrome(whole, _NO_WORDS, _NO_ROWS, rows, lifting)
            added = added[ladder.whole_bits :]
        first = ladder.rungs[step - 1] if step else 0
        words, column = PackedBits.from_bits(added).words, ladder.columns
        posteriors = self.posteriors[k]
        _climbing_kernels.reveal(words, first, len(added), posteriors, column, lifting)

    def _decode(self, k: int, step: int) -> None:
        graph, most = climbed_graph(self.ladder), _ITERATIONS[min(step, 1)]
        starts, edges = graph.row_starts, graph.edges
        beliefs = self.posteriors[k], self.messages[k], self.signs[k]
        spent, met = _climbing_kernels.climb(*beliefs, starts, edges, most, self.frames.words[k])
        self.met[k] = met
        self.iterations[k] += spent


@dataclass(frozen=True, eq=False)
class Ascent:
    """How far the corrector has come with its key on a ladder.

    Parameters
    ----------
    frames : Frames
        All frames, decided where all checks are met.
    left : ndarray of int, shape (k,)
        Indices of those that are left.
    climber : Climber
        How far it has come with these.
    """

    frames: Frames
    left: npt.NDArray[np.intp]
    climber: Climber

    @classmethod
    def of(cls, key: PackedBits, ladder: Ladder, qber: float) -> Self:
        """Return the frames of a key before any syndrome has come."""
        frames = deal(key, ladder)
        return cls(frames, np.arange(len(frames)), Climber.of(ladder, frames, qber))

    @property
    def adaptation(self) -> Ladder:
        """The ladder."""
        return self.climber.ladder

    def further(
        self, added: npt.NDArray[np.uint8], attempt: int, threads: int | None
    ) -> tuple[Self, PackedBits]:
        """Decode what is left by the packed bits that an attempt adds; flag what has failed."""
        count = self.adaptation.syndrome_bits(attempt)
        bits = np.unpackbits(added, axis=1, count=count, bitorder="little")
        climber = self.climber.further(bits, attempt, threads)
        met = climber.met
        frames = self.frames.replaced(self.left[met], climber.frames.chosen(met))
        further = type(self)(frames, self.left[~met], climber.chosen(~met))
        return further, PackedBits.from_bits(~met)

    @property
    def bits_left(self) -> int:
        """Bits of the frames that are left."""
        return self.frames.length_of(self.left)

    def filled_in(self, disclosed: PackedBits) -> Frames:
        """Return all frames, those that are left with the bits of the reference."""
        return self.frames.filled_at(self.left, disclosed)
