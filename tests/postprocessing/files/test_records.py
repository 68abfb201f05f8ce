"""Files of rounds: every format and coding gives the same records, and bad files say why."""

from __future__ import annotations

import csv
import stat

import h5py
import numpy as np
import pandas as pd
import pytest
from plain_rounds import LI_SCHEME
from plain_rounds import XIE_SCHEME as SCHEME

from postprocessing.errors import InputFileError, InvalidArgumentError
from postprocessing.files import formats
from postprocessing.files.layout import Layout
from postprocessing.files.meanings import canonical
from postprocessing.files.records import read_party_record, read_records, write_records
from postprocessing.records import PartyRecord

FORMATS = ("parquet", "csv", "npz", "h5")
ROUNDS = 5000
LAYOUT = """
[alice]
setting_column = "x"
settings = {{ A0 = 0, A1 = "one", A2 = 2.0 }}
outcome_column = "a"
plus = ["+1", "up"]
minus = [-1]
no_click = "{no_click}"
[bob]
setting_column = "y"
settings = {{ B1 = true, B2 = false }}
outcome_column = "b"
plus = [0]
minus = [1, 7]
no_click = "plus"
[heralds]
column = "h"
values = {{ D1 = "first", D2 = "second" }}
unheralded = ["none"]
[bell]
key = ["A0", "B1"]
chsh = [["A1", "B1", 1], ["A1", "B2", -1], ["A2", "B1", 1], ["A2", "B2", 1]]
flip = [["D2", "B1"]]
"""


@pytest.fixture(scope="module")
def records():
    """Arbitrary rounds of the ECS settings."""
    chance = np.random.default_rng(5)
    heralds = chance.integers(0, 2, ROUNDS, np.uint8)
    halves = [
        PartyRecord.of(
            chance.integers(0, most, ROUNDS, np.uint8),
            chance.integers(0, 2, ROUNDS, np.uint8),
            heralds,
        )
        for most in (3, 2)
    ]
    return {"alice": halves[0], "bob": halves[1]}


@pytest.fixture
def layout(tmp_path):
    """Return the layout above, with what an empty cell of Alice's counts as."""

    def read(no_click="minus", text=LAYOUT):
        path = tmp_path / "layout.toml"
        path.write_text(text.format(no_click=no_click), encoding="utf-8")
        return Layout.read(path)

    return read


def _equal(one: PartyRecord, other: PartyRecord) -> bool:
    return np.array_equal(one.codes, other.codes)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("rows", [700, formats.ROWS], ids=["blocks", "one block"])
def test_round_trip(records, tmp_path, suffix, rows, monkeypatch):
    """One joint file, or one a party: what was written is what is read, private to its owner."""
    for module in ("postprocessing.files.formats", "postprocessing.files.records"):
        monkeypatch.setattr(f"{module}.ROWS", rows)
    layout = Layout.of(SCHEME)
    joint = tmp_path / f"rounds.{suffix}"
    write_records(joint, SCHEME, records)
    paths = [tmp_path / f"{party}.{suffix}" for party in records]
    for path, (party, record) in zip(paths, records.items(), strict=True):
        write_records(path, SCHEME, {party: record})
    for found in (read_records(joint, layout=layout), read_records(*paths, layout=layout)):
        assert _equal(found[0], records["alice"])
        assert _equal(found[1], records["bob"])
    assert _equal(read_party_record(joint, layout, "bob"), records["bob"])
    assert {stat.S_IMODE(path.stat().st_mode) for path in (joint, *paths)} == {0o600}
    with pytest.raises(InputFileError, match="out must be a new file"):
        write_records(joint, SCHEME, records)


def test_a_party_file_tells_nothing_of_the_other(records, tmp_path):
    path = tmp_path / "alice.parquet"
    write_records(path, SCHEME, {"alice": records["alice"]})
    columns = set(pd.read_parquet(path).columns)
    assert columns == {"herald", "alice_setting", "alice_outcome"}
    with pytest.raises(InputFileError, match="0 columns named 'bob_setting'"):
        read_party_record(path, Layout.of(SCHEME), "bob")


def test_the_files_are_plain_to_read(records, tmp_path):
    """Outcomes are ±1 before any flip, settings and heralds indices."""
    path = tmp_path / "rounds.csv"
    write_records(path, SCHEME, records)
    frame = pd.read_csv(path)
    assert np.array_equal(frame.alice_outcome, 1 - 2 * records["alice"].outcomes.astype(int))
    assert np.array_equal(frame.bob_setting, records["bob"].settings)
    assert np.array_equal(frame.herald, records["alice"].heralds)


