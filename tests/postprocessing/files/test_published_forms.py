"""Files as Bell experiments publish them: windows, masks, comments, no header, many columns."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest

import diqkd
from postprocessing.bell.game import Game
from postprocessing.errors import InputFileError, InvalidArgumentError
from postprocessing.files import text_form
from postprocessing.files.lab_trials import game_of, read_trials
from postprocessing.files.layout import SHIPPED, Layout
from postprocessing.files.meanings import Meanings, Otherwise, Range
from postprocessing.files.records import read_records

Counts = npt.NDArray[np.int64]
# Clicks within this window of a time stamp count, as in event-ready experiments.
FIRST, SECOND = (5426.0, 5478.0), (10620.0, 14320.0)


def side(setting: str, outcome: str, **others: Any) -> dict[str, Any]:
    told = {"settings": {"0": 0, "1": 1}, "plus": [0], "minus": [1], "no_click": "never"}
    return {**told, "setting_column": setting, "outcome_column": outcome, **others}


def counts_of(path: Path, layout: Layout, heralds: int = 1) -> Counts:
    """Return n[herald, x, y, a, b] as they are read."""
    blocks = list(read_trials(path, layout=layout))
    assert blocks[0].herald_names == layout.heralds.names
    places = np.concatenate([block.cells() for block in blocks])
    return np.bincount(places, minlength=16 * heralds).reshape(heralds, 2, 2, 2, 2)


def planted(columns: dict[str, Any], kept: npt.NDArray[np.bool_], heralds: int = 1) -> Counts:
    counts = np.zeros((heralds, 2, 2, 2, 2), np.int64)
    np.add.at(counts, tuple(columns[name][kept] for name in "hxyab"), 1)
    return counts


def drawn(rows: int, seed: int) -> dict[str, npt.NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    found = {name: generator.integers(0, 2, rows) for name in "xyab"}
    return {**found, "h": np.zeros(rows, np.int64)}


def event_ready(folder: Path, rows: int = 3000) -> tuple[Path, Layout, Counts]:
    """Write 17 columns without header: two time windows and channels herald, readouts click."""
    truth, generator = drawn(rows, 1), np.random.default_rng(2)
    early = generator.uniform(5400, 5500, rows).round(1)
    late = generator.uniform(10_000, 15_000, rows).round(1)
    channels = generator.integers(0, 2, (2, rows))
    valid = generator.integers(0, 4, rows)
    # A click is a readout time in its window; otherwise it came late, or never.
    readouts = [
        np.where(truth[name] == 0, generator.integers(1, 3700, rows), 9000 + 1000 * truth[name])
        for name in "ab"
    ]
    inside = (early > FIRST[0]) & (early <= FIRST[1]) & (late > SECOND[0]) & (late <= SECOND[1])
    heralded = inside & (channels[0] != channels[1])
    columns = [np.arange(rows), early, channels[0], late, channels[1], truth["x"], truth["y"]]
    columns += [*readouts, valid, *(generator.integers(0, 99, rows) for _ in range(7))]
    lines = [" , ".join(map(str, row)) for row in zip(*columns, strict=True)]
    path = folder / "open_data.txt"
    lines.insert(700, "% a comment between")
    path.write_text("% one line\n%% and another\n" + "\n".join(lines) + "\n", encoding="ascii")
    window = {"2": {"above": FIRST[0], "up_to": FIRST[1]}}
    window["4"] = {"above": SECOND[0], "up_to": SECOND[1]}
    clicks = {"plus": {"above": 0, "up_to": 3700}, "minus": {"otherwise": True}}
    layout = Layout(
        alice=side("6", "8", **{name: [value] for name, value in clicks.items()}),
        bob=side("7", "9", **{name: [value] for name, value in clicks.items()}),
        heralds={"where": {"psi_minus": [{**window, "3": 0, "5": 1}, {**window, "3": 1, "5": 0}]}},
        rows={"10": [0, 1, 2]},
        file={"header": False, "comment": "%"},
    )
    return path, layout, planted(truth, heralded & (valid < 3))


def with_head_lines(folder: Path, rows: int = 2500) -> tuple[Path, Layout, Counts]:
    """Write lines that describe the file, then named columns between semicolons, words in them."""
    truth = drawn(rows, 3)
    signs, bases = np.array(["+1", "-1"]), np.array(["left", "right"])
    lines = ["run 7", "sampled at 12.5 kHz; see logbook", "trial;basis A;basis B;A;B;note"]
    lines += [
        f"{k};{bases[truth['x'][k]]};{bases[truth['y'][k]]};{signs[truth['a'][k]]};"
        f"{signs[truth['b'][k]]};{'ok' if k % 3 else ''}"
        for k in range(rows)
    ]
    path = folder / "data.dat"
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    words = {"settings": {"0": "left", "1": "right"}, "plus": [1], "minus": [-1]}
    layout = Layout(
        alice=side("basis A", "A", **words),
        bob=side("basis B", "B", **words),
        file={"separator": "semicolon", "skip_lines": 2},
    )
    return path, layout, planted(truth, np.ones(rows, bool))


def with_masks(folder: Path, rows: int = 4000) -> tuple[Path, Layout, Counts]:
    """Write 16 bits a trial, a bit a slot: clicks in the middle ones count; others are longer."""
    truth, generator = drawn(rows, 4), np.random.default_rng(5)
    path = folder / "trials.hdf5"
    with h5py.File(path, "w") as file:
        for name, setting, outcome in (("alice", "x", "a"), ("bob", "y", "b")):
            group = file.create_group(name)
            group["settings"] = (1 + truth[setting]).astype(np.uint8)
            # A click in slots 4 to 8 is outcome +1; slots outside may have clicked in any trial.
            slot = 1 << generator.integers(4, 9, rows)
            outside = (1 << generator.integers(9, 16, rows)) | (1 << generator.integers(0, 4, rows))
            mask = np.where(truth[outcome] == 0, slot, 0) | outside * generator.integers(0, 2, rows)
            group["clicks"] = mask.astype(np.uint16)
            group["laser_pulse"] = np.arange(3 * rows + 1)
    slots = {"plus": [{"any_bit": list(range(4, 9))}], "minus": [{"otherwise": True}]}
    both = {"settings": {"0": 1, "1": 2}, **slots}
    layout = Layout(
        alice=side("alice/settings", "alice/clicks", **both),
        bob=side("bob/settings", "bob/clicks", **both),
    )
    return path, layout, planted(truth, np.ones(rows, bool))


def with_blanks(folder: Path, rows: int = 1500) -> tuple[Path, Layout, Counts]:
    """Write columns under each other with any number of spaces, two heralds in one column."""
    truth, generator = drawn(rows, 6), np.random.default_rng(7)
    mark = generator.integers(0, 4, rows)
    truth["h"] = (mark == 2).astype(np.int64)
    names = "xyab"
    lines = ["# made by hand", "  x y   a\tb   mark"]
    lines += [
        "   ".join(f"{truth[name][k]:>3}" for name in names) + f"\t {mark[k]}  "
        for k in range(rows)
    ]
    path = folder / "columns.asc"
    path.write_text("\n".join(lines) + "\n\n", encoding="ascii")
    layout = Layout(
        alice=side("x", "a"),
        bob=side("y", "b"),
        heralds={"column": "mark", "values": {"one": [1], "two": 2}, "unheralded": [0, 3]},
        file={"separator": "blanks", "comment": "#"},
    )
    return path, layout, planted(truth, (mark == 1) | (mark == 2), 2)


FORMS: list[Callable[[Path], tuple[Path, Layout, Counts]]]
FORMS = [event_ready, with_head_lines, with_masks, with_blanks]


@pytest.mark.parametrize("block_bytes", [1000, 1 << 23])
@pytest.mark.parametrize("form", FORMS)
def test_counts_are_those_planted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Any, block_bytes: int
) -> None:
    monkeypatch.setattr(text_form, "_BLOCK_BYTES", block_bytes)
    path, layout, counts = form(tmp_path)
    assert counts.sum() > 300
    assert np.array_equal(counts_of(path, layout, len(counts)), counts)


def delft(folder: Path, rows: int = 6000) -> tuple[Path, Counts]:
    """Write rows as `bell_open_data.txt` has them, and count by what its authors' script says."""
    truth, rng = drawn(rows, 11), np.random.default_rng(12)
    first, second = rng.integers(0, 2, (2, rows))
    starts = np.array([5_426_350, 5_425_700])
    early = starts[first] + rng.choice(
        [-1, 0, 30_000, 52_449, 52_450], rows, p=[0.05, *[0.3] * 3, 0.05]
    )
    late = starts[second] + 250_000
    late = late + rng.choice([-1, 0, 20_000, 52_449, 52_450], rows, p=[0.05, *[0.3] * 3, 0.05])
    clicks = [
        np.where(
            truth[name] == 0,
            rng.choice([10_621, 14_320], rows),
            rng.choice([0, 10_620, 14_321], rows),
        )
        for name in "ab"
    ]
    excited = rng.choice([0, 0, 0, 0, 1234], (2, rows))
    invalid = rng.choice([0, 0, 100, 250, 251, 9000], (2, rows))
    stamp = np.full(rows, "2015-06-29 16:36:34.421376")
    columns = [stamp, np.ones(rows, int), np.arange(rows), early, first, late, second]
    columns += [truth["x"], truth["y"], *rng.integers(10_300, 10_500, (2, rows)), *clicks]
    columns += [*excited, *invalid]
    path = folder / "bell_open_data.txt"
    lines = (",".join(map(str, row)) for row in zip(*columns, strict=True))
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    length = 55_000 - 2_550
    kept = (starts[first] <= early) & (early < starts[first] + length) & (first != second)
    kept &= (starts[second] + 250_000 <= late) & (late < starts[second] + 250_000 + length)
    kept &= (excited == 0).all(axis=0) & ((invalid == 0) | (invalid > 250)).all(axis=0)
    return path, planted(truth, kept)


