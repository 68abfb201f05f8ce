"""Fixed-length keys whose test outcomes are paid for as counted: the bound of three methods.

The outcomes of the other party are not needed for a key, only which tests were lost; and a run that
is accepted has one of few patterns of losses. Their number N is frozen before the run, and taking
the pattern off costs log2 N bits once, where the published theorem takes off a register of entropy.
The score is affine: a lost test takes k₁ bits off where the reference had its key setting, k₂ bits
elsewhere. Proofs: docs/finite-size.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property

from postprocessing.checks import real_number
from postprocessing.errors import InvalidArgumentError
from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.security.accumulation import accumulation_bits
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

Pair = tuple[float, float]


@dataclass(frozen=True)
class CountedParameters:
    """The free parameters of the bound, fixed before the run; every choice in range is secure.

    Pairs are of tests with the reference's key setting and of the others.

    Parameters
    ----------
    loss_credits : (float, float)
        k₁ and k₂, positive: bits that a lost test takes off the score.
    most_lost : float
        K > 0: a run is accepted only if its lost tests take no more off.
    published_wins : (float, float)
        w̃₁ and w̃₂ in (0, 1), the win probabilities that patterns of losses are counted for.
    most_test_bits : float
        L′ > 0: a run is accepted only if its tests cost no more, each won one 1 + log2(1/w̃) bits
        and each lost one 1 + log2(1/(1 − w̃)).
    excess : float
        x in (0, 1), the Rényi order at which the rounds accumulate: α′ − 1 or (α − 1)/(2 − α).
    tangent : float
        E in (0, 1), where a tangent bounds the worst device.

    Raises
    ------
    InvalidArgumentError
        If a parameter is outside its range.
    """

    loss_credits: Pair
    most_lost: float
    published_wins: Pair
    most_test_bits: float
    excess: float
    tangent: float

    def __post_init__(self) -> None:
        """Check the ranges."""
        for field in fields(self):
            name, value = field.name, getattr(self, field.name)
            most = math.inf if name in _UNBOUNDED else 1.0
            for number in _numbers(name, value):
                if not 0 < real_number(name, number) < most:
                    raise InvalidArgumentError(name, value, f"in (0, {most:g})")

    def lost_bits(self, tests: Counts) -> float:
        """Return k₁ l₁ + k₂ l₂, what the lost tests of a run take off its score."""
        kinds = zip(self.loss_credits, tests.by_kind, strict=True)
        return math.fsum(credit * kind.lost for credit, kind in kinds)

    def test_bits(self, tests: Counts) -> float:
        """Return what the tests of a run cost: a published bit each, and the pattern of losses."""
        kinds = zip(self.published_wins, tests.by_kind, strict=True)
        return math.fsum(
            kind.won * won + kind.lost * lost
            for (won, lost), kind in ((test_costs(win), kind) for win, kind in kinds)
        )


_UNBOUNDED = frozenset({"loss_credits", "most_lost", "most_test_bits"})


def _numbers(name: str, value: object) -> Iterable[object]:
    """Return the numbers of a parameter: both of a pair, or one."""
    if name not in ("loss_credits", "published_wins"):
        return (value,)
    if not isinstance(value, tuple) or len(value) != 2:
        raise InvalidArgumentError(name, value, "a pair, for both kinds of tests")
    return value


def test_costs(win: float) -> Pair:
    """Return 1 + log2(1/w̃) and 1 + log2(1/(1 − w̃)), what a won and a lost test cost."""
    return 1 - math.log2(win), 1 - math.log1p(-win) / _LN2


@dataclass(frozen=True)
class SmoothedParameters(CountedParameters):
    """The same with the smoothing of an entropy without a Rényi order.

    Parameters
    ----------
    loss_credits, most_lost, published_wins, most_test_bits, excess, tangent
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
    loss_credits : (float, float)
        k₁ and k₂.
    wins : (float, float)
        Win probabilities at which the cost of the variance is linearised.
    excess : float
        x in (0, 1).
    """

    probabilities: RoundProbabilities
    loss_credits: Pair
    wins: Pair
    excess: float

    @cached_property
    def point(self) -> tuple[float, float, float]:
        """Mean loss m, variance v and dV/dv at the wins.

        V = (ln 2/2)(log2 33 + √(2 + v))², Dupuis and Fawzi (2019), is concave in the statistics, so
        that a tangent at any point bounds it from above.
        """
        lost = [p * (1 - win) for p, win in zip(self.probabilities.kinds, self.wins, strict=True)]
        mean, square = (
            sum(p * k**power for p, k in zip(lost, self.loss_credits, strict=True))
            for power in (1, 2)
        )
        root = math.sqrt(2 + square - mean**2)
        return mean, square - mean**2, _LN2 / 2 * (_LOG_VARIANCE_OFFSET + root) / root

    @cached_property
    def shares(self) -> Pair:
        """S = 1 − x dV/dv (k − 2m) of both kinds, the share of k that is left for winning."""
        mean, _, slope = self.point
        first, second = (1 - self.excess * slope * (k - 2 * mean) for k in self.loss_credits)
        return first, second

    def infimum(
        self, tangent: float, noisy_preprocessing: float, *, estimated: bool = False
    ) -> float:
        """Return I ≤ inf [H − f − x V] over all devices: bits per round, before acceptance.

        I = ½ Σ P k s − x (V − V′v + V′m²) + min_E Φ(E), A and B of Φ being P k s/4.

        Parameters
        ----------
        tangent : float
            E of the tangent.
        noisy_preprocessing : float
            q in [0, 1/2).
        estimated : bool, optional
            Whether Φ at the tangent and at fixed answers will do, which is no bound.

        Raises
        ------
        InvalidArgumentError
            If the fluctuation leaves nothing for winning.
        """
        if not min(self.shares) > 0:
            allowed = "so small that winning still counts: 1 − x dV/dv (k − 2m) > 0"
            raise InvalidArgumentError("excess", self.excess, allowed)
        mean, variance, slope = self.point
        kinds = self.probabilities.kinds
        first, second = (
            p * k * s for p, k, s in zip(kinds, self.loss_credits, self.shares, strict=True)
        )
        gains = first / 4, second / 4
        balance = RoundBalance(self.probabilities.key, kinds, gains, noisy_preprocessing)
        cost = _LN2 / 2 * (_LOG_VARIANCE_OFFSET + math.sqrt(2 + variance)) ** 2
        fluctuation = cost - slope * variance + slope * mean**2
        least = balance.estimate(tangent) if estimated else balance.least(tangent)
        return (first + second) / 2 + least - self.excess * fluctuation

    @property
    def remainder_cost(self) -> float:
        """K of third order, of Dupuis and Fawzi (2019), at the excess x."""
        kinds = zip(self.probabilities.kinds, self.loss_credits, strict=True)
        first, second = (p * k for p, k in kinds)
        # log2 d + Max f − Min f, over what quantum devices can do.
        spread = _LOG_DIMENSION + (first + second) / 2 + math.hypot(first, second) / 2
        log_term = math.log(math.pow(2, spread) + math.exp(2))
        growth = math.pow(2, self.excess * spread)
        return growth * log_term**3 / (6 * _LN2 * (1 - self.excess) ** 3)


def counted_terms(
    block: Block,
    parameters: CountedParameters,
    hashing: dict[str, float],
    *,
    estimated: bool = False,
) -> Terms:
    """Evaluate the bound of a block that is just accepted, term by term.

    Parameters
    ----------
    block : Block
        The block.
    parameters : CountedParameters
        The free parameters.
    hashing : dict of str to float
        The terms of hashing, and of smoothing where there is any.
    estimated : bool, optional
        Whether an estimate of the worst device will do, to search with: it proves nothing.

    Returns
    -------
    Terms
        Bits that add up to the length:

        - entropy: n p_key η_q(E), the entropy of the key rounds at the tangent.
        - fluctuation: n I − K − entropy, which the score and its fluctuation leave.
        - remainder: −n x² K_x, of third order.
        - tests: −L′, the published outcomes and the patterns of losses.
        - terms of hashing as given.
        - leakage: minus everything else sent in public that depends on the raw keys.
        - rounding: minus a margin of one bit and 2e-12 n for floating point.
    """
    n, x, q = block.rounds, parameters.excess, block.noisy_preprocessing
    score = LossScore(block.probabilities, parameters.loss_credits, parameters.published_wins, x)
    entropy = n * block.probabilities.key * float(entropy_of_coherence(parameters.tangent, q))
    worst = score.infimum(parameters.tangent, q, estimated=estimated)
    accepted = n * worst - parameters.most_lost
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
    first = accumulation_bits(
        block,
        parameters.excess,
        parameters.smoothing,
        with_announcements=with_announcements,
    )
    return {
        "first_smoothing": -first,
        "amplification": 2 * math.log2(parameters.amplification) + 2,
    }
