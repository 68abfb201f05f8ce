"""A block of honest devices, and its key length by each method: what is optimised before a run."""

from __future__ import annotations

from dataclasses import dataclass

from postprocessing.scheme import RoundProbabilities
from postprocessing.security.curves import asymptotic_terms
from postprocessing.security.finite_size import (
    KeyLength,
    approximate_test_losses,
    renyi_key_length,
    tan22_key_length,
    tolerated_test_losses,
)
from postprocessing.security.methods import Method
from postprocessing.security.renyi import RenyiBlock, RenyiParameters
from postprocessing.security.renyi_optimum import (
    accepted_length,
    best_renyi_parameters,
    expected_length,
    expected_tests,
    least_score,
    miss_probability,
)


@dataclass(frozen=True)
class HonestBlock:
    """What is known before a run: its size, its devices, and what is asked of the key.

    Parameters
    ----------
    rounds : int
        Heralded rounds n ≥ 1.
    win_probability : float
        w of the honest devices, in [0, 1].
    secrecy : float
        ε_sec in (0, 1).
    completeness_share : float
        Probability, in (0, 1), that honest devices fail the test.
    method : {"tan22", "geat", "renyi", "renyi_fixed", "asymptotic"}, optional
        How the length is computed. For "asymptotic", settings are those of "tan22".
    noise : float, optional
        q in [0, 1/2), the probability with which the reference inverts a key bit.
    """

    rounds: int
    win_probability: float
    secrecy: float
    completeness_share: float
    method: Method = "tan22"
    noise: float = 0.0

    def tolerated_losses(self, marks: RoundProbabilities) -> int:
        """Return k, the number of lost tests that honest devices exceed with the given share."""
        win, share = self.win_probability, self.completeness_share
        return tolerated_test_losses(self.rounds, marks.test, win, share)

    def least_score(self, marks: RoundProbabilities, parameters: RenyiParameters) -> float:
        """Return F_min, the score that honest devices miss with the given share."""
        win, share = self.win_probability, self.completeness_share
        return least_score(parameters, self.rounds, marks.test, win, share)

    def no_key_probability(
        self, marks: RoundProbabilities, length: KeyLength, leaked_bits: float
    ) -> float:
        """Bound the probability that the varying length of "renyi" comes out below a byte.

        Parameters
        ----------
        marks : RoundProbabilities
            How often a round is key or test.
        length : KeyLength
            The length at the expected counts.
        leaked_bits : float
            Public bits that depend on the raw keys, if they are more than `length` counts on.
        """
        if not isinstance(length.parameters, RenyiParameters):
            return 1.0
        tests, win = self.rounds * marks.test, self.win_probability
        expected = length.parameters.score(tests * win, tests * (1 - win))
        bound = length.unclipped - (leaked_bits + length.terms.leakage)
        needed = expected - bound + 8
        return miss_probability(length.parameters, self.rounds, marks.test, win, needed)

    def reliable_length(self, marks: RoundProbabilities, leaked_bits: float) -> KeyLength:
        """Return the varying length of "renyi" whose low quantile is best, not its mean.

        Arguments are those of `length`; the quantile is the completeness share.
        """
        return self._renyi_length(marks, leaked_bits, by_quantile=True)

    def length(
        self, marks: RoundProbabilities, leaked_bits: float, *, smooth: bool = False
    ) -> KeyLength:
        """Return the length at the best free parameters: expected where it varies.

        Parameters
        ----------
        marks : RoundProbabilities
            How often a round is key or test.
        leaked_bits : float
            Public bits that depend on the raw keys; without the test outcomes for the Rényi
            methods.
        smooth : bool, optional
            Take an approximate threshold without jumps, for searches.

        Returns
        -------
        KeyLength
            Length, terms and parameters.

        Raises
        ------
        InvalidArgumentError
            If an argument is outside its range.
        """
        win, share = self.win_probability, self.completeness_share
        if self.method == "asymptotic":
            return KeyLength.of(asymptotic_terms(self.rounds, win, leaked_bits, self.noise), None)
        if self.method in ("renyi", "renyi_fixed"):
            is_fixed = self.method == "renyi_fixed"
            return self._renyi_length(marks, leaked_bits, by_quantile=is_fixed)
        losses = approximate_test_losses if smooth else tolerated_test_losses
        return tan22_key_length(
            rounds=self.rounds,
            probabilities=marks,
            tolerated_losses=losses(self.rounds, marks.test, win, share),
            leaked_bits=leaked_bits,
            secrecy=self.secrecy,
            accumulation="geat" if self.method == "geat" else "tan22",
            noise=self.noise,
        )

    def _renyi_length(
        self, marks: RoundProbabilities, leaked_bits: float, *, by_quantile: bool
    ) -> KeyLength:
        """Return the expected or the fixed length of the Rényi methods."""
        block = RenyiBlock(self.rounds, marks, leaked_bits, self.secrecy, self.noise)
        is_fixed, win = self.method == "renyi_fixed", self.win_probability
        rating = (
            accepted_length(block, win, self.completeness_share)
            if by_quantile
            else expected_length(block, win)
        )
        parameters = best_renyi_parameters(block, win, rating)
        won, lost = expected_tests(block, win)
        return renyi_key_length(
            rounds=self.rounds,
            probabilities=marks,
            won=won,
            lost=lost,
            leaked_bits=leaked_bits,
            secrecy=self.secrecy,
            parameters=parameters,
            noise=self.noise,
            least_score=self.least_score(marks, parameters) if is_fixed else None,
        )