def eth(folder: Path, rows: int = 4000) -> tuple[Path, Counts]:
    truth = drawn(rows, 13)
    signs = [truth["x"], 1 - 2 * truth["a"], truth["y"], 1 - 2 * truth["b"]]
    path = folder / "main_dataset_all_events.txt"
    lines = [",".join(map(str, row)) for row in zip(*signs, strict=True)]
    head = ["# all events, one trial a line", "Input Alice, Output Alice, Input Bob, Output Bob"]
    path.write_text("\n".join(head + lines) + "\n", encoding="ascii")
    return path, planted(truth, np.ones(rows, bool))


def nist(folder: Path, rows: int = 5000) -> tuple[Path, Counts]:
    truth, rng = drawn(rows, 14), np.random.default_rng(15)
    path, kept = folder / "run.compressed.build.hdf5", np.ones(rows, bool)
    with h5py.File(path, "w") as file:
        for name, setting, outcome in (("alice", "x", "a"), ("bob", "y", "b")):
            inside = 1 << rng.integers(3, 8, rows)
            outside = rng.choice([0, 1, 4, 1 << 8, 1 << 15], rows)
            words = rng.choice([0, 1, 2, 3], rows, p=[0.01, 0.49, 0.49, 0.01])
            words = np.where(np.isin(words, (1, 2)), 1 + truth[setting], words)
            kept &= np.isin(words, (1, 2))
            group = file.create_group(name)
            group["settings"] = words.astype(np.uint8)
            group["clicks"] = (np.where(truth[outcome] == 0, inside, 0) | outside).astype(np.uint16)
            group["laserPulseNumber"] = np.arange(2 * rows + 3)
            group["badSyncInfo"] = np.zeros((1, 7), np.uint64)
    return path, planted(truth, kept)


