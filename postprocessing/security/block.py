"""Block: what a key length follows from, and the acceptance test of honest devices."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

from scipy.special import ndtri

from postprocessing.errors import InvalidArgumentError
from postprocessing.quantiles import upper_quantile
from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.security.entropy import check_noisy_preprocessing

# By which a win probability that follows from others may be out of range.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Counts:
    """How often the CHSH game was won and lost.

    Inputs are uniform. There are two kinds of tests, those in which the reference had its key
    setting and the others, which methods may score alike or not. Whatever is counted of a block is
    counted here, and enters a length by a method's `terms` alone.

    Parameters
    ----------
    won, lost : float
        Numbers of tests, at least 0; whole ones after a run, expected ones before it.
    at_key_setting : (float, float), optional
        How many of the won and of the lost tests had the reference's key setting; None where
        nobody counted them.

    Raises
    ------
    InvalidArgumentError
        If a number is negative or not finite, or a part more than the whole.
    """

    won: float
    lost: float
    at_key_setting: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, count in (("won", self.won), ("lost", self.lost)):
            if not 0 <= count < math.inf:
                raise InvalidArgumentError(name, count, "a finite number of at least 0")
        won, lost = self.at_key_setting or (0, 0)
        if not (0 <= won <= self.won and 0 <= lost <= self.lost):
            allowed = f"at most {self.won} won and {self.lost} lost tests"
            raise InvalidArgumentError("at_key_setting", self.at_key_setting, allowed)

    @property
    def by_kind(self) -> tuple[Counts, Counts]:
        """The tests with the reference's key setting, and the others.

        Raises
        ------
        InvalidArgumentError
            If nobody counted them apart.
        """
        if self.at_key_setting is None:
            raise InvalidArgumentError("at_key_setting", None, "counted, as tests differ by it")
        won, lost = self.at_key_setting
        return Counts(won, lost), Counts(self.won - won, self.lost - lost)

    @property
    def tests(self) -> float:
        """Number of tests."""
        return self.won + self.lost


@dataclass(frozen=True)
class Block:
    """A block of rounds: its size, honest devices, and what is asked of the key.

    Parameters
    ----------
    rounds : int
        Heralded rounds n ≥ 1, discarded ones included.
    probabilities : RoundProbabilities
        How often a heralded round is a key, a test or a discarded round, or between what it is.
    win_probability : float
        w of the honest devices, in [0, 1], where the inputs of the game are uniform.
    secrecy : float
        ε_sec in (0, 1).
    leaked_bits : float
        Every public bit that depends on the raw keys: error correction, verification tags, and the
        published test outcomes that the method charges for; at least 0.
    completeness_share : float, optional
        Probability, in (0, 1), with which honest devices may fail the test.
    noisy_preprocessing : float, optional
        q in [0, 1/2), the probability with which the reference inverts a key bit.
    tolerated_losses : float, optional
        k, the largest number of lost tests that is accepted, in [0, n]; by default the smallest
        that honest devices exceed with at most `completeness_share`.
    least_score : float, optional
        F_min in bits, for methods whose test is a score; by default what honest devices miss with
        at most `completeness_share`.
    counts : Counts, optional
        The tests of a finished run; the expected ones by default.
    win_probability_at_key_setting : float, optional
        w₁ of the tests with the reference's key setting, the mean of which with w₂ of the others
        is w; w by default.

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range.
    """

    rounds: int
    probabilities: RoundProbabilities
    win_probability: float
    secrecy: float
    leaked_bits: float
    completeness_share: float = 5e-3
    noisy_preprocessing: float = 0.0
    tolerated_losses: float | None = None
    least_score: float | None = None
    counts: Counts | None = None
    win_probability_at_key_setting: float | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 1 <= self.rounds < math.inf:
            raise InvalidArgumentError("rounds", self.rounds, "at least 1")
        if not 0 <= self.win_probability <= 1:
            raise InvalidArgumentError("win_probability", self.win_probability, "in [0, 1]")
        first = self.win_probability_at_key_setting
        if first is not None:
            both = first, 2 * self.win_probability - first
            if not all(-_ROUNDING <= win <= 1 + _ROUNDING for win in both):
                name, allowed = "win_probability_at_key_setting", "so that both are in [0, 1]"
                raise InvalidArgumentError(name, first, allowed)
        if not 0 < self.secrecy < 1:
            raise InvalidArgumentError("secrecy", self.secrecy, "in (0, 1)")
        if not 0 <= self.leaked_bits < math.inf:
            raise InvalidArgumentError("leaked_bits", self.leaked_bits, "finite, at least 0")
        if not 0 < self.completeness_share < 1:
            raise InvalidArgumentError("completeness_share", self.completeness_share, "in (0, 1)")
        check_noisy_preprocessing(self.noisy_preprocessing)
        if self.tolerated_losses is not None and not 0 <= self.tolerated_losses <= self.rounds:
            raise InvalidArgumentError("tolerated_losses", self.tolerated_losses, "in [0, rounds]")

    @property
    def win_probabilities(self) -> tuple[float, float]:
        """w₁ and w₂, of tests with the reference's key setting and of the others."""
        first = self.win_probability_at_key_setting
        if first is None:
            return self.win_probability, self.win_probability
        return first, min(max(2 * self.win_probability - first, 0.0), 1.0)

    @property
    def win_probability_of_tests(self) -> float:
        """The win probability of a test, whichever kind it is of; w where inputs are uniform."""
        marks = self.probabilities
        if marks.has_uniform_inputs:
            return self.win_probability
        won = sum(p * w for p, w in zip(marks.kinds, self.win_probabilities, strict=True))
        return won / marks.test

    @property
    def lose_probability(self) -> float:
        """p_test (1 − w), how often a round of honest devices is a lost test, at the most."""
        return self.probabilities.most_test * (1 - self.win_probability_of_tests)

    @cached_property
    def accepted_losses(self) -> float:
        """k, as given or as honest devices need it: P(Bin(n, p_test (1 − w)) > k) ≤ share."""
        if self.tolerated_losses is not None:
            return self.tolerated_losses
        return upper_quantile(int(self.rounds), self.lose_probability, self.completeness_share)

    @property
    def threshold(self) -> float:
        """w_thr = 1 − k/(n p_test), the accepted win probability; may be negative."""
        return 1 - self.accepted_losses / (self.rounds * self.probabilities.test)

    @cached_property
    def tests(self) -> Counts:
        """The tests of the run, or the expected ones; in the middle of what they may be."""
        if self.counts is not None:
            return self.counts
        tests = self.rounds * (self.probabilities.test + self.probabilities.test_slack / 2)
        win = self.win_probability_of_tests
        won, lost = tests * win, tests * (1 - win)
        at_key, first = tests * self.probabilities.kinds[0] / self.probabilities.test, win
        if self.win_probability_at_key_setting is not None:
            first = self.win_probabilities[0]
        return Counts(won, lost, (min(at_key * first, won), min(at_key * (1 - first), lost)))

    def smooth(self) -> Block:
        """Return the block with the normal approximation of its tolerated losses.

        For searches, where the jumps of the exact count would be taken for maxima.
        """
        lose = self.lose_probability
        mean, deviation = self.rounds * lose, math.sqrt(self.rounds * lose * (1 - lose))
        losses = mean - float(ndtri(self.completeness_share)) * deviation
        return replace(self, tolerated_losses=min(max(losses, 0.0), float(self.rounds)))
