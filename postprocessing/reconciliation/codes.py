"""Quasi-cyclic LDPC codes, of which reconciliation sends syndromes, and how their rate is adapted.

A frame that is shorter than the code leaves out block columns: the syndrome has its length and
serves fewer bits (shortening). Longer syndromes come from splitting block rows: the two halves of a
check say more than their sum. Both keep the degrees of the bits, so that one code serves a range of
error rates; and since a half is sent as an addition to the sum, splitting more rows after a frame
has failed costs the added bits only (the rate adaptation of Varodayan, Aaron, Girod, Signal
Process. 86, 3123 (2006), without its accumulator).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from postprocessing.bits import WORD_BITS
from postprocessing.checks import one_of
from postprocessing.errors import InvalidArgumentError

SHIFTS_FILE = Path(__file__).parent / "matrices" / "shifts.npz"
_GOLDEN_RATIO = 0.6180339887498949

# Elements of a parity-check matrix that is written out, a byte each.
_MOST_ELEMENTS = 1 << 30

Integers = npt.NDArray[np.int64]
if TYPE_CHECKING:
    import galois
    from scipy.sparse import csr_array

    SparseMatrix = csr_array[Any, tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Graph:
    """The blocks of a code at some rate, grouped by block row.

    Parameters
    ----------
    row_starts : ndarray of int64, shape (rows + 1,)
        Where each block row starts in `edges`.
    edges : ndarray of int64, shape (edges, 2)
        Block column and shift of each block.
    """

    row_starts: Integers
    edges: Integers


@dataclass(frozen=True, eq=False)
class QCLDPCCode:
    """A quasi-cyclic low-density parity-check code, used for its syndromes.

    The parity-check matrix is `shifts` with each entry s replaced by a Z × Z block: zero for
    s = −1, else the cyclic shift that has check i contain bit (i + s) mod Z of the block column.
    Columns are ordered so that any number of the first has about the degrees of all.

    Parameters
    ----------
    name : str
        Name in the family.
    lifting : int
        Block size Z, a multiple of 64.
    shifts : ndarray of int16, shape (rows, columns)
        Base matrix: shifts in [0, Z), −1 for the zero block.

    Raises
    ------
    InvalidArgumentError
        If the lifting is no multiple of 64 or a shift is outside its range.
    """

    name: str
    lifting: int
    shifts: npt.NDArray[np.int16]

    def __post_init__(self) -> None:
        """Check lifting and shifts."""
        if self.lifting < WORD_BITS or self.lifting % WORD_BITS:
            raise InvalidArgumentError("lifting", self.lifting, f"a multiple of {WORD_BITS}")
        if self.shifts.ndim != 2 or self.shifts.min() < -1 or self.shifts.max() >= self.lifting:
            allowed = "a matrix of entries in [-1, lifting)"
            raise InvalidArgumentError("shifts", self.shifts, allowed)

    @property
    def rows(self) -> int:
        """Block rows."""
        return int(self.shifts.shape[0])

    @property
    def columns(self) -> int:
        """Block columns."""
        return int(self.shifts.shape[1])

    @property
    def frame_bits(self) -> int:
        """Key bits n of a whole frame."""
        return self.columns * self.lifting

    @property
    def leak_per_bit(self) -> float:
        """Least syndrome bits per key bit, m/n."""
        return self.rows / self.columns

    @cached_property
    def split_order(self) -> Integers:
        """Block rows in the order in which they are split, evenly spread however many."""
        return np.argsort(np.arange(1, self.rows + 1) * _GOLDEN_RATIO % 1).astype(np.int64)

    @cached_property
    def _halves(self) -> npt.NDArray[np.bool_]:
        """Which blocks belong to the half that is sent: every other one, by column weight."""
        weights = (self.shifts >= 0).sum(axis=0)
        halves = np.zeros(self.shifts.shape, np.bool_)
        for row, shifts in enumerate(self.shifts):
            blocks = np.flatnonzero(shifts >= 0)
            halves[row, blocks[np.argsort(weights[blocks], kind="stable")][1::2]] = True
        return halves

    def sparse_parity_check(self) -> SparseMatrix:
        """Return the parity-check matrix H, lifted bit by bit.

        Returns
        -------
        csr_array of uint8, shape (rows · Z, columns · Z)
            Ones where check r Z + i contains bit c Z + (i + s) mod Z, for each shift s.

        Examples
        --------
        >>> shipped_code("fast0.04-512-53x200").sparse_parity_check().shape
        (27136, 102400)
        """
        return lifted(_graph(self.shifts), self.columns, self.lifting)

    def parity_check(self) -> galois.FieldArray:
        """Return the parity-check matrix H as an array of `galois`.

        Returns
        -------
        galois.GF2, shape (rows · Z, columns · Z)
            The matrix.

        Raises
        ------
        InvalidArgumentError
            If the matrix has more than 2³⁰ elements: `sparse_parity_check` gives it.

        Examples
        --------
        >>> code = QCLDPCCode("small", 64, np.array([[0, 1, 5], [-1, 2, 0]], np.int16))
        >>> parity = code.parity_check()
        >>> parity.shape, int(np.linalg.matrix_rank(parity))
        ((128, 192), 128)
        """
        import galois

        elements = self.rows * self.columns * self.lifting**2
        if elements > _MOST_ELEMENTS:
            allowed = f"one of at most {_MOST_ELEMENTS} elements"
            raise InvalidArgumentError("code", f"{self.name} of {elements}", allowed)
        return galois.GF2(self.sparse_parity_check().toarray())

    def sent(self, columns: int) -> Graph:
        """Return what is sent of the first columns: all block rows, then all their halves."""
        shifts = np.vstack([self.shifts, self._half_rows(self.rows)])
        return _graph(shifts[:, :columns])

    def decoded(self, columns: int, split_rows: int) -> Graph:
        """Return what is decoded: block rows without their halves where split, then the halves."""
        shifts = self.shifts.copy()
        split = self.split_order[:split_rows]
        shifts[split] = np.where(self._halves[split], -1, shifts[split])
        return _graph(np.vstack([shifts, self._half_rows(split_rows)])[:, :columns])

    def _half_rows(self, split_rows: int) -> npt.NDArray[np.int16]:
        split = self.split_order[:split_rows]
        return np.where(self._halves[split], self.shifts[split], np.int16(-1))


def lifted(graph: Graph, columns: int, lifting: int) -> SparseMatrix:
    """Return the matrix of a graph bit by bit: each shift s is a block of ones at (i, i + s)."""
    from scipy import sparse

    rows = len(graph.row_starts) - 1
    blocks = np.repeat(np.arange(rows), np.diff(graph.row_starts))
    within = np.arange(lifting)
    checks = blocks[:, np.newaxis] * lifting + within
    bits = graph.edges[:, :1] * lifting + (within + graph.edges[:, 1:]) % lifting
    ones = np.ones(checks.size, np.uint8)
    shape = (rows * lifting, columns * lifting)
    return sparse.csr_array((ones, (checks.ravel(), bits.ravel())), shape=shape)


def _graph(shifts: npt.NDArray[np.int16]) -> Graph:
    rows, columns = np.nonzero(shifts >= 0)
    edges = np.column_stack([columns, shifts[rows, columns]]).astype(np.int64)
    starts = np.searchsorted(rows, np.arange(shifts.shape[0] + 1)).astype(np.int64)
    return Graph(starts, edges)


@dataclass(frozen=True)
class RateAdaptation:
    """A code at the rates at which a design uses it.

    Parameters
    ----------
    code : str
        Name of the code.
    frame_bits : int
        Most key bits in a frame: whole words, as frames are dealt.
    split_rows : tuple of int
        Block rows split at first, and after each failure; increasing.

    Raises
    ------
    InvalidArgumentError
        If there is no such code, or a frame or the rows split are more than it has.
    """

    code: str
    frame_bits: int
    split_rows: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check that the code has as many bits and rows."""
        code = self.mother
        whole = self.frame_bits % WORD_BITS == 0
        if not (whole and WORD_BITS <= self.frame_bits <= code.frame_bits):
            allowed = f"a multiple of {WORD_BITS} between {WORD_BITS} and {code.frame_bits}"
            raise InvalidArgumentError("frame_bits", self.frame_bits, allowed)
        steps = (-1, *self.split_rows, code.rows + 1)
        if not self.split_rows or any(b <= a for a, b in pairwise(steps)):
            allowed = f"increasing numbers of at most {code.rows} rows"
            raise InvalidArgumentError("split_rows", self.split_rows, allowed)

    @property
    def mother(self) -> QCLDPCCode:
        """The code."""
        return shipped_code(self.code)

    @property
    def columns(self) -> int:
        """Block columns in use."""
        return -(-self.frame_bits // self.mother.lifting)

    @property
    def steps(self) -> int:
        """Attempts to decode a frame."""
        return len(self.split_rows)

    def rows_sent(self, step: int) -> tuple[int, int]:
        """Return the half-open range of block rows sent for an attempt."""
        rows = self.mother.rows
        first = rows + self.split_rows[step - 1] if step else 0
        return first, rows + self.split_rows[step]

    def syndrome_bits(self, step: int) -> int:
        """Return the syndrome bits that one frame costs at an attempt, in addition to earlier."""
        first, last = self.rows_sent(step)
        return (last - first) * self.mother.lifting


@dataclass(frozen=True)
class UnratedAdaptation(RateAdaptation):
    """A code that was given itself, and of which nobody knows how often its frames fail.

    Parameters
    ----------
    given : QCLDPCCode
        The code.
    """

    given: QCLDPCCode

    @property
    def mother(self) -> QCLDPCCode:
        """The code."""
        return self.given


@lru_cache(maxsize=32)
def sent_graph(adaptation: RateAdaptation) -> Graph:
    """Return the graph of the syndromes sent."""
    return adaptation.mother.sent(adaptation.columns)


@lru_cache(maxsize=64)
def decoded_graph(adaptation: RateAdaptation, step: int) -> Graph:
    """Return the graph on which an attempt decodes."""
    return adaptation.mother.decoded(adaptation.columns, adaptation.split_rows[step])


@cache
def code_family() -> dict[str, QCLDPCCode]:
    """Return the shipped codes by name, from the highest rate (least leakage) down."""
    with np.load(SHIFTS_FILE, allow_pickle=False) as matrices:
        codes = [
            QCLDPCCode(name, int(name.split("-")[1]), matrices[name]) for name in matrices.files
        ]
    return {code.name: code for code in sorted(codes, key=lambda code: code.leak_per_bit)}


def shipped_code(name: str) -> QCLDPCCode:
    """Return a shipped code.

    Raises
    ------
    InvalidArgumentError
        If the family has no such code.
    """
    family = code_family()
    return family[one_of("code", name, family)]
