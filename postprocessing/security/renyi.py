"""Keys by Rényi entropy accumulation: the single-round bound, and the terms of the length.

Derived and checked for this project, not peer reviewed. The block's entropy accumulates at one
Rényi order α = 1 + δ and is hashed without smoothing. Before the run each won test is given a
credit f₁, each lost one f₀; nκ plus the credits of the run bounds the entropy, whatever the devices
do, and both parties publish their test outcomes, at a cost of c₁ and c₀ bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from postprocessing.errors import InvalidArgumentError
from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.security.block import Block, Counts
from postprocessing.security.entropy import (
    LOCAL_WIN_PROBABILITY,
    QUANTUM_WIN_PROBABILITIES,
    Real,
    check_noisy_preprocessing,
    chsh_entropy,
    coherence,
)
from postprocessing.security.renyi_round import (
    GRID_POINTS,
    ZOOMS,
    greatest_of_concave,
    weight_excess,
)
from postprocessing.security.terms import Terms

_LN2 = math.log(2)
Table = npt.NDArray[np.float64]
# 2^(δ f) does not overflow.
_MOST_EXPONENT = 1000.0
# Rounding of the sum and of κ stays below this many bits per round.
_ROUNDING_PER_ROUND = 1e-9


class RenyiScore(Protocol):
    """The free parameters of a Rényi bound: an affine score, and what accumulates beside it."""

    @property
    def excess(self) -> float:
        """δ = α − 1 in (0, 1), the Rényi order."""

    def cost(self, tests: Counts) -> float:
        """Return what publishing the outcomes of tests costs, in bits."""

    def score(self, tests: Counts) -> float:
        """Return the affine function of the counts, in bits."""

    def outcomes(self, block: Block) -> tuple[Table, Table]:
        """Return the scores a round may have, and how often honest devices have them, at worst."""

    def accumulated_entropy(
        self, probabilities: RoundProbabilities, noisy_preprocessing: float
    ) -> float:
        """Return κ, the bits that each round adds beside the credits of its test."""

    def expected_entropy(
        self, probabilities: RoundProbabilities, noisy_preprocessing: float
    ) -> float:
        """Return the von Neumann entropy of a key round at the expected win probability."""


@dataclass(frozen=True)
class RenyiParameters:
    """The free parameters of the bound, to be fixed before the run; every choice is secure.

    Parameters
    ----------
    excess : float
        δ = α − 1 in (0, 1), the Rényi order.
    win_credit, loss_credit : float
        f₁ ≥ f₀, bits credited for a won and a lost test.
    published_win : float
        w̃ in (0, 1), the win probability that the cost of publishing test outcomes is set for.

    Raises
    ------
    InvalidArgumentError
        If a parameter is outside its range.
    """

    excess: float
    win_credit: float
    loss_credit: float
    published_win: float

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("excess", "published_win"):
            if not 0 < getattr(self, name) < 1:
                raise InvalidArgumentError(name, getattr(self, name), "in (0, 1)")
        if not -math.inf < self.loss_credit <= self.win_credit < math.inf:
            allowed = "finite, and at least loss_credit"
            raise InvalidArgumentError("win_credit", self.win_credit, allowed)
        largest = max(abs(self.win_credit), abs(self.loss_credit))
        if self.excess * largest > _MOST_EXPONENT:
            allowed = f"at most {_MOST_EXPONENT}/excess in size"
            raise InvalidArgumentError("win_credit, loss_credit", largest, allowed)

    @property
    def win_cost(self) -> float:
        """c₁ = 1 + log2(1/w̃), the bits that publishing both outcomes of a won test costs."""
        return 1 - math.log2(self.published_win)

    @property
    def loss_cost(self) -> float:
        """c₀ = 1 + log2(1/(1 − w̃)), the same of a lost test."""
        return 1 - math.log1p(-self.published_win) / _LN2

    def cost(self, tests: Counts) -> float:
        """Return n_w c₁ + n_l c₀, what publishing the outcomes of tests costs, in bits."""
        return tests.won * self.win_cost + tests.lost * self.loss_cost

    def score(self, tests: Counts) -> float:
        """Return n_w (f₁ − c₁) + n_l (f₀ − c₀), the affine function of the counts, in bits."""
        credited = tests.won * self.win_credit + tests.lost * self.loss_credit
        return credited - self.cost(tests)

    def outcomes(self, block: Block) -> tuple[Table, Table]:
        """Return the scores of a won and of a lost test, and how often honest devices have them.

        Within a tolerance of the settings, gains come as rarely and losses as often as they may.
        """
        scores = np.array([self.score(Counts(1, 0)), self.score(Counts(0, 1))])
        win, marks = block.win_probability, block.probabilities
        tests = np.where(scores < 0, marks.most_test, marks.test)
        return scores, tests * np.array([win, 1 - win])

    def accumulated_entropy(
        self, probabilities: RoundProbabilities, noisy_preprocessing: float
    ) -> float:
        """Return κ, see `accumulated_entropy`."""
        return accumulated_entropy(self, probabilities, noisy_preprocessing)

    def expected_entropy(
        self, probabilities: RoundProbabilities, noisy_preprocessing: float
    ) -> float:
        """Return the von Neumann entropy of a key round at w̃."""
        return _expected_entropy(self.published_win, noisy_preprocessing)


def renyi_terms(block: Block, parameters: RenyiScore, score: float) -> Terms:
    """Evaluate the bound term by term: ℓ = nκ + score − leakage − θ.

    Parameters
    ----------
    block : Block
        The block; publishing its tests costs what their counts say.
    parameters : RenyiParameters or RenyiPairs
        The free parameters, fixed before the run.
    score : float
        Their `score` of the run, or the least that is accepted.

    Returns
    -------
    Terms
        Bits that add up to the length:

        - entropy: n p_key η_q(w̃), von Neumann entropy of the key rounds at the expected win
          probability.
        - fluctuation: nκ and the credits of the tests, less `entropy`: what accumulation costs.
        - tests: minus what publishing the test outcomes costs.
        - leakage: minus everything else sent in public that depends on the raw keys.
        - amplification: −θ = −((1 + δ)/δ) log2(1/ε_sec) + 2.
        - rounding: minus a margin of one bit and 1e-9 n for floating point.
    """
    n, marks, q = block.rounds, block.probabilities, block.noisy_preprocessing
    entropy = n * marks.key * parameters.expected_entropy(marks, q)
    cost = parameters.cost(block.tests)
    return Terms(
        {
            "entropy": entropy,
            "fluctuation": n * parameters.accumulated_entropy(marks, q) + score + cost - entropy,
            "tests": -cost,
            "leakage": -block.leaked_bits,
            "amplification": -amplification_cost(parameters.excess, block.secrecy),
            "rounding": -1 - n * _ROUNDING_PER_ROUND,
        }
    )


@lru_cache(maxsize=256)
def _expected_entropy(win_probability: float, noisy_preprocessing: float) -> float:
    """Return η_q at the quantum value next to w̃."""
    low, high = QUANTUM_WIN_PROBABILITIES
    return float(chsh_entropy(min(max(win_probability, low), high), noisy_preprocessing))


def amplification_cost(excess: float, secrecy: float) -> float:
    """Return θ = ((1 + δ)/δ) log2(1/ε) − 2, the loss of hashing without smoothing, in bits."""
    return -(1 + 1 / excess) * math.log2(secrecy) - 2


def renyi_entropy(win_probability: Real, excess: float, noisy_preprocessing: float = 0.0) -> Real:
    """Return the least sandwiched Rényi entropy (↓) of the reference outcome at order 1 + δ.

    H_α(A|E) ≥ −(1/δ) log2 q_α with q_α = 2^(1−α) (e₊^α + e₋^α), e± = ½ [(u + v) ± √((u + v)² −
    16 q(1 − q)uv)], u = λ^(1/α), v = (1 − λ)^(1/α), λ = (1 + C)/2; without noise 1 − h_{1/α}(λ).

    Parameters
    ----------
    win_probability : float or ndarray
        w in [(2 − √2)/4, (2 + √2)/4].
    excess : float
        δ = α − 1 in (0, 1).
    noisy_preprocessing : float, optional
        q in [0, 1/2), the probability with which the outcome is inverted beforehand.

    Returns
    -------
    float or ndarray
        Entropy in bits.
    """
    check_noisy_preprocessing(noisy_preprocessing)
    c = np.asarray(coherence(win_probability), dtype=np.float64)
    entropy: Any = -np.log1p(weight_excess(c, excess, noisy_preprocessing)) / (excess * _LN2)
    return cast(Real, entropy)


@lru_cache(maxsize=256)
def accumulated_entropy(
    parameters: RenyiParameters, probabilities: RoundProbabilities, noisy_preprocessing: float = 0.0
) -> float:
    """Return κ, the bits that each round adds beside the credits of its test, whatever the devices.

    κ = −(1/δ) log2 max_S G(S) with G(S) = p_key q_α(S; q) + p_disc + p_test [2^{δf₁} Q₁ +
    2^{δf₀} Q₀], Q₁ = min(w, q_α(S; 0)), Q₀ = q_α(S; 0) − Q₁. G is concave in S, so that chords
    beside the highest point bound the maximum from above. With a tolerance these are the least
    probabilities, and tests beyond add (2^{δf₁} − 1)⁺ each (docs/finite-size.md).

    Parameters
    ----------
    parameters : RenyiParameters
        The free parameters.
    probabilities : RoundProbabilities
        How often a round is key, test or discarded.
    noisy_preprocessing : float, optional
        q in [0, 1/2).

    Returns
    -------
    float
        κ in bits per round; negative where the credits promise more than there is.
    """
    low, high = LOCAL_WIN_PROBABILITY, QUANTUM_WIN_PROBABILITIES[1]
    wins = np.linspace(low, high, GRID_POINTS)
    values = _moment_excess(wins, parameters, probabilities, noisy_preprocessing)
    for _ in range(ZOOMS):
        best = int(values.argmax())
        first, last = max(best - 1, 0), min(best + 1, len(wins) - 1)
        wins = np.linspace(wins[first], wins[last], GRID_POINTS)
        values = _moment_excess(wins, parameters, probabilities, noisy_preprocessing)
    # What tests may come more often than at the least add at most their greatest weight.
    most = max(0.0, math.expm1(parameters.excess * parameters.win_credit * _LN2))
    excess = greatest_of_concave(values) + probabilities.test_slack * most
    return -math.log1p(excess) / (parameters.excess * _LN2)


def _moment_excess(
    wins: npt.NDArray[np.float64],
    parameters: RenyiParameters,
    probabilities: RoundProbabilities,
    noisy_preprocessing: float,
) -> npt.NDArray[np.float64]:
    """Return G − 1 at win probabilities of at least 3/4, without cancellation at small δ."""
    delta, c = parameters.excess, coherence(wins)
    plain = weight_excess(c, delta, 0.0)
    noisy = weight_excess(c, delta, noisy_preprocessing) if noisy_preprocessing else plain
    won = np.minimum(wins, 1 + plain)
    lost = 1 + plain - won
    credited = won * math.expm1(delta * parameters.win_credit * _LN2)
    credited = credited + lost * math.expm1(delta * parameters.loss_credit * _LN2)
    return probabilities.key * noisy + probabilities.test * (plain + credited)
