"""How many bits a frame needs: what a ladder is planned with. Completeness, never security.

A frame with t errors is taken to need κ n h(t/n) bits, and a normal deviation of σ n h(QBER) more
or less. κ and σ were measured for lengths and error rates on a grid (``matrices/
ladder_ratings.json``); in between they are interpolated in the logarithms. The number of errors is
binomial.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import betaincc, entr, ndtr

from postprocessing.reconciliation.performance import binary_entropy

RATINGS_FILE = Path(__file__).parents[1] / "matrices" / "ladder_ratings.json"
Floats = npt.NDArray[np.float64]
# Errors further than this many standard deviations from their mean are left out.
_REACH = 9.0
_MOST_CELLS = 500
# Twice the standard deviation of κ between codes of up to 1e4 bits, beyond which the measured σ,
# of three codes together, has it.
_CODES_DIFFER, _DIFFERING_BITS = 0.008, 10_000
_HARDLY_AN_ERROR = 1e-9


@dataclass(frozen=True)
class Rating:
    """What frames of some length and error rate need.

    Parameters
    ----------
    frame_bits : int
        Length n.
    qber : float
        Error rate.
    efficiency : float
        κ, bits needed over n h(t/n), on average.
    width : float
        σ, its standard deviation at a number of errors, over n h(QBER).
    """

    frame_bits: int
    qber: float
    efficiency: float
    width: float

    @cached_property
    def _errors(self) -> tuple[Floats, Floats]:
        """Numbers of errors and their probabilities."""
        n, rate = self.frame_bits, self.qber
        mean, deviation = n * rate, math.sqrt(n * rate * (1 - rate))
        least = max(-1, math.floor(mean - _REACH * (deviation + 1)))
        most = min(n - 1, math.ceil(mean + _REACH * (deviation + 1)))
        errors = np.arange(least, most + 1, max(1, (most - least) // _MOST_CELLS), dtype=float)
        at_most = np.where(errors < 0, 0.0, betaincc(np.maximum(errors, 0) + 1, n - errors, rate))
        return errors[1:], np.diff(at_most)

    def cautious(self) -> Self:
        """Return what frames need of a code that is worse than most of its length."""
        more = _CODES_DIFFER * min(1.0, _DIFFERING_BITS / self.frame_bits)
        return replace(self, efficiency=self.efficiency + more)

    def short(self, bits: Floats) -> Floats:
        """Return the probability that a frame needs more than each number of bits."""
        errors, weights = self._errors
        n, share = self.frame_bits, errors / self.frame_bits
        needed = self.efficiency * n * (entr(share) + entr(1 - share)) / math.log(2)
        width = max(1.0, self.width * n * binary_entropy(self.qber))
        beyond = ndtr((needed[:, np.newaxis] - bits) / width)
        short: Floats = np.minimum(1.0, weights @ beyond)
        return short


@cache
def _table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RATINGS_FILE.read_text(encoding="utf-8"))
    return found


def corrected_qber(frame_bits: int, leak_per_bit: float) -> float:
    """Return the error rate at which a frame needs so many bits a bit, 1/2 where it is beyond."""

    def missing(qber: float) -> float:
        return rating(frame_bits, qber).efficiency * binary_entropy(qber) - leak_per_bit

    return float(brentq(missing, _HARDLY_AN_ERROR, 0.5)) if missing(0.5) > 0 else 0.5


@lru_cache(maxsize=1024)
def rating(frame_bits: int, qber: float) -> Rating:
    """Return what frames need, interpolated in the measured table."""
    table = _table()
    lengths, rates = np.log(table["frame_bits"]), np.log(table["qbers"])
    at = math.log(frame_bits), math.log(qber)
    found = []
    for name in ("efficiency", "width"):
        by_length = [np.interp(at[1], rates, row) for row in table[name]]
        found.append(float(np.interp(at[0], lengths, by_length)))
    return Rating(frame_bits, qber, *found)
