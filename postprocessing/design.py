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
from typing import Literal, Protocol, get_args, runtime_checkable

from scipy.stats import binom

from postprocessing.errors import InvalidArgumentError
from postprocessing.leakage import LeakagePlan, expected_leakage, plan_leakage
from postprocessing.reconciliation import tag_length
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
        Expected error rate of the key pair, in [0, 1/2].
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
        Fixed key length of "tan22" with all its terms; None for "asymptotic".
    """

    settings: BellSettings
    method: Method
    heralded_rounds: int
    local_settings: LocalSettings
    tolerated_test_losses: int
    leakage: LeakagePlan | None
    epsilons: EpsilonSplit
    completeness: float
    predicted_abort_probability: float
    expected_chsh: float
    expected_qber: float
    entropy_per_key_round: float
    length: KeyLength | None = field(default=None)

    @property
    def label(self) -> str:
        """What the keys of this design are worth, in words."""
        return LABELS[self.method]

    @property
    def key_length(self) -> int:
        """Expected length of the key in bits, a whole number of bytes; 0 when there is none."""
        if self.leakage is None:
            return 0
        if self.length is not None:
            return whole_bytes(self.length.bits)
        key_rounds = math.floor(self.heralded_rounds * self.local_settings.rounds.key)
        return self.final_key_length(key_rounds, self.leakage.budget_bits)

    @property
    def leakage_budget_bits(self) -> float:
        """Most outcome-dependent bits the transcript may hold; unbounded for "asymptotic"."""
        if self.leakage is None:
            return 0
        return self.leakage.budget_bits if self.length is not None else math.inf

    def final_key_length(self, key_rounds: int, leaked_bits: int) -> int:
        """Return the key length in bits after reconciliation, a whole number of bytes.

        Parameters
        ----------
        key_rounds : int
            Number of key rounds.
        leaked_bits : int
            Outcome-dependent bits on the transcript.

        Returns
        -------
        int
            The fixed length of a finite-size design, whatever the counts within its budget; for
            "asymptotic" the asymptotic length.
        """
        if self.length is not None:
            fits = leaked_bits <= self.leakage_budget_bits and self.length.bits <= key_rounds
            return whole_bytes(self.length.bits) if fits else 0
        return self.asymptotic_key_length(key_rounds, leaked_bits)

    def asymptotic_key_length(self, key_rounds: int, leaked_bits: int) -> int:
        """Return what the asymptotic formula leaves of the key rounds: not secure at finite size.

        The entropy is that of the *expected* CHSH value (Acín et al., PRL 98, 230501 (2007)).
        """
        return whole_bytes(math.floor(key_rounds * self.entropy_per_key_round) - leaked_bits)

    def to_dict(self) -> dict[str, object]:
        """Return the design as JSON-able values."""
        values = asdict(self)
        values["label"] = self.label
        values["key_length"] = self.key_length
        values["round_probabilities"] = asdict(self.local_settings.rounds)
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
        ε in (0, 1): the keys are ε-sound, ε_sec + 2 ε_cor = ε.
    completeness : float
        Largest abort probability of honest devices, in (0, 1). Not a security quantity.
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
        for name in ("soundness", "completeness"):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise InvalidArgumentError(name, value, "a probability in (0, 1)")
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
            Number n of heralded rounds, at least 1.

        Returns
        -------
        Design
            Frozen; its key length is 0 when n is too small for any key.

        Raises
        ------
        InvalidArgumentError
            If the number of rounds is not positive or the QBER is outside [0, 1/2].
        """
        behaviour = (
            expected.joint_distribution()
            if isinstance(expected, HasJointDistribution)
            else expected
        )
        if heralded_rounds < 1:
            raise InvalidArgumentError("heralded_rounds", heralded_rounds, "at least 1")
        if not 0 <= behaviour.qber <= 0.5:
            raise InvalidArgumentError("qber", behaviour.qber, "in [0, 1/2]")
        return _design(self, behaviour, heralded_rounds)


def _design(security: Security, expected: ExpectedBehaviour, rounds: int) -> Design:
    """Optimise the settings for the finite-size length, then fix thresholds and budget."""
    epsilons = EpsilonSplit.from_soundness(security.soundness)
    tag_bits = tag_length(rounds, epsilons.correctness)
    win = win_probability(expected.chsh)
    threshold_share = security.completeness / 2
    local = optimise_local_settings(
        rounds=rounds,
        win_probability=win,
        secrecy=epsilons.secrecy,
        completeness_share=threshold_share,
        leakage=lambda p: expected_leakage(rounds, p, expected.qber, tag_bits),
    )
    losses = tolerated_test_losses(rounds, local.rounds.test, win, threshold_share)
    plan = plan_leakage(rounds, local.rounds, expected.qber, tag_bits, security.completeness)
    loss_rate = local.rounds.test * (1 - win)
    abort = float(binom.sf(losses, rounds, loss_rate))
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
        leakage=plan,
        epsilons=epsilons,
        completeness=security.completeness,
        predicted_abort_probability=abort,
        expected_chsh=expected.chsh,
        expected_qber=expected.qber,
        entropy_per_key_round=float(chsh_entropy(win)),
        length=length,
    )
