"""The affine score of entropy accumulation and what its fluctuation costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from scipy.optimize import brentq

from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.security.entropy import (
    LOCAL_WIN_PROBABILITY,
    QUANTUM_WIN_PROBABILITIES,
    coherence,
    entropy_of_coherence,
    slope_of_coherence,
)

# Both parties' outcome bits of a round: d = 4 in the entropy accumulation theorem.
_LOG_DIMENSION = 2.0
_LOG_VARIANCE_OFFSET = math.log2(2 * 4**2 + 1)


@dataclass(frozen=True)
class MinTradeoff:
    """The tangent of the entropy curve at one win probability, as a score of the rounds.

    g is the tangent of the entropy of a round, H(w) = p_key η_q(w) + p_test η(w), at w_t: noise is
    added to key rounds only. It lies below H, which is convex. As a score of single rounds:
    f(win) = f(no test) = g(1) and f(lose) = g(1) − Δ/p_test with Δ = H′(w_t), whose mean is g(w)
    (Tan et al., Quantum 6, 880 (2022)).

    Parameters
    ----------
    probabilities : RoundProbabilities
        How often a round is kept and how often it is a test. With a tolerance H, g and f are those
        of the least probabilities: then f has a mean of at most g(w), and H is no more than there
        is, whatever the probabilities are (docs/finite-size.md).
    tangent : float
        w_t, strictly between 3/4 and (2 + √2)/4.
    noisy_preprocessing : float, optional
        q, the probability with which the reference inverts a key bit.
    """

    probabilities: RoundProbabilities
    tangent: float
    noisy_preprocessing: float = 0.0

    @cached_property
    def slope(self) -> float:
        """Δ, in bits per round and unit of win probability."""
        return self._entropy_slope(float(coherence(self.tangent)))

    @cached_property
    def spread(self) -> float:
        """log2 d + Max f − Min f over what devices can do, in bits."""
        return _LOG_DIMENSION + self.slope * (1 - self.least_win)

    @cached_property
    def least_win(self) -> float:
        """The least score of a device, as a win probability: the quantum range's lower end.

        With a tolerance, 1 − P(lost test)/p_test, which may lie below.
        """
        low, excess = QUANTUM_WIN_PROBABILITIES[0], self.probabilities.test_slack
        return low - excess / self.probabilities.test * (1 - low)

    @cached_property
    def _height(self) -> float:
        """The value of g at the tangent point, in bits."""
        return self.entropy(float(coherence(self.tangent)))

    def entropy(self, c: float) -> float:
        """Return H = p_key η_q + p_test η at C in [0, 1], in bits per round."""
        plain = float(entropy_of_coherence(c))
        q = self.noisy_preprocessing
        noisy = float(entropy_of_coherence(c, q)) if q else plain
        return plain * self.probabilities.keep + (noisy - plain) * self.probabilities.key

    def _entropy_slope(self, c: float) -> float:
        """Return dH/dw at C in (0, 1)."""
        plain = float(slope_of_coherence(c))
        q = self.noisy_preprocessing
        noisy = float(slope_of_coherence(c, q)) if q else plain
        return plain * self.probabilities.keep + (noisy - plain) * self.probabilities.key

    def value(self, win_probability: float) -> float:
        """Return g(w) in bits per round; any real w, since the score of a run may be extreme."""
        return self._height + self.slope * (win_probability - self.tangent)

    def variance_cost(self, win_probability: float) -> float:
        """Return V(w) = (ln 2/2) (log2 33 + √(2 + Var f))² of Dupuis and Fawzi (2019)."""
        lose = self.probabilities.test * (1 - win_probability)
        variance = lose * (1 - lose) * (self.slope / self.probabilities.test) ** 2
        return math.log(2) / 2 * (_LOG_VARIANCE_OFFSET + math.sqrt(2 + variance)) ** 2

    def remainder_cost(self, excess: float) -> float:
        """Return K_α of Dupuis and Fawzi (2019), the third-order cost at α − 1 = `excess` < 1."""
        log_term = math.log(math.pow(2, self.spread) + math.exp(2))
        growth = math.pow(2, excess * self.spread)
        return growth * log_term**3 / (6 * math.log(2) * (1 - excess) ** 3)

    def infimum(self, excess: float) -> tuple[float, float]:
        """Bound inf_w [H(w) − g(w) − (α − 1) V(w)] over what devices can do, from below.

        Keeping the entropy's curvature against the fluctuation's cost, point by point, is the
        refinement of Liu et al. (2021). The function of w is convex: H is convex, and V is an
        increasing concave function of Var f, which is itself concave in w. So a tangent at any
        point bounds it from below, and the bound does not hang on how well the minimum was found.

        Parameters
        ----------
        excess : float
            α − 1 in (0, 1).

        Returns
        -------
        bound : float
            In bits per round.
        minimiser : float
            The win probability at which the tangent was laid.
        """
        minimiser, gradient = self._stationary_point(excess)
        # Without violation the entropy is the same, however few tests are won.
        entropy = self.entropy(float(coherence(max(minimiser, QUANTUM_WIN_PROBABILITIES[0]))))
        height = entropy - self.value(minimiser) - excess * self.variance_cost(minimiser)
        low, high = self.least_win, QUANTUM_WIN_PROBABILITIES[1]
        drop = min(gradient * (low - minimiser), gradient * (high - minimiser))
        return height + drop, minimiser

    def _stationary_point(self, excess: float) -> tuple[float, float]:
        """Return where the convex function of `infimum` is least, and a subgradient there."""

        def linear_gradient(win: float) -> float:
            return -self.slope - excess * self._variance_cost_slope(win)

        def gradient(c: float) -> float:
            return self._entropy_slope(c) + linear_gradient(_win_probability(c))

        # Above the kink of H, in the coordinate in which its slope is nearly linear. At the
        # tangent point the two slopes cancel and the fluctuation's cost falls with w, hence the
        # sign change; below c = 1e-8 the win probability is 3/4 within rounding.
        kink, top = 1e-8, float(coherence(self.tangent))
        if gradient(kink) < 0:
            c = brentq(gradient, kink, top, xtol=1e-14) if gradient(top) > 0 else top
            return _win_probability(c), gradient(c)
        if linear_gradient(LOCAL_WIN_PROBABILITY) <= 0:
            return LOCAL_WIN_PROBABILITY, 0.0
        low = self.least_win
        if linear_gradient(low) >= 0:
            return low, linear_gradient(low)
        win = brentq(linear_gradient, low, LOCAL_WIN_PROBABILITY, xtol=1e-14)
        return win, linear_gradient(win)

    def _variance_cost_slope(self, win_probability: float) -> float:
        """Return dV/dw."""
        test = self.probabilities.test
        lose = test * (1 - win_probability)
        scale = (self.slope / test) ** 2
        root = math.sqrt(2 + lose * (1 - lose) * scale)
        change = -test * (1 - 2 * lose) * scale
        return math.log(2) / 2 * (_LOG_VARIANCE_OFFSET + root) / root * change


def _win_probability(c: float) -> float:
    """Return w = 1/2 + √(1 + C²)/4."""
    return 0.5 + math.sqrt(1 + c * c) / 4
