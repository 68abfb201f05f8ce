"""The layout of a laboratory's files: which columns there are, and what their values mean.

A layout is a TOML file, see ``docs/lab-data.md``::

    [alice]
    setting_column = "x"
    settings = { A0 = 0, A1 = 1, A2 = 2 }
    outcome_column = "a"
    plus = [1]
    minus = [-1]
    no_click = "minus"
    [bob]
    ...
    [heralds]
    column = "herald"
    values = { D1 = 1, D2 = 2 }
    unheralded = [0]
    [bell]
    key = ["A0", "B1"]
    chsh = [["A1", "B1", 1], ["A1", "B2", -1], ["A2", "B1", 1], ["A2", "B2", 1]]
    flip = [["D2", "B1"]]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, PlainValidator, ValidationError

from postprocessing.checks import file_path, instance_of, plain
from postprocessing.errors import InputFileError, InvalidArgumentError
from postprocessing.files.toml import read_toml
from postprocessing.limits import MOST_COUNTED
from postprocessing.scheme import BellScheme, Party


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
Key = float | str | None

# Codes that no record has: rows that are no rounds, and values that mean nothing.
UNHERALDED, UNKNOWN = 254, 255

# What programs write into empty cells, and into those of yes and no.
_EMPTY_WORDS = frozenset({"NA", "null", "None"})
_BOOLEANS = {"true": 1.0, "false": 0.0}


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


def key_among(codes: Mapping[Key, int], value: object) -> Key:
    """Return what a value of a file means where some values have codes.

    NA, null and None are words where the layout lists them, and else an empty cell.
    """
    key = canonical(value)
    return None if key in _EMPTY_WORDS and key not in codes else key


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PartyLayout(_Part):
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
    settings: dict[str, Value]
    plus: tuple[Value, ...]
    minus: tuple[Value, ...]
    no_click: Literal["plus", "minus", "never"]

    def setting_codes(self) -> dict[Key, int]:
        """Return the index of each setting by its value."""
        return _codes("settings", [(value, i) for i, value in enumerate(self.settings.values())])

    def outcome_codes(self) -> dict[Key, int]:
        """Return the outcome bit by value, 0 for +1 and 1 for −1, empty cells included."""
        pairs = [(value, 0) for value in self.plus] + [(value, 1) for value in self.minus]
        codes = _codes("plus and minus", pairs)
        if self.no_click != "never":
            codes[None] = int(self.no_click == "minus")
        return codes


class HeraldLayout(_Part):
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
    """

    column: str | None = None
    values: dict[str, Value]
    unheralded: tuple[Value, ...] = ()

    def codes(self) -> dict[Key, int]:
        """Return the index of each herald by its value."""
        pairs = [(value, i) for i, value in enumerate(self.values.values())]
        return _codes("heralds", pairs + [(value, UNHERALDED) for value in self.unheralded])


class BellLayout(_Part):
    """Which pairs of settings make the key and the CHSH game, by name.

    Parameters
    ----------
    key : (str, str)
        Alice's and Bob's setting of key rounds.
    chsh : list of (str, str, int)
        Alice's and Bob's setting, and the sign of their correlator in S.
    flip : list of (str, str)
        Herald and setting for which Bob inverts his outcome.
    """

    key: tuple[str, str]
    chsh: tuple[tuple[str, str, int], ...]
    flip: tuple[tuple[str, str], ...] = ()


