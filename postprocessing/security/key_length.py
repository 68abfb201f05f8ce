"""key_length(): how many bits are safe, by any of the methods, from what is expected of a block."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Literal, get_args

from postprocessing.errors import InvalidArgumentError
from postprocessing.scheme import RoundProbabilities, SettingChoice
from postprocessing.security.curves import af18_leakage, af18_terms, shannon_bits
from postprocessing.security.entropy import (
    binary_entropy,
    check_noise,
    chsh_value,
    noisy_error_rate,
    win_probability,
)
from postprocessing.security.finite_size import EpsilonSplit, KeyLength
from postprocessing.security.honest_block import HonestBlock
from postprocessing.security.methods import LABELS, CurveMethod, leaked_per_test
from postprocessing.security.settings import (
    SettingsRule,
    optimal_noise,
    optimise_settings,
    settings_with_tests,
)

Leakage = Callable[[RoundProbabilities], float]

_DEFAULT_EFFICIENCY = 1.1


@dataclass(frozen=True)
class ExpectedKey:
    """A key length with the choices that it was computed at.

    Parameters
    ----------
    method : str
        How it was computed.
    settings : LocalSettings, AnnouncedMarks or None
        How settings are chosen; None for "asymptotic", which has no tests.
    noise : float
        q, the probability with which the reference inverts a key bit.
    length : KeyLength
        Length, terms and free parameters.
    """

    method: CurveMethod
    settings: SettingChoice | None
    noise: float
    length: KeyLength

    @property
    def bits(self) -> int:
        """Key length in bits, rounded down, never negative; an expected one for "renyi"."""
        return self.length.bits

    @property
    def unclipped(self) -> float:
        """The bound in bits before rounding and clipping."""
        return self.length.unclipped

    @property
    def terms(self) -> dict[str, float]:
        """The contributions in bits, costs negative."""
        return asdict(self.length.terms)

    @property
    def test_probability(self) -> float:
        """p_test; 0 for "asymptotic"."""
        return self.settings.round_probabilities.test if self.settings else 0.0

    @property
    def label(self) -> str:
        """What such a key is worth, in words."""
        return LABELS[self.method]


def key_length(
    *,
    method: CurveMethod = "tan22",
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
    method : {"tan22", "geat", "renyi", "renyi_fixed", "asymptotic", "af18"}, optional
        How the length is computed; `ExpectedKey.label` says what it is worth. "renyi" gives the
        expected length.
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
        Whether each side chooses its settings alone, with thinning, or both follow shared marks.
    noisy_preprocessing : float or "optimal", optional
        q in [0, 1/2), the probability with which the reference inverts a key bit.
    leaked_bits : float, optional
        Every public bit that depends on the raw keys: tags, and the tests that the reference
        publishes, but for the Rényi methods no tests.
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
    if method not in LABELS:
        raise InvalidArgumentError("method", method, f"one of {get_args(CurveMethod)}")
    if settings not in get_args(SettingsRule):
        raise InvalidArgumentError("settings", settings, f"one of {get_args(SettingsRule)}")
    split = EpsilonSplit.from_soundness(soundness) if epsilons is None else epsilons
    expected, tests = _expected(n, chsh, counts, test_probability)
    win = win_probability(expected)
    if not 0 <= qber <= 1:
        raise InvalidArgumentError("qber", qber, "in [0, 1]")
    leak = _Leakage(
        method, n, win, qber, split, completeness, leaked_bits, reconciliation_efficiency
    )
    leak.check()
    if method == "af18":
        return _af18(leak, tests, settings, noisy_preprocessing)
    block = HonestBlock(n, win, split.secrecy, completeness / 2, method)

    if noisy_preprocessing == "optimal":
        # The best rate of tests hardly depends on the noise.
        typical = _at_noise(block, leak, tests, settings).test_probability or None

        def length(noise: float) -> float:
            return _at_noise(replace(block, noise=noise), leak, typical, settings).unclipped

        block = replace(block, noise=optimal_noise(length))
    else:
        check_noise(noisy_preprocessing)
        block = replace(block, noise=noisy_preprocessing)
    return _at_noise(block, leak, tests, settings)


@dataclass(frozen=True)
class _Leakage:
    """The public bits that depend on the raw keys, as they were asked for."""

    method: CurveMethod
    rounds: int
    win_probability: float
    qber: float
    epsilons: EpsilonSplit
    completeness: float
    bits: float | None
    efficiency: float | None

    def check(self) -> None:
        """Check that one rule is given at most, and its range."""
        if self.bits is not None and self.efficiency is not None:
            allowed = "given, or else reconciliation_efficiency, and not both"
            raise InvalidArgumentError("leaked_bits", self.bits, allowed)
        if self.efficiency is not None and not 1 <= self.efficiency < math.inf:
            allowed = "a finite number of at least 1"
            raise InvalidArgumentError("reconciliation_efficiency", self.efficiency, allowed)
        if not 0 < self.completeness < 1:
            raise InvalidArgumentError("completeness", self.completeness, "in (0, 1)")

    def of(self, marks: RoundProbabilities | None, noise: float) -> float:
        """Return the bits at given probabilities of rounds; all are key rounds without."""
        if self.bits is not None:
            return self.bits
        efficiency = _DEFAULT_EFFICIENCY if self.efficiency is None else self.efficiency
        per_round = efficiency * float(binary_entropy(noisy_error_rate(self.qber, noise)))
        if marks is None:
            return self.rounds * per_round
        tag = math.ceil(-math.log2(self.epsilons.correctness))
        tests = marks.test * leaked_per_test(self.method)
        return self.rounds * (marks.key * per_round + tests) + tag


def _expected(
    n: int, chsh: float | None, counts: tuple[int, int] | None, test_probability: float | None
) -> tuple[float, float | None]:
    """Return the expected CHSH value and the probability of a test."""
    if counts is None:
        if chsh is None:
            raise InvalidArgumentError("chsh", chsh, "given, or else counts")
        return chsh, test_probability
    if chsh is not None or test_probability is not None:
        allowed = "given in place of chsh and test_probability"
        raise InvalidArgumentError("counts", counts, allowed)
    won, lost = counts
    if won < 0 or lost < 0 or not 0 < won + lost < n:
        raise InvalidArgumentError("counts", counts, f"won and lost tests, fewer than {n} in all")
    return float(chsh_value(won / (won + lost))), (won + lost) / n


def _at_noise(
    block: HonestBlock, leak: _Leakage, tests: float | None, rule: SettingsRule
) -> ExpectedKey:
    """Return the length at one flip probability, with the best settings unless they are given."""
    if block.method == "asymptotic":
        every_round = RoundProbabilities.announced(0.5)
        length = block.length(every_round, leak.of(None, block.noise))
        return ExpectedKey(block.method, None, block.noise, length)
    settings = (
        optimise_settings(block, rule=rule, leakage=lambda marks: leak.of(marks, block.noise))
        if tests is None
        else settings_with_tests(rule, tests)
    )
    length = block.length(
        settings.round_probabilities, leak.of(settings.round_probabilities, block.noise)
    )
    return ExpectedKey(block.method, settings, block.noise, length)


def _af18(
    leak: _Leakage,
    tests: float | None,
    rule: SettingsRule,
    noise: float | Literal["optimal"],
) -> ExpectedKey:
    """Return the length of 2018, which knows neither discarded rounds nor noise."""
    if rule != "announced" or noise != 0 or tests is None:
        given = {"settings": rule, "noisy_preprocessing": noise, "test_probability": tests}
        allowed = "announced settings, no noise and a test probability for af18"
        raise InvalidArgumentError("arguments", given, allowed)
    settings = settings_with_tests(rule, tests)
    soundness, completeness = leak.epsilons.soundness, leak.completeness
    efficiency = _DEFAULT_EFFICIENCY if leak.efficiency is None else leak.efficiency
    bits = leak.bits
    if bits is None:
        limit = shannon_bits(leak.rounds, tests, leak.qber, leak.win_probability)
        bits = af18_leakage(leak.rounds, limit, soundness, completeness, efficiency)
    terms = af18_terms(leak.rounds, tests, leak.win_probability, bits, soundness, completeness)
    return ExpectedKey("af18", settings, 0.0, KeyLength.of(terms, None))