@pytest.mark.parametrize(
    ("name", "write"), [("delft-2015", delft), ("eth-2023", eth), ("nist-2015", nist)]
)
def test_shipped_layouts_read_what_their_authors_would(
    tmp_path: Path, name: str, write: Any
) -> None:
    path, counts = write(tmp_path)
    assert counts.sum() > 300
    assert np.array_equal(counts_of(path, Layout.read(Path(name)), 1), counts)
    assert name in SHIPPED
    assert len(SHIPPED) == 3


def test_a_file_of_its_own_comes_before_a_shipped_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("eth-2023").write_text("[alice]", encoding="ascii")
    with pytest.raises(InputFileError, match=r"layout 'eth-2023'"):
        Layout.read(Path("eth-2023"))


def test_the_parts_on_the_page_are_parts_of_a_layout() -> None:
    page = Path(__file__).parents[3] / "docs" / "lab-data.md"
    text = page.read_text(encoding="utf-8").partition("```toml\n[file]")[2].partition("```")[0]
    parts = tomllib.loads("[file]" + text)
    assert parts["heralds"].keys() == {"where"}
    layout = Layout(alice=side("6", "8"), bob=side("7", "9"), **parts)
    assert layout.heralds.names == ("psi_minus",)
    assert layout.heralds.columns == ("2", "3", "4", "5")


