"""The parts of a layout: a party's columns, the heralds, and what the settings are for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from postprocessing.bell.trials import ONLY_HERALD
from postprocessing.files.meanings import UNHERALDED, AnyOf, Meaning, Meanings, Part


def _only_herald() -> dict[str, AnyOf]:
    """Return the herald of rows that all are rounds."""
    return {ONLY_HERALD: (1,)}


class PartyLayout(Part):
    """Where a party's settings and outcomes are, and how they are written.

    Parameters
    ----------
    setting_column, outcome_column : str
        Names of the columns.
    settings : dict
        The value in the file for each setting's name, in the order of the settings.
    plus, minus : list
        The values of outcome +1 and of outcome −1. A code for "no click" stands in one of them.
    no_click : {"plus", "minus", "never"}
        The outcome that an empty cell of a heralded round counts as; "never" refuses them. Such
        rounds are never dropped: that would let devices choose the rounds they are judged by.
    """

    setting_column: str
    outcome_column: str
    settings: dict[str, AnyOf]
    plus: tuple[Meaning, ...]
    minus: tuple[Meaning, ...]
    no_click: Literal["plus", "minus", "never"]

    def setting_codes(self) -> Meanings:
        """Return the index of each setting by its value."""
        return Meanings.of("settings", _numbered(self.settings.values()))

    def outcome_codes(self) -> Meanings:
        """Return the outcome bit by value, 0 for +1 and 1 for −1, empty cells included."""
        found = Meanings.of("plus and minus", _numbered((self.plus, self.minus)))
        if self.no_click == "never":
            return found
        return replace(found, exact={**found.exact, None: int(self.no_click == "minus")})


class HeraldLayout(Part):
    """Where the announcements are, and which of them herald.

    Parameters
    ----------
    column : str, optional
        Name of the column; without one, every row is a heralded round of the only herald.
    values : dict
        The value in the file for each herald's name.
    unheralded : list
        The values of rows that are no rounds, "" for an empty cell; these are skipped before
        anything else is read.
    where : dict
        In the place of these: for each herald's name the ways in which a row may be heralded by it,
        tables of columns and the values that all of them must have. Rows without one are no rounds.
    """

    column: str | None = None
    values: dict[str, AnyOf] = Field(default_factory=_only_herald)
    unheralded: tuple[Meaning, ...] = ()
    where: dict[str, tuple[dict[str, AnyOf], ...]] = Field(default_factory=dict)

    def says_values(self) -> bool:
        """Tell whether it says values of a column."""
        return bool(self.unheralded) or "values" in self.model_fields_set

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the heralds."""
        return tuple(self.where or self.values)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that are looked at."""
        if self.column is not None:
            return (self.column,)
        return tuple({column: 0 for ways in self.where.values() for way in ways for column in way})

    def codes(self) -> Meanings:
        """Return the index of each herald by its value."""
        unheralded = [(value, UNHERALDED) for value in self.unheralded]
        return Meanings.of("heralds", [*_numbered(self.values.values()), *unheralded])


class BellLayout(Part):
    """Which pairs of settings make the key and the CHSH game, by name.

    Parameters
    ----------
    key : (str, str), optional
        Alice's and Bob's setting of key rounds; a Bell test has none.
    chsh : list of (str, str, int)
        Alice's and Bob's setting, and the sign of their correlator in S.
    flip : list of (str, str)
        Herald and setting for which Bob inverts his outcome.
    """

    key: tuple[str, str] | None = None
    chsh: tuple[tuple[str, str, int], ...]
    flip: tuple[tuple[str, str], ...] = ()


def _numbered(several: Iterable[Sequence[Any]]) -> list[tuple[Any, int]]:
    """Return each value with the number of its group."""
    return [(value, number) for number, values in enumerate(several) for value in values]