class Layout(_Part):
    """The layout of files of rounds.

    Parameters
    ----------
    alice, bob : PartyLayout
        Where each party's settings and outcomes are.
    heralds : HeraldLayout
        Where the announcements are.
    bell : BellLayout
        What the settings are for.

    Raises
    ------
    InvalidArgumentError
        If a name is unknown, or a column or a value has two meanings.

    Examples
    --------
    >>> import diqkd
    >>> scheme = diqkd.BellState(diqkd.Link(distance_km=10)).joint_distribution().scheme
    >>> Layout.of(scheme).bell_scheme() == scheme
    True
    """

    alice: PartyLayout
    bob: PartyLayout
    heralds: HeraldLayout
    bell: BellLayout

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise _first_problem(error) from None
        self.check()

    @classmethod
    def of(cls, scheme: BellScheme) -> Self:
        """Return the layout of the files that `diqkd emulate` writes: indices, and ±1."""
        instance_of("scheme", scheme, BellScheme)

        def party(name: Party) -> PartyLayout:
            return PartyLayout(
                setting_column=f"{name}_setting",
                outcome_column=f"{name}_outcome",
                settings={label: i for i, label in enumerate(scheme.labels(name))},
                plus=(1,),
                minus=(-1,),
                no_click="never",
            )

        alice, bob = scheme.alice_labels, scheme.bob_labels
        flips = [
            (herald, bob[y])
            for herald, row in zip(scheme.heralds, scheme.flip, strict=True)
            for y, flips in enumerate(row)
            if flips
        ]
        key = (alice[scheme.key_pair[0]], bob[scheme.key_pair[1]])
        chsh = tuple((alice[x], bob[y], sign) for x, y, sign in scheme.chsh_signs)
        heralds = {herald: i for i, herald in enumerate(scheme.heralds)}
        return cls(
            alice=party("alice"),
            bob=party("bob"),
            heralds=HeraldLayout(column="herald", values=heralds),
            bell=BellLayout(key=key, chsh=chsh, flip=tuple(flips)),
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a layout from a TOML file.

        Raises
        ------
        InputFileError
            If the file cannot be read, is not TOML or describes no layout.
        """
        parameters = read_toml("layout", file_path("layout", path))
        try:
            return cls(**parameters)
        except InvalidArgumentError as error:
            raise InputFileError(f"layout {str(path)!r}: {error}") from error

    def check(self) -> None:
        """Check that every name is known, and no column and no value has two meanings.

        Raises
        ------
        InvalidArgumentError
            If not.
        """
        if self.heralds.column is None and len(self.heralds.values) != 1:
            allowed = "given, or a single herald"
            raise InvalidArgumentError("heralds.column", None, allowed)
        self._check_columns()
        self.heralds.codes()
        for party in (self.alice, self.bob):
            party.setting_codes()
            party.outcome_codes()
        self.bell_scheme()

    def _check_columns(self) -> None:
        """Check that a party's columns have different names; the other's may be in another file."""
        for party in (self.alice, self.bob):
            columns = [party.setting_column, party.outcome_column]
            if self.heralds.column is not None:
                columns.append(self.heralds.column)
            if "" in columns or len(set(columns)) < len(columns):
                allowed = "different names for settings, outcomes and heralds, none of them empty"
                raise InvalidArgumentError("columns", columns, allowed)

    def party(self, name: Party) -> PartyLayout:
        """Return the part that describes a party."""
        return self.alice if name == "alice" else self.bob

    def bell_scheme(self) -> BellScheme:
        """Return settings, heralds, CHSH game and flips.

        Raises
        ------
        InvalidArgumentError
            If a name is unknown or the settings make no CHSH game with a key setting.
        """
        alice, bob = tuple(self.alice.settings), tuple(self.bob.settings)
        heralds = tuple(self.heralds.values)
        flipped = {
            (_index("flip", heralds, herald), _index("flip", bob, label))
            for herald, label in self.bell.flip
        }
        pair = self.bell.key
        return BellScheme(
            alice_labels=alice,
            bob_labels=bob,
            heralds=heralds,
            key_pair=(_index("key", alice, pair[0]), _index("key", bob, pair[1])),
            chsh_signs=tuple(
                (_index("chsh", alice, x), _index("chsh", bob, y), sign)
                for x, y, sign in self.bell.chsh
            ),
            flip=tuple(
                tuple((herald, y) in flipped for y in range(len(bob)))
                for herald in range(len(heralds))
            ),
        )


def layout_of(scheme: BellScheme | None, layout: Layout | Path | str | None) -> Layout:
    """Return the layout of rounds, which must be of the design's settings where there is a design.

    Parameters
    ----------
    scheme : BellScheme or None
        Settings of the design.
    layout : Layout, path of a TOML file, or None
        What describes the files; by default they are as `write_records` makes them.

    Raises
    ------
    InvalidArgumentError
        If the two differ, or neither is given.
    InputFileError
        If the file cannot be read.
    """
    if layout is None:
        if scheme is None:
            raise InvalidArgumentError("layout", None, "given where there is no design")
        return Layout.of(scheme)
    described = layout
    if not isinstance(described, Layout):
        described = Layout.read(file_path("layout", described))
    if scheme is not None and described.bell_scheme() != scheme:
        raise InvalidArgumentError("layout", described.bell_scheme(), f"of the design's {scheme}")
    return described


def _first_problem(error: ValidationError) -> InvalidArgumentError:
    """Turn pydantic's report into one line that names argument, value and what is allowed."""
    problem: Any = error.errors()[0]
    place = ".".join(map(str, problem["loc"]))
    if problem["type"] == "missing":
        return InvalidArgumentError(place, None, "given")
    allowed = problem["msg"].removeprefix("Input should be ")
    if problem["type"] == "extra_forbidden":
        allowed = "left out"
    own = problem.get("ctx", {}).get("error")
    if isinstance(own, InvalidArgumentError):
        allowed = own.allowed
    return InvalidArgumentError(place, problem["input"], allowed)


def _index(argument: str, names: Sequence[str], name: str) -> int:
    if name not in names:
        raise InvalidArgumentError(argument, name, f"one of {', '.join(names)}")
    return names.index(name)


def _codes(argument: str, pairs: Sequence[tuple[Value, int]]) -> dict[Key, int]:
    """Return codes by value, each value once."""
    codes: dict[Key, int] = {}
    for value, code in pairs:
        key = canonical(value)
        # Of empty cells there is another rule for outcomes, and none for settings.
        if (key is None and code != UNHERALDED) or key in codes:
            raise InvalidArgumentError(argument, value, "different values, none of them empty")
        codes[key] = code
    return codes


def describe(codes: Mapping[Key, int]) -> str:
    """Return the values that a column may have, for messages."""
    return ", ".join("an empty cell" if key is None else f"{key!r}" for key in codes)
