"""A ladder: a code made to measure, and how many bits of its half-syndromes each attempt adds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from postprocessing.bits import WORD_BITS
from postprocessing.errors import InvalidArgumentError
from postprocessing.reconciliation.codes import Graph, QCLDPCCode
from postprocessing.reconciliation.ladder.tailoring import CodeShape, grown_code

# Longer frames decode no better.
MOST_FRAME_BITS = 1_500_032


@dataclass(frozen=True)
class Ladder:
    """A code and the rungs at which a frame is tried.

    The first attempt has the syndrome of the whole code and the first bits of its half-syndromes,
    row after row in the order in which they are split; each attempt adds some more.

    Parameters
    ----------
    code : str
        Name of a code made to measure, which is grown when it is needed.
    frame_bits : int
        Most key bits in a frame: whole words, as frames are dealt, in all block columns.
    rungs : tuple of int
        Bits of half-syndromes known at each attempt; increasing.

    Raises
    ------
    InvalidArgumentError
        If there is no such code, or a frame or the rungs are more than it has.
    """

    code: str
    frame_bits: int
    rungs: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check that the code has as many bits and halves."""
        most = min(self.shape.columns * self.shape.lifting, MOST_FRAME_BITS)
        least = (self.shape.columns - 1) * self.shape.lifting + WORD_BITS
        if self.frame_bits % WORD_BITS or not least <= self.frame_bits <= most:
            allowed = f"a multiple of {WORD_BITS} that fills the code, between {least} and {most}"
            raise InvalidArgumentError("frame_bits", self.frame_bits, allowed)
        steps = (-1, *self.rungs, self.whole_bits + 1)
        if not self.rungs or any(b <= a for a, b in pairwise(steps)):
            allowed = f"increasing numbers of at most {self.whole_bits} bits"
            raise InvalidArgumentError("rungs", self.rungs, allowed)

    @property
    def shape(self) -> CodeShape:
        """What the code is grown from."""
        return CodeShape.of_name(self.code)

    @property
    def mother(self) -> QCLDPCCode:
        """The code."""
        return grown_code(self.code)

    @property
    def columns(self) -> int:
        """Block columns in use."""
        return -(-self.frame_bits // self.shape.lifting)

    @property
    def whole_bits(self) -> int:
        """Bits of the syndrome of the whole code."""
        return self.shape.rows * self.shape.lifting

    @property
    def split_rows(self) -> int:
        """Block rows that are split at the last rung."""
        return -(-self.rungs[-1] // self.shape.lifting)

    @property
    def steps(self) -> int:
        """Attempts to decode a frame."""
        return len(self.rungs)

    def bits_sent(self, step: int) -> tuple[int, int]:
        """Return the half-open range of syndrome bits that an attempt adds."""
        first = self.whole_bits + self.rungs[step - 1] if step else 0
        return first, self.whole_bits + self.rungs[step]

    def syndrome_bits(self, step: int) -> int:
        """Return the syndrome bits that one frame costs at an attempt, in addition to earlier."""
        first, last = self.bits_sent(step)
        return last - first


@lru_cache(maxsize=32)
def sent_graph(ladder: Ladder) -> Graph:
    """Return the graph of all syndromes: the block rows, then their halves as they are split."""
    return ladder.mother.sent(ladder.columns)


@lru_cache(maxsize=32)
def climbed_graph(ladder: Ladder) -> Graph:
    """Return the graph on which all attempts decode: split rows as halves that share a bit."""
    code, count = ladder.mother, ladder.split_rows
    halves = code.decoded(ladder.columns, count)
    rows = np.repeat(np.arange(code.rows + count), np.diff(halves.row_starts))
    number = np.arange(count)
    auxiliary = np.column_stack([ladder.columns + number, np.zeros(count, np.int64)])
    edges = np.vstack([halves.edges, auxiliary, auxiliary])
    rows = np.concatenate([rows, code.split_order[:count], code.rows + number])
    order = np.argsort(rows, kind="stable")
    starts = np.searchsorted(rows[order], np.arange(code.rows + count + 1))
    return Graph(starts.astype(np.int64), edges[order].astype(np.int64))