@pytest.fixture
def odd_frame():
    """Columns in a laboratory's own words, with pulses that herald nothing, and empty cells."""
    rows = [
        ("first", 0, 1, True, 0), ("none", 9, None, None, 9), ("second", "one", -1, False, 1),
        ("none", "one", 5, True, 0), ("first", 2, None, True, 7),
        ("second", "2", "up", False, None),
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["h", "x", "a", "y", "b"], dtype=object)
    expected = {
        "alice": PartyRecord.of(*np.array([[0, 1, 2, 2], [0, 1, 1, 0], [0, 1, 0, 1]], np.uint8)),
        "bob": PartyRecord.of(*np.array([[0, 1, 0, 1], [0, 1, 1, 0], [0, 1, 0, 1]], np.uint8)),
    }
    return frame, expected


def _write_as_text(frame: pd.DataFrame, path) -> None:
    texts = frame.astype(object).where(frame.notna(), "").astype(str)
    if path.suffix == ".parquet":
        frame.astype(object).where(frame.isna(), frame.astype(str)).to_parquet(path)
    elif path.suffix == ".csv":
        texts.to_csv(path, index=False, quoting=csv.QUOTE_ALL)
    elif path.suffix == ".npz":
        np.savez(path, **{name: texts[name].to_numpy(str) for name in texts})
    else:
        with h5py.File(path, "w") as file:
            for name in texts:
                file[name] = texts[name].to_numpy(object)


@pytest.mark.parametrize("suffix", FORMATS)
def test_other_codings(odd_frame, layout, tmp_path, suffix):
    """Words, numbers written differently, extra codes, empty cells: all by the layout."""
    frame, expected = odd_frame
    frame = (
        frame.replace({True: "1", False: "0"})
        if suffix != "csv"
        else frame.replace({True: 1, False: 0})
    )
    path = tmp_path / f"odd.{suffix}"
    _write_as_text(frame, path)
    alice, bob = read_records(path, layout=layout())
    assert _equal(alice, expected["alice"])
    assert _equal(bob, expected["bob"])


def test_an_outcome_that_is_missing_is_never_dropped(odd_frame, layout, tmp_path):
    frame, expected = odd_frame
    path = tmp_path / "odd.csv"
    _write_as_text(frame.replace({True: 1, False: 0}), path)
    counted, _ = read_records(path, layout=layout("plus"))
    assert len(counted) == len(expected["alice"])
    assert counted.outcomes.tolist() == [0, 1, 0, 0]
    with pytest.raises(InputFileError, match=r"got an empty cell in row 5; the layout must say"):
        read_records(path, layout=layout("never"))


@pytest.mark.parametrize(
    ("column", "value", "match"),
    [
        ("h", "third", "'h' must be one of 'first', 'second', 'none', got 'third' in row 3"),
        ("h", None, "'h' must be one of .*, got an empty cell in row 3; the herald is missing"),
        ("x", None, "'x' must be one of .*, got an empty cell in row 3; the setting is missing"),
        ("x", 3, "'x' must be one of 0.0, 'one', 2.0, got 3.0 in row 3"),
        ("a", 0, "'a' must be one of 1.0, 'up', -1.0, an empty cell, got 0.0 in row 3"),
        ("y", "B1", "'y' must be one of 1.0, 0.0, got 'B1' in row 3"),
        ("b", 2, "'b' must be one of 0.0, 1.0, 7.0, an empty cell, got 2.0 in row 3"),
    ],
)
def test_unknown_values_are_refused(odd_frame, layout, tmp_path, column, value, match):
    frame, _ = odd_frame
    frame.loc[2, column] = value
    path = tmp_path / "odd.csv"
    _write_as_text(frame.replace({True: 1, False: 0}), path)
    with pytest.raises(InputFileError, match=match):
        read_records(path, layout=layout())


def test_columns_of_measured_numbers_are_refused(layout, tmp_path):
    path = tmp_path / "voltages.csv"
    noise = np.random.default_rng(1).random(3000)
    pd.DataFrame({"h": "first", "x": noise, "a": 1, "y": 1, "b": 1}).to_csv(path, index=False)
    with pytest.raises(InputFileError, match="3000 different values in 'x'"):
        read_records(path, layout=layout())


