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

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError

from postprocessing.checks import file_path, instance_of
from postprocessing.errors import InputFileError, InvalidArgumentError
from postprocessing.files.layout_parts import BellLayout, HeraldLayout, PartyLayout
from postprocessing.files.meanings import AnyOf, Meanings, Part
from postprocessing.files.text_form import TextForm
from postprocessing.files.toml import read_toml
from postprocessing.scheme import BellScheme, Party

_FOLDER = Path(__file__).parent / "layouts"
# Of published Bell tests.
SHIPPED = tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


class Layout(Part):
    """The layout of files of rounds.

    Parameters
    ----------
    alice, bob : PartyLayout
        Where each party's settings and outcomes are.
    heralds : HeraldLayout
        Where the announcements are.
    bell : BellLayout, optional
        What the settings are for.
    rows : dict
        Columns and the values that they must have in rows that count; all others are skipped before
        anything else is read. None may be an outcome: that would choose rounds by how they ended.
    file : TextForm, optional
        How a text file is written.

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
    heralds: HeraldLayout = Field(default_factory=HeraldLayout)
    bell: BellLayout | None = None
    rows: dict[str, AnyOf] = Field(default_factory=dict)
    file: TextForm | None = None

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
                settings={label: (i,) for i, label in enumerate(scheme.labels(name))},
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
        heralds = {herald: (i,) for i, herald in enumerate(scheme.heralds)}
        return cls(
            alice=party("alice"),
            bob=party("bob"),
            heralds=HeraldLayout(column="herald", values=heralds),
            bell=BellLayout(key=key, chsh=chsh, flip=tuple(flips)),
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a layout from a TOML file, or one of `SHIPPED` by its name.

        Raises
        ------
        InputFileError
            If the file cannot be read, is not TOML or describes no layout.
        """
        path = file_path("layout", path)
        if str(path) in SHIPPED and not path.exists():
            path = _FOLDER / f"{path}.toml"
        parameters = read_toml("layout", path)
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
        heralds = self.heralds
        if heralds.where and (heralds.column is not None or heralds.says_values()):
            allowed = "left out where there is a column, or values of one"
            raise InvalidArgumentError("heralds.where", tuple(heralds.where), allowed)
        if not heralds.where and heralds.column is None and len(heralds.values) != 1:
            allowed = "given, or a single herald"
            raise InvalidArgumentError("heralds.column", None, allowed)
        if heralds.column is None and heralds.unheralded:
            allowed = "left out where there is no column"
            raise InvalidArgumentError("heralds.unheralded", heralds.unheralded, allowed)
        for name, ways in heralds.where.items():
            if not ways or not all(ways):
                raise InvalidArgumentError("heralds.where", name, "tables of columns and values")
        for table in (self.rows, *(way for ways in heralds.where.values() for way in ways)):
            for column, wanted in table.items():
                Meanings.of(
                    f"values of {column!r}", [(value, 0) for value in wanted if value != ""]
                )
        self._check_columns()
        heralds.codes()
        for party in (self.alice, self.bob):
            party.setting_codes()
            party.outcome_codes()
        if self.bell is not None:
            if self.bell.key is not None:
                self.bell_scheme()
            else:
                self.game()

    def _check_columns(self) -> None:
        """Check that a party's columns have different names; the other's may be in another file."""
        for party in (self.alice, self.bob):
            columns = [party.setting_column, party.outcome_column, *self.heralds.columns]
            if "" in columns or len(set(columns)) < len(columns):
                allowed = "different names for settings, outcomes and heralds, none of them empty"
                raise InvalidArgumentError("columns", columns, allowed)
        outcomes = {_plain(party.outcome_column) for party in (self.alice, self.bob)}
        for column in (*self.rows, *self.heralds.columns):
            if _plain(column) in outcomes or not column:
                allowed = "no outcome: rounds must not be chosen by how they ended"
                raise InvalidArgumentError("rows", column, allowed)
        if self.file is not None:
            self.file.check_columns([*self.columns(["alice"]), *self.columns(["bob"])])

    def columns(self, parties: Sequence[Party]) -> list[str]:
        """Return the columns to read, each once: heralds, what rows must have, those of parties.

        Raises
        ------
        InvalidArgumentError
            If two parties have a column of one name, where one file holds both.
        """
        own = [
            column
            for party in parties
            for column in (self.party(party).setting_column, self.party(party).outcome_column)
        ]
        if len(set(own)) < len(own):
            allowed = "columns of different names for both parties, where one file holds them"
            raise InvalidArgumentError("layout", own, allowed)
        return list(dict.fromkeys([*self.heralds.columns, *self.rows, *own]))

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
        if self.bell is None or self.bell.key is None:
            raise InvalidArgumentError("bell.key", None, "given: without key settings is no key")
        alice, bob = tuple(self.alice.settings), tuple(self.bob.settings)
        heralds, flipped = self.heralds.names, self._flipped()
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

    def _flipped(self) -> set[tuple[int, int]]:
        """Return for which heralds and settings Bob inverts his outcome, by number."""
        bob = tuple(self.bob.settings)
        return {
            (_index("flip", self.heralds.names, herald), _index("flip", bob, label))
            for herald, label in (self.bell.flip if self.bell else ())
        }

    def game(self) -> tuple[tuple[int, ...], tuple[int, ...], dict[str, str] | None]:
        """Return Alice's and Bob's two settings of the CHSH game, and its signs by herald.

        Returns
        -------
        alice, bob : tuple of int
            Numbers of the settings.
        signs : dict of str to str or None
            Signs of the pairs 00, 01, 10, 11 that win, by herald; None where nothing says so.

        Raises
        ------
        InvalidArgumentError
            If a name is unknown, or there are not two settings a side and a sign for each pair.
        """
        alice, bob = tuple(self.alice.settings), tuple(self.bob.settings)
        if self.bell is None or not self.bell.chsh:
            if self.bell is not None and self.bell.flip:
                allowed = "left out where there are no signs of a game to turn"
                raise InvalidArgumentError("bell.flip", self.bell.flip, allowed)
            if (len(alice), len(bob)) != (2, 2):
                allowed = "given, or two settings a side"
                raise InvalidArgumentError("bell.chsh", None, allowed)
            return (0, 1), (0, 1), None
        signs = {
            (_index("chsh", alice, x), _index("chsh", bob, y)): sign
            for x, y, sign in self.bell.chsh
        }
        own, other = sorted({x for x, _ in signs}), sorted({y for _, y in signs})
        plain_signs = set(signs.values()) <= {1, -1}
        once = len(self.bell.chsh) == len(signs) == 4
        if not (len(own) == len(other) == 2 and once and plain_signs):
            allowed = "a sign 1 or -1 for each pair of two settings a side"
            raise InvalidArgumentError("bell.chsh", self.bell.chsh, allowed)
        flipped = self._flipped()
        by_herald = {
            name: "".join(
                "+" if signs[x, y] * (-1 if (herald, y) in flipped else 1) > 0 else "-"
                for x in own
                for y in other
            )
            for herald, name in enumerate(self.heralds.names)
        }
        return tuple(own), tuple(other), by_herald


def layout_of(scheme: BellScheme | None, layout: Layout | Path | str | None) -> Layout:
    """Return the layout of rounds, which must be of the design's settings where there is a design.

    Parameters
    ----------
    scheme : BellScheme or None
        Settings of the design.
    layout : Layout, path of a TOML file, name of a shipped one, or None
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


def _plain(column: str) -> str:
    """Return the path of a data set without what says nothing, /a, a//b and ./a being a, a/b, a."""
    return "/".join(part for part in column.split("/") if part not in ("", "."))
