"""Fixed-length keys by entropy accumulation: the bound and its free parameters.

Two theorems differ in what the adversary may do while the block is measured. "tan22" is the bound
of Tan et al., Quantum 6, 880 (2022): the adversary's state is fixed at the start, and nothing is
announced before the last herald. "geat" is the generalised entropy accumulation of Metger, Fawzi,
Sutter and Renner (2022): the adversary may act on announcements made round by round. In the order
β = (α − 1)/(2 − α) its second- and third-order costs are those of "tan22" in α − 1, and only the
constant in front of the smoothing is larger.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal, get_args

from scipy.optimize import brentq

from postprocessing.errors import InvalidArgumentError
from postprocessing.scheme import RoundProbabilities
from postprocessing.security.entropy import (
    LOCAL_WIN_PROBABILITY,
    QUANTUM_WIN_PROBABILITIES,
    check_noise,
)
from postprocessing.security.tradeoff import MinTradeoff

Extractor = Literal["two_universal", "trevisan"]
Accumulation = Literal["tan22", "geat"]

# Privacy amplification costs PER_BIT · log2(1/ε_PA) + FIXED.
_EXTRACTOR_COSTS = {"two_universal": (2.0, -2.0), "trevisan": (5.0, 264.0)}

# The other party's outcome and the score take 2 × 2 values in a test, one elsewhere: 5 in all.
LOG_TEST_DIMENSION = math.log2(5)

# Rounding of the sum and of the round probabilities stays below this many bits per round.
_ROUNDING_PER_ROUND = 2e-12


@dataclass(frozen=True)
class Tan22Parameters:
    """The free parameters of the bound; every choice in range is secure, some give longer keys.

    Parameters
    ----------
    tangent : float
        Win probability w_t of the tangent, in (3/4, (2 + √2)/4).
    first_excess : float
        α′ − 1 in (0, 1), the Rényi order at which the rounds accumulate; β′ for "geat".
    second_excess : float
        α″ − 1 in (0, 1/log2 5), the Rényi order at which the test outcomes are taken off.
    first_smoothing, second_smoothing : float
        ε_s′ and ε_s″, positive.
    smoothing : float
        ε_s > ε_s′ + 2 ε_s″.
    amplification : float
        ε_PA > 0, the part of secrecy left to privacy amplification.

    Raises
    ------
    InvalidArgumentError
        If a parameter is outside its range.
    """

    tangent: float
    first_excess: float
    second_excess: float
    first_smoothing: float
    second_smoothing: float
    smoothing: float
    amplification: float

    def __post_init__(self) -> None:
        """Check the ranges."""
        limits = {
            "tangent": (LOCAL_WIN_PROBABILITY, QUANTUM_WIN_PROBABILITIES[1]),
            "first_excess": (0.0, 1.0),
            "second_excess": (0.0, 1 / LOG_TEST_DIMENSION),
        }
        for field in fields(self):
            low, high = limits.get(field.name, (0.0, 1.0))
            value = getattr(self, field.name)
            if not low < value < high:
                raise InvalidArgumentError(field.name, value, f"in ({low:.6g}, {high:.6g})")
        if not self.residual_smoothing > 0:
            allowed = "more than first_smoothing + 2 second_smoothing"
            raise InvalidArgumentError("smoothing", self.smoothing, allowed)

    @property
    def residual_smoothing(self) -> float:
        """ε_s − ε_s′ − 2 ε_s″, what is left to the chain rules."""
        return self.smoothing - self.first_smoothing - 2 * self.second_smoothing

    @property
    def secrecy(self) -> float:
        """ε_PA + 2 ε_s, the secrecy these parameters need."""
        return self.amplification + 2 * self.smoothing


@dataclass(frozen=True)
class Tan22Terms:
    """The contributions to the key length, in bits, costs negative; they add up to the length.

    Parameters
    ----------
    entropy : float
        n g(w_thr), the tangent at the acceptance threshold.
    infimum : float
        n inf_w [H − g − (α′ − 1) V], the worst fluctuation.
    remainder : float
        −n (α′ − 1)² K, of third order.
    tests : float
        −n p_test, the outcomes of the other party in the tests.
    first_smoothing : float
        −(ϑ(ε_s′) + α′ log2(1/ε_EA))/(α′ − 1), with β′ = (α′ − 1)/(2 − α′) in the terms above
        for "geat".
    second_smoothing : float
        −n (α″ − 1) log2² 5 − (ϑ(ε_s″) + α″ log2(1/ε_EA))/(α″ − 1).
    chain_rules : float
        −3 ϑ(ε_s − ε_s′ − 2 ε_s″).
    leakage : float
        Minus everything sent in public that depends on the raw keys.
    amplification : float
        Minus the loss of the extractor.
    rounding : float
        Minus a margin of one bit and 2e-12 n for floating point.
    """

    entropy: float
    infimum: float
    remainder: float
    tests: float
    first_smoothing: float
    second_smoothing: float
    chain_rules: float
    leakage: float
    amplification: float
    rounding: float

    @property
    def total(self) -> float:
        """The sum of all terms, in bits."""
        return math.fsum(getattr(self, field.name) for field in fields(self))


@dataclass(frozen=True)
class Tan22Block:
    """What is known of a block before its free parameters are chosen.

    Parameters
    ----------
    rounds : int
        Heralded rounds n.
    probabilities : RoundProbabilities
        How often a heralded round is a key or a test round.
    threshold : float
        Win probability w_thr down to which the block is accepted.
    leaked_bits : float
        Public bits that depend on the raw keys.
    secrecy : float
        ε_sec = max{ε_EA, ε_PA + 2 ε_s}; ε_EA takes all of it.
    extractor : {"two_universal", "trevisan"}, optional
        Family of hash functions of privacy amplification.
    accumulation : {"tan22", "geat"}, optional
        The theorem.
    noise : float, optional
        q in [0, 1/2), the probability with which the reference inverts a key bit.

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range.
    """

    rounds: int
    probabilities: RoundProbabilities
    threshold: float
    leaked_bits: float
    secrecy: float
    extractor: Extractor = "two_universal"
    accumulation: Accumulation = "tan22"
    noise: float = 0.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 1 <= self.rounds < math.inf:
            raise InvalidArgumentError("rounds", self.rounds, "a positive number")
        if not -math.inf < self.threshold <= 1:
            raise InvalidArgumentError("threshold", self.threshold, "a finite number up to 1")
        if not 0 <= self.leaked_bits < math.inf:
            raise InvalidArgumentError("leaked_bits", self.leaked_bits, "finite, at least 0")
        if not 0 < self.secrecy < 1:
            raise InvalidArgumentError("secrecy", self.secrecy, "in (0, 1)")
        if self.extractor not in _EXTRACTOR_COSTS:
            raise InvalidArgumentError(
                "extractor", self.extractor, f"in {sorted(_EXTRACTOR_COSTS)}"
            )
        if self.accumulation not in get_args(Accumulation):
            allowed = f"one of {get_args(Accumulation)}"
            raise InvalidArgumentError("accumulation", self.accumulation, allowed)
        check_noise(self.noise)

    @property
    def acceptance_bits(self) -> float:
        """log2(1/ε_EA), the price of conditioning on acceptance."""
        return -math.log2(self.secrecy)

    @property
    def amplification_bits_per_halving(self) -> float:
        """What halving ε_PA costs, in bits."""
        return _EXTRACTOR_COSTS[self.extractor][0]

    def terms(self, parameters: Tan22Parameters) -> Tan22Terms:
        """Evaluate the bound term by term.

        Tan et al., Quantum 6, 880 (2022), with the entropy of a round H = p_key η_q + p_test η:
        discarded rounds have none, and noise is added to key rounds only.

        Parameters
        ----------
        parameters : Tan22Parameters
            The free parameters, needing no more secrecy than the block has.

        Returns
        -------
        Tan22Terms
            The contributions in bits; their sum is the key length unless the extractor makes the
            length implicit, see `length`.

        Raises
        ------
        InvalidArgumentError
            If the parameters need more secrecy than the block has.
        """
        if not parameters.secrecy <= self.secrecy:
            allowed = f"parameters with ε_PA + 2 ε_s of at most {self.secrecy}"
            raise InvalidArgumentError("parameters", parameters, allowed)
        n, x, y = self.rounds, parameters.first_excess, parameters.second_excess
        score = MinTradeoff(self.probabilities, parameters.tangent, self.noise)
        # A threshold no quantum device passes but by luck would credit that luck.
        threshold = min(self.threshold, QUANTUM_WIN_PROBABILITIES[1])
        smoothing = smoothing_bits(parameters.first_smoothing)
        first = smoothing + (1 + x) * self.acceptance_bits
        if self.accumulation == "geat":
            # 1/(α − 1) = 1/β + 1.
            first += x * (smoothing + self.acceptance_bits)
        second = smoothing_bits(parameters.second_smoothing) + (1 + y) * self.acceptance_bits
        per_halving, fixed = _EXTRACTOR_COSTS[self.extractor]
        return Tan22Terms(
            entropy=n * score.value(threshold),
            infimum=n * score.infimum(x)[0],
            remainder=-n * x**2 * score.remainder_cost(x),
            tests=-n * self.probabilities.test,
            first_smoothing=-first / x,
            second_smoothing=-n * y * LOG_TEST_DIMENSION**2 - second / y,
            chain_rules=-3 * smoothing_bits(parameters.residual_smoothing),
            leakage=-self.leaked_bits,
            amplification=per_halving * math.log2(parameters.amplification) - fixed,
            rounding=-1 - n * _ROUNDING_PER_ROUND,
        )

    def length(self, terms: Tan22Terms) -> float:
        """Return the key length ℓ in bits, not rounded and possibly negative.

        With a Trevisan extractor the bound is on ℓ + 4 log2 ℓ (Nadlinger et al., Nature 607, 682
        (2022)).
        """
        total = terms.total
        if self.extractor == "two_universal" or total <= 1:
            return total
        return float(brentq(lambda bits: bits + 4 * math.log2(bits) - total, 1.0, total))


def smoothing_bits(epsilon: float) -> float:
    """Return ϑ(ε) = log2(1/(1 − √(1 − ε²))) without cancellation at small ε."""
    root = math.sqrt((1 - epsilon) * (1 + epsilon))
    return math.log2(1 + root) - 2 * math.log2(epsilon)
