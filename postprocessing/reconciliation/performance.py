"""How often a frame is not corrected, as a design assumes it: completeness, never security.

The failure probability of a frame with t errors is taken to be Φ((t − μ)/σ), the form that
finite-length scaling gives a waterfall (Amraoui, Montanari, Richardson, Urbanke, IEEE Trans. Inf.
Theory 55, 473 (2009)), plus a floor for what is no waterfall. Where the waterfall lies was measured
for each code, whole, shortened and with rows split; in between its efficiency f = leak/h(μ/n) is
interpolated. Its width is assumed to be σ = 0.6 √μ: 0.41 to 0.75 √μ were seen, so it is too small
for a few codes; a frame's number of errors has a deviation of √μ of its own. The floor of 3e-5, and
that a tenth of it stops the next attempt too, are assumptions as well.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from scipy.optimize import brentq
from scipy.special import betainc, betaincc, ndtr

from postprocessing.errors import InvalidArgumentError
from postprocessing.reconciliation.codes import (
    RateAdaptation,
    UnratedAdaptation,
    shipped_code,
)

RATINGS_FILE = Path(__file__).parent / "matrices" / "ratings.json"
# Shares of the columns kept, and of the rows split, at which codes are measured.
SHORTENED = 0.5
SPLIT_SHARES = (0.0, 0.15, 1.0)
# Probability that a first attempt fails for another reason than the number of errors.
FAILURE_FLOOR = 3e-5
# σ/√μ.
WIDTH = 0.6
# Errors further than this many standard deviations from their mean count as failures.
_REACH = 9.0


@dataclass(frozen=True)
class Rating:
    """Where the waterfall of a code lies.

    Parameters
    ----------
    split : tuple of float
        Efficiency f = (syndrome bits)/(n h(μ/n)) at the waterfall, with each of `SPLIT_SHARES` of
        the rows split.
    shortened : float
        The same with half the columns and no row split.
    """

    split: tuple[float, ...]
    shortened: float

    def efficiency(self, kept: float, split: float) -> float:
        """Return f at the waterfall with shares of the columns kept and of the rows split."""
        halvings = min(2.0, math.log(kept) / math.log(SHORTENED))
        longer = (self.shortened - self.split[0]) * halvings
        return float(np.interp(split, SPLIT_SHARES, self.split)) + longer


@cache
def ratings() -> dict[str, Rating]:
    """Return the measured ratings by code."""
    found = json.loads(RATINGS_FILE.read_text(encoding="utf-8"))
    return {
        name: Rating(tuple(entry["split"]), entry["shortened"]) for name, entry in found.items()
    }


@lru_cache(maxsize=4096)
def waterfall(code: str, frame_bits: int, split_rows: int) -> tuple[float, float]:
    """Return μ and σ, in errors a frame."""
    mother, rating = shipped_code(code), ratings()[code]
    efficiency = rating.efficiency(frame_bits / mother.frame_bits, split_rows / mother.rows)
    leak = (mother.rows + split_rows) * mother.lifting / frame_bits
    errors = frame_bits * inverse_entropy(leak / efficiency)
    return errors, WIDTH * math.sqrt(errors)


@lru_cache(maxsize=4096)
def waterfall_failures(code: str, frame_bits: int, split_rows: int, qber: float) -> float:
    """Return the probability that a frame has more errors than are corrected.

    Parameters
    ----------
    code : str
        Name of the code.
    frame_bits : int
        Key bits in the frame, at most those of the code.
    split_rows : int
        Block rows split, at most those of the code.
    qber : float
        Probability in [0, 1/2] that a bit differs, independently of the others.

    Returns
    -------
    float
        Φ((t − μ)/σ) on average over the number t of errors.

    Raises
    ------
    InvalidArgumentError
        If the QBER is outside [0, 1/2].
    """
    if not 0 <= qber <= 0.5:
        raise InvalidArgumentError("qber", qber, "in [0, 1/2]")
    middle, width = waterfall(code, frame_bits, split_rows)
    mean, deviation = frame_bits * qber, math.sqrt(frame_bits * qber * (1 - qber))
    least = max(0, math.floor(mean - _REACH * deviation))
    most = min(frame_bits - 1, math.ceil(mean + _REACH * (deviation + 1)))
    errors = np.arange(least, most + 1, max(1, (most - least) // 2000))
    # The probability of each step, counted with the most errors in it.
    at_most = betaincc(errors + 1, frame_bits - errors, qber)
    steps = np.diff(at_most, prepend=0.0)
    failures = float(np.sum(steps * ndtr((errors - middle) / width)))
    return min(1.0, failures + float(betainc(errors[-1] + 1, frame_bits - errors[-1], qber)))


def failure_rates(adaptation: RateAdaptation, qber: float) -> tuple[float, ...]:
    """Return the probability that a frame fails the first attempt, the second and so on.

    Parameters
    ----------
    adaptation : RateAdaptation
        The code and its rates.
    qber : float
        Probability in [0, 1/2] that a bit differs.

    Returns
    -------
    tuple of float
        Decreasing; what stops one attempt for another reason than the number of errors, a tenth
        is taken to stop the next one too, on another graph. All frames of a code that was never
        rated are taken to fail.
    """
    if isinstance(adaptation, UnratedAdaptation):
        return (1.0,) * adaptation.steps
    return tuple(
        min(
            1.0,
            waterfall_failures(adaptation.code, adaptation.frame_bits, split, qber)
            + FAILURE_FLOOR * 0.1**attempt,
        )
        for attempt, split in enumerate(adaptation.split_rows)
    )


def binary_entropy(probability: float) -> float:
    """Return h(p) in bits, p in [0, 1/2]."""
    if probability == 0:
        return 0.0
    rest = 1 - probability
    return -probability * math.log2(probability) - rest * math.log1p(-probability) / math.log(2)


def inverse_entropy(entropy: float) -> float:
    """Return p in [0, 1/2] with h(p) = `entropy`, 1/2 from 1 on."""
    if entropy >= 1:
        return 0.5
    return float(brentq(lambda p: binary_entropy(p) - entropy, 0.0, 0.5, xtol=1e-15))
