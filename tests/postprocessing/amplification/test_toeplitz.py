"""The Toeplitz hash against matrices over GF(2)."""

from __future__ import annotations

from itertools import product

import galois
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postprocessing.amplification import seed_length, toeplitz, toeplitz_hash
from postprocessing.errors import InvalidArgumentError

Bits = npt.NDArray[np.uint8]


def random_bits(generator: np.random.Generator, length: int) -> Bits:
    return generator.integers(0, 2, length, dtype=np.uint8)


def matrix(seed: Bits, input_length: int, output_length: int) -> Bits:
    """Return T[i, j] = seed[i − j + n − 1]."""
    rows, columns = np.arange(output_length)[:, np.newaxis], np.arange(input_length)
    return seed[rows - columns + input_length - 1]


@pytest.mark.parametrize("case", range(200))
def test_matrix_product_over_gf2(case: int) -> None:
    generator = np.random.default_rng(case)
    n = int(generator.integers(1, 130))
    length = int(generator.integers(0, n + 1))
    bits, seed = random_bits(generator, n), random_bits(generator, seed_length(n, length))
    hashed = toeplitz_hash(bits, seed, length)
    assert hashed.dtype == np.uint8
    assert hashed.shape == (length,)
    if length:
        gf2 = galois.GF2
        expected = gf2(matrix(seed, n, length)) @ gf2(bits)
        np.testing.assert_array_equal(hashed, np.asarray(expected))


@pytest.mark.parametrize("block", [1, 2, 7, 16, 64, 1000])
@pytest.mark.parametrize("strip_bits", [1, 50, 10_000])
@pytest.mark.parametrize(("n", "length"), [(1, 1), (64, 64), (200, 1), (301, 77), (128, 113)])
def test_blocks_and_strips_do_not_show(n: int, length: int, block: int, strip_bits: int) -> None:
    generator = np.random.default_rng(n + length)
    bits, seed = random_bits(generator, n), random_bits(generator, seed_length(n, length))
    expected = matrix(seed, n, length).astype(int) @ bits % 2
    hashed = toeplitz._hash(bits, seed, length, block, strip_bits)
    np.testing.assert_array_equal(hashed, expected)


@pytest.mark.parametrize(("n", "length"), [(100_000, 99_999), (300_001, 70_003), (2_000_000, 10)])
def test_rows_of_long_strings(n: int, length: int) -> None:
    generator = np.random.default_rng(n)
    bits, seed = random_bits(generator, n), random_bits(generator, seed_length(n, length))
    hashed = toeplitz_hash(bits, seed, length)
    for block in (1 << 12, 1 << 15):
        np.testing.assert_array_equal(hashed, toeplitz._hash(bits, seed, length, block, 1 << 16))
    for row in {0, length - 1, *generator.integers(0, length, 100).tolist()}:
        ones = np.count_nonzero(seed[row : row + n] & bits[::-1])
        assert hashed[row] == ones % 2


def test_all_ones_give_the_greatest_counts() -> None:
    n, length = 3_000_000, 1_100_000
    ones = np.ones(n + length - 1, dtype=np.uint8)
    np.testing.assert_array_equal(toeplitz_hash(ones[:n], ones, length), n % 2)
    np.testing.assert_array_equal(toeplitz_hash(ones[: n - 1], ones[:-1], length), (n - 1) % 2)


@given(st.integers(1, 300), st.data())
def test_linear_in_the_string_and_in_the_seed(n: int, data: st.DataObject) -> None:
    length = data.draw(st.integers(0, n))
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    first, second = random_bits(generator, n), random_bits(generator, n)
    seed, other = (random_bits(generator, seed_length(n, length)) for _ in range(2))
    hashed = toeplitz_hash(first, seed, length)
    np.testing.assert_array_equal(
        hashed ^ toeplitz_hash(second, seed, length), toeplitz_hash(first ^ second, seed, length)
    )
    np.testing.assert_array_equal(
        hashed ^ toeplitz_hash(first, other, length), toeplitz_hash(first, seed ^ other, length)
    )


@pytest.mark.parametrize("n", [4, 5])
def test_universal(n: int) -> None:
    length = 2
    seeds = [np.array(s, dtype=np.uint8) for s in product((0, 1), repeat=seed_length(n, length))]
    for difference in product((0, 1), repeat=n):
        bits = np.array(difference, dtype=np.uint8)
        collisions = sum(not toeplitz_hash(bits, seed, length).any() for seed in seeds)
        assert collisions == len(seeds) // (2**length if bits.any() else 1)


def test_seed_length() -> None:
    assert seed_length(10, 4) == 13
    assert seed_length(10, 0) == 9
    with pytest.raises(InvalidArgumentError, match=r"^input_length must be at least 1"):
        seed_length(0, 0)
    for length in (-1, 11):
        with pytest.raises(InvalidArgumentError, match=r"^output_length must be in \[0, 10\]"):
            seed_length(10, length)


@pytest.mark.parametrize(
    ("bits", "seed", "message"),
    [
        ([0, 2, 1], [0, 1, 1, 0], "^bits must be bits 0 or 1, got 2"),
        ([0, 1, 1], [0, 1, 3, 0], "^seed must be bits 0 or 1, got 3"),
        ([0, 1, 1], [0, 1, 1], "^seed must be 4 bits long, got '3 bits'"),
        ([0, 1, 1], [0, 1, 1, 0, 1], "^seed must be 4 bits long, got '5 bits'"),
        ([], [0], "^input_length must be at least 1"),
        ([[0, 1], [1, 1]], [0, 1, 1], "^bits must be a flat array of uint8"),
    ],
)
def test_arguments_are_checked(bits: list[int], seed: list[int], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        toeplitz_hash(np.array(bits, dtype=np.uint8), np.array(seed, dtype=np.uint8), 2)


def test_bits_are_uint8() -> None:
    seed = np.zeros(4, dtype=np.uint8)
    with pytest.raises(InvalidArgumentError, match=r"^bits must be a flat array of uint8"):
        toeplitz_hash(np.zeros(3), seed, 2)
    with pytest.raises(InvalidArgumentError, match=r"^output_length must be in \[0, 3\], got 4"):
        toeplitz_hash(seed[:3], seed, 4)
