"""Plain files of a Bell test: either coding is read, everything else is refused by its place."""

import re

import numpy as np
import pandas as pd
import pytest

from postprocessing.errors import InputFileError, InvalidArgumentError
from postprocessing.files import formats, text_form
from postprocessing.files.plain_trials import read_plain_trials

HEAD = "x,y,a,b"
ROWS = ["0,0,1,1", "0,1,1,-1", "1,0,-1,1", "1,1,-1,-1"]


def written(folder, rows, head=HEAD):
    path = folder / "trials.csv"
    path.write_text("\n".join([head, *rows, ""]), encoding="utf-8")
    return path


def read(path):
    """Return all trials as rows of settings and signs."""
    columns = ("alice_settings", "bob_settings", "alice_outcomes", "bob_outcomes")
    blocks = list(read_plain_trials(path))
    found = [np.concatenate([getattr(block, name) for block in blocks]) for name in columns]
    return np.stack(found, axis=1).astype(int).tolist()


def test_signs_are_read(tmp_path):
    expected = [[0, 0, 1, 1], [0, 1, 1, -1], [1, 0, -1, 1], [1, 1, -1, -1]]
    assert read(written(tmp_path, ROWS)) == expected
    wider = [f"7,{row},word" for row in ROWS]
    assert read(written(tmp_path, wider, f"trial,{HEAD},note")) == expected
    spelt = [row.replace("-1", " -1.0").replace(",1", ",+1") for row in ROWS]
    assert read(written(tmp_path, spelt)) == expected


def test_bits_are_read_with_0_as_plus(tmp_path):
    bits = ["0,0,1,1", "0,1,1,0", "1,0,0,1", "1,1,0,0"]
    expected = [[0, 0, -1, -1], [0, 1, -1, 1], [1, 0, 1, -1], [1, 1, 1, 1]]
    assert read(written(tmp_path, bits)) == expected


@pytest.mark.parametrize("suffix", ["csv", "parquet", "npz", "h5"])
def test_every_format_and_block_says_the_same(tmp_path, suffix, monkeypatch):
    rng = np.random.default_rng(1)
    table = {name: rng.integers(0, 2, 5000, dtype=np.int8) for name in "xyab"}
    # The first block does not tell the coding.
    table["a"][:2000], table["b"][:2000] = 1, 1
    path = tmp_path / f"trials.{suffix}"
    formats.write_columns(path, list("xyab"), 5000, lambda names: [{n: table[n] for n in names}])
    monkeypatch.setattr(formats, "ROWS", 700)
    monkeypatch.setattr(text_form, "_BLOCK_BYTES", 1000)
    expected = np.stack([table["x"], table["y"], 1 - 2 * table["a"], 1 - 2 * table["b"]], axis=1)
    assert len(list(read_plain_trials(path))) > 1
    assert read(path) == expected.tolist()


@pytest.mark.parametrize("column", range(4))
@pytest.mark.parametrize("cell", ["", "2", "-2", "0.5", "x", "nan", "NA", "1_0", "inf", "--1", "٢"])
def test_a_cell_is_refused_by_column_and_row(tmp_path, column, cell):
    cells = ROWS[2].split(",")
    cells[column] = cell
    path = written(tmp_path, [*ROWS[:2], ",".join(cells), ROWS[3]])
    place = f"'{HEAD.split(',')[column]}' must be one of .* in row 3"
    with pytest.raises(InputFileError, match=place) as error:
        read(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("rows", "place"),
    [
        ([*ROWS, "0,0,0,1"], "'a' must be one of 1.0, -1.0, got 0.0 in row 5"),
        ([*ROWS, "0,0,1,0"], "'b' must be one of 1.0, -1.0, got 0.0 in row 5"),
        (["0,0,0,1", *ROWS], "'a' must be one of 0.0, 1.0, got -1.0 in row 4"),
        (["0,0,0,1", "1,1,-1,0"], "'a' must be one of 0.0, 1.0, got -1.0 in row 2"),
        (["0,-1,1,-1"], "'y' must be one of 0.0, 1.0, got -1.0 in row 1"),
    ],
)
def test_two_codings_in_one_file_are_refused(tmp_path, rows, place):
    with pytest.raises(InputFileError, match=re.escape(place)):
        read(written(tmp_path, rows))


def test_a_coding_that_nothing_tells_is_refused(tmp_path):
    with pytest.raises(InputFileError, match="1 may mean \\+1 or -1"):
        read(written(tmp_path, ["0,0,1,1", "1,0,1,1"]))


@pytest.mark.parametrize(
    "head", ["x,y,a", "a,b,x", "x,y,a,a,b", "X,Y,A,B", "x;y;a;b", "", "0,0,1,1"]
)
def test_columns_must_be_there_once(tmp_path, head):
    with pytest.raises(InputFileError, match=r"trials\.csv"):
        read(written(tmp_path, ROWS, head))


@pytest.mark.parametrize(
    "content",
    [
        b"", b"x,y,a,b\n", b"\n\n", b"\0\0\0", b"\xff\xfe\xfa", b"x,y,a,b\n0,0,1\n",
        b"x,y,a,b\n0,0,1,1,1\n", b"x,y,a,b\n0,0,\xff,1\n", b'x,y,a,b\n0,0,"1,1\n',
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused(tmp_path, content):
    path = tmp_path / "trials.csv"
    path.write_bytes(content)
    with pytest.raises(InputFileError, match=r"trials\.csv"):
        read(path)


def test_files_that_are_not_there_or_of_no_format_are_refused(tmp_path):
    for name in ("nothing.csv", "trials.doc", "."):
        with pytest.raises(InputFileError):
            read(tmp_path / name)
    with pytest.raises(InvalidArgumentError, match="path must be"):
        read_plain_trials(7)


def test_damaged_files_are_refused_or_read_as_other_trials(tmp_path):
    """Single bytes replaced at random: no other exception, and never a value from elsewhere."""
    rng, refused = np.random.default_rng(4), []
    whole = "\n".join([HEAD, *ROWS * 5, ""]).encode()
    path = tmp_path / "trials.csv"
    for _ in range(300):
        content = bytearray(whole)
        content[rng.integers(len(content))] = rng.integers(256)
        path.write_bytes(content)
        try:
            rows = read(path)
        except InputFileError as error:
            refused.append(str(error))
        else:
            assert set(np.ravel(rows)) <= {-1, 0, 1}
            assert 19 <= len(rows) <= 21
    assert len(refused) > 200
    assert [text for text in refused if str(path) not in text] == []


def test_columns_of_other_types_are_refused(tmp_path):
    frame = pd.DataFrame({"x": [[0], [1]], "y": [0, 1], "a": [1, -1], "b": [1, 1]})
    frame.to_parquet(tmp_path / "trials.parquet")
    with pytest.raises(InputFileError, match="'x' must hold numbers or words"):
        read(tmp_path / "trials.parquet")
