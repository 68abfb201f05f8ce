"""The design: everything that decides security, frozen before any data.

A design fixes the number of rounds, the settings' probabilities, the tolerated number of lost
tests, the leakage budget, the epsilons, the code and the key length from *expected* values. The run
accepts or aborts against it; nothing in it is ever fitted to observed values.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any, get_args

from postprocessing.design.leakage import LeakageBudget
from postprocessing.errors import InvalidArgumentError
from postprocessing.reconciliation import MOST_TAG_BITS, tag_length
from postprocessing.scheme import AnnouncedMarks, BellScheme, SettingChoice
from postprocessing.security import (
    LABELS,
    EpsilonSplit,
    KeyLength,
    Method,
    RenyiParameters,
    Tan22Parameters,
    noisy_error_rate,
    renyi_key_length,
    tan22_key_length,
    win_probability,
)
from postprocessing.security.entropy import check_noise
from postprocessing.security.methods import is_renyi, leaked_per_test, published_per_test

# Counts stay exact in double precision.
MOST_ROUNDS = 10**15


@dataclass(frozen=True)
class Design:
    """The frozen parameters of a run.

    Parameters
    ----------
    scheme : BellScheme
        Settings of the scheme.
    method : {"tan22", "geat", "renyi", "renyi_fixed", "asymptotic"}
        How the key length was computed.
    heralded_rounds : int
        n, every heralded round counts.
    setting_choice : LocalSettings or AnnouncedMarks
        Probabilities with which settings are chosen: by each side alone, or by shared marks.
    tolerated_test_losses : int
        The test of "tan22", "geat" and "asymptotic" is accepted when at most this many test rounds
        are lost.
    least_test_rounds : int
        The run aborts below this number of test rounds: settings were not drawn as designed.
    leakage : LeakageBudget or None
        Code, tag length and leakage budget; None when no code serves the expected QBER.
    epsilons : EpsilonSplit
        Secrecy and correctness; soundness is ε_sec + 2 ε_cor.
    completeness : float
        Bound on the abort probability of honest devices.
    predicted_abort_probability : float
        Union bound on the abort probability of honest devices with the expected behaviour.
    expected_chsh, expected_qber : float
        What honest devices are expected to do, before noise is added.
    entropy_per_key_round : float
        Asymptotic entropy of a key bit at the expected CHSH value; used by "asymptotic" only.
    length : KeyLength or None
        Key length with all its terms, fixed or, for "renyi", at the expected counts; None for
        "asymptotic", or without a code.
    noisy_preprocessing : float
        q in [0, 1/2), the probability with which the reference inverts each key bit.
    least_score : float or None
        F_min, the score at which the test of "renyi_fixed" is accepted; None for other methods.

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
    method: Method
    heralded_rounds: int
    setting_choice: SettingChoice
    tolerated_test_losses: int
    least_test_rounds: int
    leakage: LeakageBudget | None
    epsilons: EpsilonSplit
    completeness: float
    predicted_abort_probability: float
    expected_chsh: float
    expected_qber: float
    entropy_per_key_round: float
    length: KeyLength | None = field(default=None)
    noisy_preprocessing: float = 0.0
    least_score: float | None = None

    def __post_init__(self) -> None:
        """Check that tag and key length follow from the rest, whoever put it together."""
        self._check_ranges()
        if self.method not in get_args(Method):
            raise InvalidArgumentError("method", self.method, f"one of {get_args(Method)}")
        check_noise(self.noisy_preprocessing)
        if isinstance(self.setting_choice, AnnouncedMarks) and self.method != "geat":
            raise InvalidArgumentError("method", self.method, "geat, where marks are announced")
        if (self.least_score is not None) != (self.method == "renyi_fixed"):
            allowed = "given for renyi_fixed, and for it alone"
            raise InvalidArgumentError("least_score", self.least_score, allowed)
        if self.leakage is not None:
            least = tag_length(self.heralded_rounds, self.epsilons.correctness)
            if not least <= self.leakage.tag_bits <= MOST_TAG_BITS:
                allowed = f"at least {least} and at most {MOST_TAG_BITS}"
                raise InvalidArgumentError("tag_bits", self.leakage.tag_bits, allowed)
        if self.length is not None:
            self._check_length(self.length)

    def _check_ranges(self) -> None:
        """Check that every number is one."""
        most_chsh = 2 * math.sqrt(2) * (1 + 1e-12)
        ranges: dict[str, tuple[float, float]] = {
            "heralded_rounds": (1, MOST_ROUNDS),
            "tolerated_test_losses": (0, MOST_ROUNDS),
            "least_test_rounds": (0, MOST_ROUNDS),
            "completeness": (0, 1),
            "predicted_abort_probability": (0, 1),
            "expected_chsh": (-most_chsh, most_chsh),
            "expected_qber": (0, 1),
            "entropy_per_key_round": (0, 1),
        }
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise InvalidArgumentError(name, getattr(self, name), f"in [{low:g}, {high:g}]")
        if self.least_score is not None and not math.isfinite(self.least_score):
            raise InvalidArgumentError("least_score", self.least_score, "a finite number")

    def _check_length(self, length: KeyLength) -> None:
        """Check that a length is no more than the frozen parameters give."""
        if self.method == "asymptotic" or self.leakage is None:
            raise InvalidArgumentError("length", length.bits, "None without a finite size")
        kind = RenyiParameters if is_renyi(self.method) else Tan22Parameters
        if not isinstance(length.parameters, kind):
            given = type(length.parameters).__name__
            raise InvalidArgumentError("length", given, f"one with {kind.__name__}")
        tests = self.heralded_rounds * self.setting_choice.round_probabilities.test
        win = float(win_probability(self.expected_chsh))
        leaked: float = self.leakage.budget_bits
        if self.method == "renyi":
            leaked = max(0.0, -length.terms.leakage)
        derived = self._length_at(tests * win, tests * (1 - win), leaked)
        if length.bits > derived.bits:
            raise InvalidArgumentError("length", length.bits, f"at most {derived.bits} bits")

    def __repr__(self) -> str:
        """Return what the design comes to."""
        rounds, bits = f"{self.heralded_rounds:,}", f"{self.key_length:,}"
        return f"Design({self.method}, {rounds} heralded rounds, key of {bits} bits)"

    @property
    def label(self) -> str:
        """What the keys of this design are worth, in words."""
        return LABELS[self.method]

    @property
    def key_length(self) -> int:
        """Expected length of the key in bits, a whole number of bytes; 0 when there is none."""
        if self.leakage is None:
            return 0
        kinds = self.setting_choice.round_probabilities
        key, tests = (math.floor(self.heralded_rounds * p) for p in (kinds.key, kinds.test))
        if self.method == "renyi":
            return whole_bytes(min(self.length.bits, key) if self.length else 0)
        return self.final_key_length(key, tests, self.most_outcome_bits(tests))

    @property
    def key_error_rate(self) -> float:
        """Expected error rate of the key bits that are reconciled, noise included."""
        return noisy_error_rate(self.expected_qber, self.noisy_preprocessing)

    @property
    def both_publish_tests(self) -> bool:
        """Whether the corrector publishes its test outcomes too."""
        return published_per_test(self.method) == 2

    @property
    def leakage_budget_bits(self) -> float:
        """Most leaked bits of a run; unbounded where the length follows the leakage."""
        if self.leakage is None:
            return 0
        varies = self.method in ("asymptotic", "renyi")
        return math.inf if varies else self.leakage.budget_bits

    def most_outcome_bits(self, test_rounds: int) -> int:
        """Return the outcome-dependent bits of a transcript that uses the budget up."""
        budget = self.leakage.budget_bits if self.leakage else 0
        return budget + self._paid_otherwise(test_rounds)

    def exceeds_budget(self, outcome_bits: int, test_rounds: int) -> bool:
        """Tell whether a transcript with so many outcome-dependent bits is beyond the budget."""
        return outcome_bits - self._paid_otherwise(test_rounds) > self.leakage_budget_bits

    def accepts(self, test_rounds: int, lost_tests: int) -> bool:
        """Tell whether the test is passed: by a count, or by a function fixed before the run.

        Parameters
        ----------
        test_rounds, lost_tests : int
            Number of test rounds and of lost ones.
        """
        if not is_renyi(self.method):
            return lost_tests <= self.tolerated_test_losses
        parameters = self.length.parameters if self.length else None
        if not isinstance(parameters, RenyiParameters):
            return False
        won = test_rounds - lost_tests
        if self.least_score is not None:
            return parameters.score(won, lost_tests) >= self.least_score
        return self._length_at(won, lost_tests, 0).bits > 0

    def final_key_length(
        self, key_rounds: int, test_rounds: int, outcome_bits: int, lost_tests: int = 0
    ) -> int:
        """Return the key length in bits after reconciliation, a whole number of bytes.

        Parameters
        ----------
        key_rounds, test_rounds : int
            Number of key and test rounds.
        outcome_bits : int
            Outcome-dependent bits on the transcript, published tests included.
        lost_tests : int, optional
            Number of lost tests, which "renyi" alone depends on.

        Returns
        -------
        int
            The fixed length of a fixed-length design, whatever the counts within its budget; for
            "renyi" what the counts and the leakage leave, never more than the key rounds less the
            leakage; for "asymptotic" the asymptotic length.
        """
        if self.method == "asymptotic":
            return self.asymptotic_key_length(key_rounds, test_rounds, outcome_bits)
        leaked = outcome_bits - self._paid_otherwise(test_rounds)
        if self.length is None:
            return 0
        if self.method == "renyi":
            bits = self._length_at(test_rounds - lost_tests, lost_tests, leaked).bits
            return whole_bytes(min(bits, key_rounds - leaked))
        fits = leaked <= self.leakage_budget_bits and self.length.bits <= key_rounds
        return whole_bytes(self.length.bits) if fits else 0

    def terms(self, test_rounds: int, lost_tests: int, outcome_bits: int) -> dict[str, float]:
        """Return the contributions to the key of a finished run in bits, costs negative.

        Parameters are those of `final_key_length`. A fixed length has the terms of the design.
        """
        if self.length is None:
            return {}
        if self.method != "renyi":
            return asdict(self.length.terms)
        leaked = outcome_bits - self._paid_otherwise(test_rounds)
        return asdict(self._length_at(test_rounds - lost_tests, lost_tests, leaked).terms)

    def asymptotic_key_length(self, key_rounds: int, test_rounds: int, outcome_bits: int) -> int:
        """Return what the asymptotic formula leaves of the key rounds: not secure at finite size.

        The entropy is that of the *expected* CHSH value (Acín et al., PRL 98, 230501 (2007)). The
        published tests are independent of the key rounds in this limit, and cost them nothing.
        """
        entropy = math.floor(key_rounds * self.entropy_per_key_round)
        published = test_rounds * published_per_test(self.method)
        return whole_bytes(entropy - (outcome_bits - published))

    def _paid_otherwise(self, test_rounds: int) -> int:
        """Return the published test outcomes that the score pays for, rather than the leakage."""
        unpaid = published_per_test(self.method) - leaked_per_test(self.method)
        return test_rounds * unpaid if is_renyi(self.method) else 0

    def _length_at(self, won: float, lost: float, leaked_bits: float) -> KeyLength:
        """Evaluate the bound at the frozen parameters, the counts for "renyi" alone."""
        parameters = self.length.parameters if self.length else None
        common: dict[str, Any] = {
            "rounds": self.heralded_rounds,
            "probabilities": self.setting_choice.round_probabilities,
            "leaked_bits": leaked_bits,
            "secrecy": self.epsilons.secrecy,
            "noise": self.noisy_preprocessing,
        }
        if isinstance(parameters, RenyiParameters):
            return renyi_key_length(
                won=won, lost=lost, parameters=parameters, least_score=self.least_score, **common
            )
        if not isinstance(parameters, Tan22Parameters):
            raise InvalidArgumentError("length", parameters, "one with the method's parameters")
        return tan22_key_length(
            tolerated_losses=self.tolerated_test_losses,
            accumulation="geat" if self.method == "geat" else "tan22",
            parameters=parameters,
            **common,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the design as JSON-able values."""
        values = asdict(self)
        values["label"] = self.label
        values["key_length"] = self.key_length
        values["round_probabilities"] = asdict(self.setting_choice.round_probabilities)
        if self.method == "asymptotic":
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
