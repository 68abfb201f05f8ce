"""Codes that a user brings: any matrix, through the same encoder and decoder, and looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import galois
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from postprocessing.bits import PackedBits
from postprocessing.errors import InvalidArgumentError
from postprocessing.files.alist import read_alist, write_alist
from postprocessing.reconciliation import (
    QCLDPCCode,
    bring_code,
    code_family,
    deal,
    encode,
    get_code,
    measure_code,
    reconcile,
)
from postprocessing.reconciliation.graphs import rank
from postprocessing.reconciliation.portraits import portrait
from postprocessing.reconciliation.selection import with_given

Ones = npt.NDArray[np.uint8]


def tanner() -> Ones:
    """Return Tanner's (155, 64) code: circulants of size 31 with shifts 2^t 5^s."""
    one = np.eye(31, dtype=np.uint8)
    rows = [[np.roll(one, 2**t * 5**s % 31, axis=1) for t in range(5)] for s in range(3)]
    return np.block(rows)


def brought(ones: Ones) -> QCLDPCCode:
    return bring_code(sparse.csr_array(ones))


def random_ones(generator: np.random.Generator) -> Ones:
    """Return a small matrix without empty rows and columns."""
    checks = int(generator.integers(1, 40))
    bits = int(generator.integers(checks + 1, 120))
    ones = (generator.random((checks, bits)) < generator.uniform(0.02, 0.5)).astype(np.uint8)
    ones[np.arange(checks), generator.integers(bits, size=checks)] = 1
    ones[generator.integers(checks, size=bits), np.arange(bits)] = 1
    return ones


@settings(max_examples=60)
@given(st.integers(0, 10**6))
def test_syndromes_are_those_of_galois_in_all_words(seed: int) -> None:
    generator = np.random.default_rng(seed)
    ones = random_ones(generator)
    code = brought(ones)
    if code.lifting != 64 or code.columns != ones.shape[1]:
        return
    frame = generator.integers(0, 2, code.frame_bits, dtype=np.uint8)
    adaptation = with_given(code, code.frame_bits)
    sent = encode(adaptation, deal(PackedBits.from_bits(frame), adaptation))
    found = np.unpackbits(sent[0], bitorder="little").reshape(-1, 64)
    words = galois.GF2(frame.reshape(-1, 64))
    assert np.array_equal(found, np.asarray(galois.GF2(ones) @ words))


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.001, 0.01, 0.05]))
def test_no_wrong_key_passes_whatever_the_code(seed: int, qber: float) -> None:
    """A poor code finds other words with the syndrome: the tag tells, with 50 bits."""
    generator = np.random.default_rng(seed)
    code = brought(random_ones(generator))
    length = int(generator.integers(1, 3 * code.frame_bits))
    key = generator.integers(0, 2, length, dtype=np.uint8)
    noisy = key ^ (generator.random(length) < qber).astype(np.uint8)
    found = reconcile(key, noisy, qber=qber, code=code, threads=1)
    assert found.leaked_bits <= found.budget_bits
    if found.corrected_bits is not None:
        assert np.array_equal(found.corrected_bits, key)
    elif not qber:
        pytest.fail("equal keys were told apart")


@pytest.mark.parametrize("name", ["fast0.07-512-78x200", "heavy0.036-64-36x157-0"])
def test_our_codes_come_back_from_their_files(tmp_path: Path, name: str) -> None:
    code = get_code(name)
    write_alist(tmp_path / "code.alist", code.sparse_parity_check())
    found = bring_code(read_alist(tmp_path / "code.alist"), name)
    assert (found.name, found.lifting) == (name, code.lifting)
    assert np.array_equal(found.shifts, code.shifts)
    assert portrait(found) == portrait(code)


def test_a_published_code_decodes_and_is_looked_at(tmp_path: Path) -> None:
    """Known of it: 155 bits, 93 checks of rank 91, degrees 3 and 5, girth 8."""
    write_alist(tmp_path / "tanner.alist", sparse.csr_array(tanner()))
    code = bring_code(read_alist(tmp_path / "tanner.alist"), "tanner")
    told = portrait(code, complete=True)
    assert (code.lifting, code.rows, code.columns) == (64, 93, 155)
    assert (told["rank"], told["girth"]) == (64 * 91, 8)
    assert (told["bit_degrees"], told["check_degrees"]) == ({3: 64 * 155}, {5: 64 * 93})
    assert [each["qber"] for each in told["corrected"]] == [None] * 3
    measured = measure_code(code, [0.02, 0.3], frames=20, threads=1)
    assert measured["failed"].tolist() == [0, 20]
    assert not measured["wrong"].any()
    generator = np.random.default_rng(1)
    key = generator.integers(0, 2, 30_000, dtype=np.uint8)
    noisy = key ^ (generator.random(30_000) < 0.02).astype(np.uint8)
    found = reconcile(key, noisy, qber=0.02, code=code)
    assert found.corrected_bits is not None
    assert np.array_equal(found.corrected_bits, key)
    assert found.code == "tanner"


def test_rank_is_that_of_galois() -> None:
    generator = np.random.default_rng(2)
    for _ in range(20):
        shifts = generator.integers(-1, 3, (int(generator.integers(1, 4)), 5)).astype(np.int16)
        code = QCLDPCCode("random", 64, shifts)
        expected = np.linalg.matrix_rank(galois.GF2(code.sparse_parity_check().toarray()))
        assert rank(code) == expected
    assert rank(get_code("fine0.02-2048-76x512")) is None


def test_measured_failures_are_those_of_the_rating() -> None:
    """At the waterfall of a shipped code half of the frames fail: of 200, within 5 deviations.

    The errors of a frame vary about as much as where it fails: σ = 0.6 √μ and √μ.
    """
    name = "fast0.04-512-53x200"
    middle = portrait(code_family()[name])["corrected"][0]["qber"]
    measured = measure_code(code_family()[name], [0.9 * middle, middle, 1.1 * middle], frames=200)
    few, half, most = measured["failed"]
    assert few == 0
    assert most == 200
    assert abs(half - 100) < 5 * 50**0.5


@pytest.mark.parametrize(
    ("ones", "told"),
    [
        (np.ones((2, 2)), "of fewer checks than bits"),
        (np.ones((3, 2)), "of fewer checks than bits"),
        (np.array([[1, 1, 0], [0, 0, 0]]), "without empty rows and columns"),
        (np.array([[1, 1, 0], [1, 0, 0]]), "without empty rows and columns"),
    ],
)
def test_matrices_that_are_no_codes(ones: npt.NDArray[Any], told: str) -> None:
    with pytest.raises(InvalidArgumentError, match=rf"^matrix must be {told}"):
        bring_code(sparse.csr_array(ones))


def test_too_large_a_matrix() -> None:
    size = 40_000
    spread = sparse.random_array((size // 2, size), density=0.001, rng=1, format="csr")
    ones = sparse.csr_array(spread + sparse.eye_array(size // 2, size, k=0))
    full = sparse.csr_array(ones + sparse.eye_array(size // 2, size, k=size // 2))
    with pytest.raises(InvalidArgumentError, match="a base matrix of at most"):
        bring_code(full)


@pytest.mark.parametrize("qbers", [[], [0.0], [0.5], [0.1, -1], "0.1", [np.nan]])
def test_error_rates_that_are_none(qbers: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^qbers must be"):
        measure_code(brought(tanner()), qbers, frames=1)
