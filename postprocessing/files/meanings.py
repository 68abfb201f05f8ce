"""What values of a file mean: single ones, ranges, bits of a mask, and everything else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, model_validator

from postprocessing.checks import plain
from postprocessing.errors import InvalidArgumentError
from postprocessing.limits import MOST_COUNTED

Key = float | str | None

# Codes that no record has: rows that are no rounds, and values that mean nothing.
UNHERALDED, UNKNOWN = 254, 255

# What programs write into empty cells, and into those of yes and no.
_EMPTY_WORDS = frozenset({"NA", "null", "None"})
_BOOLEANS = {"true": 1.0, "false": 0.0}
# Bits of a whole number that a double holds.
_MOST_BIT = 52


def _value(given: object) -> bool | int | float | str:
    """Check a value of a layout.

    Raises
    ------
    InvalidArgumentError
        If it is no word, nor a number that is told from all others.
    """
    value = plain(given)
    if isinstance(value, str) or (
        isinstance(value, bool | int | float) and abs(value) <= MOST_COUNTED
    ):
        return value
    allowed = "a word, a number up to 2**53, true or false"
    raise InvalidArgumentError("value", given, allowed)


Value = Annotated[bool | int | float | str, PlainValidator(_value)]


def canonical(value: object) -> Key:
    """Return what a value of a file means: a number, a word, or None for nothing.

    Numbers are equal however they are written: 1, 1.0, "+1", true, "True".
    """
    if isinstance(value, bytes):
        # Binary columns of a fixed width are filled up with zeros.
        value = value.rstrip(b"\0").decode("utf-8", errors="replace")
    if isinstance(value, str):
        word = value.strip()
        try:
            # Python would read 1_0 as ten.
            value = float(word.replace("_", "?"))
        except ValueError:
            return _BOOLEANS.get(word.lower(), word or None)
    if isinstance(value, bool | int | float):
        number = float(value)
        return None if number != number else number
    if value is None:
        return None
    raise InvalidArgumentError("column", type(value).__name__, "of numbers or words")


class Part(BaseModel):
    """A part of a layout: nothing beside its fields, and never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Range(Part):
    """Numbers t in a range, above < t ≤ up_to; one end may be missing.

    Parameters
    ----------
    above, up_to : float
        The ends.
    """

    above: float | None = None
    up_to: float | None = None

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        low, high = self.above, self.up_to
        if (low is None and high is None) or (low is not None and high is not None and low >= high):
            raise InvalidArgumentError("range", [low, high], "above < up_to, one of them given")
        return self

    def holds(self, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Tell which numbers lie in the range; NaN does not."""
        low = -np.inf if self.above is None else self.above
        high = np.inf if self.up_to is None else self.up_to
        return (numbers > low) & (numbers <= high)

    def __str__(self) -> str:
        """Return how it is written by hand."""
        low = "" if self.above is None else f"{self.above:g} < "
        return f"{low}t" + ("" if self.up_to is None else f" <= {self.up_to:g}")


class AnyBit(Part):
    """Whole numbers in which one of some bits is set, or more.

    Parameters
    ----------
    any_bit : tuple of int
        Which, from 0 for the lowest, up to 52.
    """

    any_bit: tuple[Annotated[int, Field(ge=0, le=_MOST_BIT, strict=True)], ...] = Field(
        min_length=1
    )

    def holds(self, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Tell which numbers have such a bit; what is no mask has none."""
        words = np.where(self.are_masks(numbers), numbers, 0).astype(np.int64)
        return np.asarray(words & sum(1 << bit for bit in set(self.any_bit)) != 0, np.bool_)

    @staticmethod
    def are_masks(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Tell which numbers are whole, and so small that a double has all of their bits."""
        whole = (numbers >= 0) & (numbers < MOST_COUNTED) & (numbers == np.floor(numbers))
        return np.asarray(whole, np.bool_)

    def __str__(self) -> str:
        """Return what it asks for."""
        return f"any of the bits {', '.join(map(str, self.any_bit))}"


class Otherwise(Part):
    """Everything that has no other meaning, but empty cells.

    Parameters
    ----------
    otherwise : True
        That it is so.
    """

    otherwise: Literal[True]


Condition: TypeAlias = Range | AnyBit
_FORMS: dict[str, type[Range | AnyBit | Otherwise]] = {
    "above": Range,
    "up_to": Range,
    "any_bit": AnyBit,
    "otherwise": Otherwise,
}


def _meaning(given: object) -> Range | AnyBit | Otherwise | bool | int | float | str:
    """Read a value, or a table that says which values."""
    if isinstance(given, Range | AnyBit | Otherwise):
        return given
    if isinstance(given, Mapping):
        form = next((_FORMS[name] for name in given if name in _FORMS), None)
        if form is None:
            allowed = f"a value, or a table with one of {', '.join(_FORMS)}"
            raise InvalidArgumentError("value", dict(given), allowed)
        return form.model_validate(dict(given))
    return _value(given)


Meaning = Annotated[Range | AnyBit | Otherwise | bool | int | float | str, PlainValidator(_meaning)]


def _listed(given: object) -> object:
    """Return one meaning as a list of it."""
    if isinstance(given, list | tuple):
        if not given:
            raise InvalidArgumentError("value", given, "a value, or some of them")
        return given
    return (given,)


AnyOf = Annotated[tuple[Meaning, ...], BeforeValidator(_listed)]


@dataclass(frozen=True)
class Meanings:
    """The code of each value of a column.

    Parameters
    ----------
    exact : mapping of float, str or None to int
        By the value; None for an empty cell.
    conditions : tuple of (Condition, int)
        By what holds for numbers that are not among these.
    otherwise : int or None
        Of everything else but an empty cell.
    """

    exact: Mapping[Key, int]
    conditions: tuple[tuple[Condition, int], ...] = ()
    otherwise: int | None = None

    @classmethod
    def of(cls, argument: str, pairs: Iterable[tuple[Any, int]]) -> Self:
        """Return the codes of meanings, each value once.

        Raises
        ------
        InvalidArgumentError
            If a value has two codes, or an empty one another than that of rows that are no rounds.
        """
        exact: dict[Key, int] = {}
        conditions: list[tuple[Condition, int]] = []
        otherwise: int | None = None
        for meaning, code in pairs:
            if isinstance(meaning, Range | AnyBit):
                conditions.append((meaning, code))
                continue
            if isinstance(meaning, Otherwise):
                if otherwise is not None:
                    raise InvalidArgumentError(argument, "otherwise", "there once")
                otherwise = code
                continue
            key = canonical(meaning)
            # Of empty cells there is another rule for outcomes, and none for settings.
            if (key is None and code != UNHERALDED) or key in exact:
                allowed = "different values, none of them empty"
                raise InvalidArgumentError(argument, meaning, allowed)
            exact[key] = code
        return cls(exact, tuple(conditions), otherwise)

    def key_of(self, value: object) -> Key:
        """Return what a value of a file means.

        NA, null and None are words where the layout lists them, and else an empty cell.
        """
        key = canonical(value)
        return None if key in _EMPTY_WORDS and key not in self.exact else key

    def codes(
        self, keys: Mapping[int, Key], numbers: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.uint8]:
        """Return the code of each of many values.

        Parameters
        ----------
        keys : mapping of int to float, str or None
            Values by their place, of those that may be words or empty.
        numbers : ndarray of float64
            The number at each place, NaN where it is none.

        Returns
        -------
        ndarray of uint8
            Codes; `UNKNOWN` of values without a meaning, or with two.
        """
        found = np.full(len(numbers), UNKNOWN, np.uint8)
        if self.otherwise is not None:
            found[:] = self.otherwise
        hit = np.zeros(len(numbers), np.bool_)
        for condition, code in self.conditions:
            holds = condition.holds(numbers)
            clash = holds & hit & (found != code)
            found[holds] = code
            found[clash] = UNKNOWN
            hit |= holds
            if isinstance(condition, AnyBit):
                # Signed or too long masks would seem to lack the bits.
                found[~condition.are_masks(numbers)] = UNKNOWN
        for key, code in self.exact.items():
            if isinstance(key, float):
                found[numbers == key] = code
        for place, key in keys.items():
            if key is None:
                found[place] = self.exact.get(None, UNKNOWN)
            elif key in self.exact:
                found[place] = self.exact[key]
        return found

    def describe(self) -> str:
        """Return the values that a column may have, for messages."""
        told = ["an empty cell" if key is None else f"{key!r}" for key in self.exact]
        told += [str(condition) for condition, _ in self.conditions]
        return ", ".join(told + (["anything else"] if self.otherwise is not None else []))
