"""Parity-check matrices as alist files, the form of D. MacKay's database of codes.

Line 1 has the numbers of columns and rows, line 2 the greatest weight of each, lines 3 and 4 the
weights of all columns and rows; then follow a line a column with the rows of its ones, and a line a
row with their columns, counted from 1. Lines may be filled up with zeros.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from postprocessing.checks import file_path, flag, instance_of
from postprocessing.errors import InputFileError
from postprocessing.files.atomic import atomic_write
from postprocessing.reconciliation import QCLDPCCode, bring_code, get_code

_SUFFIX = ".alist"
Matrix = sparse.csr_array[Any, tuple[int, int]]
Integers = npt.NDArray[np.int64]


def write_alist(path: Path | str, matrix: Matrix, *, replace: bool = False) -> None:
    r"""Write a parity-check matrix to a new file.

    Parameters
    ----------
    path : Path or str
        Where.
    matrix : csr_array, shape (checks, bits)
        The matrix, anything but 0 being a one.
    replace : bool, optional
        Whether the file may take the place of an earlier one.

    Raises
    ------
    InputFileError
        If something is there that must stay, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_alist(Path(folder, "code"), sparse.csr_array([[1, 1, 0], [0, 1, 1]]))
    ...     Path(folder, "code").read_text()
    '3 2\n2 2\n1 2 1\n2 2\n1 0\n1 2\n2 0\n1 2\n2 3\n'
    """
    by_row = sparse.csr_array(instance_of("matrix", matrix, sparse.csr_array).astype(np.bool_))
    by_column = by_row.tocsc()
    sides = [
        (np.diff(side.indptr).astype(np.int64), np.split(side.indices + 1, side.indptr[1:-1]))
        for side in (by_column, by_row)
    ]
    lines: list[Any] = [[by_row.shape[1], by_row.shape[0]], [weights.max() for weights, _ in sides]]
    lines += [weights for weights, _ in sides]
    for weights, places in sides:
        most = int(weights.max())
        lines += [np.pad(np.sort(each), (0, most - len(each))) for each in places]
    text = "".join(" ".join(map(str, line)) + "\n" for line in lines)
    with atomic_write(
        file_path("path", path), replace=flag("replace", replace), private=False
    ) as draft:
        draft.write_text(text, encoding="ascii")


def read_alist(path: Path | str) -> Matrix:
    """Read a parity-check matrix.

    Parameters
    ----------
    path : Path or str
        An alist file.

    Returns
    -------
    csr_array of uint8, shape (checks, bits)
        The matrix.

    Raises
    ------
    InputFileError
        If the file cannot be read, or columns and rows do not say the same; with the line.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_alist(Path(folder, "code"), sparse.csr_array([[1, 1, 0], [0, 1, 1]]))
    ...     read_alist(Path(folder, "code")).toarray().tolist()
    [[1, 1, 0], [0, 1, 1]]
    """
    path = file_path("path", path)
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise InputFileError(
            f"alist must be a readable file, got {str(path)!r} ({error})"
        ) from None
    lines = [_numbers(path, i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) < 4 or len(lines[0]) != 2 or lines[0].min() < 1:
        raise _malformed(path, 1, "numbers of columns and rows, and three more lines of weights")
    columns, rows = lines[0].tolist()
    if len(lines) != 4 + columns + rows:
        raise _malformed(path, len(lines), f"a line for {columns} columns and {rows} rows each")
    for line, count in ((2, columns), (3, rows)):
        if len(lines[line]) != count:
            raise _malformed(path, line + 1, f"{count} weights")
    first = _places(path, lines, 4, lines[2], rows)
    second = _places(path, lines, 4 + columns, lines[3], columns)
    shape = (rows, columns)
    by_column, by_row = (
        sparse.csr_array((np.ones(len(r), np.uint8), (r, c)), shape=shape)
        for r, c in (first[::-1], second)
    )
    if not np.array_equal(by_column.indices, by_row.indices) or not np.array_equal(
        by_column.indptr, by_row.indptr
    ):
        raise InputFileError(f"alist must say the same by columns and by rows, {str(path)!r} not")
    return by_row


def named_code(name: str) -> QCLDPCCode:
    """Return the code of a name, or that of a file whose name ends in .alist.

    Raises
    ------
    InputFileError
        If the file cannot be read.
    InvalidArgumentError
        If there is no such code, or the matrix is none.
    """
    if not name.endswith(_SUFFIX):
        return get_code(name)
    return bring_code(read_alist(Path(name)), Path(name).name.removesuffix(_SUFFIX))


def _places(
    path: Path, lines: list[Integers], start: int, weights: Integers, most: int
) -> tuple[Integers, Integers]:
    """Return which line of a side each one stands in, and the place it names, from 0 on."""
    found = []
    for i, weight in enumerate(weights.tolist()):
        line = lines[start + i]
        places = line[line > 0]
        if len(places) != weight or len(np.unique(places)) != weight or line[len(places) :].any():
            raise _malformed(path, start + i + 1, f"{weight} different places, then zeros")
        if weight and places.max() > most:
            raise _malformed(path, start + i + 1, f"places of at most {most}")
        found.append(places - 1)
    owners = np.repeat(np.arange(len(weights)), weights)
    return owners, np.concatenate([np.empty(0, np.int64), *found])


def _numbers(path: Path, line: int, text: str) -> Integers:
    """Return the whole numbers of a line."""
    words = text.split()
    if not all(word.isdigit() and len(word) < 10 for word in words):
        raise _malformed(path, line, "whole numbers of at least 0")
    return np.array(words, np.int64)


def _malformed(path: Path, line: int, expected: str) -> InputFileError:
    return InputFileError(f"alist must have {expected}, {str(path)!r} has not, in line {line}")