def test_emulated_rounds_play_the_game_of_their_layout(tmp_path: Path) -> None:
    """S of the key scheme's rounds is the model's, flips in the signs: within 5 deviations."""
    scenario = diqkd.load_scenario("ecs-100km", {"rounds": 200_000, "seed": 3})
    written = diqkd.emulate_to(tmp_path, scenario, file_format="npz", joint=True)
    layout = Layout.of(written.design.scheme)
    game = game_of(layout)
    test = diqkd.bell_test(read_trials(tmp_path / "rounds.npz", layout=layout), game)
    expected = scenario.build_model().joint_distribution().chsh
    assert test.chsh is not None
    assert test.chsh_standard_error is not None
    assert abs(test.chsh - expected) < 5 * test.chsh_standard_error
    assert test.trials < 200_000


def test_the_game_is_said_once() -> None:
    plain = Layout(alice=side("x", "a"), bob=side("y", "b"))
    assert game_of(plain, ["-+++"]) == Game("-+++")
    scheme = diqkd.BellState(diqkd.Link(distance_km=10)).joint_distribution().scheme
    with pytest.raises(InvalidArgumentError, match=r"^game must be left out"):
        game_of(Layout.of(scheme), ["+++-"])
    with pytest.raises(InvalidArgumentError, match=r"^bell\.key must be given"):
        plain.bell_scheme()


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="ascii").splitlines()


# Columns whose cells decide something, in the file with windows: 2 to 10 but 1, counted from 0.
TELLING = {1: "'2'", 2: "'3'", 3: "'4'", 4: "'5'", 5: "'6'", 6: "'7'", 7: "'8'", 8: "'9'"}
WORDS = ["", "x", "1 2", "1_0", "--1", "0x1", "1,5e", "nan", "NA", "é", "1e999x", "+-1"]


@pytest.mark.parametrize(("column", "word"), list(itertools.product((5, 6), WORDS)))
@pytest.mark.parametrize("row", [0, 1, 17, 400, 701, 1200, 1201, 2000, 2500, 2999])
def test_no_setting_is_misread(tmp_path: Path, column: int, word: str, row: int) -> None:
    """240 files with a wrong setting: refused by column and row, or the row was no round."""
    path, layout, counts = event_ready(tmp_path)
    lines = lines_of(path)
    data = [k for k, line in enumerate(lines) if not line.startswith("%")]
    cells = lines[data[row]].split(" , ")
    cells[column] = word
    lines[data[row]] = " , ".join(cells)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    try:
        found = counts_of(path, layout)
    except InputFileError as error:
        told = str(error)
        assert f"row {row + 1}" in told or "Expected 17 columns" in told or "columns" in told
        assert TELLING[column] in told or "column" in told
    else:
        assert np.array_equal(found, counts)


