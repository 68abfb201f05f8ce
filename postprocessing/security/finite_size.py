"""Composable key lengths of finite blocks, and the acceptance test they rest on."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtri

from postprocessing.errors import InvalidArgumentError
from postprocessing.quantiles import upper_quantile
from postprocessing.scheme import RoundProbabilities
from postprocessing.security.curves import CurveTerms
from postprocessing.security.renyi import RenyiBlock, RenyiParameters, RenyiTerms
from postprocessing.security.tan22 import (
    Accumulation,
    Extractor,
    Tan22Block,
    Tan22Parameters,
    Tan22Terms,
)
from postprocessing.security.tan22_optimum import best_parameters


@dataclass(frozen=True)
class EpsilonSplit:
    """How the soundness of a protocol is divided: ε = ε_sec + 2 ε_cor.

    The correctness error counts twice since the score of `tan22` is computed from corrected
    strings (Tan et al., Quantum 6, 880 (2022)).

    Parameters
    ----------
    secrecy : float
        ε_sec in (0, 1): trace distance of the key from an ideal one, times the probability of
        not aborting.
    correctness : float
        ε_cor in (0, 1): probability that the keys differ and nobody aborts.

    Raises
    ------
    InvalidArgumentError
        If a part is outside its range or the soundness reaches 1.

    Examples
    --------
    >>> split = EpsilonSplit.from_soundness(1e-10)
    >>> f"{split.secrecy:.2g} + 2 × {split.correctness:.2g} = {split.soundness:.2g}"
    '9e-11 + 2 × 5e-12 = 1e-10'
    """

    secrecy: float
    correctness: float

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0 < self.secrecy < 1:
            raise InvalidArgumentError("secrecy", self.secrecy, "in (0, 1)")
        if not 0 < self.correctness < 1:
            raise InvalidArgumentError("correctness", self.correctness, "in (0, 1)")
        if not self.soundness < 1:
            allowed = "a split whose secrecy + 2 correctness is below 1"
            raise InvalidArgumentError("epsilons", (self.secrecy, self.correctness), allowed)

    @classmethod
    def from_soundness(cls, soundness: float) -> EpsilonSplit:
        """Give secrecy nine tenths of `soundness` in (0, 1), correctness one twentieth."""
        if not 0 < soundness < 1:
            raise InvalidArgumentError("soundness", soundness, "in (0, 1)")
        return cls(secrecy=0.9 * soundness, correctness=0.05 * soundness)

    @property
    def soundness(self) -> float:
        """ε_sec + 2 ε_cor."""
        return self.secrecy + 2 * self.correctness


@dataclass(frozen=True)
class KeyLength:
    """The length of the secret key, with the account that leads to it.

    Parameters
    ----------
    bits : int
        Key length, rounded down, never negative.
    unclipped : float
        The bound before rounding and clipping; negative where no key is left.
    terms : Tan22Terms, RenyiTerms or CurveTerms
        The contributions in bits.
    parameters : Tan22Parameters, RenyiParameters or None
        The free parameters the bound was evaluated at; None for a bound without any.
    """

    bits: int
    unclipped: float
    terms: Tan22Terms | RenyiTerms | CurveTerms
    parameters: Tan22Parameters | RenyiParameters | None

    @classmethod
    def of(
        cls,
        terms: Tan22Terms | RenyiTerms | CurveTerms,
        parameters: Tan22Parameters | RenyiParameters | None,
        unclipped: float | None = None,
    ) -> KeyLength:
        """Round a bound down and clip it at 0; it is the sum of the terms unless given."""
        bound = terms.total if unclipped is None else unclipped
        return cls(max(0, math.floor(bound)), bound, terms, parameters)


def tan22_key_length(
    *,
    rounds: int,
    probabilities: RoundProbabilities,
    tolerated_losses: float,
    leaked_bits: float,
    secrecy: float,
    extractor: Extractor = "two_universal",
    accumulation: Accumulation = "tan22",
    noise: float = 0.0,
    parameters: Tan22Parameters | None = None,
) -> KeyLength:
    """Return the fixed key length secure against coherent attacks if at most k tests are lost.

    Entropy accumulation in the form of Tan et al., Quantum 6, 880 (2022), with the infimum of Liu
    et al. (2021). The numbers here are to be fixed before the block is measured. For "tan22" the
    adversary's state is fixed at the start, and nothing leaves the laboratories before the last
    herald; "geat" allows announcements round by round.

    Parameters
    ----------
    rounds : int
        Heralded rounds n, discarded ones included.
    probabilities : RoundProbabilities
        How often a heralded round is a key or a test round.
    tolerated_losses : float
        k, the largest number of lost tests that is accepted, in [0, n]; usually whole.
    leaked_bits : float
        Every public bit that depends on the raw keys: error correction, published test outcomes
        of the reference party, verification tags.
    secrecy : float
        ε_sec = max{ε_EA, ε_PA + 2 ε_s} in (0, 1); ε_EA takes all of it.
    extractor : {"two_universal", "trevisan"}, optional
        Family of hash functions of privacy amplification.
    accumulation : {"tan22", "geat"}, optional
        The theorem, see `postprocessing.security.tan22`.
    noise : float, optional
        q in [0, 1/2), the probability with which the reference inverts a key bit.
    parameters : Tan22Parameters, optional
        Free parameters, evaluated as they are; the best ones by default.

    Returns
    -------
    KeyLength
        Length, terms and parameters.

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range, or the parameters need more secrecy than given.

    Examples
    --------
    >>> marks = RoundProbabilities.announced(0.05)
    >>> key = tan22_key_length(rounds=10**8, probabilities=marks, tolerated_losses=817_000,
    ...                        leaked_bits=1.2e7, secrecy=0.9e-10)
    >>> round(key.bits / 10**8, 3)
    0.509
    """
    block = Tan22Block(
        rounds=rounds,
        probabilities=probabilities,
        threshold=threshold_win_probability(tolerated_losses, rounds, probabilities.test),
        leaked_bits=leaked_bits,
        secrecy=secrecy,
        extractor=extractor,
        accumulation=accumulation,
        noise=noise,
    )
    chosen = best_parameters(block) if parameters is None else parameters
    terms = block.terms(chosen)
    return KeyLength.of(terms, chosen, block.length(terms))


def renyi_key_length(
    *,
    rounds: int,
    probabilities: RoundProbabilities,
    won: float,
    lost: float,
    leaked_bits: float,
    secrecy: float,
    parameters: RenyiParameters,
    noise: float = 0.0,
    least_score: float | None = None,
) -> KeyLength:
    """Return the key length by Rényi entropy accumulation at given parameters.

    Derived and checked for this project, not peer reviewed. The length varies with the counts of
    tests by an affine function fixed before the run, or is fixed and the function has to reach
    `least_score`.

    Parameters
    ----------
    rounds : int
        Heralded rounds n, discarded ones included.
    probabilities : RoundProbabilities
        How often a heralded round is a key or a test round.
    won, lost : float
        Numbers of won and lost tests, at least 0; expected ones before the run.
    leaked_bits : float
        Every public bit that depends on the raw keys, except the test outcomes that both parties
        publish.
    secrecy : float
        ε_sec in (0, 1).
    parameters : RenyiParameters
        The free parameters, fixed before the run.
    noise : float, optional
        q in [0, 1/2), the probability with which the reference inverts a key bit.
    least_score : float, optional
        F_min, in place of the score of the counts.

    Returns
    -------
    KeyLength
        Length, terms and parameters.

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range.
    """
    for name, count in (("won", won), ("lost", lost)):
        if not 0 <= count < math.inf:
            raise InvalidArgumentError(name, count, "a finite number of at least 0")
    block = RenyiBlock(rounds, probabilities, leaked_bits, secrecy, noise)
    score = parameters.score(won, lost) if least_score is None else least_score
    return KeyLength.of(block.terms(parameters, score, parameters.cost(won, lost)), parameters)


def threshold_win_probability(
    tolerated_losses: float, rounds: int, test_probability: float
) -> float:
    """Return w_thr = 1 − k/(n p_test), the accepted win probability at k lost tests.

    Parameters
    ----------
    tolerated_losses : float
        k in [0, n].
    rounds : int
        Heralded rounds n ≥ 1.
    test_probability : float
        p_test in (0, 1).

    Returns
    -------
    float
        w_thr, at most 1; negative if more losses are accepted than tests expected.

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range.
    """
    _check_tests(rounds, test_probability)
    if not 0 <= tolerated_losses <= rounds:
        raise InvalidArgumentError("tolerated_losses", tolerated_losses, "in [0, rounds]")
    return 1 - tolerated_losses / (rounds * test_probability)


def tolerated_test_losses(
    rounds: int, test_probability: float, win_probability: float, completeness_share: float
) -> int:
    """Return the smallest k that honest devices exceed with at most a given probability.

    P(Bin(n, p_test (1 − w)) > k) ≤ share. It decides how often honest devices abort and has no
    part in security.

    Parameters
    ----------
    rounds : int
        Heralded rounds n ≥ 1.
    test_probability : float
        p_test in (0, 1).
    win_probability : float
        w of the honest devices, in [0, 1].
    completeness_share : float
        Probability of aborting for this reason, in (0, 1).

    Returns
    -------
    int
        k, in [0, n].

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range.
    """
    _check_honest_tests(rounds, test_probability, win_probability, completeness_share)
    lose = test_probability * (1 - win_probability)
    return upper_quantile(int(rounds), lose, completeness_share)


def approximate_test_losses(
    rounds: int, test_probability: float, win_probability: float, completeness_share: float
) -> float:
    """Return the normal approximation of `tolerated_test_losses`, smooth in all arguments.

    For searches, where the jumps of the exact count would be taken for maxima. Arguments and
    errors are those of `tolerated_test_losses`.
    """
    _check_honest_tests(rounds, test_probability, win_probability, completeness_share)
    lose = test_probability * (1 - win_probability)
    mean, deviation = rounds * lose, math.sqrt(rounds * lose * (1 - lose))
    losses = mean - float(ndtri(completeness_share)) * deviation
    return min(max(losses, 0.0), float(rounds))


def _check_tests(rounds: int, test_probability: float) -> None:
    """Check what every statement on the number of tests needs."""
    if not 1 <= rounds < math.inf:
        raise InvalidArgumentError("rounds", rounds, "a positive number")
    if not 0 < test_probability < 1:
        raise InvalidArgumentError("test_probability", test_probability, "in (0, 1)")


def _check_honest_tests(
    rounds: int, test_probability: float, win_probability: float, completeness_share: float
) -> None:
    """Check what statements on honest devices need."""
    _check_tests(rounds, test_probability)
    if not 0 <= win_probability <= 1:
        raise InvalidArgumentError("win_probability", win_probability, "in [0, 1]")
    if not 0 < completeness_share < 1:
        raise InvalidArgumentError("completeness_share", completeness_share, "in (0, 1)")
