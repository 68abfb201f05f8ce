"""What a cell may hold: words for nothing, yes and no, and values of every type of column."""

import codecs

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from plain_rounds import XIE_SCHEME as SCHEME

from postprocessing.design.request import ExpectedValues, Security
from postprocessing.errors import InputFileError, InvalidArgumentError
from postprocessing.files.designs import is_emulated, read_design, write_design
from postprocessing.files.layout import HeraldLayout, Layout, PartyLayout
from postprocessing.files.records import read_records


def layout_with(heralds=None, **outcomes):
    """Return the layout of emulated files, with other values of outcomes or heralds."""
    layout = Layout.of(SCHEME)
    party = layout.alice.model_dump() | {"plus": ("1",), "minus": ("-1",), **outcomes}
    alice = PartyLayout.model_validate(party)
    own = layout.heralds.model_dump() | (heralds or {})
    changes = {"alice": alice, "heralds": HeraldLayout.model_validate(own)}
    changed = layout.model_copy(update=changes)
    changed.check()
    return changed


def outcomes_of(path, layout, cells, heralds=None, suffix="csv"):
    """Return Alice's outcome bits of a file with these cells."""
    rows = len(cells)
    frame = pd.DataFrame(
        {
            "herald": ["0"] * rows if heralds is None else heralds,
            "alice_setting": ["0"] * rows,
            "alice_outcome": cells,
            "bob_setting": ["0"] * rows,
            "bob_outcome": ["1"] * rows,
        }
    )
    file = path / f"rounds.{suffix}"
    frame.to_csv(file, index=False) if suffix == "csv" else frame.to_parquet(file)
    return read_records(file, layout=layout)[0].outcomes.tolist()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("word", ["NA", "null", "None"])
def test_a_word_for_nothing_is_a_word_where_the_layout_lists_it(tmp_path, word, suffix):
    cells = ["1", word, "-1"]
    listed = layout_with(plus=("1",), minus=("-1", word))
    assert outcomes_of(tmp_path, listed, cells, suffix=suffix) == [0, 1, 1]
    counted = layout_with(no_click="plus")
    assert outcomes_of(tmp_path, counted, cells, suffix=suffix) == [0, 0, 1]
    with pytest.raises(InputFileError, match="got an empty cell in row 2"):
        outcomes_of(tmp_path, layout_with(), cells, suffix=suffix)


def test_yes_and_no_are_read_however_they_are_written(tmp_path):
    layout = layout_with(plus=(True,), minus=(False,))
    cells = ["true", "True", "TRUE", "1", "false", "False", "0.0"]
    assert outcomes_of(tmp_path, layout, cells) == [0, 0, 0, 0, 1, 1, 1]
    words = layout_with(plus=("True",), minus=("False",))
    assert outcomes_of(tmp_path, words, ["true", "False"]) == [0, 1]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_an_empty_herald_can_be_declared_no_herald(tmp_path, suffix):
    heralds = ["0", None, "", "1"] if suffix == "parquet" else ["0", "", "NA", "1"]
    declared = layout_with(heralds={"unheralded": ("",)})
    cells = ["1", "1", "1", "-1"]
    assert outcomes_of(tmp_path, declared, cells, heralds, suffix) == [0, 1]
    with pytest.raises(InputFileError, match=r"'herald' must be one of .* an empty cell in row 2"):
        outcomes_of(tmp_path, layout_with(), cells, heralds, suffix)
    with pytest.raises(InvalidArgumentError, match="plus and minus must be different values"):
        layout_with(plus=("",))


@pytest.mark.parametrize(
    "column",
    [
        pa.DictionaryArray.from_arrays(
            np.array([5, 1700, 5], np.int32), [str(k) for k in range(-5, 1995)]
        ),
        pa.DictionaryArray.from_arrays(
            np.array([0, 127, 0], np.int8), ["0", *map(str, range(1569, 1696))]
        ),
        pa.array(["0", "1695", "0"], pa.string_view()),
        pa.array([b"0", b"1695", b"0"], pa.binary_view()),
        pa.array([b"0\0\0\0", b"1695", b"0\0\0\0"], pa.binary(4)),
        pa.array(np.array([0, 1695, 0], np.float16)),
    ],
    ids=lambda column: str(column.type),
)
def test_columns_of_every_type_of_words_and_numbers(tmp_path, column):
    layout = layout_with(plus=(0,), minus=(1695,))
    ones = pa.array([0, 0, 0])
    columns = dict.fromkeys(["herald", "alice_setting", "bob_setting"], ones)
    columns |= {"alice_outcome": column, "bob_outcome": pa.array([1, 1, 1])}
    if column.type == pa.float16():
        layout = layout_with(plus=(0,), minus=(float(np.float16(1695)),))
    pq.write_table(pa.table(columns), tmp_path / "rounds.parquet")
    alice, _ = read_records(tmp_path / "rounds.parquet", layout=layout)
    assert alice.outcomes.tolist() == [0, 1, 0]


def test_other_types_are_refused_by_name(tmp_path):
    zero = pa.array([0])
    columns = dict.fromkeys(["herald", "alice_setting", "bob_setting", "bob_outcome"], zero)
    table = pa.table({**columns, "alice_outcome": pa.array([1], pa.decimal128(3, 1))})
    pq.write_table(table, tmp_path / "rounds.parquet")
    with pytest.raises(InputFileError, match="'alice_outcome' must hold numbers or words, got dec"):
        read_records(tmp_path / "rounds.parquet", layout=Layout.of(SCHEME))


def test_a_byte_order_mark_is_skipped_in_designs_and_rounds(tmp_path):
    design = Security(method="asymptotic").design(ExpectedValues(SCHEME, 2.6, 0.01), 10**6)
    path = tmp_path / "design.json"
    write_design(str(path), design, emulated=True)
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    assert read_design(str(path)) == design
    assert is_emulated(path)
    outcomes_of(tmp_path, layout_with(), ["1"])
    rounds = tmp_path / "rounds.csv"
    rounds.write_bytes(codecs.BOM_UTF8 + rounds.read_bytes())
    assert len(read_records(rounds, layout=layout_with())[0]) == 1
