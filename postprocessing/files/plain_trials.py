"""Plain files of a Bell test: columns x, y, a, b, a trial a row, and nothing to describe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from postprocessing.bell.trials import Trials
from postprocessing.checks import file_path
from postprocessing.errors import InputFileError
from postprocessing.files.cells import Place, codes_of
from postprocessing.files.formats import explained, read_batches
from postprocessing.files.meanings import Key, Meanings, canonical

COLUMNS = ("x", "y", "a", "b")
_SETTINGS = Meanings({0.0: 0, 1.0: 1})
# By the value that tells them apart: 1 is +1 beside −1, and −1 beside 0.
_OUTCOMES = {0.0: Meanings({0.0: 0, 1.0: 1}), -1.0: Meanings({1.0: 0, -1.0: 1})}


def read_plain_trials(path: Path | str) -> Iterator[Trials]:
    r"""Read a file whose columns x, y are settings 0 and 1, and a, b outcomes.

    Outcomes are ±1, or bits 0 for +1 and 1 for −1: one of the two in the whole file. Other columns
    are not looked at.

    Parameters
    ----------
    path : Path or str
        CSV, Parquet, NPZ or HDF5 by the end of its name.

    Yields
    ------
    Trials
        A block of consecutive trials, of one herald.

    Raises
    ------
    InputFileError
        If the file cannot be read, holds no trial or another value, which is told by column and
        row; or if all its outcomes are 1, which may mean +1 or −1.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "trials.csv")
    ...     _ = file.write_text("x,y,a,b\n0,1,1,-1\n1,1,-1,-1\n")
    ...     [block.alice_outcomes.tolist() for block in read_plain_trials(file)]
    [[1, -1]]
    """
    return _blocks(file_path("path", path))


def _blocks(path: Path) -> Iterator[Trials]:
    """Yield the blocks, once the coding of outcomes is known."""
    with explained(path):
        outcomes, row = _coding(path), 0
        for batch in read_batches(path, COLUMNS):
            x, y = (codes_of(batch[name], _SETTINGS, Place(path, name, row)) for name in "xy")
            a, b = (
                np.int8(1) - np.int8(2) * codes_of(batch[name], outcomes, Place(path, name, row))
                .astype(np.int8)
                for name in "ab"
            )  # fmt: skip
            row += len(x)
            yield Trials(x, y, a, b)


def _coding(path: Path) -> Meanings:
    """Return the outcome bits by value, as the first outcome that is not 1 tells.

    Raises
    ------
    InputFileError
        If none tells.
    """
    rows = 0
    for batch in read_batches(path, COLUMNS[2:]):
        columns = [batch[name].dictionary_encode() for name in COLUMNS[2:]]
        rows += len(columns[0])
        first = [
            (place, value)
            for column in columns
            for value in _OUTCOMES
            if (place := _first(column, value)) is not None
        ]
        if first:
            return _OUTCOMES[min(first)[1]]
    told = "outcomes 0 or -1 beside 1, without which 1 may mean +1 or -1" if rows else "a trial"
    raise InputFileError(f"{str(path)!r} must hold {told}")


def _first(column: pa.DictionaryArray, value: Key) -> int | None:
    """Return the first row with a value, None where there is none."""
    words = [canonical(word) for word in column.dictionary.to_pylist()]
    there = [place for place, word in enumerate(words) if word == value]
    if not there:
        return None
    indices = column.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)
    return int(np.isin(indices, there).argmax())
