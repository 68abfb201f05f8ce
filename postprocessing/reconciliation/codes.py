"""The family of quasi-cyclic LDPC codes that reconciliation chooses from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from postprocessing.errors import InvalidArgumentError

_CODES = Path(__file__).parent / "matrices"


@dataclass(frozen=True, eq=False)
class QCLDPCCode:
    """A quasi-cyclic low-density parity-check code, used for its syndromes.

    The parity-check matrix is `shifts` with each entry s replaced by a Z × Z block: zero for
    s = −1, else the cyclic shift that has check i contain bit (i + s) mod Z of the block column.

    Parameters
    ----------
    name : str
        Name in the family.
    lifting : int
        Block size Z.
    shifts : ndarray of int16, shape (rows, columns)
        Base matrix: shifts in [0, Z), −1 for the zero block.
    rated_errors : int
        Number of errors in a frame up to which decoding fails no more often than `failure_floor`.
    failure_floor : float
        Probability assumed that a frame with at most `rated_errors` errors is not corrected.
    rated_frames : int
        Frames with `rated_errors` errors that were decoded, all correctly, for the rating.
    """

    name: str
    lifting: int
    shifts: npt.NDArray[np.int16]
    rated_errors: int
    failure_floor: float
    rated_frames: int

    def __post_init__(self) -> None:
        """Check the range of the shifts."""
        if self.shifts.ndim != 2 or self.shifts.min() < -1 or self.shifts.max() >= self.lifting:
            raise InvalidArgumentError(
                "shifts", self.shifts, "a matrix of entries in [-1, lifting)"
            )

    @property
    def frame_bits(self) -> int:
        """Key bits n of a frame."""
        return int(self.shifts.shape[1]) * self.lifting

    @property
    def syndrome_bits(self) -> int:
        """Syndrome bits m of a frame: what a frame leaks."""
        return int(self.shifts.shape[0]) * self.lifting

    @property
    def leak_per_bit(self) -> float:
        """Syndrome bits per key bit, m/n."""
        return self.syndrome_bits / self.frame_bits

    @property
    def rated_qber(self) -> float:
        """Rated errors per bit."""
        return self.rated_errors / self.frame_bits

    @cached_property
    def edges(self) -> npt.NDArray[np.int64]:
        """Nonzero blocks by block row, shape (edges, 3): block row, block column, shift."""
        rows, columns = np.nonzero(self.shifts >= 0)
        return np.column_stack([rows, columns, self.shifts[rows, columns]]).astype(np.int64)

    @cached_property
    def row_starts(self) -> npt.NDArray[np.int64]:
        """Where each block row starts in `edges`, shape (rows + 1,)."""
        return np.searchsorted(self.edges[:, 0], np.arange(self.shifts.shape[0] + 1))

    def frame_error_rate(self, qber: float) -> float:
        """Return the probability that a frame is not corrected, as a design assumes it.

        The number of errors is binomial; beyond `rated_errors` every frame counts as failed. The
        figure serves completeness (how often a run aborts or discloses frames), never security.

        Parameters
        ----------
        qber : float
            Probability in [0, 1/2] that a bit differs, independently of the others.

        Raises
        ------
        InvalidArgumentError
            If `qber` is outside [0, 1/2].
        """
        if not 0 <= qber <= 0.5:
            raise InvalidArgumentError("qber", qber, "in [0, 1/2]")
        excess = float(binom.sf(self.rated_errors, self.frame_bits, qber))
        return min(1.0, excess + self.failure_floor)


@cache
def code_family() -> tuple[QCLDPCCode, ...]:
    """Return the shipped codes, from the highest rate (least leakage) down."""
    ratings = json.loads((_CODES / "ratings.json").read_text(encoding="utf-8"))
    with np.load(_CODES / "shifts.npz", allow_pickle=False) as matrices:
        codes = [
            QCLDPCCode(
                name=name,
                lifting=rating["lifting"],
                shifts=matrices[name],
                rated_errors=rating["rated_errors"],
                failure_floor=rating["failure_floor"],
                rated_frames=rating["rated_frames"],
            )
            for name, rating in ratings.items()
        ]
    return tuple(sorted(codes, key=lambda code: code.leak_per_bit))


def get_code(name: str) -> QCLDPCCode:
    """Return the code called `name`.

    Raises
    ------
    InvalidArgumentError
        If the family has no such code.
    """
    family = {code.name: code for code in code_family()}
    if name not in family:
        raise InvalidArgumentError("name", name, f"one of {', '.join(family)}")
    return family[name]
