"""Degree designs of the codes made to measure, for error rates on a grid.

Two kinds: *light* where there are few block rows, *heavy* where there are more. What suits was
found by decoding: about six edges a bit, more at low error rates, and up to 1.2 bits of weight two
a check.

Run as ``python -m postprocessing.reconciliation.construction.ladder_degrees`` to write
``matrices/ladder_degrees.json``: some minutes.
"""

from __future__ import annotations

import json
import math
import sys

from postprocessing.reconciliation.construction.degrees import (
    Distribution,
    Target,
    binary_entropy,
    optimise,
)
from postprocessing.reconciliation.ladder.tailoring import DEGREES_FILE

_QBERS = (
    *(0.004, 0.005, 0.006, 0.008, 0.01, 0.012, 0.015, 0.02, 0.025),
    *(0.03, 0.036, 0.045, 0.055, 0.065, 0.08, 0.1, 0.12, 0.15, 0.2),
)
# Edges a bit at a QBER of 3.6 %, greatest weight, most bits of weight two a check, margin.
_KINDS = {
    "light": (5.2, 15, 1.0, 0.04),
    "heavy": (5.9, 40, 1.2, 0.03),
}
_EDGES_BY_RATE, _RATE = 0.75, 0.036
# Where density evolution does not get through, the checks are made lighter.
_LIGHTER, _QUARTERS = 0.96, 4


def design(kind: str, qber: float) -> Distribution:
    """Return the degree design of a kind for an error rate."""
    edges, greatest, twos, margin = _KINDS[kind]
    degree = (edges - _EDGES_BY_RATE * math.log(qber / _RATE)) / binary_entropy(qber)
    while True:
        rounded = round(degree * _QUARTERS) / _QUARTERS
        try:
            return optimise(Target(f"{kind}{qber:g}", qber, rounded, greatest, twos, margin))
        except RuntimeError:
            degree *= _LIGHTER


def main() -> None:
    """Find the designs of all kinds and write them."""
    found: dict[str, dict[str, dict[int, float]]] = {}
    for kind in _KINDS:
        for qber in _QBERS:
            best = design(kind, qber)
            shares = {d: round(share, 4) for d, share in best.fractions.items() if share > 1e-4}
            found.setdefault(kind, {})[f"{qber:g}"] = shares
            sys.stdout.write(f"{kind}{qber:g} {best.efficiency:.4f} {shares}\n")
            sys.stdout.flush()
    DEGREES_FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
