"""Privacy amplification: the exact Toeplitz hash of the whole corrected string.

Two families of ℓ x n matrices over GF(2), both 2-universal: two different strings collide for at
most a fraction 2^−ℓ of the seeds. A seed serves one key; it must be random, and unknown until the
strings are settled.

- Toeplitz, T[i, j] = seed[i − j + n − 1], seeds of n + ℓ − 1 bits (Krawczyk, "LFSR-based hashing
  and authentication", CRYPTO '94).
- Modified Toeplitz, (I | T) with the identity on the first ℓ bits and T as above on the n − ℓ
  others, seeds of n − 1 bits (Hayashi and Tsurumaki, "More efficient privacy amplification with
  less random seeds via dual universal hash function", IEEE Trans. Inf. Theory 62, 2213 (2016)).
"""

from __future__ import annotations

from collections.abc import Callable

from postprocessing.amplification.blockwise import toeplitz_product
from postprocessing.amplification.packing import (
    Words,
    check_words,
    clear_tail,
    pack_bits,
    shift_down,
    unpack_bits,
    word_count,
)
from postprocessing.checks import check_bits, whole_number
from postprocessing.errors import InvalidArgumentError
from postprocessing.scheme import Bits

_MOST_BITS = 2**53
_MOST_THREADS = 256


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


def modified_seed_length(input_length: int, output_length: int) -> int:
    """Return the number of seed bits of a modified Toeplitz hash, n − 1.

    Parameters
    ----------
    input_length : int
        n ≥ 1 bits before hashing.
    output_length : int
        ℓ bits after hashing, in [0, n].

    Returns
    -------
    int
        Bits of the seed, whatever ℓ.

    Raises
    ------
    InvalidArgumentError
        If a length is outside its range.

    Examples
    --------
    >>> modified_seed_length(1000, output_length=400)
    999
    """
    n, _ = _lengths(input_length, output_length)
    return n - 1


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
    _check_unpacked(bits, seed, seed_length, output_length)
    packed = toeplitz_hash_packed(
        pack_bits(bits), pack_bits(seed), bits.size, output_length, threads=threads
    )
    return unpack_bits(packed, output_length)


def modified_toeplitz_hash(bits: Bits, seed: Bits, output_length: int, *, threads: int = 1) -> Bits:
    """Hash a string by (I | T): its first ℓ bits plus the Toeplitz hash of the n − ℓ others.

    T[i, j] = seed[i − j + n − ℓ − 1]. The family is 2-universal with a shorter seed (Hayashi and
    Tsurumaki 2016): strings that differ past the first ℓ bits collide for a fraction 2^−ℓ of the
    seeds, others never.

    Parameters
    ----------
    bits : ndarray of uint8, shape (n,)
        The string, one bit 0 or 1 an element.
    seed : ndarray of uint8, shape (n − 1,)
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
        As `toeplitz_hash`.

    Examples
    --------
    >>> import numpy as np
    >>> bits, seed = np.array([1, 0, 1], np.uint8), np.array([1, 1], np.uint8)
    >>> modified_toeplitz_hash(bits, seed, output_length=2)
    array([0, 1], dtype=uint8)
    """
    _check_unpacked(bits, seed, modified_seed_length, output_length)
    packed = modified_toeplitz_hash_packed(
        pack_bits(bits), pack_bits(seed), bits.size, output_length, threads=threads
    )
    return unpack_bits(packed, output_length)


def toeplitz_hash_packed(
    words: Words, seed: Words, input_length: int, output_length: int, *, threads: int = 1
) -> Words:
    """Return `toeplitz_hash` of packed bits: bit i of a string is bit i mod 64 of word ⌊i/64⌋.

    Memory for n bits is about n bytes beside the arguments, for ℓ = n/2.

    Parameters
    ----------
    words : ndarray of uint64, shape (⌈n/64⌉,)
        The string; bits past the last one are ignored.
    seed : ndarray of uint64, shape (⌈(n + ℓ − 1)/64⌉,)
        Uniformly random bits; those past the last one are ignored.
    input_length : int
        n ≥ 1.
    output_length : int
        ℓ in [0, n].
    threads : int, optional
        Threads to share the work; the result does not depend on them.

    Returns
    -------
    ndarray of uint64, shape (⌈ℓ/64⌉,)
        The hash; bits past the last one are 0.

    Raises
    ------
    InvalidArgumentError
        If `words` or `seed` are not words of their lengths, ℓ is outside [0, n], or `threads` is
        not a number of threads.

    Examples
    --------
    >>> import numpy as np
    >>> words, seed = np.array([0b101], np.uint64), np.array([0b1011], np.uint64)
    >>> toeplitz_hash_packed(words, seed, input_length=3, output_length=2)
    array([1], dtype=uint64)
    """
    n, length = _lengths(input_length, output_length)
    check_words("seed", seed, seed_length(n, length))
    check_words("words", words, n)
    threads = whole_number("threads", threads, 1, _MOST_THREADS)
    return toeplitz_product(words, seed, n, length, threads)


def modified_toeplitz_hash_packed(
    words: Words, seed: Words, input_length: int, output_length: int, *, threads: int = 1
) -> Words:
    """Return `modified_toeplitz_hash` of packed bits, laid out as for `toeplitz_hash_packed`.

    Parameters
    ----------
    words : ndarray of uint64, shape (⌈n/64⌉,)
        The string; bits past the last one are ignored.
    seed : ndarray of uint64, shape (⌈(n − 1)/64⌉,)
        Uniformly random bits; those past the last one are ignored.
    input_length : int
        n ≥ 1.
    output_length : int
        ℓ in [0, n].
    threads : int, optional
        Threads to share the work; the result does not depend on them.

    Returns
    -------
    ndarray of uint64, shape (⌈ℓ/64⌉,)
        The hash; bits past the last one are 0.

    Raises
    ------
    InvalidArgumentError
        As `toeplitz_hash_packed`.

    Examples
    --------
    >>> import numpy as np
    >>> words, seed = np.array([0b101], np.uint64), np.array([0b11], np.uint64)
    >>> modified_toeplitz_hash_packed(words, seed, input_length=3, output_length=2)
    array([2], dtype=uint64)
    """
    n, length = _lengths(input_length, output_length)
    check_words("seed", seed, modified_seed_length(n, length))
    check_words("words", words, n)
    threads = whole_number("threads", threads, 1, _MOST_THREADS)
    others = shift_down(words, length)
    hashed = toeplitz_product(others, seed, n - length, length, threads)
    hashed ^= words[: word_count(length)]
    clear_tail(hashed, length)
    return hashed


def _lengths(input_length: int, output_length: int) -> tuple[int, int]:
    """Return both lengths as ints, whatever integers they came as."""
    n = whole_number("input_length", input_length, 1, _MOST_BITS)
    return n, whole_number("output_length", output_length, 0, n)


def _check_unpacked(
    bits: Bits, seed: Bits, length: Callable[[int, int], int], output_length: int
) -> None:
    check_bits("bits", bits)
    check_bits("seed", seed)
    expected = length(bits.size, output_length)
    if seed.size != expected:
        raise InvalidArgumentError("seed", f"{seed.size} bits", f"{expected} bits long")
