"""What is asked of the keys, and the design that is drawn up for it before any data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from postprocessing.checks import instance_of, one_of, probability, real_number, whole_number
from postprocessing.design.announced import settings_share
from postprocessing.design.covered import check_settings_rule, check_tolerance
from postprocessing.design.design import (
    LOST_TESTS_SHARE,
    RARE_SHARE,
    Design,
)
from postprocessing.design.fields import LEAST_COMPLETENESS, MOST_COMPLETENESS
from postprocessing.design.leakage import LeakageBudget, expected_leakage, leakage_budget
from postprocessing.design.proof import with_proved_length
from postprocessing.errors import InvalidArgumentError
from postprocessing.limits import MOST_PLANNED_ROUNDS
from postprocessing.reconciliation import Mode, tag_length
from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.scheme import MOST_TOLERANCE, BellScheme, LocalSettings
from postprocessing.security import (
    METHODS,
    Block,
    EpsilonSplit,
    KeyLength,
    Method,
    SettingsRule,
    noisy_error_rate,
    optimise_choices,
    win_probability,
)
from postprocessing.security.entropy import noise_choice, win_at_key_setting
from postprocessing.tolerance import round_bounds

# A coarser step is more than the best probabilities of long blocks, a finer one is not exact in
# double precision any more.
_GRID_BITS = (8, 32)
# By which parts of a CHSH value may be out of range.
_ROUNDING = 2e-12

ModeChoice = Literal["auto", "throughput", "efficiency"]


@runtime_checkable
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
    chsh_at_key_setting : float, optional
        The part of the CHSH value from tests with the reference's key setting, in [−2, 2]; half of
        it by default. Methods that tell the two kinds of tests apart weigh them by it, and alike
        where it is not given.

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
    chsh_at_key_setting: float | None = None

    def __post_init__(self) -> None:
        """Keep plain numbers, whatever they came as."""
        instance_of("scheme", self.scheme, BellScheme)
        object.__setattr__(self, "chsh", real_number("chsh", self.chsh))
        object.__setattr__(self, "qber", probability("qber", self.qber))
        if self.chsh_at_key_setting is not None:
            name, allowed = "chsh_at_key_setting", "in [-2, 2], and the rest of the CHSH value too"
            part = real_number(
                name,
                self.chsh_at_key_setting,
                allowed,
                within=lambda x: max(abs(x), abs(self.chsh - x)) <= 2 + _ROUNDING,
            )
            object.__setattr__(self, name, part)


@dataclass(frozen=True)
class Security:
    """What the user asks of the keys.

    Parameters
    ----------
    soundness : float
        ε in [1e-20, 1): the keys are ε-sound, ε_sec + 2 ε_cor = ε.
    completeness : float
        Largest abort probability of honest devices, in [1e-12, 1/2]. Not a security quantity.
    method : str
        Key-length method, one of `METHODS`: "tan22", "geat", "tan22_counted", "geat_counted",
        "eat_rpa", "renyi", "renyi_fixed", "renyi_weighted", "renyi_weighted_fixed", "asymptotic".
        "asymptotic" keys are not secure at finite size, those of the seven before it rest on steps
        that are not peer reviewed, and they say so.
    settings : {"local", "announced"}
        Whether each side chooses its settings alone, or both follow a mark that is announced
        before they measure; the latter needs "geat", "geat_counted" or "eat_rpa".
    noisy_preprocessing : float or "optimal"
        q in [0, 1/2), the probability with which the reference inverts each key bit.
    reconciliation : {"auto", "throughput", "efficiency"}
        Codes that decode fast, those that leak little, or whichever leave the longer key.
    grid_bits : int
        Each setting's probability is a whole multiple of 2⁻ᵇⁱᵗˢ, 8 to 32, which generators draw
        exactly; the key length is that of these very probabilities.
    setting_probability_tolerance : float
        τ in [0, 0.01], by which the probability of each test setting, of a mark and of the coin may
        be off, in each round by something else and known to the adversary; the key length is proved
        for the worst. Not for "asymptotic", nor for counted tests.
    test_probability_alice, test_probability_bob : float, optional
        How often either party takes a setting that is not its key setting, both in (0, 1) and that
        of the reference at most 1/2: taken exactly as they are. By default the best of the grid.

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
    method: str = "tan22"
    settings: SettingsRule = "local"
    noisy_preprocessing: float | Literal["optimal"] = 0.0
    reconciliation: ModeChoice = "auto"
    grid_bits: int = 16
    setting_probability_tolerance: float = 0.0
    test_probability_alice: float | None = None
    test_probability_bob: float | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        self._keep("soundness", "a probability in [1e-20, 1)", lambda e: 1e-20 <= e < 1)
        least, most = LEAST_COMPLETENESS, MOST_COMPLETENESS
        allowed = f"a probability in [{least}, {most}]"
        self._keep("completeness", allowed, lambda share: least <= share <= most)
        words = {"method": METHODS, "settings": get_args(SettingsRule)}
        for name, known in {**words, "reconciliation": get_args(ModeChoice)}.items():
            object.__setattr__(self, name, one_of(name, getattr(self, name), known))
        check_settings_rule(self.method, self.settings)
        noise = noise_choice(self.noisy_preprocessing)
        object.__setattr__(self, "noisy_preprocessing", noise)
        bits = whole_number("grid_bits", self.grid_bits, *_GRID_BITS)
        object.__setattr__(self, "grid_bits", bits)
        allowed, most = f"in [0, {MOST_TOLERANCE}]", MOST_TOLERANCE
        self._keep("setting_probability_tolerance", allowed, lambda off: 0 <= off <= most)
        check_tolerance(self.method, self.setting_probability_tolerance)
        self._check_own_settings()

    def __repr__(self) -> str:
        """Return what is asked for beyond the defaults."""
        asked = ((field, getattr(self, field.name)) for field in fields(self))
        words = (f"{field.name}={value!r}" for field, value in asked if value != field.default)
        return f"Security({', '.join(words)})"

    def _keep(self, name: str, allowed: str, within: Callable[[float], bool]) -> None:
        """Keep a plain number, if it is allowed."""
        value = real_number(name, getattr(self, name), allowed, within=within)
        object.__setattr__(self, name, value)

    def _check_own_settings(self) -> None:
        """Check the probabilities that a laboratory brings."""
        names = ("test_probability_alice", "test_probability_bob")
        own = {name: getattr(self, name) for name in names}
        for name, value in own.items():
            if value is None:
                if any(other is not None for other in own.values()):
                    raise InvalidArgumentError(name, value, "given for both parties, or for none")
                continue
            self._keep(name, "in (0, 1)", lambda p: 0 < p < 1)
            if self.settings != "local":
                raise InvalidArgumentError(name, value, "absent where marks are announced")

    def own_settings(self, scheme: BellScheme) -> LocalSettings | None:
        """Return the settings that the laboratory brings; None where it takes the best.

        Raises
        ------
        InvalidArgumentError
            If the reference would test more often than thinning allows for, or a setting might
            never come within the tolerance.
        """
        by_party = {"alice": self.test_probability_alice, "bob": self.test_probability_bob}
        gamma, p = by_party[scheme.corrector], by_party[scheme.reference]
        if gamma is None or p is None:
            return None
        if p > 0.5:
            name = f"test_probability_{scheme.reference}"
            raise InvalidArgumentError(name, p, "in (0, 1/2] for the reference of this scheme")
        return LocalSettings(gamma, p, self.setting_probability_tolerance)

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
        rounds = whole_number("heralded_rounds", heralded_rounds, 1, MOST_PLANNED_ROUNDS)
        instance_of("expected", behaviour, ExpectedBehaviour)
        # Not everything that behaves tells its two kinds of tests apart.
        part = getattr(behaviour, "chsh_at_key_setting", None)
        known = ExpectedValues(behaviour.scheme, behaviour.chsh, behaviour.qber, part)
        return _design(self, known, rounds)

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The modes of reconciliation to choose from."""
        if self.reconciliation == "auto":
            return ("throughput", "efficiency")
        return (self.reconciliation,)


def _design(security: Security, expected: ExpectedValues, rounds: int) -> Design:
    """Return the design of the longest key; one without a key says that it will abort."""
    if security.noisy_preprocessing == "optimal":
        # Noise is chosen by a smooth estimate of the length; the length itself may be better off.
        noises = (replace(security, noisy_preprocessing=0.0), security)
        return max((_at_noise(s, expected, rounds) for s in noises), key=lambda d: d.key_length)
    return _at_noise(security, expected, rounds)


def _at_noise(security: Security, expected: ExpectedValues, rounds: int) -> Design:
    """Return the design at a given noise, or at that which a smooth estimate finds best."""
    method = METHODS[security.method]
    design = _draft(security, method, expected, rounds)
    if design.key_length == 0 and method.cautious is not None:
        design = _draft(security, method.cautious, expected, rounds)
    return design if design.key_length else replace(design, predicted_abort_probability=1.0)


def _draft(
    security: Security, method: Method[Any], expected: ExpectedValues, rounds: int
) -> Design:
    """Optimise noise and settings for the finite-size length, then fix thresholds and budget."""
    epsilons = EpsilonSplit.from_soundness(security.soundness)
    tag_bits, charged = tag_length(rounds, epsilons.correctness), method.charged_per_test
    part = expected.chsh_at_key_setting if method.tells_kinds_apart else None
    win, share = float(win_probability(expected.chsh)), security.completeness * LOST_TESTS_SHARE

    def block_at(q: float, marks: RoundProbabilities) -> Block:
        """Return the block with a smooth estimate of its leakage."""
        noisy = noisy_error_rate(expected.qber, q)
        leaked = min(
            expected_leakage(rounds, marks, noisy, tag_bits, mode, charged)
            for mode in security.modes
        )
        plain = Block(rounds, marks, win, epsilons.secrecy, leaked, share, q)
        return replace(plain, win_probability_at_key_setting=win_at_key_setting(part))

    own = security.own_settings(expected.scheme)
    q, choice = optimise_choices(
        method,
        block_at,
        rule=security.settings,
        noisy_preprocessing=security.noisy_preprocessing,
        settings=own,
        tolerance=security.setting_probability_tolerance,
    )
    # Whatever follows is computed for what is really drawn.
    choice = choice if own else choice.on_grid(security.grid_bits)
    marks, qber = round_bounds(choice), noisy_error_rate(expected.qber, q)
    wanted = security.completeness, security.modes, charged
    budget = leakage_budget(rounds, marks, qber, tag_bits, *wanted, pays_budget=not method.varies)
    block = block_at(q, marks)
    length, failing = _length_and_risk(method, block, budget)
    rare = security.completeness * RARE_SHARE
    rare += settings_share(choice, expected.scheme, security.completeness)
    drafted = Design(
        scheme=expected.scheme,
        method=security.method,
        heralded_rounds=rounds,
        setting_choice=choice,
        tolerated_test_losses=int(method.tolerated_losses(block, length)),
        leakage=budget,
        epsilons=epsilons,
        completeness=security.completeness,
        predicted_abort_probability=min(rare + failing, 1.0),
        expected_chsh=expected.chsh,
        expected_qber=expected.qber,
        noisy_preprocessing=q,
        least_score=_least_score(method, block, length),
        expected_chsh_at_key_setting=part,
    )
    return with_proved_length(drafted, length)


def _length_and_risk(
    method: Method[Any], block: Block, budget: LeakageBudget | None
) -> tuple[KeyLength[Any] | None, float]:
    """Return the key length, and how often honest devices fail the test or leak too much for it.

    A length that honest devices would miss too often is none.
    """
    if budget is None:
        return None, 1.0
    at_budget = replace(block, leaked_bits=budget.budget_bits)
    if not method.composable:
        return None, method.failure_probability(at_budget, None)
    expected = replace(block, leaked_bits=math.ceil(block.leaked_bits))
    length = method.length(expected if method.varies else at_budget)
    failing = method.failure_probability(at_budget, length.parameters)
    if failing > block.completeness_share:
        return None, failing
    return length, failing + budget.over_budget_probability


def _least_score(method: Method[Any], block: Block, length: KeyLength[Any] | None) -> float | None:
    """Return the score that the test has to reach; 0 where there is no key to test for."""
    if not method.scored:
        return None
    return method.least_score(block, length.parameters) if length else 0.0
