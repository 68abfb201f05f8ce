"""The shipped base matrices: girth, rank, degrees, and syndromes as `galois` has them."""

import galois
import numpy as np
import numpy.typing as npt
import pytest

from postprocessing.errors import InvalidArgumentError
from postprocessing.reconciliation import QCLDPCCode, RateAdaptation, code_family, get_code
from postprocessing.reconciliation._encoding_kernels import encode as encode_kernel
from postprocessing.reconciliation.codes import Graph
from postprocessing.reconciliation.making.lifting import (
    Mother,
    column_weights,
    family,
    fractions_of,
    lift,
)

GF2 = galois.GF(2)
CODES = list(code_family().values())
Bits = npt.NDArray[np.uint8]


def lifted(shifts: npt.NDArray[np.int16], lifting: int) -> Bits:
    """Return H with shifts reduced modulo a small lifting, from the definition of a shift."""
    matrix = np.zeros((shifts.shape[0] * lifting, shifts.shape[1] * lifting), np.uint8)
    for row, column in np.argwhere(shifts >= 0):
        for i in range(lifting):
            bit = (i + shifts[row, column]) % lifting
            matrix[row * lifting + i, column * lifting + bit] ^= 1
    return matrix


def kernel_syndrome(graph: Graph, rows: int, lifting: int, bits: Bits) -> Bits:
    """Return the encoder's syndrome of one frame at a lifting that is a multiple of 64."""
    syndrome = np.zeros((1, rows, lifting // 64), np.uint64)
    words = np.packbits(bits, bitorder="little").view(np.uint64)[np.newaxis]
    edges = graph.edges.copy()
    edges[:, 1] %= lifting
    encode_kernel(words, graph.row_starts, edges, syndrome)
    return np.unpackbits(syndrome.view(np.uint8).ravel(), bitorder="little")


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_syndrome_of_every_base_matrix_is_h_times_x(code: QCLDPCCode) -> None:
    """Whole rows and halves, at the lifting 64, the first 24 block columns."""
    columns, lifting = 24, 64
    graph = code.sent(columns)
    bits = np.random.default_rng(5).integers(0, 2, columns * lifting, dtype=np.uint8)
    whole = lifted(code.shifts[:, :columns], lifting)
    expected = GF2(whole) @ GF2(bits)
    got = kernel_syndrome(graph, 2 * code.rows, lifting, bits)
    np.testing.assert_array_equal(got[: whole.shape[0]], expected)


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_halves_add_up_to_their_rows(code: QCLDPCCode) -> None:
    """What is decoded, a split row and its half, has every block of the row once."""
    whole, split = code.decoded(code.columns, 0), code.decoded(code.columns, code.rows)
    assert len(whole.edges) == len(split.edges) == np.count_nonzero(code.shifts >= 0)
    weights = np.diff(split.row_starts)
    for half, row in enumerate(code.split_order):
        pair = weights[row], weights[code.rows + half]
        assert abs(pair[0] - pair[1]) <= 1
        both = np.concatenate(
            [split.edges[split.row_starts[i] :][: weights[i]] for i in (row, code.rows + half)]
        )
        columns = np.flatnonzero(code.shifts[row] >= 0)
        np.testing.assert_array_equal(np.sort(both[:, 0]), columns)


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_girth(code: QCLDPCCode) -> None:
    """Two block rows hardly ever have the same difference of shifts in two block columns.

    No cycle of length four in any code but two: these pack so many columns into so few rows that
    some pairs of rows meet more often than there are differences left.
    """
    crowded = ("fine0.0007-512-20x2048", "fast0.0015-128-17x800")
    repeated = total = 0
    for row, shifts in enumerate(code.shifts):
        both = (code.shifts[:row] >= 0) & (shifts >= 0)
        for other, common in zip(code.shifts[:row], both, strict=True):
            differences = (shifts[common].astype(int) - other[common]) % code.lifting
            repeated += len(differences) - len(np.unique(differences))
            total += len(differences)
    assert repeated <= (0.07 * total if code.name in crowded else 0)


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_weights_are_those_of_the_degree_distribution(code: QCLDPCCode) -> None:
    mother = next(mother for mother in family() if mother.name == code.name)
    assert (mother.rows, mother.columns) == code.shifts.shape
    weights = column_weights(fractions_of(mother), code.columns)
    np.testing.assert_array_equal((code.shifts >= 0).sum(axis=0), weights)
    row_weights = (code.shifts >= 0).sum(axis=1)
    assert row_weights.max() - row_weights.min() <= 2


@pytest.mark.parametrize("name", ["regular3-128-8x800", "fast0.02-512-32x200"])
def test_nearly_full_rank(name: str) -> None:
    """A syndrome bit is hardly ever known beforehand: all but one row a block row at most."""
    code = get_code(name)
    matrix = lifted(code.shifts[:, : 5 * code.rows], 8)
    rank = np.linalg.matrix_rank(GF2(matrix))
    assert 8 * code.rows - code.rows <= rank <= 8 * code.rows


def test_script_lifts_the_shipped_shifts() -> None:
    mother = next(mother for mother in family() if mother.degrees == "fast0.02")
    np.testing.assert_array_equal(lift(mother, fractions_of(mother)), get_code(mother.name).shifts)


def test_lifting_avoids_short_cycles_where_it_can() -> None:
    """Weight-two columns fewer than rows close no cycle at all: a forest of checks."""
    shifts = lift(Mother("toy", 64, 8, 12), {2: 0.3, 3: 0.7})
    two = np.flatnonzero((shifts >= 0).sum(axis=0) == 2)
    parents = list(range(8))

    def root(row: int) -> int:
        return row if parents[row] == row else root(parents[row])

    assert len(two) < 8
    for column in two:
        a, b = (root(int(row)) for row in np.flatnonzero(shifts[:, column] >= 0))
        assert a != b
        parents[a] = b


@pytest.mark.parametrize("shifts", [[[0, 64]], [[-2, 1]], [0, 1]])
def test_shifts_outside_the_lifting(shifts: list[object]) -> None:
    with pytest.raises(InvalidArgumentError, match="shifts must be a matrix"):
        QCLDPCCode("bad", 64, np.array(shifts, dtype=np.int16))


def test_lifting_of_broken_words() -> None:
    with pytest.raises(InvalidArgumentError, match="lifting must be a multiple of 64"):
        QCLDPCCode("bad", 100, np.zeros((1, 1), np.int16))


@pytest.mark.parametrize(
    ("bits", "split", "match"),
    [
        (0, (0,), "frame_bits must be between 1 and 102400"),
        (102_401, (0,), "frame_bits must be between"),
        (1000, (), "split_rows must be increasing"),
        (1000, (3, 3), "split_rows must be increasing"),
        (1000, (0, 33), "split_rows must be increasing"),
    ],
)
def test_bad_rates(bits: int, split: tuple[int, ...], match: str) -> None:
    with pytest.raises(InvalidArgumentError, match=match):
        RateAdaptation("fast0.02-512-32x200", bits, split)


def test_unknown_code() -> None:
    with pytest.raises(InvalidArgumentError, match=r"code must be one of .*regular3-128-8x800"):
        RateAdaptation("nosuch", 100, (0,))
