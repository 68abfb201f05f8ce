"""Files of bits: what was written comes back, anything else is refused by its place."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postprocessing.errors import InputFileError
from postprocessing.files.bit_strings import read_bits, write_bits


@pytest.mark.parametrize("name", ["key.bits", "key.npy", "key"])
@pytest.mark.parametrize("length", [1, 7, 64, 100_001])
def test_round_trip(tmp_path: Path, name: str, length: int) -> None:
    bits = np.random.default_rng(length).integers(0, 2, length, dtype=np.uint8)
    write_bits({tmp_path / name: bits})
    np.testing.assert_array_equal(read_bits(tmp_path / name), bits)
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_all_files_or_none(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    other.write_text("kept")
    with pytest.raises(InputFileError, match="out must be a new file"):
        write_bits({one: np.ones(3, np.uint8), other: np.ones(3, np.uint8)})
    assert (one.exists(), other.read_text()) == (False, "kept")
    write_bits({one: np.ones(3, np.uint8), other: np.zeros(2, np.uint8)}, replace=True)
    assert (one.read_text(), other.read_text()) == ("111\n", "00\n")


def test_white_space_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b" 0\t1\r\n1 1\n\n")
    assert read_bits(tmp_path / "key").tolist() == [0, 1, 1, 1]


def test_arrays_of_bool_are_bits(tmp_path: Path) -> None:
    np.save(tmp_path / "key.npy", np.array([True, False]))
    assert read_bits(str(tmp_path / "key.npy")).tolist() == [1, 0]


@settings(max_examples=200)
@given(content=st.binary(max_size=40))
def test_any_other_file_is_refused_by_line_and_column(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.mktemp("bits") / "key"
    file.write_bytes(content)
    kept = bytes(c for c in content if c in b"01")
    if not kept or set(content) - set(b"01 \t\n\r\v\f"):
        with pytest.raises(InputFileError, match=r"bits must be (characters 0 and 1|at least one)"):
            read_bits(file)
    else:
        assert read_bits(file).tolist() == [c - 48 for c in kept]


def test_the_place_of_a_character_is_told(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("01\n0012\n")
    with pytest.raises(InputFileError, match=r"has b'2' in line 2, column 4"):
        read_bits(tmp_path / "key")


@pytest.mark.parametrize(
    "array",
    [np.array([0, 2], np.uint8), np.zeros((2, 2), np.uint8), np.zeros(3), np.array([None])],
)
def test_other_arrays_are_refused(tmp_path: Path, array: npt.NDArray[Any]) -> None:
    np.save(tmp_path / "key.npy", array)
    with pytest.raises(InputFileError, match="bits must be a flat array of uint8 or bool"):
        read_bits(tmp_path / "key.npy")


def test_files_that_are_not_there_or_cut_off_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="bits must be a readable file"):
        read_bits(tmp_path / "none")


HEAD = b"\x93NUMPY\x01\x00"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        HEAD[:7],
        b"PK\x03\x04garbage",
        HEAD + b"\x10\x00{'descr': '|u1',",
        HEAD
        + b"v\x00{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999,)}".ljust(119)
        + b"\n",
    ],
)
def test_arrays_that_are_none_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cut.npy").write_bytes(content)
    with pytest.raises(InputFileError, match="bits must be a flat array"):
        read_bits(tmp_path / "cut.npy")
