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
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from postprocessing.checks import whole_number
from postprocessing.errors import InvalidArgumentError
from postprocessing.leakage import LeakagePlan, expected_leakage, plan_leakage
from postprocessing.quantiles import exceedance, lower_quantile
from postprocessing.reconciliation import get_code, tag_length
from postprocessing.rounds import BellSettings, LocalSettings
from postprocessing.security import (
    EpsilonSplit,
    KeyLength,
    chsh_entropy,
    optimise_local_settings,
    tan22_key_length,
    tolerated_test_losses,
    win_probability,
)

Method = Literal["tan22", "asymptotic"]

# Counts stay exact in double precision.
MOST_ROUNDS = 10**15
# Parts of the completeness: too few tests, and too few rounds of a run of so many pulses, have a
# thousandth each, and too many lost tests have what these leave of a half.
RARE_SHARE = 1e-3
_LOST_TESTS_SHARE = 0.5 - 2 * RARE_SHARE

LABELS: dict[Method, str] = {
    "tan22": "composable finite-size security against coherent attacks (Tan et al. 2022)",
    "asymptotic": "asymptotic: not secure at finite size",
}


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
    method : {"tan22", "asymptotic"}
        How the key length was computed.
    heralded_rounds : int
        n, every heralded round counts.
    local_settings : LocalSettings
        Probabilities with which each side chooses its settings.
    tolerated_test_losses : int
        The test is accepted when at most this many test rounds are lost.
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
        What honest devices are expected to do.
    entropy_per_key_round : float
        Asymptotic entropy of a key bit at the expected CHSH value; used by "asymptotic" only.
    length : KeyLength or None
        Fixed key length of "tan22" with all its terms; None for "asymptotic", or without a code.

    Raises
    ------
    InvalidArgumentError
        If the tag is too short for the correctness, or the fixed key length longer than the other
        parameters allow.
    """

    settings: BellSettings
    method: Method
    heralded_rounds: int
    local_settings: LocalSettings
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

    def __post_init__(self) -> None:
        """Check that tag and key length follow from the rest, whoever put it together."""
        if self.leakage is not None:
            get_code(self.leakage.code)
            least = tag_length(self.heralded_rounds, self.epsilons.correctness)
            if self.leakage.tag_bits < least:
                raise InvalidArgumentError("tag_bits", self.leakage.tag_bits, f"at least {least}")
        if self.length is None:
            return
        if self.method != "tan22" or self.leakage is None:
            raise InvalidArgumentError("length", self.length.bits, "None without a fixed length")
        allowed = tan22_key_length(
            rounds=self.heralded_rounds,
            probabilities=self.local_settings.rounds,
            tolerated_losses=self.tolerated_test_losses,
            leaked_bits=self.leakage.budget_bits,
            secrecy=self.epsilons.secrecy,
            parameters=self.length.parameters,
        ).bits
        if self.length.bits > allowed:
            raise InvalidArgumentError("length", self.length.bits, f"at most {allowed} bits")

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
        return self.final_key_length(key, tests, self.leakage.budget_bits)

    @property
    def leakage_budget_bits(self) -> float:
        """Most outcome-dependent bits the transcript may hold; unbounded for "asymptotic"."""
        if self.leakage is None:
            return 0
        return math.inf if self.method == "asymptotic" else self.leakage.budget_bits

    def final_key_length(self, key_rounds: int, test_rounds: int, leaked_bits: int) -> int:
        """Return the key length in bits after reconciliation, a whole number of bytes.

        Parameters
        ----------
        key_rounds, test_rounds : int
            Number of key and test rounds.
        leaked_bits : int
            Outcome-dependent bits on the transcript.

        Returns
        -------
        int
            The fixed length of a finite-size design, whatever the counts within its budget; for
            "asymptotic" the asymptotic length.
        """
        if self.method == "asymptotic":
            return self.asymptotic_key_length(key_rounds, test_rounds, leaked_bits)
        bits = self.length.bits if self.length is not None else 0
        fits = leaked_bits <= self.leakage_budget_bits and bits <= key_rounds
        return whole_bytes(bits) if fits else 0

    def asymptotic_key_length(self, key_rounds: int, test_rounds: int, leaked_bits: int) -> int:
        """Return what the asymptotic formula leaves of the key rounds: not secure at finite size.

        The entropy is that of the *expected* CHSH value (Acín et al., PRL 98, 230501 (2007)). The
        published tests are independent of the key rounds in this limit, and cost them nothing.
        """
        entropy = math.floor(key_rounds * self.entropy_per_key_round)
        return whole_bytes(entropy - (leaked_bits - test_rounds))

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
    method : {"tan22", "asymptotic"}
        Key-length method. "asymptotic" keys are not secure at finite size and say so.

    Raises
    ------
    InvalidArgumentError
        If a value is outside its range.
    """

    soundness: float = 1e-10
    completeness: float = 1e-2
    method: Method = "tan22"

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, least in (("soundness", 1e-20), ("completeness", 1e-12)):
            value = getattr(self, name)
            if not least <= value < 1:
                raise InvalidArgumentError(name, value, f"a probability in [{least}, 1)")
        if self.method not in get_args(Method):
            raise InvalidArgumentError("method", self.method, f"one of {get_args(Method)}")

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


def _design(security: Security, expected: ExpectedBehaviour, rounds: int) -> Design:
    """Optimise the settings for the finite-size length, then fix thresholds and budget."""
    epsilons = EpsilonSplit.from_soundness(security.soundness)
    tag_bits = tag_length(rounds, epsilons.correctness)
    win = win_probability(expected.chsh)
    threshold_share = security.completeness * _LOST_TESTS_SHARE
    rare_share = security.completeness * RARE_SHARE
    local = optimise_local_settings(
        rounds=rounds,
        win_probability=win,
        secrecy=epsilons.secrecy,
        completeness_share=threshold_share,
        leakage=lambda p: expected_leakage(rounds, p, expected.qber, tag_bits),
    )
    losses = tolerated_test_losses(rounds, local.rounds.test, win, threshold_share)
    plan = plan_leakage(rounds, local.rounds, expected.qber, tag_bits, security.completeness)
    abort = exceedance(rounds, local.rounds.test * (1 - win), losses) + rare_share
    length = None
    if security.method == "tan22" and plan is not None:
        length = tan22_key_length(
            rounds=rounds,
            probabilities=local.rounds,
            tolerated_losses=losses,
            leaked_bits=plan.budget_bits,
            secrecy=epsilons.secrecy,
        )
        abort += plan.over_budget_probability
    return Design(
        settings=expected.settings,
        method=security.method,
        heralded_rounds=rounds,
        local_settings=local,
        tolerated_test_losses=losses,
        least_test_rounds=lower_quantile(rounds, local.rounds.test, rare_share),
        leakage=plan,
        epsilons=epsilons,
        completeness=security.completeness,
        predicted_abort_probability=abort,
        expected_chsh=expected.chsh,
        expected_qber=expected.qber,
        entropy_per_key_round=float(chsh_entropy(win)),
        length=length,
    )
