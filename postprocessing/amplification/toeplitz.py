"""Privacy amplification: the exact Toeplitz hash of the whole corrected string.

The family of ℓ x n matrices T[i, j] = seed[i − j + n − 1] over GF(2) is 2-universal: two different
strings collide for a fraction 2^−ℓ of the seeds of n + ℓ − 1 bits (Krawczyk, "LFSR-based hashing
and authentication", CRYPTO '94). A seed serves one key; it must be random, and unknown until the
strings are settled.
"""

from __future__ import annotations

from postprocessing.amplification.blockwise import toeplitz_product
from postprocessing.bits import Bits, PackedBits
from postprocessing.checks import check_bits, whole_number
from postprocessing.errors import InvalidArgumentError
from postprocessing.limits import MOST_COUNTED, MOST_THREADS


def seed_length(input_length: int, output_length: int) -> int:
    """Return the number of seed bits of a Toeplitz hash, n + ℓ − 1.

    Parameters
    ----------
    input_length : int
        n ≥ 1 bits before hashing.
    output_length : int
        ℓ bits after hashing, in [0, n].

    Returns
    -------
    int
        Bits of the seed; n − 1 where ℓ = 0.

    Raises
    ------
    InvalidArgumentError
        If a length is outside its range.

    Examples
    --------
    >>> seed_length(1000, output_length=400)
    1399
    """
    n, length = _lengths(input_length, output_length)
    return n + length - 1


def toeplitz_hash(bits: Bits, seed: Bits, output_length: int, *, threads: int = 1) -> Bits:
    """Hash a string by the random Toeplitz matrix T[i, j] = seed[i − j + n − 1] over GF(2).

    The family is 2-universal: two different strings collide for a fraction 2^−ℓ of the seeds
    (Krawczyk, CRYPTO '94). The result is exact.

    Parameters
    ----------
    bits : ndarray of uint8, shape (n,)
        The string, one bit 0 or 1 an element.
    seed : ndarray of uint8, shape (n + ℓ − 1,)
        Uniformly random bits, 0 or 1.
    output_length : int
        ℓ in [0, n].
    threads : int, optional
        Threads to share the work; the result does not depend on them.

    Returns
    -------
    ndarray of uint8, shape (ℓ,)
        The hash, one bit an element.

    Raises
    ------
    InvalidArgumentError
        If `bits` or `seed` are not bits, the seed has another length, ℓ is outside [0, n], or
        `threads` is not a number of threads.

    Examples
    --------
    >>> import numpy as np
    >>> bits, seed = np.array([1, 0, 1], np.uint8), np.array([1, 1, 0, 1], np.uint8)
    >>> toeplitz_hash(bits, seed, output_length=2)
    array([1, 0], dtype=uint8)
    """
    check_bits("bits", bits)
    check_bits("seed", seed)
    packed = PackedBits.from_bits(bits), PackedBits.from_bits(seed)
    return toeplitz_hash_packed(*packed, output_length, threads=threads).to_bits()


def toeplitz_hash_packed(
    bits: PackedBits, seed: PackedBits, output_length: int, *, threads: int = 1
) -> PackedBits:
    """Return `toeplitz_hash` of packed bits.

    Memory for n bits is about n bytes beside the arguments, for ℓ = n/2.

    Parameters
    ----------
    bits : PackedBits
        The string, of n ≥ 1 bits.
    seed : PackedBits
        n + ℓ − 1 uniformly random bits.
    output_length : int
        ℓ in [0, n].
    threads : int, optional
        Threads to share the work; the result does not depend on them.

    Returns
    -------
    PackedBits
        The hash, of ℓ bits.

    Raises
    ------
    InvalidArgumentError
        If the seed has another length, ℓ is outside [0, n], or `threads` is not a number of
        threads.

    Examples
    --------
    >>> import numpy as np
    >>> bits = PackedBits(np.array([0b101], np.uint64), 3)
    >>> seed = PackedBits(np.array([0b1011], np.uint64), 4)
    >>> toeplitz_hash_packed(bits, seed, output_length=2).to_bits()
    array([1, 0], dtype=uint8)
    """
    n, length = _lengths(len(bits), output_length)
    if len(seed) != seed_length(n, length):
        allowed = f"{seed_length(n, length)} bits long"
        raise InvalidArgumentError("seed", f"{len(seed)} bits", allowed)
    threads = whole_number("threads", threads, 1, MOST_THREADS)
    return PackedBits(toeplitz_product(bits.words, seed.words, n, length, threads), length)


def _lengths(input_length: int, output_length: int) -> tuple[int, int]:
    """Return both lengths as ints, whatever integers they came as."""
    n = whole_number("input_length", input_length, 1, MOST_COUNTED)
    return n, whole_number("output_length", output_length, 0, n)
