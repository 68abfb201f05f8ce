"""The shipped base matrices: girth, rank, degrees, and syndromes as `galois` has them."""

import itertools

import galois
import numpy as np
import numpy.typing as npt
import pytest

from postprocessing.bits import PackedBits
from postprocessing.errors import InvalidArgumentError
from postprocessing.reconciliation import (
    QCLDPCCode,
    RateAdaptation,
    code_family,
    deal,
    encode,
    get_code,
)
from postprocessing.reconciliation.codes import Graph
from postprocessing.reconciliation.construction.arrays import array_shifts
from postprocessing.reconciliation.construction.lifting import (
    Mother,
    base_matrix,
    family,
    fractions_of,
    lift,
)
from postprocessing.reconciliation.graphs import bit_degrees, check_degrees, girth
from postprocessing.reconciliation.growing import column_weights
from postprocessing.reconciliation.kernels.encoding import encode as encode_kernel

GF2 = galois.GF(2)
CODES = list(code_family().values())
# Share of the pairs of blocks that close a cycle of length four.
CROWDED = {"fast0.0015-128-17x800": 0.0025, "fine0.0007-768-20x2048": 0.007}
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
    """Whole rows, all block columns, at the lifting 64; galois multiplies a block row at a time.

    Blocks that are zero are left out of its products.
    """
    lifting = 64
    bits = np.random.default_rng(5).integers(0, 2, code.columns * lifting, dtype=np.uint8)
    got = kernel_syndrome(code.sent(code.columns), 2 * code.rows, lifting, bits)
    for row, shifts in enumerate(code.shifts):
        blocks = np.flatnonzero(shifts >= 0)
        part = GF2(bits.reshape(code.columns, lifting)[blocks].ravel())
        expected = GF2(lifted(shifts[np.newaxis, blocks], lifting)) @ part
        np.testing.assert_array_equal(got[row * lifting : (row + 1) * lifting], expected)


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

    No cycle of length four in any code but two, which pack so many columns into so few rows that
    growth does not find its way around all.
    """
    repeated = total = 0
    for row, shifts in enumerate(code.shifts):
        both = (code.shifts[:row] >= 0) & (shifts >= 0)
        for other, common in zip(code.shifts[:row], both, strict=True):
            differences = (shifts[common].astype(int) - other[common]) % code.lifting
            repeated += len(differences) - len(np.unique(differences))
            total += len(differences)
    assert repeated <= CROWDED.get(code.name, 0) * total


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_weights_are_those_of_the_degree_distribution(code: QCLDPCCode) -> None:
    mother = next(mother for mother in family() if mother.name == code.name)
    assert (mother.rows, mother.columns) == code.shifts.shape
    weights = column_weights(fractions_of(mother), code.columns)
    np.testing.assert_array_equal((code.shifts >= 0).sum(axis=0), weights)
    row_weights = (code.shifts >= 0).sum(axis=1)
    assert row_weights.max() - row_weights.min() <= 2


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_rank(code: QCLDPCCode) -> None:
    """A syndrome bit is hardly ever known beforehand.

    Modulo x + 1 a shift is 1. A base matrix that has full rank there has it at every lifting that
    is a power of two, by Nakayama's lemma: polynomials modulo x^Z + 1 = (x + 1)^Z are a local ring.
    At three times such a lifting they are two of them, the other modulo a power of x^2 + x + 1,
    where a shift is a power of an element of order 3 of GF(4).
    The rows of a block row of an array code add up to all ones, whichever block row: 3 of 4 are
    missing there, and R - 1 of 8 R at the lifting 8.
    """
    rank = np.linalg.matrix_rank(GF2((code.shifts >= 0).astype(np.uint8)))
    if code.name.startswith("array"):
        assert rank == 1
        matrix = lifted(code.shifts[:, :64], 8)
        assert np.linalg.matrix_rank(GF2(matrix)) == 8 * code.rows - (code.rows - 1)
        return
    assert rank == code.rows
    if code.lifting % 3 == 0:
        field = galois.GF(4)
        powers = field.primitive_element ** (code.shifts.astype(int) % 3)
        powers[code.shifts < 0] = 0
        assert np.linalg.matrix_rank(powers) == code.rows


@pytest.mark.parametrize(("order", "rows"), [(17, 3), (27, 4), (64, 2)])
def test_array_codes_are_differences_in_the_field(order: int, rows: int) -> None:
    """Shifts are logarithms of b - a, and no two columns have the same difference of shifts."""
    field = galois.GF(order)
    shifts = array_shifts(order, rows)
    differences = field.primitive_element ** shifts.astype(int)
    heads = field.primitive_element ** np.arange(rows)
    columns = differences + heads[:, np.newaxis]
    assert (columns == columns[0]).all()
    elements = np.concatenate([heads, columns[0]])
    np.testing.assert_array_equal(np.sort(elements), field.elements)
    for a, b in itertools.combinations(shifts.astype(int), 2):
        assert len(np.unique((a - b) % (order - 1))) == order - rows


def test_array_codes_of_too_many_rows() -> None:
    with pytest.raises(InvalidArgumentError, match="rows must be between 1 and 16"):
        array_shifts(17, 17)


@pytest.mark.parametrize("name", ["array-448-4x445", "array-3136-4x3133"])
def test_script_makes_the_shipped_arrays(name: str) -> None:
    mother = next(mother for mother in family() if mother.name == name)
    np.testing.assert_array_equal(base_matrix(mother), get_code(name).shifts)


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
        (0, (0,), "frame_bits must be a multiple of 64 between 64 and 102400"),
        (1, (0,), "frame_bits must be a multiple of 64"),
        (63, (0,), "frame_bits must be a multiple of 64"),
        (100, (0,), "frame_bits must be a multiple of 64"),
        (102_464, (0,), "frame_bits must be a multiple of 64"),
        (1024, (), "split_rows must be increasing"),
        (1024, (3, 3), "split_rows must be increasing"),
        (1024, (0, 33), "split_rows must be increasing"),
    ],
)
def test_bad_rates(bits: int, split: tuple[int, ...], match: str) -> None:
    with pytest.raises(InvalidArgumentError, match=match):
        RateAdaptation("fast0.02-512-32x200", bits, split)


def test_unknown_code() -> None:
    with pytest.raises(InvalidArgumentError, match=r"code must be one of .*regular3-128-8x800"):
        RateAdaptation("nosuch", 100, (0,))


SMALL = [code for code in CODES if code.frame_bits <= 102_400 and code.leak_per_bit > 0.02]


def small(seed: int, rows: int = 4, columns: int = 7) -> QCLDPCCode:
    generator = np.random.default_rng(seed)
    shifts = generator.integers(0, 64, (rows, columns)).astype(np.int16)
    return QCLDPCCode("small", 64, np.where(generator.random(shifts.shape) < 0.4, -1, shifts))


@pytest.mark.parametrize("seed", range(5))
def test_parity_checks_are_those_of_the_definition(seed: int) -> None:
    code = small(seed)
    expected = lifted(code.shifts, 64)
    np.testing.assert_array_equal(code.sparse_parity_check().toarray(), expected)
    assert isinstance(code.parity_check(), GF2)
    np.testing.assert_array_equal(code.parity_check(), expected)


@pytest.mark.parametrize("code", SMALL, ids=lambda code: code.name)
def test_what_is_sent_is_h_times_x_at_the_real_lifting(code: QCLDPCCode) -> None:
    """By scipy, which adds whole numbers."""
    bits = np.random.default_rng(3).integers(0, 2, code.frame_bits, dtype=np.uint8)
    rates = RateAdaptation(code.name, code.frame_bits, (0,))
    sent = np.unpackbits(encode(rates, deal(PackedBits.from_bits(bits), rates)), bitorder="little")
    product = code.sparse_parity_check().astype(np.int64) @ bits.astype(np.int64) % 2
    np.testing.assert_array_equal(sent, product)


def test_large_matrices_are_not_written_out() -> None:
    with pytest.raises(InvalidArgumentError, match="code must be one of at most 1073741824 elem"):
        get_code("fast0.04-512-53x200").parity_check()


def shortest_by_powers(matrix: Bits) -> int | None:
    """Return the girth by counting walks: a bit reaches another in two ways first at half of it.

    Non-backtracking walks are counted by their last edge.
    """
    edges = np.argwhere(matrix)
    bits = matrix.shape[1]
    ends = [(bits + r, c) for r, c in edges] + [(c, bits + r) for r, c in edges]
    tail, head = np.array(ends).T
    follows = (head[:, None] == tail[None, :]) & (tail[:, None] != head[None, :])
    follows, walks = follows.astype(np.float32), np.eye(len(ends), dtype=np.float32)
    for length in range(1, 15):
        walks = ((walks @ follows) > 0).astype(np.float32)
        if walks.diagonal().any():
            return length
    return None


@pytest.mark.parametrize("seed", range(6))
def test_girth_against_closed_walks(seed: int) -> None:
    """The shortest closed walk that never turns back is a cycle."""
    shifts = np.random.default_rng(seed).integers(0, 64, (2 + seed % 2, 3)).astype(np.int16)
    code = QCLDPCCode("small", 64, shifts)
    found = girth(code)
    assert found is not None
    assert (found if found <= 14 else None) == shortest_by_powers(lifted(shifts, 64))


def test_a_tree_has_no_cycle() -> None:
    assert girth(QCLDPCCode("tree", 64, np.array([[3, 5]], np.int16))) is None


@pytest.mark.parametrize("code", CODES[-3:], ids=lambda code: code.name)
def test_degrees_count_all_edges(code: QCLDPCCode) -> None:
    edges = int((code.shifts >= 0).sum()) * code.lifting
    bits, checks = bit_degrees(code), check_degrees(code)
    assert sum(bits.values()) == code.frame_bits
    assert sum(checks.values()) == code.rows * code.lifting
    for degrees in (bits, checks):
        assert sum(degree * count for degree, count in degrees.items()) == edges
