"""What tests of two kinds say of a single round at a Rényi order.

At Eve's coherence E the outcome of a round has q_α(E) = 2^((1 − α) H_α) at the most. What a proof
needs is the greatest of the sum G of all rounds, each with the credit of its outcome, over E. As
q_α is concave in E², so is G beyond the bend of the CHSH bound (docs/finite-size.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.security.entropy import Real
from postprocessing.security.single_round import (
    bend_of,
    largest_weighted_chsh,
    least_in_cells,
    other_coherence,
)

_LN2 = math.log(2)
# The maximum of a concave function: a grid, then finer ones around its highest point.
GRID_POINTS, ZOOMS = 65, 4


def weight_excess(
    c: npt.NDArray[np.float64], excess: float, noisy_preprocessing: float
) -> npt.NDArray[np.float64]:
    """Return q_α − 1 at C in [0, 1], accurate relative to itself."""
    alpha = 1 + excess
    large, small = (1 + c) / 2, np.maximum((1 - c) / 2, 1e-300)
    # u + v − 1, of order δ.
    growths = [x * np.expm1(-excess / alpha * np.log(x)) for x in (large, small)]
    sum_excess = growths[0] + growths[1]
    total = 1 + sum_excess
    q = noisy_preprocessing
    if q:
        product = (large + growths[0]) * (small + growths[1])
        root = np.sqrt(np.maximum(total**2 - 16 * q * (1 - q) * product, 0.0))
        plus = (total + root) / 2
        minus = np.maximum(4 * q * (1 - q) * product / plus, 1e-300)
    else:
        plus, minus = total, np.zeros_like(total)
    # e₊ + e₋ = u + v, so only the power δ of each is left to add.
    change = sum_excess + plus * np.expm1(excess * np.log(plus))
    if q:
        change = change + minus * np.expm1(excess * np.log(minus))
    lowered: npt.NDArray[np.float64] = change * math.pow(2, -excess)
    return lowered + math.expm1(-excess * _LN2)


def greatest_of_concave(values: npt.NDArray[np.float64]) -> float:
    """Bound the maximum of a concave function from above by its values at equal distances.

    Beside the highest point, the chord of the next two points lies above the function.
    """
    best = int(values.argmax())
    bound = float(values[best])
    for start, step in ((best - 1, 1), (best, 1)):
        ends = (start, start + step)
        if ends[0] < 0 or ends[1] >= len(values):
            continue
        chords = []
        if ends[0] >= 1:
            chords.append(2 * values[ends[0]] - values[ends[0] - 1])
        if ends[1] + 1 < len(values):
            chords.append(2 * values[ends[1]] - values[ends[1] + 1])
        bound = max(bound, float(min(chords)))
    return bound


@dataclass(frozen=True)
class RenyiBalance:
    """G of a round: 2^((1 − α) H) of its outcome, times 2^(δf) for the credit f of a test.

    G = p_disc + ½ Σ P(u − l) + max_E [p_key q_α(E; q) + P₁ l₁ q_α(E; 0) + P₂ l₂ q_α(E′(E); 0)
    + 2b √F_{a/b}(E)], u and l being 2^(δf) of won and of lost tests, a and b being P(u − l)/4.

    Parameters
    ----------
    probabilities : RoundProbabilities
        How often a round is key, a test of either kind, or discarded.
    excess : float
        δ = α − 1 in (0, 1).
    win_credits, loss_credits : (float, float)
        f of tests with the reference's key setting and of the others, that of a won one greater.
    noisy_preprocessing : float
        q in [0, 1/2).
    """

    probabilities: RoundProbabilities
    excess: float
    win_credits: tuple[float, float]
    loss_credits: tuple[float, float]
    noisy_preprocessing: float = 0.0

    @cached_property
    def _losses(self) -> tuple[float, float]:
        """P l of both kinds, what q_α of a test is multiplied with."""
        kinds = zip(self.probabilities.kinds, self.loss_credits, strict=True)
        first, second = (p * math.exp(self.excess * f * _LN2) for p, f in kinds)
        return first, second

    @cached_property
    def gains(self) -> tuple[float, float]:
        """A and b."""
        spreads = (w - f for w, f in zip(self.win_credits, self.loss_credits, strict=True))
        kinds = zip(self._losses, spreads, strict=True)
        first, second = (lost * math.expm1(self.excess * k * _LN2) / 4 for lost, k in kinds)
        return first, second

    @property
    def weight(self) -> float:
        """β = a/b."""
        return self.gains[0] / self.gains[1]

    def entropy(self, coherence: Real) -> Real:
        """Return what q_α of all outcomes is below its greatest, which grows with E."""
        c, q = np.asarray(coherence, np.float64), self.noisy_preprocessing
        plain = weight_excess(c, self.excess, 0.0)
        noisy = weight_excess(c, self.excess, q) if q else plain
        other = weight_excess(np.asarray(other_coherence(self.weight, c)), self.excess, 0.0)
        first, second = self._losses
        lowered: Any = -(self.probabilities.key * noisy + first * plain + second * other)
        return cast(Real, lowered)

    def _scored(self, coherence: Real) -> Real:
        return self.gains[1] * largest_weighted_chsh(self.weight, coherence)

    def _value(self, coherence: Real) -> Real:
        return self._scored(coherence) - self.entropy(coherence)

    @cached_property
    def moment_excess(self) -> float:
        """G − 1, bounded from above, without cancellation at small δ."""
        bend = bend_of(self.weight)
        squares = np.linspace(bend, 1.0, GRID_POINTS)
        values = np.asarray(self._value(np.sqrt(squares)))
        for _ in range(ZOOMS):
            best = int(values.argmax())
            first, last = max(best - 1, 0), min(best + 1, len(squares) - 1)
            squares = np.linspace(squares[first], squares[last], GRID_POINTS)
            values = np.asarray(self._value(np.sqrt(squares)))
        most = greatest_of_concave(values)
        if bend:
            # A little beyond, that rounding leaves no gap.
            below = min(math.sqrt(bend) * (1 + 1e-12), 1.0)
            most = -least_in_cells(self.entropy, self._scored, below, -most)
        kinds = zip(self.probabilities.kinds, self.loss_credits, self.gains, strict=True)
        return most + math.fsum(
            p * math.expm1(self.excess * f * _LN2) + 2 * gain for p, f, gain in kinds
        )

    @property
    def accumulated_entropy(self) -> float:
        """κ = −(1/δ) log2 G, bits per round beside the credits; may be negative."""
        return -math.log1p(self.moment_excess) / (self.excess * _LN2)
