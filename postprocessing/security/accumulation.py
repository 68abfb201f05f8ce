"""Fixed-length keys by entropy accumulation: the bound, which "tan22" and "geat" share.

Two theorems differ in what the adversary may do while the block is measured. That of Tan et al.,
Quantum 6, 880 (2022), has the adversary's state fixed at the start, and nothing announced before
the last herald. In the generalised entropy accumulation of Metger, Fawzi, Sutter and Renner (2022)
the adversary may act on announcements made round by round. In the order β = (α − 1)/(2 − α) its
second- and third-order costs are those of the other in α − 1, and only the constant in front of the
smoothing is larger.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from postprocessing.errors import InvalidArgumentError
from postprocessing.security.block import Block
from postprocessing.security.entropy import LOCAL_WIN_PROBABILITY, QUANTUM_WIN_PROBABILITIES
from postprocessing.security.terms import Terms
from postprocessing.security.tradeoff import MinTradeoff

# The other party's outcome and the score take 2 × 2 values in a test, one elsewhere: 5 in all.
LOG_TEST_DIMENSION = math.log2(5)

# Rounding of the sum and of the round probabilities stays below this many bits per round.
_ROUNDING_PER_ROUND = 2e-12


@dataclass(frozen=True)
class AccumulationParameters:
    """The free parameters of the bound; every choice in range is secure, some give longer keys.

    Parameters
    ----------
    tangent : float
        Win probability w_t of the tangent, in (3/4, (2 + √2)/4).
    first_excess : float
        α′ − 1 in (0, 1), the Rényi order at which the rounds accumulate; β′ with announcements.
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


def acceptance_bits(block: Block) -> float:
    """Return log2(1/ε_EA), the price of conditioning on acceptance; ε_EA takes all of ε_sec."""
    return -math.log2(block.secrecy)


def accumulation_terms(
    block: Block, parameters: AccumulationParameters, *, with_announcements: bool
) -> Terms:
    """Evaluate the bound at its acceptance threshold, term by term.

    Tan et al., Quantum 6, 880 (2022), with the infimum of Liu et al. (2021) and the entropy of a
    round H = p_key η_q + p_test η: discarded rounds have none, and noise is added to key rounds
    only.

    Parameters
    ----------
    block : Block
        The block; its threshold is that of at most k lost tests.
    parameters : AccumulationParameters
        The free parameters, needing no more secrecy than the block has: ε_sec =
        max{ε_EA, ε_PA + 2 ε_s}.
    with_announcements : bool
        Whether the adversary may act on announcements made round by round.

    Returns
    -------
    Terms
        Bits that add up to the length:

        - entropy: n g(w_thr), the tangent at the threshold.
        - infimum: n inf_w [H − g − (α′ − 1) V], the worst fluctuation.
        - remainder: −n (α′ − 1)² K, of third order.
        - tests: −n p_test, the outcomes of the other party in the tests.
        - first_smoothing: −(ϑ(ε_s′) + α′ log2(1/ε_EA))/(α′ − 1), with announcements in the order
          β′ = (α′ − 1)/(2 − α′), as in the terms above.
        - second_smoothing: −n (α″ − 1) log2² 5 − (ϑ(ε_s″) + α″ log2(1/ε_EA))/(α″ − 1).
        - chain_rules: −3 ϑ(ε_s − ε_s′ − 2 ε_s″).
        - leakage: minus everything sent in public that depends on the raw keys.
        - amplification: −2 log2(1/ε_PA) + 2, two-universal hashing.
        - rounding: minus a margin of one bit and 2e-12 n for floating point.

    Raises
    ------
    InvalidArgumentError
        If the parameters need more secrecy than the block has.
    """
    if not parameters.secrecy <= block.secrecy:
        allowed = f"parameters with ε_PA + 2 ε_s of at most {block.secrecy}"
        raise InvalidArgumentError("parameters", parameters, allowed)
    n, x, y = block.rounds, parameters.first_excess, parameters.second_excess
    score = MinTradeoff(block.probabilities, parameters.tangent, block.noisy_preprocessing)
    # A threshold no quantum device passes but by luck would credit that luck.
    threshold = min(block.threshold, QUANTUM_WIN_PROBABILITIES[1])
    acceptance = acceptance_bits(block)
    first = accumulation_bits(
        block, x, parameters.first_smoothing, with_announcements=with_announcements
    )
    second = smoothing_bits(parameters.second_smoothing) + (1 + y) * acceptance
    return Terms(
        {
            "entropy": n * score.value(threshold),
            "infimum": n * score.infimum(x)[0],
            "remainder": -n * x**2 * score.remainder_cost(x),
            "tests": -n * block.probabilities.most_test,
            "first_smoothing": -first,
            "second_smoothing": -n * y * LOG_TEST_DIMENSION**2 - second / y,
            "chain_rules": -3 * smoothing_bits(parameters.residual_smoothing),
            "leakage": -block.leaked_bits,
            "amplification": 2 * math.log2(parameters.amplification) + 2,
            "rounding": -1 - n * _ROUNDING_PER_ROUND,
        }
    )


def accumulation_bits(
    block: Block, excess: float, smoothing: float, *, with_announcements: bool
) -> float:
    """Return what smoothing and acceptance cost where the rounds accumulate, in bits.

    (ϑ(ε′) + (1 + x) log2(1/ε_EA))/x, with announcements in the order x = (α − 1)/(2 − α).
    """
    price, acceptance = smoothing_bits(smoothing), acceptance_bits(block)
    first = price + (1 + excess) * acceptance
    if with_announcements:
        # 1/(α − 1) = 1/x + 1.
        first += excess * (price + acceptance)
    return first / excess


def smoothing_bits(epsilon: float) -> float:
    """Return ϑ(ε) = log2(1/(1 − √(1 − ε²))) without cancellation at small ε."""
    root = math.sqrt((1 - epsilon) * (1 + epsilon))
    return math.log2(1 + root) - 2 * math.log2(epsilon)