@pytest.mark.parametrize("form", [event_ready, with_head_lines, with_blanks])
@pytest.mark.parametrize("row", range(5, 1400, 31))
@pytest.mark.parametrize("damage", ["cut", "longer"])
def test_rows_of_other_lengths_are_refused(
    tmp_path: Path, form: Any, row: int, damage: str
) -> None:
    path, layout, _ = form(tmp_path)
    lines = lines_of(path)
    data = [k for k, line in enumerate(lines) if line and line.lstrip()[0] not in "%#"]
    separator = {"event_ready": " , ", "with_head_lines": ";", "with_blanks": " "}[form.__name__]
    at = data[row]
    cut = separator.join(lines[at].strip().split(separator)[:-1]).strip()
    lines[at] = cut if damage == "cut" else lines[at] + separator + "1"
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    with pytest.raises(InputFileError, match=r"must be a readable .* file"):
        counts_of(path, layout)


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ({"rows": {"a": 1}}, "rows must be no outcome: rounds must not be chosen"),
        ({"rows": {"b": [0, 1]}}, "rows must be no outcome: rounds must not be chosen"),
        ({"rows": {"": 1}}, "rows must be no outcome"),
        ({"rows": {"v": []}}, "rows.v must be a value, or some of them"),
        ({"heralds": {"where": {"D": [{"a": 1}]}}}, "columns must be different names"),
        ({"heralds": {"where": {"D": []}}}, "heralds.where must be tables"),
        ({"heralds": {"where": {"D": [{}]}}}, "heralds.where must be tables"),
        ({"heralds": {"where": {"D": [{"h": 1}]}, "column": "g"}}, "heralds.where must be left"),
        ({"heralds": {"where": {"D": [{"h": 1}]}, "unheralded": [0]}}, "heralds.where must be"),
        ({"file": {"header": False}}, "columns must be numbered"),
        ({"file": {"separator": "::"}}, "file.separator must be"),
        ({"file": {"comment": " "}}, "file"),
        ({"file": {"skip_lines": -1}}, "file.skip_lines must be"),
        ({"rows": {"v": {"above": 1, "up_to": 1}}}, "rows.v.0"),
        ({"rows": {"v": {"above": "x"}}}, "rows.v.0"),
        ({"rows": {"v": {"any_bit": []}}}, "rows.v.0"),
        ({"rows": {"v": {"any_bit": [53]}}}, "rows.v.0"),
        ({"rows": {"v": {"otherwise": False}}}, "rows.v.0"),
        ({"rows": {"v": {"between": [0, 1]}}}, "rows.v.0 must be a value, or a table with one of"),
        ({"rows": {"v": [{"otherwise": True}] * 2}}, "values of 'v' must be there once"),
        ({"bell": {"chsh": [["0", "1", 1]]}}, "bell.chsh must be a sign"),
        ({"bell": {"chsh": [["0", "7", 1]]}}, "chsh must be one of 0, 1"),
    ],
)
def test_layouts_that_are_none(part: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidArgumentError) as error:
        Layout(**{"alice": side("x", "a"), "bob": side("y", "b"), **part})
    assert str(error.value).startswith(told)


def test_two_meanings_of_a_number_are_none(tmp_path: Path) -> None:
    path = tmp_path / "trials.csv"
    path.write_text("x,y,a,b\n0,0,5,0\n1,1,1,1\n", encoding="ascii")
    both = {"plus": [{"above": 0, "up_to": 10}], "minus": [{"above": 4}]}
    layout = Layout(alice=side("x", "a", **both), bob=side("y", "b"))
    with pytest.raises(InputFileError, match=r"'a' must be one of 0 < t <= 10, 4 < t, got 5.0 in"):
        list(read_trials(path, layout=layout))


def test_heralds_exclude_each_other(tmp_path: Path) -> None:
    path = tmp_path / "trials.csv"
    path.write_text("x,y,a,b,t\n0,0,0,0,1\n0,0,0,0,5\n", encoding="ascii")
    where = {"early": [{"t": {"up_to": 5}}], "late": [{"t": {"above": 4}}]}
    layout = Layout(alice=side("x", "a"), bob=side("y", "b"), heralds={"where": where})
    with pytest.raises(InputFileError, match=r"heralds must exclude each other, 'late' .* 2"):
        read_records(path, layout=layout)


def test_files_of_other_rounds_are_no_test(tmp_path: Path) -> None:
    one, other = tmp_path / "alice.csv", tmp_path / "bob.csv"
    one.write_text("x,a\n0,0\n1,1\n", encoding="ascii")
    other.write_text("x,a\n0,0\n", encoding="ascii")
    layout = Layout(alice=side("x", "a"), bob=side("x", "a"))
    with pytest.raises(InputFileError, match="files must be of the same rounds"):
        read_trials(one, other, layout=layout)
    other.write_text("x,a\n0,0\n1,0\n", encoding="ascii")
    assert sum(map(len, read_trials(one, other, layout=layout))) == 2
    one.write_text("x,a\n", encoding="ascii")
    other.write_text("x,a\n", encoding="ascii")
    with pytest.raises(InputFileError, match="files must hold a trial"):
        read_trials(one, other, layout=layout)


def test_empty_cells_where_they_are_declared(tmp_path: Path) -> None:
    path = tmp_path / "trials.csv"
    path.write_text("x,y,a,b,v\n0,0,0,0,\n0,0,0,0,7\n0,0,0,0,x\n", encoding="ascii")
    for wanted, rows in (([""], 1), (["", "x"], 2), ([{"otherwise": True}], 2)):
        layout = Layout(alice=side("x", "a"), bob=side("y", "b"), rows={"v": wanted})
        assert len(read_records(path, layout=layout)[0]) == rows


