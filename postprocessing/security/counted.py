"""Fixed-length keys whose test outcomes are paid for as counted: the bound of three methods.

The outcomes of the other party are not needed for a key, only which tests were lost; and a run that
is accepted has one of few patterns of losses. Their number N is frozen before the run, and taking
the pattern off costs log2 N bits once, where the published theorem takes off a register of entropy.
The score is affine: each lost test takes k bits off. Proofs: docs/finite-size.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cached_property
from typing import ClassVar

from postprocessing.errors import InvalidArgumentError
from postprocessing.scheme import RoundProbabilities
from postprocessing.security.accumulation import acceptance_bits, smoothing_bits
from postprocessing.security.block import Block, Counts
from postprocessing.security.entropy import entropy_of_coherence
from postprocessing.security.single_round import RoundBalance
from postprocessing.security.terms import Terms

_LN2 = math.log(2)
# Both parties' outcome bits of a round: d = 4 in the entropy accumulation theorem.
_LOG_DIMENSION = 2.0
_LOG_VARIANCE_OFFSET = math.log2(2 * 4**2 + 1)
# Rounding of sums, of scores and of costs stays below this many bits per round.
_ROUNDING_PER_ROUND = 2e-12


@dataclass(frozen=True)
class CountedParameters:
    """The free parameters of the bound, fixed before the run; every choice in range is secure.

    Parameters
    ----------
    loss_credit : float
        k > 0, the bits that a lost test takes off the score.
    excess : float
        x in (0, 1), the Rényi order at which the rounds accumulate: α′ − 1 or (α − 1)/(2 − α).
    tangent : float
        E in (0, 1), where a tangent bounds the worst device.
    published_win : float
        w̃ in (0, 1), the win probability that patterns of losses are counted for.
    most_test_bits : float
        L′ > 0: a run is accepted only if its tests cost no more, each won one 1 + log2(1/w̃) bits
        and each lost one 1 + log2(1/(1 − w̃)).

    Raises
    ------
    InvalidArgumentError
        If a parameter is outside its range.
    """

    loss_credit: float
    excess: float
    tangent: float
    published_win: float
    most_test_bits: float

    _UNBOUNDED: ClassVar[frozenset[str]] = frozenset({"loss_credit", "most_test_bits"})

    def __post_init__(self) -> None:
        """Check the ranges."""
        for field in fields(self):
            most = math.inf if field.name in self._UNBOUNDED else 1.0
            value = getattr(self, field.name)
            if not 0 < value < most:
                raise InvalidArgumentError(field.name, value, f"in (0, {most:g})")

    def test_bits(self, tests: Counts) -> float:
        """Return what the tests of a run cost: a published bit each, and the pattern of losses."""
        won, lost = -math.log2(self.published_win), -math.log1p(-self.published_win) / _LN2
        return tests.won * (1 + won) + tests.lost * (1 + lost)


@dataclass(frozen=True)
class SmoothedParameters(CountedParameters):
    """The same with the smoothing of an entropy without a Rényi order.

    Parameters
    ----------
    loss_credit, excess, tangent, published_win, most_test_bits
        As for `CountedParameters`.
    smoothing : float
        ε′ > 0.
    amplification : float
        ε_PA > 0; ε_PA + 2 ε′ is the secrecy needed.
    """

    smoothing: float
    amplification: float

    @property
    def secrecy(self) -> float:
        """ε_PA + 2 ε′, the secrecy these parameters need."""
        return self.amplification + 2 * self.smoothing


@dataclass(frozen=True)
class LossScore:
    """The affine score of a round, 0 or −k for a lost test, and what its fluctuation costs.

    Parameters
    ----------
    probabilities : RoundProbabilities
        How often a round is a key round, and a test.
    parameters : CountedParameters
        The free parameters.
    noisy_preprocessing : float
        q in [0, 1/2).

    """

    probabilities: RoundProbabilities
    parameters: CountedParameters
    noisy_preprocessing: float

    @cached_property
    def point(self) -> tuple[float, float, float]:
        """Mean loss m, variance v and dV/dv at w̃, where the cost V of the variance is linearised.

        V = (ln 2/2)(log2 33 + √(2 + v))², Dupuis and Fawzi (2019), is concave in the statistics, so
        that a tangent at any point bounds it from above.
        """
        credit = self.parameters.loss_credit
        lost = self.probabilities.test * (1 - self.parameters.published_win)
        mean, variance = lost * credit, lost * (1 - lost) * credit**2
        root = math.sqrt(2 + variance)
        return mean, variance, _LN2 / 2 * (_LOG_VARIANCE_OFFSET + root) / root

    @cached_property
    def share(self) -> float:
        """S = 1 − x dV/dv (k − 2m), the share of k that is left for winning."""
        mean, _, slope = self.point
        return 1 - self.parameters.excess * slope * (self.parameters.loss_credit - 2 * mean)

    @cached_property
    def infimum(self) -> float:
        """I ≤ inf [H − f − x V] over all devices, f = 0 or −k: bits per round, before acceptance.

        Two kinds of tests, with the reference's key setting or its other one, come equally often.

        Raises
        ------
        InvalidArgumentError
            If the fluctuation leaves nothing for winning.
        """
        if not self.share > 0:
            allowed = "so small that winning still counts: 1 − x dV/dv (k − 2m) > 0"
            raise InvalidArgumentError("excess", self.parameters.excess, allowed)
        mean, variance, slope = self.point
        kind, credit = self.probabilities.test / 2, self.parameters.loss_credit * self.share
        gain = kind * credit / 4
        balance = RoundBalance(
            self.probabilities.key, (kind, kind), (gain, gain), self.noisy_preprocessing
        )
        cost = _LN2 / 2 * (_LOG_VARIANCE_OFFSET + math.sqrt(2 + variance)) ** 2
        fluctuation = cost - slope * variance + slope * mean**2
        worst = balance.least(self.parameters.tangent)
        return kind * credit + worst - self.parameters.excess * fluctuation

    @property
    def remainder_cost(self) -> float:
        """K of third order, of Dupuis and Fawzi (2019), at the excess x."""
        tests, x = self.probabilities.test * self.parameters.loss_credit, self.parameters.excess
        # log2 d + Max f − Min f, over what quantum devices can do.
        spread = _LOG_DIMENSION + (1 / 2 + math.sqrt(2) / 4) * tests
        log_term = math.log(math.pow(2, spread) + math.exp(2))
        return math.pow(2, x * spread) * log_term**3 / (6 * _LN2 * (1 - x) ** 3)


def counted_terms(
    block: Block, parameters: CountedParameters, losses: float, hashing: dict[str, float]
) -> Terms:
    """Evaluate the bound of a block with at most so many lost tests, term by term.

    Parameters
    ----------
    block : Block
        The block.
    parameters : CountedParameters
        The free parameters.
    losses : float
        The largest number of lost tests that is accepted.
    hashing : dict of str to float
        The terms of hashing, and of smoothing where there is any.

    Returns
    -------
    Terms
        Bits that add up to the length:

        - entropy: n p_key η_q(E), the entropy of the key rounds of the worst device.
        - fluctuation: n I − k losses − entropy, which the score and its fluctuation leave.
        - remainder: −n x² K, of third order.
        - tests: −L′, the published outcomes and the patterns of losses.
        - terms of hashing as given.
        - leakage: minus everything else sent in public that depends on the raw keys.
        - rounding: minus a margin of one bit and 2e-12 n for floating point.
    """
    n, x, q = block.rounds, parameters.excess, block.noisy_preprocessing
    score = LossScore(block.probabilities, parameters, q)
    entropy = n * block.probabilities.key * float(entropy_of_coherence(parameters.tangent, q))
    accepted = n * score.infimum - parameters.loss_credit * losses
    return Terms(
        {
            "entropy": entropy,
            "fluctuation": accepted - entropy,
            "remainder": -n * x**2 * score.remainder_cost,
            "tests": -parameters.most_test_bits,
            **hashing,
            "leakage": -block.leaked_bits,
            "rounding": -1 - n * _ROUNDING_PER_ROUND,
        }
    )


def renyi_hashing(block: Block, parameters: CountedParameters) -> dict[str, float]:
    """Return the cost of hashing at a Rényi order: −((1 + 2x)/x) log2(1/ε_sec) + 2.

    Dupuis, IEEE Trans. Inf. Theory 69, 5103 (2023): neither smoothing nor a price of acceptance.
    """
    x = parameters.excess
    return {"amplification": (1 / x + 2) * math.log2(block.secrecy) + 2}


def smoothed_hashing(
    block: Block, parameters: SmoothedParameters, *, with_announcements: bool
) -> dict[str, float]:
    """Return the cost of one smoothing, of acceptance and of hashing.

    −(ϑ(ε′) + (1 + x) log2(1/ε_sec))/x, with announcements in the order x = (α − 1)/(2 − α), and
    −2 log2(1/ε_PA) + 2.

    Raises
    ------
    InvalidArgumentError
        If the parameters need more secrecy than the block has.
    """
    if not parameters.secrecy <= block.secrecy:
        allowed = f"parameters with ε_PA + 2 ε′ of at most {block.secrecy}"
        raise InvalidArgumentError("parameters", parameters, allowed)
    x = parameters.excess
    smoothing, acceptance = smoothing_bits(parameters.smoothing), acceptance_bits(block)
    first = smoothing + (1 + x) * acceptance
    if with_announcements:
        # 1/(α − 1) = 1/x + 1.
        first += x * (smoothing + acceptance)
    return {
        "first_smoothing": -first / x,
        "amplification": 2 * math.log2(parameters.amplification) + 2,
    }
