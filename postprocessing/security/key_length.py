"""key_length(): how many bits are safe, by any of the methods, from what is expected of a block."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from postprocessing.checks import instance_of, one_of, probability, real_number, whole_number
from postprocessing.errors import InvalidArgumentError
from postprocessing.limits import MOST_PLANNED_ROUNDS
from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.scheme import SettingChoice
from postprocessing.security.block import Block
from postprocessing.security.entropy import (
    binary_entropy,
    chsh_value,
    noise_choice,
    noisy_error_rate,
    win_probability,
)
from postprocessing.security.epsilons import EpsilonSplit
from postprocessing.security.methods import METHODS, KeyLength, Method, SettingsRule
from postprocessing.security.settings import optimise_choices
from postprocessing.security.terms import Terms

_DEFAULT_EFFICIENCY = 1.1


@dataclass(frozen=True)
class ExpectedKey:
    """A key length with the choices that it was computed at.

    Parameters
    ----------
    method : str
        How it was computed.
    settings : LocalSettings, AnnouncedMarks or None
        How settings are chosen; None for a method of the limit of long blocks, without tests.
    noisy_preprocessing : float
        q, the probability with which the reference inverts a key bit.
    length : KeyLength
        Length, terms and free parameters.
    """

    method: str
    settings: SettingChoice | None
    noisy_preprocessing: float
    length: KeyLength[Any]

    @property
    def bits(self) -> int:
        """Key length in bits, rounded down, never negative; an expected one where it varies."""
        return self.length.bits

    @property
    def unclipped(self) -> float:
        """The bound in bits before rounding and clipping."""
        return self.length.unclipped

    @property
    def terms(self) -> Terms:
        """The contributions in bits, costs negative."""
        return self.length.terms

    @property
    def parameters(self) -> Any:
        """The free parameters of the method; None where there are none."""
        return self.length.parameters

    @property
    def test_probability(self) -> float:
        """p_test; 0 without tests."""
        return self.settings.round_probabilities.test if self.settings else 0.0

    @property
    def label(self) -> str:
        """What such a key is worth, in words."""
        return METHODS[self.method].label


def key_length(
    *,
    method: str = "tan22",
    n: int,
    chsh: float | None = None,
    counts: tuple[int, int] | None = None,
    qber: float = 0.0,
    soundness: float = 1e-10,
    epsilons: EpsilonSplit | None = None,
    completeness: float = 1e-2,
    test_probability: float | None = None,
    settings: SettingsRule = "local",
    noisy_preprocessing: float | Literal["optimal"] = 0.0,
    leaked_bits: float | None = None,
    reconciliation_efficiency: float | None = None,
) -> ExpectedKey:
    """Return the key length of a block from what is expected of it, with every term.

    Free parameters are optimised. The numbers must be known before the block is measured: a length
    computed from the counts of the very block it is for is not secure. Keys are made by a
    `postprocessing.design.design.Design`, which keeps to that.

    Parameters
    ----------
    method : str, optional
        How the length is computed, one of `METHODS`: "tan22", "geat", "tan22_counted",
        "geat_counted", "eat_rpa", "renyi", "renyi_fixed", "renyi_weighted", "renyi_weighted_fixed",
        "asymptotic"; `ExpectedKey.label` says what it is worth. A length that varies with the
        counts is the expected one.
    n : int
        Heralded rounds, all of them.
    chsh : float, optional
        Expected CHSH value.
    counts : (int, int), optional
        Expected numbers of won and lost tests, in place of `chsh` and `test_probability`.
    qber : float, optional
        Expected error rate of key rounds, before noise is added.
    soundness : float, optional
        ε = ε_sec + 2 ε_cor, divided as `EpsilonSplit.from_soundness`.
    epsilons : EpsilonSplit, optional
        Another division of the soundness, in place of `soundness`.
    completeness : float, optional
        Abort probability of honest devices; half of it belongs to the test.
    test_probability : float, optional
        p_test, the probability of a test round; the best one by default.
    settings : {"local", "announced"}, optional
        Whether each side chooses its settings alone, with thinning, or both follow shared marks;
        here it only decides how often rounds are key or test, whatever the method's proof covers.
    noisy_preprocessing : float or "optimal", optional
        q in [0, 1/2), the probability with which the reference inverts a key bit.
    leaked_bits : float, optional
        Every public bit that depends on the raw keys: tags, and the tests that the reference
        publishes where the method charges for them.
    reconciliation_efficiency : float, optional
        f ≥ 1, in place of `leaked_bits`: f n p_key h(Q_q), a bit a test where tests count, and a
        tag of ⌈log2(1/ε_cor)⌉ bits; 1.1 by default.

    Returns
    -------
    ExpectedKey
        Length with terms, settings and free parameters.

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range, or two are given where one replaces the other.

    Examples
    --------
    >>> key = key_length(method="tan22", n=10**8, chsh=2.42, qber=7e-6)
    >>> round(key.bits / 10**8, 3)
    0.245
    """
    chosen: Method[Any] = METHODS.named("method", method)
    one_of("settings", settings, get_args(SettingsRule))
    n = whole_number("n", n, 1, MOST_PLANNED_ROUNDS)
    if epsilons is None:
        epsilons = EpsilonSplit.from_soundness(soundness)
    split = instance_of("epsilons", epsilons, EpsilonSplit)
    expected, tests = _expected(n, chsh, counts, test_probability)
    qber = probability("qber", qber)
    completeness = real_number(
        "completeness", completeness, "in [1e-300, 1)", within=lambda e: 1e-300 <= e < 1
    )
    leakage = _Leakage(chosen, n, qber, split, leaked_bits, reconciliation_efficiency)
    win = float(win_probability(expected))

    def block_at(q: float, marks: RoundProbabilities) -> Block:
        leaked = leakage.of(marks, q)
        return Block(n, marks, win, split.secrecy, leaked, completeness / 2, q)

    # Without tests every round is a key round, however settings are chosen.
    if not chosen.composable:
        tests = 0.5
    q, choice = optimise_choices(
        chosen,
        block_at,
        rule=settings,
        noisy_preprocessing=noise_choice(noisy_preprocessing),
        test_probability=tests,
    )
    length = chosen.length(block_at(q, choice.round_probabilities))
    return ExpectedKey(method, choice if chosen.composable else None, q, length)


@dataclass(frozen=True)
class _Leakage:
    """The public bits that depend on the raw keys, as they were asked for."""

    method: Method[Any]
    rounds: int
    qber: float
    epsilons: EpsilonSplit
    bits: float | None
    efficiency: float | None

    def __post_init__(self) -> None:
        """Check that one rule is given at most, and its range."""
        if self.bits is not None and self.efficiency is not None:
            allowed = "given, or else reconciliation_efficiency, and not both"
            raise InvalidArgumentError("leaked_bits", self.bits, allowed)
        if self.bits is not None:
            allowed = "a finite number of at least 0"
            bits = real_number("leaked_bits", self.bits, allowed, within=lambda bits: bits >= 0)
            object.__setattr__(self, "bits", bits)
        if self.efficiency is not None:
            name, allowed = "reconciliation_efficiency", "a finite number of at least 1"
            efficiency = real_number(name, self.efficiency, allowed, within=lambda f: f >= 1)
            object.__setattr__(self, "efficiency", efficiency)

    def of(self, marks: RoundProbabilities, noisy_preprocessing: float) -> float:
        """Return the bits at given probabilities of rounds; all are key rounds in the limit."""
        if self.bits is not None:
            return self.bits
        efficiency = _DEFAULT_EFFICIENCY if self.efficiency is None else self.efficiency
        error_rate = noisy_error_rate(self.qber, noisy_preprocessing)
        per_round = efficiency * float(binary_entropy(error_rate))
        if not self.method.composable:
            return self.rounds * per_round
        tag = math.ceil(-math.log2(self.epsilons.correctness))
        tests = marks.test * self.method.charged_per_test
        return self.rounds * (marks.key * per_round + tests) + tag


def _expected(
    n: int, chsh: float | None, counts: tuple[int, int] | None, test_probability: float | None
) -> tuple[float, float | None]:
    """Return the expected CHSH value and the probability of a test."""
    if counts is None:
        if chsh is None:
            raise InvalidArgumentError("chsh", chsh, "given, or else counts")
        if test_probability is not None:
            test_probability = real_number("test_probability", test_probability)
        return real_number("chsh", chsh), test_probability
    if chsh is not None or test_probability is not None:
        allowed = "given in place of chsh and test_probability"
        raise InvalidArgumentError("counts", counts, allowed)
    allowed = f"won and lost tests, fewer than {n} in all"
    if not isinstance(counts, Sequence) or len(counts) != 2:
        raise InvalidArgumentError("counts", counts, allowed)
    won, lost = (whole_number("counts", count, 0, n) for count in counts)
    if not 0 < won + lost < n:
        raise InvalidArgumentError("counts", counts, allowed)
    return float(chsh_value(won / (won + lost))), (won + lost) / n