def test_ends_of_a_range_and_what_is_empty() -> None:
    codes = Meanings.of("t", [(Range(above=1, up_to=2), 0), (Otherwise(otherwise=True), 1)])
    numbers = np.array([1.0, 1.5, 2.0, 2.1, np.nan])
    assert codes.codes({4: None}, numbers).tolist() == [1, 0, 0, 1, 255]


def read(folder: Path, text: str, suffix: str = ".csv", **parts: Any) -> list[list[int]]:
    """Return x, y, a, b of the trials that a file of text is read as."""
    path = folder / f"trials{suffix}"
    path.write_text(text, encoding="utf-8", newline="")
    layout = Layout(**{"alice": side("x", "a"), "bob": side("y", "b"), **parts})
    cells = np.concatenate([block.cells() for block in read_trials(path, layout=layout)])
    return [[int(cell) >> k & 1 for k in (3, 2, 1, 0)] for cell in cells]


@pytest.mark.parametrize(
    ("alice", "bob", "parts"),
    [
        ("x,a,v\n0,1,1\n1,0,0\n0,1,1\n", "x,a,v\n0,1,0\n1,0,1\n0,1,1\n", {"rows": {"v": 1}}),
        (
            "x,a,v\n0,1,1\n1,0,0\n",
            "x,a,v\n0,1,0\n1,0,1\n",
            {"heralds": {"where": {"D": [{"v": 1}]}}},
        ),
        (
            "x,a,v\n0,1,1\n1,0,0\n",
            "x,a,v\n0,1,0\n1,0,1\n",
            {"heralds": {"column": "v", "values": {"D": 1}, "unheralded": [0]}},
        ),
        ("x,a,v\n0,1,1\n1,0,0\n", "x,a,v\n0,1,1\n", {"rows": {"v": 1}}),
    ],
)
def test_two_files_keep_the_same_rows(
    tmp_path: Path, alice: str, bob: str, parts: dict[str, Any]
) -> None:
    """Else Alice's round would stand beside another one of Bob's."""
    files = tmp_path / "alice.csv", tmp_path / "bob.csv"
    for file, text in zip(files, (alice, bob), strict=True):
        file.write_text(text, encoding="ascii")
    layout = Layout(**{"alice": side("x", "a"), "bob": side("x", "a"), **parts})
    with pytest.raises(InputFileError, match="must have the same rows as rounds, got"):
        read_records(*files, layout=layout)


def test_a_file_of_the_heralded_rounds_alone_fits_one_of_all(tmp_path: Path) -> None:
    files = tmp_path / "alice.csv", tmp_path / "bob.csv"
    files[0].write_text("x,a,v\n0,1,1\n1,0,0\n1,0,1\n", encoding="ascii")
    files[1].write_text("x,a,v\n0,1,1\n1,0,1\n", encoding="ascii")
    heralds = {"column": "v", "values": {"D": 1}, "unheralded": [0]}
    layout = Layout(alice=side("x", "a"), bob=side("x", "a"), heralds=heralds)
    alice, bob = read_records(*files, layout=layout)
    assert np.array_equal(alice.codes, bob.codes)


@pytest.mark.parametrize("rows", [500, 2000])
@pytest.mark.parametrize("no_click", ["never", "plus", "minus"])
def test_no_number_is_an_empty_cell_however_many_values_there_are(
    tmp_path: Path, rows: int, no_click: str
) -> None:
    times = np.arange(rows) + 0.5
    times[7] = np.nan
    zeros = np.zeros(rows, np.int64)
    np.savez(tmp_path / "trials.npz", x=zeros, y=zeros, a=times, b=zeros)
    clicks = {"plus": [{"above": 0, "up_to": 99}], "minus": [{"otherwise": True}]}
    layout = Layout(alice=side("x", "a", no_click=no_click, **clicks), bob=side("y", "b"))
    if no_click == "never":
        with pytest.raises(InputFileError, match="got an empty cell in row 8"):
            read_records(tmp_path / "trials.npz", layout=layout)
        return
    alice, _ = read_records(tmp_path / "trials.npz", layout=layout)
    expected = (times > 99).astype(np.uint8)
    expected[7] = no_click == "minus"
    assert np.array_equal(alice.outcomes, expected)


