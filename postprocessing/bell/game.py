"""The CHSH game in its eight forms, and how settings are drawn: both fixed before any data."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from postprocessing.checks import plain, real_number
from postprocessing.errors import InvalidArgumentError

PAIRS = ((0, 0), (0, 1), (1, 0), (1, 1))
_SIGNS = {"+": 1, "-": -1}
# Rarer settings would need more trials than there are.
_RAREST = 1e-6
_RANGE = f"in [{_RAREST:g}, 1 - {_RAREST:g}]"


@dataclass(frozen=True)
class Game:
    """Which products of outcomes win: a·b = s, a sign for each pair of settings.

    Parameters
    ----------
    signs : str
        The signs of the pairs (0, 0), (0, 1), (1, 0), (1, 1), one or three of them "-"; "+++-" is
        a·b = (−1)^(xy).
    by_herald : mapping of str to str
        Signs of heralds that have others.

    Raises
    ------
    InvalidArgumentError
        If four signs are no CHSH game.

    Examples
    --------
    >>> Game.of(["-+++", "psi_plus=+-++"])
    Game(signs='-+++', by_herald={'psi_plus': '+-++'})
    """

    signs: str = "+++-"
    by_herald: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the signs."""
        object.__setattr__(self, "signs", _checked("signs", self.signs))
        given = plain(self.by_herald)
        if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
            raise InvalidArgumentError("by_herald", given, "a mapping of heralds to signs")
        own = {name: _checked("by_herald", signs) for name, signs in given.items()}
        object.__setattr__(self, "by_herald", own)

    @classmethod
    def of(cls, texts: Sequence[str]) -> Game:
        """Return the game of texts: signs, or HERALD=SIGNS.

        Raises
        ------
        InvalidArgumentError
            If a text is neither, or two are of the same.
        """
        if not isinstance(texts, list | tuple):
            raise InvalidArgumentError("game", texts, "a list of SIGNS or HERALD=SIGNS")
        own: dict[str, str] = {}
        for text in map(plain, texts):
            name, equals, signs = text.rpartition("=") if isinstance(text, str) else ("", "", text)
            if name in own or (equals and not name):
                raise InvalidArgumentError("game", text, "SIGNS or HERALD=SIGNS, each once")
            own[name] = _checked("game", signs)
        return cls(own.pop("", "+++-"), own)

    def table(self, herald_names: Sequence[str]) -> npt.NDArray[np.int8]:
        """Return the sign of each herald and pair of settings, shape (herald, x, y).

        Raises
        ------
        InvalidArgumentError
            If a herald of the game is none of the names.
        """
        for name in self.by_herald:
            if name not in herald_names:
                raise InvalidArgumentError("game", name, f"one of {', '.join(herald_names)}")
        rows = [self.by_herald.get(name, self.signs) for name in herald_names]
        table = [[_SIGNS[sign] for sign in row] for row in rows]
        return np.array(table, np.int8).reshape(-1, 2, 2)


def _checked(argument: str, signs: object) -> str:
    """Return the signs of a CHSH game."""
    text = plain(signs)
    if not isinstance(text, str) or len(text) != 4 or set(text) - set("+-"):
        raise InvalidArgumentError(argument, text, "four signs such as +++-")
    if text.count("-") % 2 == 0:
        raise InvalidArgumentError(argument, text, "signs of which one or three are -")
    return text


def _is_drawn(probability: float) -> bool:
    """Tell whether both settings are drawn often enough."""
    return _RAREST <= probability <= 1 - _RAREST


@dataclass(frozen=True)
class SettingLaw:
    """With which probabilities each side draws its settings, by what was known beforehand.

    Given the past and whatever the devices share, either side draws by itself, and the probability
    of each setting is the stated one within the predictability.

    Parameters
    ----------
    alice, bob : float
        Probabilities of setting 1, in [1e-6, 1 − 1e-6].
    predictability : float
        τ, in [0, 1/2) and below each probability.

    Raises
    ------
    InvalidArgumentError
        If a number is outside its range: a setting might never come.

    Examples
    --------
    >>> SettingLaw(alice=0.25).pairs
    array([[0.375, 0.375],
           [0.125, 0.125]])
    """

    alice: float = 0.5
    bob: float = 0.5
    predictability: float = 0.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        for side in ("alice", "bob"):
            name = f"setting_probability_{side}"
            value = real_number(name, getattr(self, side), _RANGE, within=_is_drawn)
            object.__setattr__(self, side, value)
        least = min(self.alice, 1 - self.alice, self.bob, 1 - self.bob)
        tau = real_number(
            "predictability",
            self.predictability,
            f"at least 0 and below the least probability of a setting, {least:g}",
            within=lambda tau: 0 <= tau < least,
        )
        object.__setattr__(self, "predictability", tau)

    @property
    def pairs(self) -> npt.NDArray[np.float64]:
        """The stated probability of each pair of settings, shape (x, y)."""
        return np.outer([1 - self.alice, self.alice], [1 - self.bob, self.bob])

    @property
    def corners(self) -> tuple[tuple[tuple[Fraction, ...], ...], ...]:
        """The extreme laws within the predictability, exactly: probabilities [x][y] of each.

        A function that is linear in each side's law is greatest at one of them.
        """
        tau = Fraction(self.predictability)
        sides = ({p - tau, p + tau} for p in (Fraction(self.alice), Fraction(self.bob)))
        return tuple(
            tuple(tuple(p * q for q in (1 - bob, bob)) for p in (1 - alice, alice))
            for alice, bob in itertools.product(*map(sorted, sides))
        )

    @property
    def local_win_probability(self) -> float:
        """What local devices win a trial with at most, rounded up.

        Any local strategy loses one pair of settings at least, and each of the three others comes
        with (p_x + τ)(p_y + τ) at most: 3 (1/2 + τ)² = 3/4 + 3(τ + τ²) for even settings
        (Elkouss and Wehner, npj Quantum Inf. 2, 16026 (2016)).
        """
        tau = Fraction(self.predictability)
        alice, bob = Fraction(self.alice), Fraction(self.bob)
        most = [(p + tau) * (q + tau) for p in (alice, 1 - alice) for q in (bob, 1 - bob)]
        exact = min(sum(most) - min(most), Fraction(1))
        rounded = float(exact)
        return rounded if Fraction(rounded) >= exact else float(np.nextafter(rounded, 2))
