"""The design: everything that decides security, frozen before any data.

A design fixes the number of rounds, the settings' probabilities, the tolerated number of lost
tests, the leakage budget, the epsilons, the code and the key length from *expected* values. The run
accepts or aborts against it; nothing in it is ever fitted to observed values.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from postprocessing.checks import whole_number
from postprocessing.errors import InvalidArgumentError
from postprocessing.leakage import LeakagePlan, expected_leakage, plan_leakage
from postprocessing.quantiles import exceedance, lower_quantile
from postprocessing.reconciliation import Mode, tag_length
from postprocessing.rounds import (
    AnnouncedMarks,
    BellSettings,
    RoundProbabilities,
    SettingChoice,
)
from postprocessing.security import (
    LABELS,
    EpsilonSplit,
    HonestBlock,
    KeyLength,
    Method,
    RenyiParameters,
    SettingsRule,
    Tan22Parameters,
    chsh_entropy,
    noisy_error_rate,
    optimal_noise,
    optimise_settings,
    renyi_key_length,
    tan22_key_length,
    win_probability,
)
from postprocessing.security.entropy import check_noise
from postprocessing.security.methods import is_renyi, leaked_per_test, published_per_test

ModeChoice = Literal["auto", "throughput", "efficiency"]

# Counts stay exact in double precision.
MOST_ROUNDS = 10**15
# Parts of the completeness: too few tests, and too few rounds of a run of so many pulses, have a
# thousandth each, and too many lost tests have what these leave of a half.
RARE_SHARE = 1e-3
_LOST_TESTS_SHARE = 0.5 - 2 * RARE_SHARE


class ExpectedBehaviour(Protocol):
    """What a design needs to know of honest devices; a joint distribution has all of it."""

    @property
    def settings(self) -> BellSettings:
        """Settings of the scheme."""

    @property
    def chsh(self) -> float:
        """Expected CHSH value."""

    @property
    def qber(self) -> float:
        """Expected error rate of the key pair."""


@runtime_checkable
class HasJointDistribution(Protocol):
    """A protocol model, which knows its own expected behaviour."""

    def joint_distribution(self) -> ExpectedBehaviour:
        """Return the distribution of a round."""


@dataclass(frozen=True)
class ExpectedValues:
    """Expected behaviour of honest devices, given as numbers.

    Parameters
    ----------
    settings : BellSettings
        Settings of the scheme.
    chsh : float
        Expected CHSH value, at most 2√2.
    qber : float
        Expected error rate of the key pair, in [0, 1].
    """

    settings: BellSettings
    chsh: float
    qber: float


@dataclass(frozen=True)
class Design:
    """The frozen parameters of a run.

    Parameters
    ----------
    settings : BellSettings
        Settings of the scheme.
    method : {"tan22", "geat", "renyi", "renyi_fixed", "asymptotic"}
        How the key length was computed.
    heralded_rounds : int
        n, every heralded round counts.
    local_settings : LocalSettings or AnnouncedMarks
        Probabilities with which settings are chosen: by each side alone, or by shared marks.
    tolerated_test_losses : int
        The test of "tan22", "geat" and "asymptotic" is accepted when at most this many test rounds
        are lost.
    least_test_rounds : int
        The run aborts below this number of test rounds: settings were not drawn as designed.
    leakage : LeakagePlan or None
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
        If the tag is too short for the correctness, the key length longer than the other
        parameters allow, or marks are announced under a method that does not cover it.
    """

    settings: BellSettings
    method: Method
    heralded_rounds: int
    local_settings: SettingChoice
    tolerated_test_losses: int
    least_test_rounds: int
    leakage: LeakagePlan | None
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
        if self.method not in get_args(Method):
            raise InvalidArgumentError("method", self.method, f"one of {get_args(Method)}")
        check_noise(self.noisy_preprocessing)
        if isinstance(self.local_settings, AnnouncedMarks) and self.method != "geat":
            raise InvalidArgumentError("method", self.method, "geat, where marks are announced")
        if (self.least_score is not None) != (self.method == "renyi_fixed"):
            allowed = "given for renyi_fixed, and for it alone"
            raise InvalidArgumentError("least_score", self.least_score, allowed)
        if self.leakage is not None:
            least = tag_length(self.heralded_rounds, self.epsilons.correctness)
            if self.leakage.tag_bits < least:
                raise InvalidArgumentError("tag_bits", self.leakage.tag_bits, f"at least {least}")
        if self.length is None:
            return
        if self.method == "asymptotic" or self.leakage is None:
            raise InvalidArgumentError("length", self.length.bits, "None without a finite size")
        kind = RenyiParameters if is_renyi(self.method) else Tan22Parameters
        if not isinstance(self.length.parameters, kind):
            given = type(self.length.parameters).__name__
            raise InvalidArgumentError("length", given, f"one with {kind.__name__}")
        if self.method != "renyi":
            allowed_bits = self._length_at(0, 0, self.leakage.budget_bits).bits
            if self.length.bits > allowed_bits:
                allowed = f"at most {allowed_bits} bits"
                raise InvalidArgumentError("length", self.length.bits, allowed)

    @property
    def label(self) -> str:
        """What the keys of this design are worth, in words."""
        return LABELS[self.method]

    @property
    def key_length(self) -> int:
        """Expected length of the key in bits, a whole number of bytes; 0 when there is none."""
        if self.leakage is None:
            return 0
        kinds = self.local_settings.rounds
        key, tests = (math.floor(self.heralded_rounds * p) for p in (kinds.key, kinds.test))
        if self.method == "renyi":
            return whole_bytes(min(self.length.bits, key) if self.length else 0)
        leaked = self.leakage.budget_bits
        return self.final_key_length(key, tests, leaked + self._paid_otherwise(tests))

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

    def _length_at(self, won: int, lost: int, leaked_bits: int) -> KeyLength:
        """Evaluate the bound at the frozen parameters, the counts for "renyi" alone."""
        parameters = self.length.parameters if self.length else None
        common: dict[str, Any] = {
            "rounds": self.heralded_rounds,
            "probabilities": self.local_settings.rounds,
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
        values["round_probabilities"] = asdict(self.local_settings.rounds)
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


@dataclass(frozen=True)
class Security:
    """What the user asks of the keys.

    Parameters
    ----------
    soundness : float
        ε in [1e-20, 1): the keys are ε-sound, ε_sec + 2 ε_cor = ε.
    completeness : float
        Largest abort probability of honest devices, in [1e-12, 1). Not a security quantity.
    method : {"tan22", "geat", "renyi", "renyi_fixed", "asymptotic"}
        Key-length method. "asymptotic" keys are not secure at finite size, those of the Rényi
        methods rest on a derivation that is not peer reviewed, and they say so.
    settings : {"local", "announced"}
        Whether each side chooses its settings alone, or both follow a mark that is announced
        before they measure; the latter needs "geat".
    noisy_preprocessing : float or "optimal"
        q in [0, 1/2), the probability with which the reference inverts each key bit.
    reconciliation : {"auto", "throughput", "efficiency"}
        Codes that decode fast, those that leak little, or whichever leave the longer key.

    Raises
    ------
    InvalidArgumentError
        If a value is outside its range.
    """

    soundness: float = 1e-10
    completeness: float = 1e-2
    method: Method = "tan22"
    settings: SettingsRule = "local"
    noisy_preprocessing: float | Literal["optimal"] = 0.0
    reconciliation: ModeChoice = "auto"

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, least in (("soundness", 1e-20), ("completeness", 1e-12)):
            value = getattr(self, name)
            if not least <= value < 1:
                raise InvalidArgumentError(name, value, f"a probability in [{least}, 1)")
        if self.method not in get_args(Method):
            raise InvalidArgumentError("method", self.method, f"one of {get_args(Method)}")
        if self.settings not in get_args(SettingsRule):
            allowed = f"one of {get_args(SettingsRule)}"
            raise InvalidArgumentError("settings", self.settings, allowed)
        if self.settings == "announced" and self.method != "geat":
            raise InvalidArgumentError("method", self.method, "geat, where marks are announced")
        if self.noisy_preprocessing != "optimal":
            check_noise(self.noisy_preprocessing)
        if self.reconciliation not in get_args(ModeChoice):
            allowed = f"one of {get_args(ModeChoice)}"
            raise InvalidArgumentError("reconciliation", self.reconciliation, allowed)

    def design(
        self, expected: ExpectedBehaviour | HasJointDistribution, heralded_rounds: int
    ) -> Design:
        """Fix everything that decides security, before any data.

        Parameters
        ----------
        expected : ExpectedValues, JointDistribution or ProtocolModel
            What honest devices are expected to do.
        heralded_rounds : int
            Number n of heralded rounds, 1 to 10¹⁵.

        Returns
        -------
        Design
            Frozen; its key length is 0 when n is too small for any key.

        Raises
        ------
        InvalidArgumentError
            If the number of rounds or the QBER is outside its range.
        """
        behaviour = (
            expected.joint_distribution()
            if isinstance(expected, HasJointDistribution)
            else expected
        )
        rounds = whole_number("heralded_rounds", heralded_rounds, 1, MOST_ROUNDS)
        if not 0 <= behaviour.qber <= 1:
            raise InvalidArgumentError("qber", behaviour.qber, "in [0, 1]")
        return _design(self, behaviour, rounds)

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The modes of reconciliation to choose from."""
        if self.reconciliation == "auto":
            return ("throughput", "efficiency")
        return (self.reconciliation,)