@pytest.mark.parametrize("path", ["/g/a", "g//a", "g/./a", "./g/a"])
@pytest.mark.parametrize("part", ["rows", "where"])
def test_no_outcome_by_another_spelling(path: str, part: str) -> None:
    asked = {"rows": {path: 1}} if part == "rows" else {"heralds": {"where": {"D": [{path: 1}]}}}
    with pytest.raises(InvalidArgumentError, match="no outcome: rounds must not be chosen"):
        Layout(**{"alice": side("g/x", "g/a"), "bob": side("g/y", "g/b"), **asked})


def test_no_outcome_by_a_link(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "trials.h5", "w") as file:
        for name in "xyab":
            file[name] = np.zeros(9, np.int64)
        file["mark"] = h5py.SoftLink("/a")
    layout = Layout(alice=side("x", "a"), bob=side("y", "b"), rows={"mark": 0})
    with pytest.raises(InputFileError, match="are links to one data set"):
        read_records(tmp_path / "trials.h5", layout=layout)


def test_one_setting_column_for_both_is_none_in_one_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="columns of different names for both parties"):
        read(tmp_path, "x,y,a,b\n", bob=side("x", "b"), rows={"x": [0, 1]})


@pytest.mark.parametrize("word", [2**60 + 8, 2**53, -32760, 8.5])
def test_what_is_no_mask_lacks_no_bit(tmp_path: Path, word: float) -> None:
    bits = {"plus": [{"any_bit": [3]}], "minus": [{"otherwise": True}]}
    with pytest.raises(InputFileError, match="'a' must be one of any of the bits 3"):
        read(tmp_path, f"x,y,a,b\n0,0,{word},0\n", alice=side("x", "a", **bits))


def test_lines_are_neither_lost_nor_joined(tmp_path: Path) -> None:
    blanks = {"file": {"separator": "blanks", "comment": "#"}}
    text = "x y a b r\n0 1 1 0 {0}\n1 0 0 1 6\n1 1 1 1 7\n"
    expected = [[0, 1, 1, 0], [1, 0, 0, 1], [1, 1, 1, 1]]
    for remark in ("5", '"', '5"'):
        assert read(tmp_path, text.format(remark), ".txt", **blanks) == expected
    dos = "\ufeff# a\r\n" + text.format("5").replace("\n", "\r\n").rstrip()
    assert read(tmp_path, dos, ".txt", **blanks) == expected
    with pytest.raises(InputFileError, match="lines must end as"):
        read(tmp_path, text.format("5").replace("\n", "\r"), ".txt", **blanks)
    tabs = {"file": {"separator": "tab", "comment": "#"}, "rows": {"r": ["", 1]}}
    rows = 'r\tx\ty\ta\tb\n\t0\t1\t1\t0\n1\t1\t0\t0\t1\n # no\n"\t0\t0\t0\t0\n'
    assert read(tmp_path, rows, ".tsv", **tabs) == expected[:2]
    marked = "s\tx\ty\ta\tb\n\t#\t1\t1\t0\n"
    with pytest.raises(InputFileError, match="'x' must be one of"):
        read(tmp_path, marked, ".tsv", file={"separator": "tab", "comment": "#"})


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ({"heralds": {"unheralded": [0]}}, "heralds.unheralded must be left out"),
        ({"heralds": {"where": {"D": [{"h": 1}]}, "values": {"E": 1}}}, "heralds.where must be"),
        ({"bell": {"chsh": [], "flip": [["all", "0"]]}}, "bell.flip must be left out"),
        (
            {"bell": {"chsh": [["0", "0", 1], ["0", "0", -1], ["0", "1", 1], ["1", "0", 1]]}},
            "bell.chsh must be a sign",
        ),
        (
            {"bell": {"chsh": [[x, y, 1] for x in "01" for y in "01"] + [["1", "1", -1]]}},
            "bell.chsh must be a sign",
        ),
    ],
)
def test_nothing_in_a_layout_is_left_unheard(part: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidArgumentError) as error:
        Layout(**{"alice": side("x", "a"), "bob": side("y", "b"), **part})
    assert str(error.value).startswith(told)
