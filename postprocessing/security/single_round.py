"""What tests of two kinds say of a single round: the least entropy at each of Eve's coherences.

In every block of the reference's two observables one number, the coherence E in [0, 1] that Eve
leaves between the outcomes of its key setting, bounds the weighted CHSH value and the entropy at
once (docs/finite-size.md). All that a proof needs is the least of a function of E alone. No formula
in the CHSH value stands here: below the chord it would promise too much.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from postprocessing.security.entropy import Real, entropy_of_coherence, steepness_of_coherence

_LN2 = math.log(2)
# Cells of the range where no tangent bounds; they are halved until so many of them matter.
_CELLS, _MOST_CELLS, _MOST_HALVINGS = 32, 1 << 12, 48
_LEAST_GAP = 1e-6


def largest_weighted_chsh(weight: float, coherence: Real) -> Real:
    """Return 2√F_β(E), the greatest βX + Y at the coherence E, where S = X + Y.

    F_β = β² + E² where β ≥ 1 or E² ≥ 1 − β⁴, else 1 + β²(1 − √(1 − E²))²/(1 − β²), the two branches
    of Woodhead, Acín and Pironio, Quantum 5, 443 (2021). It grows with E, from 2 max(1, β) to
    2√(1 + β²).

    Parameters
    ----------
    weight : float
        β > 0, of tests with the reference's key setting.
    coherence : float or ndarray
        E in [0, 1].

    Returns
    -------
    float or ndarray
        The bound on S_β.
    """
    upper = weight**2 + np.square(coherence)
    if weight >= 1:
        return cast(Real, 2 * np.sqrt(upper))
    root = np.sqrt((1 - coherence) * (1 + coherence))
    lower = 1 + weight**2 * np.square(1 - root) / ((1 - weight) * (1 + weight))
    return cast(Real, 2 * np.sqrt(np.where(np.square(coherence) >= 1 - weight**4, upper, lower)))


def other_coherence(weight: float, coherence: Real) -> Real:
    """Return E′(E), the coherence of the reference's other outcome where S_β is 2√F_β(E).

    By the bound on S_β with both settings exchanged: E_{1/β}(S_β/β). It grows with E.

    Parameters
    ----------
    weight : float
        β > 0.
    coherence : float or ndarray
        E in [0, 1].

    Returns
    -------
    float or ndarray
        E′ in [0, 1].
    """
    beyond = np.square(coherence) + (weight - 1) * (weight + 1)
    upper = np.minimum(np.sqrt(np.maximum(beyond, 0.0)) / weight, 1.0)
    if weight <= 1:
        root = np.sqrt((1 - coherence) * (1 + coherence))
        lower = (1 - root) / math.sqrt(max((1 - weight) * (1 + weight), 1e-300))
        return cast(Real, np.where(root <= weight**2, upper, np.minimum(lower, 1.0)))
    bend = (weight - 1) * (weight + 1) / weight**2
    lower = np.sqrt(np.maximum(1 - np.square(1 - coherence * math.sqrt(bend)), 0.0))
    return cast(Real, np.where(np.square(coherence) >= bend, upper, lower))


def bend_of(weight: float) -> float:
    """Return E² from which on 2√F_β(E) and E′(E) are both on their upper branch."""
    gap = abs(weight - 1) * (weight + 1)
    return gap * (1 + weight**2) if weight < 1 else gap / weight**2


def least_in_cells(
    entropy: Callable[[Any], Any], scored: Callable[[Any], Any], most: float, enough: float
) -> float:
    """Bound the least of a growing entropy less a growing score, over E from 0 to `most`.

    In each cell there is no less than the entropy of its lower end and the score of its upper one.
    Cells are halved where that is less than `enough` and than what a lower end is seen to have.

    Returns
    -------
    float
        The lesser of `enough` and the bound.
    """
    ends = np.linspace(0, most, _CELLS + 1)
    lows, highs = ends[:-1], ends[1:]
    for _ in range(_MOST_HALVINGS):
        had = entropy(lows)
        bounds = had - scored(highs)
        enough = min(enough, float((had - scored(lows)).min()))
        matter = ~(bounds >= enough)
        count = int(matter.sum())
        if not 0 < count <= _MOST_CELLS:
            break
        lows, highs = lows[matter], highs[matter]
        middles = (lows + highs) / 2
        lows, highs = np.append(lows, middles), np.append(middles, highs)
    # What is not a number is no bound, and stays so.
    return float(np.minimum(enough, bounds.min()))


@dataclass(frozen=True)
class RoundBalance:
    """What a round gives and owes: its entropy less the most that its tests may score.

    Φ(E) = p_key η_q(E) + P₁ η(E) + P₂ η(E′(E)) − 2B √F_{A/B}(E): no device has less than the least
    of it over E in [0, 1], for H − AX − BY (docs/finite-size.md).

    Parameters
    ----------
    key : float
        p_key, the probability of a key round.
    tests : (float, float)
        P₁ and P₂, those of tests with the reference's key setting and with its other one.
    gains : (float, float)
        A and B, positive, bits per unit of X and of Y.
    noisy_preprocessing : float
        q in [0, 1/2).
    """

    key: float
    tests: tuple[float, float]
    gains: tuple[float, float]
    noisy_preprocessing: float = 0.0

    @property
    def weight(self) -> float:
        """β = A/B."""
        return self.gains[0] / self.gains[1]

    def entropy(self, coherence: Real) -> Real:
        """Return H = p_key η_q(E) + P₁ η(E) + P₂ η(E′(E)), which grows with E, in bits."""
        other = other_coherence(self.weight, coherence)
        bits = self.key * entropy_of_coherence(coherence, self.noisy_preprocessing)
        bits = bits + self.tests[0] * entropy_of_coherence(coherence)
        return bits + self.tests[1] * entropy_of_coherence(other)

    def value(self, coherence: Real) -> Real:
        """Return Φ(E) in bits."""
        return self.entropy(coherence) - self._scored(coherence)

    def _scored(self, coherence: Real) -> Real:
        return self.gains[1] * largest_weighted_chsh(self.weight, coherence)

    def slope(self, coherence: float) -> float:
        """Return dΦ/dE² where E is in (0, 1), beyond `bend`."""
        q, other = self.noisy_preprocessing, float(other_coherence(self.weight, coherence))
        growing = self.key * float(steepness_of_coherence(coherence, q))
        growing += self.tests[0] * float(steepness_of_coherence(coherence))
        growing += self.tests[1] * float(steepness_of_coherence(other)) / self.weight**2
        root = math.sqrt(self.weight**2 + coherence**2)
        return growing / (2 * _LN2) - self.gains[1] / root

    @property
    def bend(self) -> float:
        """E² from which on both bounds are on their upper branch, where Φ is convex in E²."""
        return bend_of(self.weight)

    def estimate(self, tangent: float) -> float:
        """Return the lesser of Φ at a coherence and at none, the least if the search is right.

        To search with; no bound.
        """
        return float(np.min(self.value(np.array([tangent, 0.0]))))

    def least(self, tangent: float) -> float:
        """Bound the least of Φ over E from below, whatever the tangent is.

        Beyond the bend Φ is a convex function of E², so that any tangent bounds it. Below, entropy
        and score both grow with E: in each cell there is no less than the entropy of its lower end
        and the score of its upper one, and cells are halved where that is less than the tangent's.

        Parameters
        ----------
        tangent : float
            E at which the tangent is laid, in (0, 1).

        Returns
        -------
        float
            In bits per round.
        """
        bend = self.bend
        # Nearer to 1 rounding of E′ would turn the tangent.
        most = 1 - _LEAST_GAP * max(1.0, self.weight**2)
        if not bend < most:
            return least_in_cells(self.entropy, self._scored, 1.0, math.inf)
        at = min(max(tangent, math.sqrt(bend) * (1 + 1e-15)), math.sqrt(most))
        slope, square = self.slope(at), at * at
        drop = min(slope * (bend - square), slope * (1 - square))
        bound = float(self.value(at)) + drop
        if not bend:
            return bound
        # A little beyond, that rounding leaves no gap.
        most_below = min(math.sqrt(bend) * (1 + 1e-12), 1.0)
        return least_in_cells(self.entropy, self._scored, most_below, bound)
