"""Bell schemes: which settings exist, what a round of each pair is for, how they are chosen."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from postprocessing.checks import flag, plain, real_number, whole_number
from postprocessing.errors import InvalidArgumentError
from postprocessing.round_probabilities import RoundProbabilities

Party = Literal["alice", "bob"]

# What a byte of a record has room for, see `postprocessing.records`.
MOST_SETTINGS, MOST_HERALDS = 4, 32
# Of the probability of a setting; generators are better by far.
MOST_TOLERANCE = 0.01


@dataclass(frozen=True)
class BellScheme:
    """Which settings exist, which pair makes the key, which pairs make the CHSH game.

    Parameters
    ----------
    alice_labels, bob_labels : tuple of str
        Setting names; a setting is an index into them.
    heralds : tuple of str
        Names of the announcements that herald a round; a herald is an index into them.
    key_pair : (int, int)
        Alice's and Bob's setting of the key rounds.
    chsh_signs : tuple of (int, int, int)
        The four (x, y, sign) of S = Σ sign ⟨A_x B_y⟩, signs ±1 with product −1.
    flip : tuple of tuple of bool
        ``flip[herald][y]``: Bob inverts his outcome of setting y under this announcement.

    Raises
    ------
    InvalidArgumentError
        If a setting has no name, the CHSH pairs are not the product of two settings a side with
        signs of product −1, if not exactly one party's key setting takes part in the CHSH game, or
        if a party has more than 4 settings or the scheme more than 32 heralds.

    Examples
    --------
    >>> scheme = BellScheme(
    ...     alice_labels=("A0", "A1", "A2"),
    ...     bob_labels=("B1", "B2"),
    ...     heralds=("D1",),
    ...     key_pair=(0, 0),
    ...     chsh_signs=((1, 0, 1), (1, 1, -1), (2, 0, 1), (2, 1, 1)),
    ...     flip=((False, False),),
    ... )
    >>> scheme.reference
    'bob'
    """

    alice_labels: tuple[str, ...]
    bob_labels: tuple[str, ...]
    heralds: tuple[str, ...]
    key_pair: tuple[int, int]
    chsh_signs: tuple[tuple[int, int, int], ...]
    flip: tuple[tuple[bool, ...], ...]

    def __post_init__(self) -> None:
        """Check that the settings form a CHSH game with one extra key setting."""
        for name, kept in self._plain().items():
            object.__setattr__(self, name, kept)
        xs, ys = self.test_settings("alice"), self.test_settings("bob")
        pairs = {(x, y) for x, y, _ in self.chsh_signs}
        product = int(np.prod([sign for _, _, sign in self.chsh_signs]))
        if len(self.chsh_signs) != 4 or len(xs) != 2 or len(ys) != 2 or len(pairs) != 4:
            allowed = "the four pairs of two settings a side"
            raise InvalidArgumentError("chsh_signs", self.chsh_signs, allowed)
        if product != -1 or any(abs(sign) != 1 for _, _, sign in self.chsh_signs):
            raise InvalidArgumentError("chsh_signs", self.chsh_signs, "signs ±1 of product −1")
        if (self.key_pair[0] in xs) == (self.key_pair[1] in ys):
            allowed = "a pair with exactly one setting inside the CHSH game"
            raise InvalidArgumentError("key_pair", self.key_pair, allowed)
        parties: tuple[Party, Party] = ("alice", "bob")
        for party in parties:
            used = {*self.test_settings(party), self.key_setting(party)}
            count = len(self.labels(party))
            if not used <= set(range(count)):
                allowed = f"settings of {party} from 0 to {count - 1}"
                raise InvalidArgumentError("chsh_signs, key_pair", sorted(used), allowed)
        shape = (len(self.heralds), len(self.bob_labels))
        if np.shape(self.flip) != shape:
            raise InvalidArgumentError("flip", self.flip, f"a table of shape {shape}")
        for name, most in (
            ("alice_labels", MOST_SETTINGS),
            ("bob_labels", MOST_SETTINGS),
            ("heralds", MOST_HERALDS),
        ):
            if len(getattr(self, name)) > most:
                raise InvalidArgumentError(name, len(getattr(self, name)), f"at most {most} names")

    def _plain(self) -> dict[str, tuple[Any, ...]]:
        """Return the fields as tuples of words and plain numbers."""
        names = {
            name: words(name, getattr(self, name))
            for name in ("alice_labels", "bob_labels", "heralds")
        }
        pairs = (_indices("chsh_signs", pair, 3) for pair in _items("chsh_signs", self.chsh_signs))
        rows = (_items("flip", row) for row in _items("flip", self.flip))
        key_pair = _indices("key_pair", self.key_pair, 2)
        return {
            **names,
            "key_pair": key_pair,
            "chsh_signs": tuple(pairs),
            "flip": tuple(tuple(flag("flip", inverts) for inverts in row) for row in rows),
        }

    def labels(self, party: Party) -> tuple[str, ...]:
        """Return the names of the settings of `party`."""
        return self.alice_labels if party == "alice" else self.bob_labels

    def test_settings(self, party: Party) -> tuple[int, ...]:
        """Return the settings of `party` that take part in the CHSH game, in increasing order."""
        position = 0 if party == "alice" else 1
        return tuple(sorted({pair[position] for pair in self.chsh_signs}))

    def key_setting(self, party: Party) -> int:
        """Return the setting of `party` in key rounds."""
        return self.key_pair[0 if party == "alice" else 1]

    @property
    def reference(self) -> Party:
        """The party whose key setting is inside the CHSH game: their outcomes are the raw key.

        The CHSH value bounds an eavesdropper's knowledge of those outcomes only (Acín et al.,
        PRL 98, 230501 (2007)); the other party corrects towards them.
        """
        return "alice" if self.key_pair[0] in self.test_settings("alice") else "bob"

    @property
    def corrector(self) -> Party:
        """The party that corrects its key bits towards the reference."""
        return "bob" if self.reference == "alice" else "alice"


def _items(argument: str, given: Any, count: int | None = None) -> tuple[Any, ...]:
    """Return what a list or a tuple holds."""
    if not isinstance(given, list | tuple) or not given or len(given) != (count or len(given)):
        raise InvalidArgumentError(argument, given, f"a tuple of {count or 'at least one'}")
    return tuple(given)


def words(argument: str, given: Any) -> tuple[str, ...]:
    """Return at least one name, as a tuple.

    Raises
    ------
    InvalidArgumentError
        If `given` is no list or tuple of names.
    """
    names = tuple(map(plain, _items(argument, given)))
    if not all(isinstance(name, str) for name in names):
        raise InvalidArgumentError(argument, given, "a tuple of names")
    return names


def _indices(argument: str, given: Any, count: int) -> tuple[int, ...]:
    """Return indices of settings, and the sign behind a pair of them."""
    return tuple(whole_number(argument, number, -1) for number in _items(argument, given, count))


@dataclass(frozen=True)
class LocalSettings:
    """Biased settings that each side draws by itself, with thinning of surplus rounds.

    The corrector takes its key setting with probability 1 − γ, else one of its two CHSH settings
    equally; the reference takes its key setting with probability 1 − p, else its other one. Of the
    rounds (corrector tests, reference key setting) a coin of probability p/(1 − p), drawn after the
    quantum phase, keeps those that make the four CHSH inputs equally likely.

    Parameters
    ----------
    corrector_test_probability : float
        γ in (0, 1).
    reference_test_probability : float
        p in (0, 1/2].
    setting_probability_tolerance : float, optional
        τ, by which the probability of each test setting, γ/2 and p, and of the coin may be off.
    coin_probability : float, optional
        Of the coin, in (0, 1], where it is another than p/(1 − p): for methods that score the two
        kinds of tests apart, and without a tolerance.

    Raises
    ------
    InvalidArgumentError
        If a probability is outside its range, or might be 0 within the tolerance.

    Examples
    --------
    >>> LocalSettings(0.02, 0.5).round_probabilities
    RoundProbabilities(key=0.49, test=0.02)
    """

    corrector_test_probability: float
    reference_test_probability: float
    setting_probability_tolerance: float = 0.0
    coin_probability: float | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        _keep_number(self, "corrector_test_probability", "in (0, 1)", lambda p: 0 < p < 1)
        _keep_number(self, "reference_test_probability", "in (0, 1/2]", lambda p: 0 < p <= 0.5)
        gamma, p = self.corrector_test_probability, self.reference_test_probability
        _keep_tolerance(self, gamma / 2, p, (1 - gamma) / 6)
        if self.coin_probability is not None:
            _keep_number(self, "coin_probability", "in (0, 1]", lambda coin: 0 < coin <= 1)
            if self.setting_probability_tolerance:
                allowed = "left out where settings have a tolerance"
                raise InvalidArgumentError("coin_probability", self.coin_probability, allowed)

    def on_grid(self, bits: int) -> LocalSettings:
        """Return the nearest settings of which each has a whole multiple of 2⁻ᵇⁱᵗˢ.

        Generators draw such probabilities exactly: γ/2 and 1 − γ, p and 1 − p.
        """
        gamma = _nearest(self.corrector_test_probability, 2, bits, most=1 - 2.0 ** (1 - bits))
        p = _nearest(self.reference_test_probability, 1, bits, most=0.5)
        return replace(self, corrector_test_probability=gamma, reference_test_probability=p)

    @property
    def thinning(self) -> Fraction:
        """Exact probability with which the coin keeps a surplus round as a test."""
        if self.coin_probability is not None:
            return Fraction(self.coin_probability)
        p = Fraction(self.reference_test_probability)
        return p / (1 - p)

    @property
    def thinning_probability(self) -> float:
        """The same, rounded."""
        return float(self.thinning)

    @property
    def round_probabilities(self) -> RoundProbabilities:
        """Probabilities of the kinds of round: key (1 − γ)(1 − p), test γp and γ(1 − p) coin."""
        gamma, p = self.corrector_test_probability, self.reference_test_probability
        key, other = (1 - gamma) * (1 - p), gamma * p
        if self.coin_probability is None:
            return RoundProbabilities(key=key, test=2 * other)
        at_key = gamma * (1 - p) * self.coin_probability
        return RoundProbabilities(key, other + at_key, test_at_key_setting=at_key)

    def pair_law(self, scheme: BellScheme) -> npt.NDArray[np.float64]:
        """Return the probability of each pair of settings, shape (x, y)."""
        return np.outer(self.choice(scheme, "alice"), self.choice(scheme, "bob"))

    def choice(self, scheme: BellScheme, party: Party) -> npt.NDArray[np.float64]:
        """Return the probability of each setting of `party`."""
        probabilities = np.zeros(len(scheme.labels(party)))
        key = scheme.key_setting(party)
        tests = [s for s in scheme.test_settings(party) if s != key]
        is_reference = party == scheme.reference
        total = self.reference_test_probability if is_reference else self.corrector_test_probability
        probabilities[tests] = total / len(tests)
        probabilities[key] = 1 - total
        return probabilities


@dataclass(frozen=True)
class AnnouncedMarks:
    """Settings that follow a shared mark, which says of each round whether it is a test.

    The corrector draws the mark after the herald and announces it before either side measures.
    Marked rounds are a CHSH game with uniform inputs, all others are key rounds; none is discarded.

    Parameters
    ----------
    test_probability : float
        γ in (0, 1), the probability of a mark.
    setting_probability_tolerance : float, optional
        τ, by which the probability of a mark, and of each test setting in a marked round, may be
        off.

    Raises
    ------
    InvalidArgumentError
        If the probability is outside its range, or might be 0 within the tolerance.
    """

    test_probability: float
    setting_probability_tolerance: float = 0.0

    def __post_init__(self) -> None:
        """Check the range."""
        _keep_number(self, "test_probability", "in (0, 1)", lambda p: 0 < p < 1)
        gamma = self.test_probability
        _keep_tolerance(self, gamma, (1 - gamma) / 6)

    def on_grid(self, bits: int) -> AnnouncedMarks:
        """Return the nearest marks of which each pair has a whole multiple of 2⁻ᵇⁱᵗˢ: γ/4."""
        most = 1 - 2.0 ** (2 - bits)
        gamma = _nearest(self.test_probability, 4, bits, most)
        return AnnouncedMarks(gamma, self.setting_probability_tolerance)

    @property
    def round_probabilities(self) -> RoundProbabilities:
        """Probabilities of the kinds of round: key 1 − γ, test γ."""
        return RoundProbabilities.announced(self.test_probability)

    def pair_law(self, scheme: BellScheme) -> npt.NDArray[np.float64]:
        """Return the probability of each pair of settings, shape (x, y)."""
        law = np.zeros((len(scheme.alice_labels), len(scheme.bob_labels)))
        law[scheme.key_pair] = 1 - self.test_probability
        for x, y, _ in scheme.chsh_signs:
            law[x, y] = self.test_probability / 4
        return law

    def choice(self, scheme: BellScheme, party: Party) -> npt.NDArray[np.float64]:
        """Return the probability of each setting of `party`, whatever the mark."""
        law = self.pair_law(scheme)
        return np.asarray(law.sum(axis=1 if party == "alice" else 0))


def _keep_number(owner: object, name: str, allowed: str, within: Callable[[float], bool]) -> None:
    """Keep a number of a frozen object as a plain one, if it is allowed."""
    value = real_number(name, getattr(owner, name), allowed, within=within)
    object.__setattr__(owner, name, value)


def _keep_tolerance(owner: object, *probabilities: float) -> None:
    """Refuse a tolerance beyond the greatest, or within which a probability might be 0 or 1."""
    least = min(probabilities)
    allowed = f"in [0, {MOST_TOLERANCE}] and below {least:.6g} for these settings"
    name = "setting_probability_tolerance"
    most = min(MOST_TOLERANCE, math.nextafter(least, 0))
    _keep_number(owner, name, allowed, lambda off: off == 0 or 0 < off <= most)


def _nearest(probability: float, step: int, bits: int, most: float) -> float:
    """Return the nearest positive multiple of step · 2⁻ᵇⁱᵗˢ up to `most`, exactly."""
    unit = math.ldexp(step, -bits)
    return min(max(1, round(probability / unit)) * unit, most)


SettingChoice = LocalSettings | AnnouncedMarks
