"""Base matrices of the code family, from arithmetic in prime fields.

Row i and column j of an array over GF(p) carry the element α^i − η α^j, α a primitive element. A
nonzero element α^s stands for the Z × Z cyclic shift by s, Z = p − 1, zero for the zero block. Two
rows i ≠ i' and two columns j ≠ j' would close a cycle of length four exactly if the 2 × 2 minor
(α^i − α^i')(α^j − α^j')η vanished, which it cannot: every sub-array, hence every masked one, has
girth at least 6 (Lan, Zeng, Tai, Chen, Lin, Abdel-Ghaffar, IEEE Trans. Inf. Theory 53, 2429
(2007); Li et al., IEEE Trans. Commun. 62, 2626 (2014) for the masking).

Run as ``python -m postprocessing.reconciliation.construction`` to write ``matrices/shifts.npz``.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import galois
import numpy as np
import numpy.typing as npt

Shifts = npt.NDArray[np.int16]

SHIFTS_FILE = Path(__file__).parent / "matrices" / "shifts.npz"
_OFFSET_ELEMENT = 3
# fmt: off
_FAMILY_ROWS = (
    4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 18, 20, 22, 24, 27, 30, 33, 36, 39, 43, 47, 52, 57, 63,
    69, 76, 84, 92, 101, 111, 122, 134, 147, 162, 178, 196, 216,
)
# fmt: on


@dataclass(frozen=True)
class BaseDesign:
    """What a base matrix is made from.

    Parameters
    ----------
    prime : int
        Field order p; the lifting is p − 1.
    rows, columns : int
        Shape of the base matrix, each at most p − 1.
    light, heavy : int
        The two column weights, at most `rows`.
    heavy_columns : int
        How many columns have weight `heavy`.
    """

    prime: int
    rows: int
    columns: int
    light: int
    heavy: int
    heavy_columns: int

    @property
    def name(self) -> str:
        """Name of the code: its lifting and the shape of its base matrix."""
        return f"qc{self.prime - 1}-{self.rows}x{self.columns}"


def family_designs() -> tuple[BaseDesign, ...]:
    """Return the designs of the family, from the highest rate down.

    One array of 352 block columns gives all but the first code, so that n is the same. From eight
    rows on each code leaks about a tenth more than the one before.
    """
    lowest_leak = BaseDesign(prime=727, rows=4, columns=724, light=4, heavy=4, heavy_columns=0)
    return (lowest_leak, *(_masked_design(rows) for rows in _FAMILY_ROWS))


def _masked_design(rows: int) -> BaseDesign:
    """Return a design with two column weights: a few heavy columns let decoding start.

    Weight 4 at least where few rows leave little room:
    there weight 3 has a threshold better by a tenth, but low-weight codewords and trapping sets.
    """
    light = 4 if rows < 28 else 3
    heavy = light if rows < 6 else min(rows, 12)
    share = 0.4 if rows < 10 else 0.3 * min(1.0, (38 / rows) ** 0.55)
    return BaseDesign(353, rows, 352, light, heavy, round(352 * share) if heavy > light else 0)


@cache
def field_array(prime: int) -> Shifts:
    """Return the discrete logarithms of α^i − η α^j, −1 where the element is zero.

    Parameters
    ----------
    prime : int
        Field order p.

    Returns
    -------
    ndarray of int16, shape (p − 1, p − 1)
        Shifts in [0, p − 1), or −1.
    """
    field = galois.GF(prime)
    powers = field.primitive_element ** np.arange(prime - 1)
    array = powers[:, np.newaxis] - field(_OFFSET_ELEMENT) * powers[np.newaxis, :]
    logarithms = np.full(array.shape, -1, dtype=np.int16)
    nonzero = np.asarray(array) != 0
    logarithms[nonzero] = array[nonzero].log()
    return logarithms


def masked(array: Shifts, weights: npt.NDArray[np.int64], seed: int) -> Shifts:
    """Keep `weights[j]` blocks of column j so that the row weights stay balanced.

    Each column takes its blocks in the rows that are lightest so far; a seeded shuffle orders equal
    rows, so that no regular pattern of rows makes short cycles.

    Parameters
    ----------
    array : ndarray of int16, shape (rows, columns)
        Shifts to choose from, −1 for a zero block.
    weights : ndarray of int, shape (columns,)
        Blocks to keep; a column with fewer nonzero blocks keeps them all.
    seed : int
        Seed of the shuffle.

    Returns
    -------
    ndarray of int16, shape (rows, columns)
        The kept shifts, −1 elsewhere.
    """
    rows, columns = array.shape
    generator = random.Random(seed)
    load = [0] * rows
    kept = np.full_like(array, -1)
    for column in sorted(range(columns), key=lambda j: -weights[j]):
        candidates = [row for row in range(rows) if array[row, column] >= 0]
        candidates.sort(key=lambda row: (load[row], generator.random()))
        for row in candidates[: weights[column]]:
            load[row] += 1
            kept[row, column] = array[row, column]
    return kept


def build_base_matrix(design: BaseDesign) -> Shifts:
    """Return the base shifts of a design, −1 for the zero block; the same at every call."""
    weights = np.full(design.columns, design.light)
    heavy = np.linspace(0, design.columns, design.heavy_columns, endpoint=False).astype(np.int64)
    weights[heavy] = design.heavy
    array = field_array(design.prime)[: design.rows, : design.columns]
    return masked(array, weights, seed=design.rows)


def main() -> None:
    """Build the family and write its shifts, one array a code."""
    SHIFTS_FILE.parent.mkdir(exist_ok=True)
    matrices = {design.name: build_base_matrix(design) for design in family_designs()}
    np.savez_compressed(SHIFTS_FILE, allow_pickle=False, **matrices)


if __name__ == "__main__":
    main()
