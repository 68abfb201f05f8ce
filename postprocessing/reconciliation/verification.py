"""Verification that both parties hold the same bits, by an almost universal hash.

The bits make blocks m_1 … m_B of 128, elements of GF(2^128); a random element r gives the value
Σ m_i r^(B − i + 1), of which the tag is the lowest t coefficients. Two different strings of one
length differ in blocks d_i that are not all zero, and have equal tags exactly if
Σ d_i r^(B − i + 1) is one of the 2^(128 − t) elements v whose t lowest coefficients are zero. For
each v that is an equation in r of degree 1 to B (all terms but v carry a power of r), with at most
B roots. Hence the tags of different strings agree with probability at most B 2^−t (Carter and
Wegman, J. Comput. Syst. Sci. 22, 265 (1981); den Boer, J. Comput. Secur. 2, 65 (1993)).
"""

from __future__ import annotations

import math

import numpy as np

from postprocessing.bits import PackedBits
from postprocessing.errors import InvalidArgumentError
from postprocessing.reconciliation.kernels import hashing as _hash_kernels

_BLOCK_BITS, _BLOCK_WORDS = 128, 2
SEED_BYTES, MOST_TAG_BITS = _BLOCK_BITS // 8, _BLOCK_BITS


def tag_length(bits_count: int, correctness: float) -> int:
    """Return the least tag length that makes the correctness error at most `correctness`.

    Parameters
    ----------
    bits_count : int
        Length of the strings, at least 0.
    correctness : float
        Allowed probability that different strings pass, in (0, 1).

    Returns
    -------
    int
        ⌈log2(B / correctness)⌉ with B blocks of 128 bits, at most 128.

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range, or 128 bits are not enough.
    """
    if bits_count < 0:
        raise InvalidArgumentError("bits_count", bits_count, "at least 0")
    if not 0 < correctness < 1:
        raise InvalidArgumentError("correctness", correctness, "in (0, 1)")
    blocks = _blocks(bits_count)
    length = math.ceil(math.log2(blocks) - math.log2(correctness))
    if length > _BLOCK_BITS:
        allowed = f"at least {blocks * 2.0**-_BLOCK_BITS:.3g} for {bits_count} bits"
        raise InvalidArgumentError("correctness", correctness, allowed)
    return length


def miss_probability(bits_count: int, tag_bits: int) -> float:
    """Return the bound B 2^−t on the probability that different strings have equal tags."""
    return _blocks(bits_count) * 2.0**-tag_bits


def _blocks(bits_count: int) -> int:
    return max(1, -(-bits_count // _BLOCK_BITS))


def verification_tag(bits: PackedBits, seed: bytes, tag_bits: int) -> bytes:
    """Return the tag of a string of bits.

    Parameters
    ----------
    bits : PackedBits
        The string; bit j of block i is bit 128 i + j, the coefficient of x^j. The last block is
        filled up with zeros, so strings to compare must have one length.
    seed : bytes
        The 16 bytes of r, drawn uniformly and independently of both strings; little-endian, so that
        the lowest bit of the first byte is the coefficient of x^0.
    tag_bits : int
        Length t of the tag in bits, 1 to 128.

    Returns
    -------
    bytes
        The coefficients of x^0 … x^(t−1), little-endian, in ⌈t/8⌉ bytes whose unused bits are zero.

    Raises
    ------
    InvalidArgumentError
        If the seed is not 16 bytes or `tag_bits` is outside its range.

    Examples
    --------
    >>> verification_tag(PackedBits.from_bytes(b"key"), seed=bytes([1] + 15 * [0]), tag_bits=24)
    b'key'
    """
    if len(seed) != SEED_BYTES:
        raise InvalidArgumentError("seed", f"{len(seed)} bytes", f"{SEED_BYTES} bytes")
    if not 1 <= tag_bits <= _BLOCK_BITS:
        raise InvalidArgumentError("tag_bits", tag_bits, "between 1 and 128")
    whole = len(bits.words) % _BLOCK_WORDS == 0
    blocks = bits.words if whole else np.append(bits.words, np.uint64(0))
    multiplier = np.frombuffer(seed, dtype="<u8").astype(np.uint64)
    tables = _hash_kernels.multiplication_tables(multiplier)
    value = _hash_kernels.polynomial(blocks.reshape(-1, _BLOCK_WORDS), tables)
    number = int(value[0]) | int(value[1]) << 64
    return (number & ((1 << tag_bits) - 1)).to_bytes(-(-tag_bits // 8), "little")
