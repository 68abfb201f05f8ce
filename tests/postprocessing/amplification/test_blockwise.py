"""Transforms of every kind and size against floating-point convolution, exact at these sizes."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft

from postprocessing.amplification import blockwise, toeplitz_hash
from postprocessing.amplification.blockwise import (
    block_toeplitz_product,
    simple_toeplitz_product,
    transform_size,
)
from postprocessing.amplification.kernels.carryless import PORTABLE, available_multipliers
from postprocessing.bits import Bits, PackedBits, Words


def words_of(bits: Bits) -> Words:
    return PackedBits.from_bits(bits).words


def bits_and_seed(n: int, length: int) -> tuple[Bits, Bits]:
    generator = np.random.default_rng([n, length])
    bits = generator.integers(0, 2, 2 * n + length - 1, dtype=np.uint8)
    return bits[:n], bits[n:]


def convolution(bits: Bits, seed: Bits, length: int) -> Bits:
    """Return the hash from counts of ones in float64.

    A count is at most 1e6 and off by less than 10 ε log2(N) ‖x‖‖t‖ < 1e-7, ε = 2^−53.
    """
    size = scipy.fft.next_fast_len(seed.size, real=True)
    counts = scipy.fft.irfft(scipy.fft.rfft(bits, size) * scipy.fft.rfft(seed, size), size)
    kept = np.rint(counts[bits.size - 1 : bits.size - 1 + length])
    return (kept.astype(np.int64) & 1).astype(np.uint8)


SHAPES = [
    (65_536, 65_536), (65_537, 32_768), (65_535, 1), (1000, 200_000), (300_001, 150_000),
    (777_777, 123_457), (999_999, 999_998), (1_000_000, 500_000),
]  # fmt: skip


@pytest.mark.parametrize(("n", "length"), SHAPES)
def test_all_variants_agree_with_convolution(n: int, length: int) -> None:
    bits, seed = bits_and_seed(n, length)
    expected = convolution(bits, seed, length)
    for multiplier in available_multipliers():
        for m, threads in ((11, 1), (12, 2), (15, 1), (16, 3), (17, 2)):
            hashed = block_toeplitz_product(
                words_of(bits), words_of(seed), n, length, m, threads, multiplier
            )
            np.testing.assert_array_equal(PackedBits(hashed, length).to_bits(), expected)


@pytest.mark.parametrize("case", range(20))
def test_random_sizes(case: int) -> None:
    generator = np.random.default_rng(case)
    n = int(10 ** generator.uniform(3, 6))
    length = int(generator.integers(1, n + 1))
    bits, seed = bits_and_seed(n, length)
    hashed = toeplitz_hash(bits, seed, length, threads=1 + case % 3)
    np.testing.assert_array_equal(hashed, convolution(bits, seed, length))


@pytest.mark.parametrize(("n", "length"), [(1, 1), (4000, 4000), (300, 30_000), (30_000, 300)])
def test_simple_product(n: int, length: int) -> None:
    bits, seed = bits_and_seed(n, length)
    hashed = simple_toeplitz_product(words_of(bits), words_of(seed), n, length)
    np.testing.assert_array_equal(
        PackedBits(hashed, length).to_bits(), convolution(bits, seed, length)
    )


def test_a_transform_larger_than_the_string() -> None:
    """The sizes that only strings of 1e8 bits and more need."""
    n, length = 1_000_000, 500_000
    bits, seed = bits_and_seed(n, length)
    words, packed_seed, multiplier = words_of(bits), words_of(seed), available_multipliers()[0]
    expected = words_of(convolution(bits, seed, length))
    for m in (20, 22):
        hashed = block_toeplitz_product(words, packed_seed, n, length, m, 2, multiplier)
        np.testing.assert_array_equal(hashed, expected)


def test_all_ones() -> None:
    """Every row has n ones."""
    for n, length in ((1_000_000, 400_001), (999_999, 400_001)):
        ones = np.ones(n + length - 1, dtype=np.uint8)
        np.testing.assert_array_equal(toeplitz_hash(ones[:n], ones, length), n % 2)


def test_long_string_in_few_rows() -> None:
    n, length = 3_000_000, 100
    bits, seed = bits_and_seed(n, length)
    hashed = toeplitz_hash(bits, seed, length)
    for row in range(length):
        assert hashed[row] == np.count_nonzero(seed[row : row + n] & bits[::-1]) % 2


def test_transform_sizes_grow_with_the_string() -> None:
    sizes = [transform_size(n, n // 2, threads=1) for n in (10**5, 10**6, 10**7, 10**8, 10**9)]
    assert sizes == sorted(sizes)
    assert sizes[-1] < max(blockwise._SIZES)


def test_the_portable_multiplier_is_always_there() -> None:
    assert available_multipliers()[-1] is PORTABLE
