"""Alist files: what was written comes back, and what contradicts itself is refused by its line."""

from __future__ import annotations

from pathlib import Path

import galois
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from postprocessing.errors import InputFileError
from postprocessing.files.alist import read_alist, write_alist
from postprocessing.reconciliation import get_code

# Hamming's code of seven bits, as the form's own description would write it.
HAMMING = """7 3
3 4
1 1 2 1 2 2 3
4 4 4
1 0 0
2 0 0
1 2 0
3 0 0
1 3 0
2 3 0
1 2 3
1 3 5 7
2 3 6 7
4 5 6 7
"""


@settings(max_examples=100)
@given(
    rows=st.integers(1, 9),
    columns=st.integers(1, 12),
    seed=st.integers(0, 2**32),
    density=st.floats(0.05, 1),
)
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory, rows: int, columns: int, seed: int, density: float
) -> None:
    matrix = (np.random.default_rng(seed).random((rows, columns)) < density).astype(np.uint8)
    matrix[0, 0] = 1
    file = tmp_path_factory.mktemp("alist") / "code"
    write_alist(file, sparse.csr_array(matrix))
    np.testing.assert_array_equal(read_alist(file).toarray(), matrix)


def test_a_shipped_code_comes_back(tmp_path: Path) -> None:
    matrix = get_code("fast0.01-512-19x200").sparse_parity_check()
    write_alist(tmp_path / "code", matrix)
    found = read_alist(tmp_path / "code")
    assert found.shape == matrix.shape
    assert (found != matrix).nnz == 0


@pytest.mark.parametrize("padded", [True, False])
def test_a_code_of_someone_else_is_read(tmp_path: Path, padded: bool) -> None:
    """Padded with zeros or not: H times every codeword of `galois` is zero."""
    text = HAMMING if padded else HAMMING.replace(" 0", "")
    (tmp_path / "hamming").write_text(text)
    matrix = read_alist(tmp_path / "hamming").toarray()
    assert np.linalg.matrix_rank(galois.GF2(matrix)) == 3
    assert sorted(int("".join(map(str, c)), 2) for c in matrix.T.tolist()) == list(range(1, 8))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("7 3\n", "7\n", "numbers of columns and rows"),
        ("7 3\n", "0 3\n", "numbers of columns and rows"),
        ("7 3\n", "8 3\n", "a line for 8 columns and 3 rows each"),
        ("4 5 6 7\n", "", "a line for 7 columns and 3 rows each"),
        ("1 1 2 1 2 2 3\n", "1 1 2 1 2 2\n", "7 weights.*line 3"),
        ("4 4 4\n", "4 4 4 4\n", "3 weights.*line 4"),
        ("\n2 0 0\n", "\n3 0 0\n", "the same by columns and by rows"),
        ("1 3 0\n", "1 4 0\n", "places of at most 3.*line 9"),
        ("1 3 0\n", "1 1 0\n", "2 different places.*line 9"),
        ("1 3 0\n", "0 1 3\n", "2 different places.*line 9"),
        ("1 3 0\n", "1 -3 0\n", "whole numbers.*line 9"),
        ("1 3 0\n", "1 3.0 0\n", "whole numbers.*line 9"),
        ("1 3 0\n", "1 99999999999 0\n", "whole numbers.*line 9"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert HAMMING.count(old) == 1
    (tmp_path / "code").write_text(HAMMING.replace(old, new))
    with pytest.raises(InputFileError, match=message):
        read_alist(tmp_path / "code")


@settings(max_examples=100)
@given(content=st.binary(max_size=60))
def test_no_other_file_is_read(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("alist") / "code"
    file.write_bytes(content)
    try:
        found = read_alist(file)
    except InputFileError:
        return
    assert found.nnz >= 0


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    (tmp_path / "code").write_text("mine")
    matrix = sparse.csr_array(np.eye(3, dtype=np.uint8))
    with pytest.raises(InputFileError, match="out must be a new file"):
        write_alist(tmp_path / "code", matrix)
    write_alist(tmp_path / "code", matrix, replace=True)
    assert read_alist(tmp_path / "code").nnz == 3
