"""The mother codes: base matrices lifted by progressive edge growth from the degrees found.

`postprocessing.reconciliation.growing` places the blocks. The array codes are made by a formula
instead.

Run as ``python -m postprocessing.reconciliation.construction.lifting`` to write
``matrices/shifts.npz``: some minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from postprocessing.reconciliation.codes import SHIFTS_FILE
from postprocessing.reconciliation.construction.arrays import array_shifts
from postprocessing.reconciliation.construction.degrees import DEGREES_FILE
from postprocessing.reconciliation.growing import Shifts, column_weights, grow


@dataclass(frozen=True)
class Mother:
    """What a base matrix is made from.

    Parameters
    ----------
    degrees : str
        Name of the degree distribution, ``"array"`` for an array code.
    lifting : int
        Block size Z.
    rows, columns : int
        Shape of the base matrix.
    """

    degrees: str
    lifting: int
    rows: int
    columns: int

    @property
    def name(self) -> str:
        """Name of the code: its degrees, its lifting and the shape of its base matrix."""
        return f"{self.degrees}-{self.lifting}-{self.rows}x{self.columns}"


# Bits that the search for cycles through a new block looks at, and a last depth more.
_MOST_BITS = 30_000


def lift(mother: Mother, fractions: Mapping[int, float]) -> Shifts:
    """Return the base matrix of a mother code, −1 for the zero block; the same at every call."""
    weights = column_weights(fractions, mother.columns)
    draws = np.random.default_rng(mother.rows).integers(0, 1 << 30, (int(weights.sum()), 2))
    most_bits = np.full(mother.columns, _MOST_BITS)
    return grow(weights, mother.rows, mother.lifting, most_bits, draws)


# Orders q of fields, q − 1 a multiple of 64: frames of 6e4 to 1e7 bits.
_ARRAY_FIELDS = (257, 449, 769, 1153, 2113, 3137)


def family() -> tuple[Mother, ...]:
    """Return the mother codes.

    Frames of about 1e5 bits decode fast and suit short keys, those of about 1e6 leak less. Where
    the error rate is low, a good code has many more bits than 1e5: there are then hardly any errors
    in a frame. Array codes are for error rates at which the number of checks is not set by the
    entropy of the errors but by the number of bits that are to be told apart.
    """
    return (
        *(Mother("array", order - 1, 4, order - 4) for order in _ARRAY_FIELDS),
        Mother("regular3", 128, 8, 800),
        Mother("fast0.0015", 128, 17, 800),
        Mother("fast0.003", 256, 15, 400),
        Mother("fast0.006", 256, 26, 400),
        Mother("fast0.01", 512, 19, 200),
        Mother("fast0.02", 512, 32, 200),
        Mother("fast0.04", 512, 53, 200),
        Mother("fast0.07", 512, 78, 200),
        Mother("fine0.0007", 768, 20, 2048),
        Mother("fine0.001", 1024, 26, 2048),
        Mother("fine0.0015", 512, 37, 2048),
        Mother("fine0.003", 1024, 33, 1024),
        Mother("fine0.006", 1024, 58, 1024),
        Mother("fine0.01", 2048, 44, 512),
        Mother("fine0.02", 2048, 76, 512),
        Mother("fine0.03", 2048, 103, 512),
        Mother("fine0.05", 2048, 154, 512),
        Mother("fine0.08", 2048, 213, 512),
    )


def fractions_of(mother: Mother) -> dict[int, float]:
    """Return the degree distribution of a mother code."""
    if mother.degrees in ("array", "regular3"):
        return {4 if mother.degrees == "array" else 3: 1.0}
    found = json.loads(DEGREES_FILE.read_text(encoding="utf-8"))
    return {int(degree): share for degree, share in found[mother.degrees]["fractions"].items()}


def base_matrix(mother: Mother) -> Shifts:
    """Return the base matrix of a mother code, by formula or by growth."""
    if mother.degrees == "array":
        return array_shifts(mother.lifting + 1, mother.rows)
    return lift(mother, fractions_of(mother))


def main() -> None:
    """Lift the codes named on the command line, by default all, and write their shifts."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", help="codes to lift")
    arguments = parser.parse_args()
    matrices: dict[str, Shifts] = {}
    if SHIFTS_FILE.exists():
        with np.load(SHIFTS_FILE, allow_pickle=False) as shipped:
            matrices.update(shipped)
    for mother in family():
        if not arguments.names or mother.name in arguments.names:
            matrices[mother.name] = base_matrix(mother)
            np.savez_compressed(SHIFTS_FILE, allow_pickle=False, **matrices)
            sys.stdout.write(f"{mother.name}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
