"""The design: everything that decides security, frozen before any data.

A design fixes the number of rounds, the settings' probabilities, the tolerated number of lost
tests, the leakage budget, the epsilons, the code and the key length from *expected* values. The run
accepts or aborts against it; nothing in it is ever fitted to observed values.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from postprocessing.certificate import Proof
from postprocessing.design.announced import coins_are_likely, pair_share, settings_are_likely
from postprocessing.design.covered import check_settings_rule, check_tolerance
from postprocessing.design.fields import plain_fields
from postprocessing.design.leakage import LeakageBudget
from postprocessing.design.proof import (
    accepts,
    as_proved,
    check_length,
    counts_of,
    is_proved,
    proof_of,
    varying_bits,
)
from postprocessing.errors import InvalidArgumentError
from postprocessing.quantiles import lower_quantile
from postprocessing.reconciliation import MOST_TAG_BITS, tag_length
from postprocessing.scheme import AnnouncedMarks, BellScheme, LocalSettings, SettingChoice
from postprocessing.security import (
    METHODS,
    Block,
    EpsilonSplit,
    KeyLength,
    Method,
    Terms,
    chsh_entropy,
    noisy_error_rate,
    win_probability,
)
from postprocessing.security.asymptotic import asymptotic_bits
from postprocessing.security.entropy import win_at_key_setting
from postprocessing.testing import GameTally
from postprocessing.tolerance import round_bounds

# Parts of the completeness: too few tests, and too few rounds of a run of so many pulses, have a
# thousandth each, and too many lost tests have what these leave of a half.
RARE_SHARE = 1e-3
LOST_TESTS_SHARE = 0.5 - 2 * RARE_SHARE


@dataclass(frozen=True)
class Design:
    """The frozen parameters of a run.

    Parameters
    ----------
    scheme : BellScheme
        Settings of the scheme.
    method : str
        How the key length was computed, one of `METHODS`.
    heralded_rounds : int
        n, every heralded round counts.
    setting_choice : LocalSettings or AnnouncedMarks
        Probabilities with which settings are chosen: by each side alone, or by shared marks.
    tolerated_test_losses : int
        Where the test is a count, it is accepted when at most this many test rounds are lost.
    leakage : LeakageBudget or None
        Code, tag length and leakage budget; None when no code serves the expected QBER.
    epsilons : EpsilonSplit
        Secrecy and correctness; soundness is ε_sec + 2 ε_cor.
    completeness : float
        Bound on the abort probability of honest devices, in [1e-12, 1/2].
    predicted_abort_probability : float
        Union bound on the abort probability of honest devices with the expected behaviour.
    expected_chsh, expected_qber : float
        What honest devices are expected to do, before noise is added.
    length : KeyLength or None
        Key length with all its terms, fixed or, where it varies, at the expected counts; None
        without a length at finite size, or without a code.
    noisy_preprocessing : float
        q in [0, 1/2), the probability with which the reference inverts each key bit.
    least_score : float or None
        F_min, the score at which the test is accepted where it is one, as for "renyi_fixed".
    expected_chsh_at_key_setting : float or None
        The part of `expected_chsh` from tests with the reference's key setting, where the method
        tells them apart; None for a half, or where it does not.

    Raises
    ------
    InvalidArgumentError
        If a number is outside its range, the tag too short for the correctness, the key length more
        than the other parameters allow, or marks are announced under a method that does not cover
        it.

    Examples
    --------
    >>> import diqkd
    >>> link = diqkd.Link(distance_km=50)
    >>> diqkd.Security(method="asymptotic").design(diqkd.EntangledCoherent(link), 10**6).method
    'asymptotic'
    """

    scheme: BellScheme
    method: str
    heralded_rounds: int
    setting_choice: SettingChoice
    tolerated_test_losses: int
    leakage: LeakageBudget | None
    epsilons: EpsilonSplit
    completeness: float
    predicted_abort_probability: float
    expected_chsh: float
    expected_qber: float
    length: KeyLength[Any] | None = None
    noisy_preprocessing: float = 0.0
    least_score: float | None = None
    expected_chsh_at_key_setting: float | None = None

    def __post_init__(self) -> None:
        """Check that tag and key length follow from the rest, whoever put it together."""
        for name, value in plain_fields(vars(self)).items():
            object.__setattr__(self, name, value)
        # A block has ranges of its own.
        _ = self.block
        method: Method[Any] = METHODS.named("method", self.method)
        if not isinstance(method, Method) or method.name != self.method:
            raise InvalidArgumentError("method", self.method, "a Method registered by its own name")
        check_settings_rule(self.method, "announced" if self._has_marks else "local")
        check_tolerance(self.method, self.setting_choice.setting_probability_tolerance)
        method.check_inputs(self.setting_choice.round_probabilities)
        if (self.least_score is not None) != method.scored:
            allowed = "given where the test of the method is a score, and there alone"
            raise InvalidArgumentError("least_score", self.least_score, allowed)
        if self.leakage is not None:
            least = tag_length(self.heralded_rounds, self.epsilons.correctness)
            if self.key_error_rate > 0.5:
                raise InvalidArgumentError("expected_qber", self.expected_qber, "at most 1/2")
            if not least <= self.leakage.tag_bits <= MOST_TAG_BITS:
                allowed = f"at least {least} and at most {MOST_TAG_BITS}"
                raise InvalidArgumentError("tag_bits", self.leakage.tag_bits, allowed)
        if self.length is not None:
            check_length(self, self.length)

    def __repr__(self) -> str:
        """Return what the design comes to."""
        rounds, bits = f"{self.heralded_rounds:,}", f"{self.key_length:,}"
        return f"Design({self.method}, {rounds} heralded rounds, key of {bits} bits)"

    @cached_property
    def block(self) -> Block:
        """The block as it was frozen; its leakage and its counts are those of a run."""
        return Block(
            rounds=self.heralded_rounds,
            probabilities=round_bounds(self.setting_choice),
            win_probability=float(win_probability(self.expected_chsh)),
            secrecy=self.epsilons.secrecy,
            leaked_bits=0.0,
            completeness_share=self.completeness * LOST_TESTS_SHARE,
            noisy_preprocessing=self.noisy_preprocessing,
            tolerated_losses=self.tolerated_test_losses,
            least_score=self.least_score,
            win_probability_at_key_setting=win_at_key_setting(self.expected_chsh_at_key_setting),
        )

    @cached_property
    def proof(self) -> Proof | None:
        """What is proved of the key length; None without one, or for methods without a proof."""
        return proof_of(self, self.length)

    @property
    def claims_nothing(self) -> bool:
        """Whether its method has proofs and this design none: it makes no key."""
        return is_proved(self.method) and self.proof is None

    @property
    def win_probabilities(self) -> tuple[float, float]:
        """Expected w of tests with the reference's key setting, and of the others."""
        return self.block.win_probabilities

    @property
    def _parameters(self) -> Any:
        """The free parameters of the method; None without a length."""
        return self.length.parameters if self.length else None

    @property
    def _has_marks(self) -> bool:
        return isinstance(self.setting_choice, AnnouncedMarks)

    @property
    def label(self) -> str:
        """What the keys of this design are worth, in words."""
        return METHODS[self.method].label

    @property
    def key_length(self) -> int:
        """Expected length of the key in bits, a whole number of bytes; 0 when there is none."""
        if self.leakage is None:
            return 0
        kinds = self.setting_choice.round_probabilities
        key, tests = (math.floor(self.heralded_rounds * p) for p in (kinds.key, kinds.test))
        if METHODS[self.method].varies and self.length:
            return whole_bytes(min(self.length.bits, key))
        return self.final_key_length(key, GameTally(tests, 0), self.most_outcome_bits(tests))

    @property
    def entropy_per_key_round(self) -> float:
        """Asymptotic entropy of a key bit at the expected CHSH value, noise included."""
        return float(chsh_entropy(self.block.win_probability, self.noisy_preprocessing))

    @property
    def key_error_rate(self) -> float:
        """Expected error rate of the key bits that are reconciled, noise included."""
        return noisy_error_rate(self.expected_qber, self.noisy_preprocessing)

    @property
    def both_publish_tests(self) -> bool:
        """Whether the corrector publishes its test outcomes too."""
        return METHODS[self.method].published_per_test == 2

    @cached_property
    def least_test_rounds(self) -> int:
        """The run aborts below this number of test rounds: it is unlikely under these settings."""
        test = round_bounds(self.setting_choice).test
        return lower_quantile(self.heralded_rounds, test, self.completeness * RARE_SHARE)

    def settings_as_designed(self, pairs: npt.NDArray[np.int64]) -> bool:
        """Tell whether each pair of settings is neither too rare nor too frequent.

        Parameters
        ----------
        pairs : ndarray of int64, shape (x, y)
            Rounds of each pair, of all heralded rounds.
        """
        share = pair_share(self.completeness)
        choice, rounds = self.setting_choice, self.heralded_rounds
        return settings_are_likely(choice, self.scheme, pairs, rounds, share)

    def coins_as_designed(self, kept: int, surplus: int) -> bool:
        """Tell whether the coins keep neither too few nor too many of the surplus rounds.

        Beside settings as designed, this bounds the number of tests from both sides.

        Parameters
        ----------
        kept, surplus : int
            Coins that are 1, and all of them.
        """
        choice, share = self.setting_choice, pair_share(self.completeness)
        return isinstance(choice, LocalSettings) and coins_are_likely(choice, kept, surplus, share)

    @property
    def acceptance_rule(self) -> str:
        """What the key is made to depend on, in words."""
        return METHODS[self.method].acceptance_rule(self.block, self._parameters)

    @property
    def leakage_budget_bits(self) -> float:
        """Most leaked bits of a run; unbounded where the length follows the leakage."""
        if self.leakage is None:
            return 0
        return math.inf if METHODS[self.method].varies else self.leakage.budget_bits

    def most_outcome_bits(self, test_rounds: int) -> int:
        """Return the outcome-dependent bits of a transcript that uses the budget up."""
        budget = self.leakage.budget_bits if self.leakage else 0
        return budget + self._paid_otherwise(test_rounds)

    def exceeds_budget(self, outcome_bits: int, test_rounds: int) -> bool:
        """Tell whether a transcript with so many outcome-dependent bits is beyond the budget."""
        return outcome_bits - self._paid_otherwise(test_rounds) > self.leakage_budget_bits

    def accepts(self, tally: GameTally) -> bool:
        """Tell whether the test is passed: by a count, or by functions fixed before the run.

        Parameters
        ----------
        tally : GameTally
            Number of test rounds and of lost ones, of both kinds.
        """
        tests, proof = counts_of(tally), self.proof
        if proof is not None:
            return accepts(self, proof, tests)
        return METHODS[self.method].accepts(self.block, self._parameters, tests)

    @property
    def loss_limit(self) -> tuple[tuple[float, float], float]:
        """What a lost test weighs, with the reference's key setting or not, and the most in all."""
        return METHODS[self.method].loss_limit(self.block, self.length)

    def final_key_length(self, key_rounds: int, tests: GameTally, outcome_bits: int) -> int:
        """Return the key length in bits after reconciliation, a whole number of bytes.

        Parameters
        ----------
        key_rounds : int
            Number of key rounds.
        tests : GameTally
            Number of test rounds and, for lengths that vary, how many of them were lost.
        outcome_bits : int
            Outcome-dependent bits on the transcript, published tests included.

        Returns
        -------
        int
            The fixed length of a fixed-length design, whatever the counts within its budget; else
            what the counts and the leakage leave, never more than the key rounds less the leakage.
        """
        method = METHODS[self.method]
        leaked = outcome_bits - self._paid_otherwise(tests.rounds)
        if self.claims_nothing or leaked > self.leakage_budget_bits:
            return 0
        if method.varies and self.proof is not None:
            proved = varying_bits(self.proof, counts_of(tests), leaked)
            return whole_bytes(min(proved, key_rounds - leaked))
        if method.varies:
            block = self._finished(tests, outcome_bits)
            return whole_bytes(method.final_bits(block, self._parameters, key_rounds))
        if self.length is None:
            return 0
        return whole_bytes(self.length.bits) if self.length.bits <= key_rounds else 0

    def terms(self, tests: GameTally, outcome_bits: int) -> Terms:
        """Return the contributions to the key of a finished run in bits, costs negative.

        Parameters are those of `final_key_length`. A fixed length has the terms of the design.
        """
        method = METHODS[self.method]
        if self.length is None:
            return Terms({})
        if not method.varies:
            return self.length.terms
        return as_proved(method.terms(self._finished(tests, outcome_bits), self._parameters))

    def asymptotic_key_length(self, key_rounds: int, test_rounds: int, outcome_bits: int) -> int:
        """Return what the asymptotic formula leaves of the key rounds: not secure at finite size.

        The entropy is that of the *expected* CHSH value (Acín et al., PRL 98, 230501 (2007)). The
        published tests are independent of the key rounds in this limit, and cost them nothing.
        """
        sent = outcome_bits - test_rounds * METHODS[self.method].published_per_test
        win = self.block.win_probability
        return whole_bytes(
            asymptotic_bits(key_rounds, win, self.noisy_preprocessing, leaked_bits=sent)
        )

    def _finished(self, tests: GameTally, outcome_bits: int) -> Block:
        """Return the block of a finished run."""
        leaked = outcome_bits - self._paid_otherwise(tests.rounds)
        return replace(self.block, leaked_bits=leaked, counts=counts_of(tests))

    def _paid_otherwise(self, test_rounds: int) -> int:
        """Return the published test outcomes that the terms pay for, rather than the leakage."""
        method = METHODS[self.method]
        return test_rounds * (method.published_per_test - method.charged_per_test)

    def to_dict(self) -> dict[str, Any]:
        """Return the design as JSON-able values."""
        values = asdict(self)
        if not self.setting_choice.setting_probability_tolerance:
            # Designs without these keep the fingerprint that they had before there were any.
            del values["setting_choice"]["setting_probability_tolerance"]
        if values["setting_choice"].get("coin_probability", 0) is None:
            del values["setting_choice"]["coin_probability"]
        if self.expected_chsh_at_key_setting is None:
            del values["expected_chsh_at_key_setting"]
        if self.length is not None:
            values["length"]["terms"] = dict(self.length.terms)
        values["least_test_rounds"] = self.least_test_rounds
        values["entropy_per_key_round"] = self.entropy_per_key_round
        values["label"] = self.label
        values["key_length"] = self.key_length
        kinds = self.setting_choice.round_probabilities
        values["round_probabilities"] = {"key": kinds.key, "test": kinds.test}
        if not METHODS[self.method].composable:
            values["epsilons"]["secrecy"] = None
        return values

    def fingerprint(self) -> str:
        """Return the SHA-256 of the design, which both parties must share."""
        text = json.dumps(self.to_dict(), sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()


def whole_bytes(bits: int) -> int:
    """Round a number of bits down to whole bytes, and up to zero.

    A key file then holds uniform bytes only, without padding.
    """
    return max(0, bits // 8 * 8)
