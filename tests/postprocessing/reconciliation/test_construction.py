"""The shipped base matrices: rebuilt, free of 4-cycles, of good rank, read as the encoder reads."""

from pathlib import Path

import galois
import numpy as np
import numpy.typing as npt
import pytest
from scipy import sparse

from postprocessing.reconciliation import QCLDPCCode, code_family, encode_frames, get_code
from postprocessing.reconciliation.construction import (
    SHIFTS_FILE,
    build_base_matrix,
    family_designs,
    main,
)

GF2 = galois.GF(2)


def lifted(code: QCLDPCCode, lifting: int) -> QCLDPCCode:
    """Return `code` with its shifts reduced modulo a smaller lifting."""
    shifts = np.where(code.shifts < 0, -1, code.shifts % lifting).astype(np.int16)
    return QCLDPCCode(f"{code.name}/{lifting}", lifting, shifts, 0, 0.0, 0)


def parity_check(code: QCLDPCCode) -> sparse.csr_array:
    """Return H, written down from the definition of a shift."""
    within = np.arange(code.lifting)
    block_rows, block_columns = np.nonzero(code.shifts >= 0)
    shifts = code.shifts[block_rows, block_columns][:, np.newaxis]
    rows = block_rows[:, np.newaxis] * code.lifting + within
    columns = block_columns[:, np.newaxis] * code.lifting + (within + shifts) % code.lifting
    entries = np.ones(rows.size, dtype=np.int64)
    shape = (code.syndrome_bits, code.frame_bits)
    return sparse.csr_array((entries, (rows.ravel(), columns.ravel())), shape=shape)


def unpacked(code: QCLDPCCode, syndromes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.unpackbits(syndromes, axis=1, count=code.syndrome_bits)


def test_shipped_shifts_are_rebuilt() -> None:
    with np.load(SHIFTS_FILE, allow_pickle=False) as shipped:
        assert sorted(shipped) == sorted(design.name for design in family_designs())
        for design in family_designs():
            np.testing.assert_array_equal(shipped[design.name], build_base_matrix(design))


def test_script_writes_the_shifts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "codes" / "shifts.npz"
    monkeypatch.setattr("postprocessing.reconciliation.construction.SHIFTS_FILE", target)
    main()
    with np.load(target) as written, np.load(SHIFTS_FILE) as shipped:
        assert all(np.array_equal(written[name], shipped[name]) for name in shipped)


@pytest.mark.parametrize("code", code_family(), ids=lambda code: code.name)
def test_no_cycle_of_length_four(code: QCLDPCCode) -> None:
    """Two block rows never have the same difference of shifts in two block columns."""
    for row, shifts in enumerate(code.shifts):
        for other in code.shifts[:row]:
            both = (shifts >= 0) & (other >= 0)
            differences = (shifts[both].astype(int) - other[both]) % code.lifting
            assert len(np.unique(differences)) == both.sum()


@pytest.mark.parametrize("code", code_family(), ids=lambda code: code.name)
def test_weights_are_balanced(code: QCLDPCCode) -> None:
    row_weights = (code.shifts >= 0).sum(axis=1)
    column_weights = (code.shifts >= 0).sum(axis=0)
    assert row_weights.max() - row_weights.min() <= 2
    assert column_weights.min() >= 3


@pytest.mark.parametrize("code", code_family(), ids=lambda code: code.name)
def test_syndrome_of_every_base_matrix_is_h_times_x(code: QCLDPCCode) -> None:
    small = lifted(code, 3)
    bits = np.random.default_rng(5).integers(0, 2, 3 * small.frame_bits, dtype=np.uint8)
    expected = GF2(parity_check(small).toarray() % 2) @ GF2(bits.reshape(-1, 3))
    np.testing.assert_array_equal(unpacked(small, encode_frames(small, bits)), expected.T)


def test_syndrome_at_full_lifting_is_h_times_x() -> None:
    code = get_code("qc352-92x352")
    bits = np.random.default_rng(6).integers(0, 2, 2 * code.frame_bits, dtype=np.uint8)
    expected = (parity_check(code) @ bits.reshape(-1, 2).astype(np.int64)) % 2
    np.testing.assert_array_equal(unpacked(code, encode_frames(code, bits)), expected.T)


@pytest.mark.parametrize("name", ["qc352-4x352", "qc352-20x352", "qc352-63x352"])
def test_nearly_full_rank(name: str) -> None:
    """At most one dependent row a block row: a syndrome bit is hardly ever known beforehand."""
    small = lifted(get_code(name), 11)
    rank = np.linalg.matrix_rank(GF2(parity_check(small).toarray() % 2))
    assert small.syndrome_bits - small.shifts.shape[0] <= rank <= small.syndrome_bits
