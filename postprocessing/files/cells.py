"""Cells of a column as codes: settings, outcomes and heralds have few different values."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from postprocessing.bits import Bits
from postprocessing.errors import InputFileError
from postprocessing.files.meanings import UNKNOWN, Key, Meanings

_MOST_VALUES = 1000
_VALUE_TYPES = (
    pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_null,
    pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view,
    pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view,
    pa.types.is_fixed_size_binary,
)  # fmt: skip


class Place(NamedTuple):
    """Where a block of cells stands: the file, the column, and how many rows are before it."""

    path: Path
    column: str
    row: int


def codes_of(
    column: pa.Array,
    codes: Meanings,
    place: Place,
    kept: npt.NDArray[np.bool_] | None = None,
    *,
    if_empty: str = "",
) -> Bits:
    """Return the code of each cell.

    Parameters
    ----------
    column : pyarrow.Array
        The cells.
    codes : Meanings
        The code of each value.
    place : Place
        Where they stand.
    kept : ndarray of bool, optional
        The cells that must have a code; by default all.
    if_empty : str
        What is said besides of a cell that is empty.

    Raises
    ------
    InputFileError
        If a cell has a value that is not among those with codes; it names column and row.
    """
    if not _holds_values(column.type):
        text = f"{place.column!r} must hold numbers or words, got {column.type}"
        raise InputFileError(f"{str(place.path)!r}: {text}")
    column.validate(full=True)
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    empty = len(encoded.dictionary)
    places = encoded.indices.cast(pa.int64()).fill_null(empty).to_numpy(zero_copy_only=False)
    # A categorical may have more values than there are.
    used = np.flatnonzero(np.bincount(places, minlength=empty + 1)[:empty]).tolist()
    many = len(used) > _MOST_VALUES
    if many and not codes.conditions and codes.otherwise is None:
        text = f"{len(used)} different values in {place.column!r}"
        raise InputFileError(f"{str(place.path)!r} must hold settings and outcomes: {text}")
    numbers = _numbers(encoded.dictionary) if many else None
    keys: dict[int, Key] = {}
    if numbers is not None:
        keys = dict.fromkeys(np.flatnonzero(np.isnan(numbers)).tolist())
    else:
        keys = {i: codes.key_of(encoded.dictionary[i].as_py()) for i in used}
        numbers = np.full(empty, np.nan)
        for i, key in keys.items():
            numbers[i] = key if isinstance(key, float) else np.nan
    table = np.full(empty + 1, UNKNOWN, np.uint8)
    table[:empty] = codes.codes(keys, numbers)
    table[empty] = codes.exact.get(None, UNKNOWN)
    found: Bits = table[places]
    wrong = found == UNKNOWN
    if kept is not None:
        wrong &= kept
    if wrong.any():
        first = int(wrong.argmax())
        at = int(places[first])
        value = None if at == empty else codes.key_of(encoded.dictionary[at].as_py())
        given, hint = ("an empty cell", if_empty) if value is None else (repr(value), "")
        row = f"got {given} in row {place.row + first + 1}"
        text = f"{place.column!r} must be one of {codes.describe()}, {row}"
        raise InputFileError(f"{str(place.path)!r}: {text}{hint}")
    return found


def _holds_values(kind: pa.DataType) -> bool:
    """Tell whether a column of an Arrow type may hold settings, outcomes or heralds."""
    if pa.types.is_dictionary(kind):
        return _holds_values(kind.value_type)
    return any(holds(kind) for holds in _VALUE_TYPES)


def _numbers(values: pa.Array) -> npt.NDArray[np.float64] | None:
    """Return many different values as numbers, if all of them are."""
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        values = pa.compute.utf8_trim_whitespace(values)
    try:
        found = values.cast(pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return np.asarray(found.to_numpy(zero_copy_only=False), np.float64)