def _design(security: Security, expected: ExpectedBehaviour, rounds: int) -> Design:
    """Optimise noise and settings for the finite-size length, then fix thresholds and budget."""
    epsilons = EpsilonSplit.from_soundness(security.soundness)
    tag_bits = tag_length(rounds, epsilons.correctness)
    win = float(win_probability(expected.chsh))
    share = security.completeness * _LOST_TESTS_SHARE
    rare_share = security.completeness * RARE_SHARE
    block = HonestBlock(rounds, win, epsilons.secrecy, share, security.method)
    leakage = partial(_expected_leakage, rounds, expected.qber, tag_bits, security)
    block, choice = _optimised(block, security, leakage)
    marks, charged = choice.rounds, leaked_per_test(security.method)
    qber = noisy_error_rate(expected.qber, block.noise)
    plans = (
        plan_leakage(rounds, marks, qber, tag_bits, security.completeness, mode, charged)
        for mode in security.modes
    )
    plan = min((p for p in plans if p), key=lambda p: p.budget_bits, default=None)
    losses = block.tolerated_losses(marks)
    length, missed = _length_and_risk(block, marks, plan, leakage(block.noise, marks))
    abort, least_score = rare_share + missed, None
    if not is_renyi(security.method):
        abort += exceedance(rounds, marks.test * (1 - win), losses)
    if security.method == "renyi_fixed":
        abort, least_score = abort + share, 0.0
        if length is not None and isinstance(length.parameters, RenyiParameters):
            least_score = block.least_score(marks, length.parameters)
    return Design(
        settings=expected.settings,
        method=security.method,
        heralded_rounds=rounds,
        local_settings=choice,
        tolerated_test_losses=losses,
        least_test_rounds=lower_quantile(rounds, marks.test, rare_share),
        leakage=plan,
        epsilons=epsilons,
        completeness=security.completeness,
        predicted_abort_probability=min(abort, 1.0),
        expected_chsh=expected.chsh,
        expected_qber=expected.qber,
        entropy_per_key_round=float(chsh_entropy(win, block.noise)),
        length=length,
        noisy_preprocessing=block.noise,
        least_score=least_score,
    )


