"""Trials of a Bell test: two settings a side, two outcomes, and what announced them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from postprocessing.checks import check_bits, check_bytes
from postprocessing.errors import InvalidArgumentError
from postprocessing.scheme import MOST_HERALDS, words

Counts = npt.NDArray[np.int64]

# Of a file that names no herald.
ONLY_HERALD = "all"
# Counts of one herald: n[x, y, a, b], outcome +1 at 0 and −1 at 1.
CELLS = (2, 2, 2, 2)


@dataclass(frozen=True, eq=False)
class Trials:
    """A block of consecutive trials.

    Parameters
    ----------
    alice_settings, bob_settings : ndarray of uint8
        x and y of each trial, 0 or 1.
    alice_outcomes, bob_outcomes : ndarray of int8
        a and b, +1 or −1.
    heralds : ndarray of uint8, optional
        Index into `herald_names`, all 0 by default. A herald is known before the settings.
    herald_names : tuple of str
        Names of the heralds, the same in all blocks of a test; at most 32.
    times_s : ndarray of float64, optional
        When each trial was, in seconds.

    Raises
    ------
    InvalidArgumentError
        If a column is of another type or length, or holds another value.

    Examples
    --------
    >>> x, a = np.array([0, 1], np.uint8), np.array([1, -1], np.int8)
    >>> Trials(x, x, a, a)
    Trials(2)
    """

    alice_settings: npt.NDArray[np.uint8]
    bob_settings: npt.NDArray[np.uint8]
    alice_outcomes: npt.NDArray[np.int8]
    bob_outcomes: npt.NDArray[np.int8]
    heralds: npt.NDArray[np.uint8] | None = None
    herald_names: tuple[str, ...] = (ONLY_HERALD,)
    times_s: npt.NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        """Check types, lengths and values."""
        for name in ("alice_settings", "bob_settings"):
            check_bits(name, getattr(self, name))
        for name in ("alice_outcomes", "bob_outcomes"):
            _check_outcomes(name, getattr(self, name))
        names = words("herald_names", self.herald_names)
        if len(set(names)) < len(names) or len(names) > MOST_HERALDS:
            allowed = f"at most {MOST_HERALDS} different names"
            raise InvalidArgumentError("herald_names", names, allowed)
        object.__setattr__(self, "herald_names", names)
        if self.heralds is not None:
            check_bytes("heralds", self.heralds)
            if self.heralds.size and int(self.heralds.max()) >= len(names):
                allowed = f"from 0 to {len(names) - 1}"
                raise InvalidArgumentError("heralds", int(self.heralds.max()), allowed)
        if self.times_s is not None:
            _check_flat("times_s", self.times_s, np.float64)
            if not np.isfinite(self.times_s).all():
                raise InvalidArgumentError("times_s", "others", "finite numbers")
        for name in (
            "bob_settings", "alice_outcomes", "bob_outcomes", "heralds", "times_s",
        ):  # fmt: skip
            column = getattr(self, name)
            if column is not None and len(column) != len(self):
                raise InvalidArgumentError(name, len(column), f"of {len(self)} trials")

    def __len__(self) -> int:
        """Return the number of trials."""
        return len(self.alice_settings)

    def __repr__(self) -> str:
        """Return what it is, without the columns."""
        return f"Trials({len(self):,})"

    def cells(self) -> npt.NDArray[np.uint16]:
        """Return the place of each trial in the counts n[herald, x, y, a, b], flat."""
        place = np.zeros(len(self), np.uint16)
        if self.heralds is not None:
            place |= self.heralds.astype(np.uint16) << np.uint16(4)
        place |= self.alice_settings.astype(np.uint16) << np.uint16(3)
        place |= self.bob_settings.astype(np.uint16) << np.uint16(2)
        place |= (self.alice_outcomes < 0).astype(np.uint16) << np.uint16(1)
        place |= (self.bob_outcomes < 0).astype(np.uint16)
        return place


def _check_flat(name: str, values: Any, kind: type[np.generic]) -> None:
    """Refuse anything but a flat array of a type."""
    if not isinstance(values, np.ndarray) or values.dtype != kind or values.ndim != 1:
        given = getattr(values, "dtype", type(values).__name__)
        raise InvalidArgumentError(name, str(given), f"a flat array of {kind.__name__}")


def _check_outcomes(name: str, values: Any) -> None:
    """Refuse anything but a flat array of signs."""
    _check_flat(name, values, np.int8)
    wrong = (values != 1) & (values != -1)
    if wrong.any():
        raise InvalidArgumentError(name, int(values[wrong.argmax()]), "+1 or -1")
