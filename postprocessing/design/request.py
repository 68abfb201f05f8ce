"""What is asked of the keys, and the design that is drawn up for it before any data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, Protocol, get_args, runtime_checkable

from postprocessing.checks import whole_number
from postprocessing.design.design import MOST_ROUNDS, Design
from postprocessing.design.leakage import LeakageBudget, expected_leakage, leakage_budget
from postprocessing.errors import InvalidArgumentError
from postprocessing.quantiles import exceedance, lower_quantile
from postprocessing.reconciliation import Mode, tag_length
from postprocessing.scheme import BellScheme, RoundProbabilities, SettingChoice
from postprocessing.security import (
    EpsilonSplit,
    HonestBlock,
    KeyLength,
    Method,
    RenyiParameters,
    SettingsRule,
    chsh_entropy,
    noisy_error_rate,
    optimal_noise,
    optimise_settings,
    win_probability,
)
from postprocessing.security.entropy import check_noise
from postprocessing.security.methods import is_renyi, leaked_per_test

ModeChoice = Literal["auto", "throughput", "efficiency"]

# Parts of the completeness: too few tests, and too few rounds of a run of so many pulses, have a
# thousandth each, and too many lost tests have what these leave of a half.
RARE_SHARE = 1e-3
_LOST_TESTS_SHARE = 0.5 - 2 * RARE_SHARE


class ExpectedBehaviour(Protocol):
    """What a design needs to know of honest devices; a joint distribution has all of it."""

    @property
    def scheme(self) -> BellScheme:
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
    scheme : BellScheme
        Settings of the scheme.
    chsh : float
        Expected CHSH value, at most 2√2.
    qber : float
        Expected error rate of the key pair, in [0, 1].

    Examples
    --------
    >>> import diqkd
    >>> scheme = diqkd.BellState(diqkd.Link(distance_km=10)).joint_distribution().scheme
    >>> expected = ExpectedValues(scheme, chsh=2.6, qber=0.01)
    >>> diqkd.Security(method="asymptotic").design(expected, 10**6).expected_chsh
    2.6
    """

    scheme: BellScheme
    chsh: float
    qber: float


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

    Examples
    --------
    >>> import diqkd
    >>> design = Security(soundness=1e-6).design(diqkd.BellState(diqkd.Link(distance_km=10)), 10**7)
    >>> design.heralded_rounds, design.key_length > 0
    (10000000, True)
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
    """Return the design of the longest key; one without a key says that it will abort.

    A varying length is that of the best mean, or of the best low quantile where honest devices
    would miss the former too often; where they miss both there is no key.
    """
    design = _draft(security, expected, rounds, by_quantile=False)
    if security.method == "renyi" and design.key_length == 0:
        design = _draft(security, expected, rounds, by_quantile=True)
    return design if design.key_length else replace(design, predicted_abort_probability=1.0)


def _draft(
    security: Security, expected: ExpectedBehaviour, rounds: int, *, by_quantile: bool
) -> Design:
    """Optimise noise and settings for the finite-size length, then fix thresholds and budget."""
    epsilons = EpsilonSplit.from_soundness(security.soundness)
    tag_bits = tag_length(rounds, epsilons.correctness)
    win = float(win_probability(expected.chsh))
    share = security.completeness * _LOST_TESTS_SHARE
    rare_share = security.completeness * RARE_SHARE
    block = HonestBlock(rounds, win, epsilons.secrecy, share, security.method)
    leakage = partial(_expected_leakage, rounds, expected.qber, tag_bits, security)
    block, choice = _optimised(block, security, leakage, by_quantile=by_quantile)
    marks, charged = choice.round_probabilities, leaked_per_test(security.method)
    qber = noisy_error_rate(expected.qber, block.noise)
    plans = (
        leakage_budget(rounds, marks, qber, tag_bits, security.completeness, mode, charged)
        for mode in security.modes
    )
    plan = min((p for p in plans if p), key=lambda p: p.budget_bits, default=None)
    losses = block.tolerated_losses(marks)
    length_of = block.reliable_length if by_quantile else block.length
    leaked = math.ceil(leakage(block.noise, marks))
    length, missed = _length_and_risk(block, marks, plan, partial(length_of, marks, leaked))
    abort, least_score = rare_share + missed, None
    if not is_renyi(security.method):
        abort += exceedance(rounds, marks.test * (1 - win), losses)
    if security.method == "renyi_fixed":
        abort, least_score = abort + share, 0.0
        if length is not None and isinstance(length.parameters, RenyiParameters):
            least_score = block.least_score(marks, length.parameters)
    return Design(
        scheme=expected.scheme,
        method=security.method,
        heralded_rounds=rounds,
        setting_choice=choice,
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
    plan: LeakageBudget | None,
    varying_length: Callable[[], KeyLength],
) -> tuple[KeyLength | None, float]:
    """Return the key length, and how often honest devices leak too much for it or get none."""
    if plan is None or block.method == "asymptotic":
        return None, 0.0
    if block.method != "renyi":
        return block.length(marks, plan.budget_bits), plan.over_budget_probability
    length = varying_length()
    missed = block.no_key_probability(marks, length, plan.budget_bits)
    if missed > block.completeness_share:
        return None, missed
    return length, missed + plan.over_budget_probability


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
    *,
    by_quantile: bool,
) -> tuple[HonestBlock, SettingChoice]:
    """Return the block with its noise, and the best settings for it."""
    noise, rule, method = security.noisy_preprocessing, security.settings, block.method
    if by_quantile:
        # Its fixed length is the low quantile of the varying one.
        block = replace(block, method="renyi_fixed")
    if noise == "optimal":
        # The best rate of tests hardly depends on the noise.
        typical = optimise_settings(
            block, rule=rule, leakage=partial(leakage, 0.0)
        ).round_probabilities

        def length(q: float) -> float:
            return replace(block, noise=q).length(typical, leakage(q, typical)).unclipped

        noise = optimal_noise(length)
    block = replace(block, noise=noise)
    choice = optimise_settings(block, rule=rule, leakage=partial(leakage, noise))
    return replace(block, method=method), choice