def test_numbers_of_files():
    for same in (1, 1.0, "1", " +1.0 ", True, b"1"):
        assert canonical(same) == 1.0
    for empty in (None, float("nan"), "", " ", "nan"):
        assert canonical(empty) is None
    assert canonical("up ") == "up"
    with pytest.raises(InvalidArgumentError, match="column must be of numbers or words"):
        canonical([1])


def test_layout_of_settings_is_the_settings():
    for settings in (SCHEME, LI_SCHEME):
        assert Layout.of(settings).bell_scheme() == settings


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('no_click = "plus"\n[heralds]', "[heralds]", "bob.no_click must be given"),
        ('"up"]', '"up", 1]', "plus and minus must be different values, none of them empty"),
        ("[1, 7]", '[1, ""]', "plus and minus must be different values, none of them empty"),
        ('"one", A2', '"0", A2', "settings must be different values"),
        ('["none"]', '["first"]', "heralds must be different values"),
        ('column = "h"', "", "heralds.column must be given, or a single herald"),
        ('["A0", "B1"]', '["A7", "B1"]', "key must be one of A0, A1, A2, got 'A7'"),
        ('"B2", -1]', '"B2", 1]', "chsh_signs must be signs ±1 of product −1"),
        ('["A2", "B2", 1]]', '["A2", "B2", 1], ["A0", "B1", 1]]', "chsh_signs must be the four"),
        ('["D2", "B1"]', '["D3", "B1"]', "flip must be one of D1, D2, got 'D3'"),
        ("[bell]", "[bell]\nmore = 1", "bell.more must be left out"),
        ("[bell]", "[bell", "layout .*: "),
        ("[bell]", "[bell]\n[bell]", "layout .*: Cannot declare"),
        ("[1, 7]", "[[1]]", r"bob.minus.0 must be a word, a number up to .*got \[1\]"),
        ("[1, 7]", "[1, nan]", "bob.minus.1 must be a word, a number up to .*got nan"),
        ("[1, 7]", "[1, 2024-01-01]", "bob.minus.1 must be a word, a number"),
        ("[1, 7]", "[1, 1" + 400 * "0" + "]", "bob.minus.1 must be a word, a number up to 2.*53"),
        ('"a"', '"x"', r"columns must be different names .*, got \['x', 'x', 'h'\]"),
        ('"h"', '"a"', r"columns must be different names .*, got \['x', 'a', 'a'\]"),
        ('"h"', '"y"', r"columns must be different names .*, got \['y', 'b', 'y'\]"),
        ('"h"', '""', "columns must be different names .*, none of them empty"),
        ('"h"', "7", "heralds.column must be a valid string"),
        ('no_click = "plus"\n[heralds]', 'no_click = "drop"\n[heralds]', "bob.no_click must be"),
    ],
)
def test_impossible_layouts_are_refused(layout, old, new, match):
    assert old in LAYOUT
    text = LAYOUT.replace(old, new.replace("{", "{{").replace("}", "}}"))
    with pytest.raises(InputFileError, match=match):
        layout(text=text)


def test_one_file_keeps_the_parties_apart(records, layout, tmp_path):
    """Columns of one name are for two files."""
    text = LAYOUT.replace('"y"', '"x"').replace('"b"', '"a"')
    same = layout(text=text)
    rows = {"h": ["first"] * 2, "x": [0, 1], "a": [-1, 1]}
    for name in ("alice", "bob"):
        chosen = {**rows, "x": [0, 2]} if name == "alice" else {**rows, "a": [0, 1]}
        pd.DataFrame(chosen).to_csv(tmp_path / f"{name}.csv", index=False)
    assert len(read_party_record(tmp_path / "bob.csv", same, "bob")) == 2
    with pytest.raises(InvalidArgumentError, match="layout must be columns of different names"):
        read_records(tmp_path / "bob.csv", layout=same)


def test_a_layout_may_begin_with_a_byte_order_mark(layout, tmp_path):
    path = tmp_path / "marked.toml"
    path.write_text(LAYOUT.format(no_click="plus"), encoding="utf-8-sig")
    assert Layout.read(path) == layout("plus")


def test_files_and_suffixes(records, tmp_path):
    layout = Layout.of(SCHEME)
    with pytest.raises(InputFileError, match="a file of rounds must end in"):
        read_records(tmp_path / "rounds.xlsx", layout=layout)
    with pytest.raises(InputFileError, match=r"must be a readable \.csv file with"):
        read_records(tmp_path / "missing.csv", layout=layout)
    for paths in ([], [tmp_path] * 3):
        with pytest.raises(InvalidArgumentError, match="files must be one joint file, or Alice's"):
            read_records(*paths, layout=layout)
