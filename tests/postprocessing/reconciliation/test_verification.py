"""The polynomial hash: against field arithmetic of galois, its bound, its bit order."""

import itertools
import math

import galois
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postprocessing.bits import PackedBits
from postprocessing.errors import InvalidArgumentError
from postprocessing.reconciliation import tag_length, verification_tag

FIELD = galois.GF(2**128, irreducible_poly="x^128 + x^7 + x^2 + x + 1", verify=False)


def hash_in_field(bits: npt.NDArray[np.uint8], seed: bytes) -> int:
    """Return Σ m_i r^(B − i + 1), each element an integer with bit i the coefficient of x^i."""
    r = FIELD(int.from_bytes(seed, "little"))
    total = FIELD(0)
    for start in range(0, len(bits), 128):
        block = sum(int(bit) << i for i, bit in enumerate(bits[start : start + 128]))
        total = (total + FIELD(block)) * r
    return int(total)


@settings(deadline=None, max_examples=30)
@given(
    bits=st.lists(st.integers(0, 1), max_size=700),
    seed=st.binary(min_size=16, max_size=16),
    tag_bits=st.integers(1, 128),
)
def test_tag_is_the_truncated_polynomial(bits: list[int], seed: bytes, tag_bits: int) -> None:
    string = np.array(bits, dtype=np.uint8)
    expected = hash_in_field(string, seed) % 2**tag_bits
    tag = verification_tag(PackedBits.from_bits(string), seed, tag_bits)
    assert len(tag) == math.ceil(tag_bits / 8)
    assert int.from_bytes(tag, "little") == expected


def test_one_flipped_bit_changes_the_tag() -> None:
    generator = np.random.default_rng(1)
    bits = generator.integers(0, 2, 5000, dtype=np.uint8)
    seed = generator.bytes(16)
    tag = verification_tag(PackedBits.from_bits(bits), seed, 64)
    assert verification_tag(PackedBits.from_bits(bits.copy()), seed, 64) == tag
    for position in (0, 127, 128, 2500, 4999):
        other = bits.copy()
        other[position] ^= 1
        assert verification_tag(PackedBits.from_bits(other), seed, 64) != tag


def test_collision_bound_holds_in_a_small_field() -> None:
    """Every difference of two 4-bit blocks collides for at most B 2^(4 − t) of the 16 values r."""
    small = galois.GF(2**4)
    r = small.elements
    for blocks in itertools.product(range(16), repeat=2):
        if not any(blocks):
            continue
        values = small(blocks[0]) * r**2 + small(blocks[1]) * r
        for tag_bits in range(1, 5):
            collisions = int(np.sum(np.asarray(values) % 2**tag_bits == 0))
            assert collisions <= 2 * 2 ** (4 - tag_bits)


def test_tag_length() -> None:
    assert tag_length(128, 2.0**-40) == 40
    assert tag_length(129, 2.0**-40) == 41
    assert tag_length(0, 0.5) == 1
    assert tag_length(8_000_000, 1e-12) == math.ceil(math.log2(62_500) + 12 * math.log2(10))


@settings(deadline=None)
@given(bits_count=st.integers(0, 10**12), exponent=st.floats(-20, -0.01))
def test_tag_length_meets_the_correctness(bits_count: int, exponent: float) -> None:
    correctness = 10.0**exponent
    blocks = max(1, math.ceil(bits_count / 128))
    length = tag_length(bits_count, correctness)
    assert blocks * 2.0**-length <= correctness * (1 + 1e-12)
    assert blocks * 2.0 ** -(length - 1) > correctness * (1 - 1e-12)


@pytest.mark.parametrize(
    ("bits_count", "correctness", "match"),
    [
        (-1, 0.1, "bits_count must be at least 0"),
        (1, 0.0, "correctness must be in"),
        (1, 1.0, "correctness must be in"),
        (10**9, 1e-35, "correctness must be at least"),
    ],
)
def test_impossible_tag_length(bits_count: int, correctness: float, match: str) -> None:
    with pytest.raises(InvalidArgumentError, match=match):
        tag_length(bits_count, correctness)


@pytest.mark.parametrize(
    ("seed", "tag_bits", "match"),
    [
        (bytes(15), 64, "seed must be 16 bytes"),
        (bytes(16), 0, "tag_bits must be between 1 and 128"),
        (bytes(16), 129, "tag_bits must be between 1 and 128"),
    ],
)
def test_bad_tag_arguments(seed: bytes, tag_bits: int, match: str) -> None:
    with pytest.raises(InvalidArgumentError, match=match):
        verification_tag(PackedBits.from_bytes(b"key"), seed, tag_bits)