def _length_and_risk(
    block: HonestBlock,
    marks: RoundProbabilities,
    plan: LeakagePlan | None,
    expected_leakage: float,
) -> tuple[KeyLength | None, float]:
    """Return the key length, and how often honest devices leak too much for it or get none.

    A varying length is that of the best mean, or of the best low quantile where honest devices
    would miss the former too often; where they miss both there is no key.
    """
    if plan is None or block.method == "asymptotic":
        return None, 0.0
    if block.method != "renyi":
        return block.length(marks, plan.budget_bits), plan.over_budget_probability
    for length_of in (block.length, block.reliable_length):
        length = length_of(marks, math.ceil(expected_leakage))
        missed = block.no_key_probability(marks, length, plan.budget_bits)
        if missed <= block.completeness_share:
            return length, missed + plan.over_budget_probability
    return None, 1.0


def _expected_leakage(
    rounds: int,
    qber: float,
    tag_bits: int,
    security: Security,
    noise: float,
    marks: RoundProbabilities,
) -> float:
    """Return a smooth estimate of what a run leaks, the tests of the Rényi methods excepted."""
    noisy, charged = noisy_error_rate(qber, noise), leaked_per_test(security.method)
    return min(
        expected_leakage(rounds, marks, noisy, tag_bits, mode, charged) for mode in security.modes
    )


def _optimised(
    block: HonestBlock,
    security: Security,
    leakage: Callable[[float, RoundProbabilities], float],
) -> tuple[HonestBlock, SettingChoice]:
    """Return the block with its noise, and the best settings for it."""
    noise, rule = security.noisy_preprocessing, security.settings
    if noise == "optimal":
        # The best rate of tests hardly depends on the noise.
        typical = optimise_settings(block, rule=rule, leakage=partial(leakage, 0.0)).rounds

        def length(q: float) -> float:
            return replace(block, noise=q).length(typical, leakage(q, typical)).unclipped

        noise = optimal_noise(length)
    block = replace(block, noise=noise)
    return block, optimise_settings(block, rule=rule, leakage=partial(leakage, noise))
