"""The Toeplitz hash against matrices over GF(2), its universality and its arguments."""

from __future__ import annotations

from itertools import product

import galois
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from postprocessing.amplification import (
    amplify,
    seed_length,
    toeplitz_hash,
    toeplitz_hash_packed,
)
from postprocessing.amplification.blockwise import block_toeplitz_product
from postprocessing.amplification.kernels.carryless import available_multipliers
from postprocessing.bits import Bits, PackedBits
from postprocessing.errors import InvalidArgumentError


def random_bits(generator: np.random.Generator, length: int) -> Bits:
    return generator.integers(0, 2, length, dtype=np.uint8)


def matrix(seed: Bits, input_length: int, output_length: int) -> Bits:
    """Return T[i, j] = seed[i − j + n − 1]."""
    rows, columns = np.arange(output_length)[:, np.newaxis], np.arange(input_length)
    return seed[rows - columns + input_length - 1]


def shape(case: int) -> tuple[int, int]:
    """Return n in [64, 256) and ℓ in [1, n]; each residue mod 64 comes up."""
    generator = np.random.default_rng(case)
    n = 64 * int(generator.integers(1, 4)) + case % 64
    length = (27 * case + case // 64) % 64 + 64 * int(generator.integers(0, n // 64))
    return n, length or 64


def test_shapes_have_every_residue() -> None:
    for lengths in zip(*map(shape, range(500)), strict=True):
        assert {length % 64 for length in lengths} == set(range(64))


@pytest.mark.parametrize("case", range(500))
def test_matrix_product_over_gf2(case: int) -> None:
    """By every route."""
    generator = np.random.default_rng(case)
    n, length = shape(case)
    bits, seed = random_bits(generator, n), random_bits(generator, seed_length(n, length))
    hashed = toeplitz_hash(bits, seed, length)
    assert hashed.dtype == np.uint8
    gf2 = galois.GF2
    expected = np.asarray(gf2(matrix(seed, n, length)) @ gf2(bits))
    np.testing.assert_array_equal(hashed, expected)
    for multiplier in available_multipliers():
        packed = block_toeplitz_product(
            *(PackedBits.from_bits(b).words for b in (bits, seed)), n, length, 11, 1, multiplier
        )
        np.testing.assert_array_equal(PackedBits(packed, length).to_bits(), expected)


@given(n=st.integers(1, 300), data=st.data())
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


@pytest.mark.parametrize(("n", "length"), [(1, 1), (3, 3), (4, 2), (5, 1), (5, 2), (5, 4)])
def test_toeplitz_is_universal(n: int, length: int) -> None:
    seeds = [np.array(s, dtype=np.uint8) for s in product((0, 1), repeat=seed_length(n, length))]
    for difference in product((0, 1), repeat=n):
        bits = np.array(difference, dtype=np.uint8)
        collisions = sum(not toeplitz_hash(bits, seed, length).any() for seed in seeds)
        assert collisions == len(seeds) // (2**length if bits.any() else 1)


@pytest.mark.parametrize(("n", "length"), [(70, 2), (130, 3), (200, 4)])
def test_collisions_of_small_strings(n: int, length: int) -> None:
    """A fraction 2^−ℓ of random seeds maps a difference to zero, with false alarms of 1e-6."""
    generator = np.random.default_rng(n)
    draws = 4000
    sparse, dense = np.zeros(n, dtype=np.uint8), random_bits(generator, n)
    sparse[-1] = 1
    for difference in (sparse, dense):
        collisions = sum(
            not toeplitz_hash(difference, seed, length).any()
            for seed in (random_bits(generator, seed_length(n, length)) for _ in range(draws))
        )
        assert stats.binomtest(collisions, draws, 2.0**-length).pvalue > 1e-6


@pytest.mark.parametrize(("n", "length"), [(1, 1), (64, 64), (200, 70), (20_000, 9_999)])
def test_the_packed_hash_is_the_hash(n: int, length: int) -> None:
    generator = np.random.default_rng(n)
    bits, seed = random_bits(generator, n), random_bits(generator, seed_length(n, length))
    hashed = toeplitz_hash_packed(
        PackedBits.from_bits(bits), PackedBits.from_bits(seed), length, threads=2
    )
    assert hashed == PackedBits.from_bits(toeplitz_hash(bits, seed, length))


def test_seed_length() -> None:
    assert seed_length(10, 4) == 13
    assert seed_length(10, 0) == 9
    with pytest.raises(InvalidArgumentError, match=r"^input_length must be a whole number"):
        seed_length(0, 0)
    for length in (-1, 11):
        with pytest.raises(InvalidArgumentError, match=r"^output_length must be a whole number"):
            seed_length(10, length)


@pytest.mark.parametrize(
    ("bits", "seed", "message"),
    [
        ([0, 2, 1], [0, 1, 1, 0], "^bits must be bits 0 or 1, got 2"),
        ([0, 1, 1], [0, 1, 3, 0], "^seed must be bits 0 or 1, got 3"),
        ([0, 1, 1], [0, 1, 1], "^seed must be 4 bits long, got '3 bits'"),
        ([0, 1, 1], [0, 1, 1, 0, 1], "^seed must be 4 bits long, got '5 bits'"),
        ([], [0], "^input_length must be a whole number"),
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
    with pytest.raises(InvalidArgumentError, match=r"^output_length .* in \[0, 3\], got 4"):
        toeplitz_hash(seed[:3], seed, 4)
    with pytest.raises(InvalidArgumentError, match=r"^threads must be a whole number"):
        toeplitz_hash(seed[:3], seed, 2, threads=0)


def test_packed_arguments_are_checked() -> None:
    bits = PackedBits.from_bits(np.zeros(128, np.uint8))
    with pytest.raises(InvalidArgumentError, match=r"^seed must be 191 bits long, got '128 bits'"):
        toeplitz_hash_packed(bits, bits, 64)
    with pytest.raises(InvalidArgumentError, match=r"^output_length .* in \[0, 128\], got 129"):
        toeplitz_hash_packed(bits, bits, 129)


def test_lengths_of_any_integer_type_count_fully() -> None:
    """A small integer type must not wrap into a short seed."""
    assert seed_length(np.uint8(200), np.uint8(100)) == 299
    with pytest.raises(InvalidArgumentError, match=r"^input_length must be a whole number"):
        seed_length(2.5, 1)


def test_amplified_keys_are_the_hash_under_a_fresh_seed():
    """Seeds of two calls agree with probability 2^-1399."""
    bits = np.random.default_rng(8).integers(0, 2, 1000, dtype=np.uint8)
    one, other = amplify(bits, 400), amplify(bits, 400)
    assert (one.seed_bits != other.seed_bits).any()
    np.testing.assert_array_equal(one.key_bits, toeplitz_hash(bits, one.seed_bits, 400))
    again = amplify(bits, 400, seed=one.seed_bits, threads=2)
    np.testing.assert_array_equal(again.key_bits, one.key_bits)
    assert repr(one) == "AmplifiedKey(400 bits, under a seed of 1,399 bits)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"length": 0}, "length must be"),
        ({"length": 9}, "length must be"),
        ({"length": 4, "seed": np.ones(12, np.uint8)}, "seed must be"),
        ({"length": 4, "bits": np.ones(0, np.uint8)}, "bits must be at least one"),
        ({"length": 4, "bits": np.full(8, 2, np.uint8)}, "bits must be"),
    ],
)
def test_keys_that_cannot_be_amplified(arguments, message):
    with pytest.raises(InvalidArgumentError, match=message):
        amplify(**{"bits": np.ones(8, np.uint8), **arguments})
