"""Privacy amplification: the exact Toeplitz hash of the whole corrected string."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.fft

from postprocessing.checks import check_bits
from postprocessing.errors import InvalidArgumentError
from postprocessing.rounds import Bits

Transform: TypeAlias = npt.NDArray[np.complex128]

# Blocks whose transforms stay fast; strips that need some 32 bytes a bit, 512 MiB at most.
_BLOCK_RANGE = (1 << 10, 1 << 19)
_INPUT_BLOCKS = 16
_STRIP_BITS = 1 << 24


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
    """
    if input_length < 1:
        raise InvalidArgumentError("input_length", input_length, "at least 1")
    if not 0 <= output_length <= input_length:
        raise InvalidArgumentError("output_length", output_length, f"in [0, {input_length}]")
    return input_length + output_length - 1


def toeplitz_hash(bits: Bits, seed: Bits, output_length: int) -> Bits:
    """Hash a string by the random Toeplitz matrix T[i, j] = seed[i − j + n − 1] over GF(2).

    The family is 2-universal: two different strings collide for a fraction 2^−ℓ of the seeds
    (Krawczyk, CRYPTO '94). The result is exact for any n up to 1e10.

    Parameters
    ----------
    bits : ndarray of uint8, shape (n,)
        The string, one bit 0 or 1 an element.
    seed : ndarray of uint8, shape (n + ℓ − 1,)
        Uniformly random bits, 0 or 1.
    output_length : int
        ℓ in [0, n].

    Returns
    -------
    ndarray of uint8, shape (ℓ,)
        The hash, one bit an element.

    Raises
    ------
    InvalidArgumentError
        If `bits` or `seed` are not bits, the seed has another length, or ℓ is outside [0, n].

    Examples
    --------
    >>> import numpy as np
    >>> bits, seed = np.array([1, 0, 1], np.uint8), np.array([1, 1, 0, 1], np.uint8)
    >>> toeplitz_hash(bits, seed, output_length=2)
    array([1, 0], dtype=uint8)
    """
    check_bits("bits", bits)
    check_bits("seed", seed)
    expected = seed_length(bits.size, output_length)
    if seed.size != expected:
        raise InvalidArgumentError("seed", f"{seed.size} bits", f"{expected} bits long")
    return _hash(bits, seed, output_length, _block_length(bits.size, output_length))


def _block_length(input_length: int, output_length: int) -> int:
    """Return a power of two for few output blocks and, if the output is short, few input blocks."""
    wanted = max(output_length, input_length // _INPUT_BLOCKS)
    return int(np.clip(1 << wanted.bit_length(), *_BLOCK_RANGE))


def _hash(
    bits: Bits, seed: Bits, output_length: int, block: int, strip_bits: int = _STRIP_BITS
) -> Bits:
    """Return the hash in strips of whole output blocks; a strip is what memory holds at once."""
    hashed = np.empty(output_length, dtype=np.uint8)
    strip = max(strip_bits // block, 1) * block
    for start in range(0, output_length, strip):
        stop = min(start + strip, output_length)
        blocks = range(start // block, -(-stop // block))
        parities = np.concatenate(list(_strip(bits, seed, blocks, block)))
        hashed[start:stop] = parities[: stop - start]
    return hashed


def _strip(bits: Bits, seed: Bits, outputs: range, block: int) -> Iterator[Bits]:
    """Yield consecutive output blocks q of a strip, each Σ_i T_(q − i) x_i over input blocks i.

    The matrix block T_m is Toeplitz itself: with r and s the row and column inside it, its entries
    are seed[m·B + n − 1 + r − s], 2B − 1 seed bits, and its product with a block is the middle of
    a cyclic convolution of length 2B.

    Every sum is a count of at most n ones, taken in float64 with ε = 2^−53. Three transforms of
    length 2B err by less than 10 ε log2(2B) relative to ‖T_m‖‖x_i‖ ≤ √2·B, and adding the n/B
    blocks before the last one by n/B·ε more, so that a count is off by less than
    (10 log2(2B) + n/B)·ε·√2·n: 1e-5 for n = 1e8 and 0.04 for n = 1e10. Rounding is exact.
    """
    size = 2 * block
    sums = np.zeros((len(outputs), block + 1), dtype=np.complex128)

    def matrix(diagonal: int) -> Transform:
        start = diagonal * block + bits.size - block
        return scipy.fft.rfft(_slice(seed, start, size), size)

    window = deque((matrix(q) for q in outputs[1:]), maxlen=len(outputs))
    for i in range(-(-bits.size // block)):
        window.appendleft(matrix(outputs.start - i))
        transform = scipy.fft.rfft(_slice(bits, i * block, block), size)
        for total, toeplitz in zip(sums, window, strict=True):
            total += toeplitz * transform
    for total in sums:
        counts = scipy.fft.irfft(total, size)[block - 1 : size - 1]
        yield (np.rint(counts).astype(np.int64) & 1).astype(np.uint8)


def _slice(bits: Bits, start: int, length: int) -> Bits:
    """Return ``bits[start : start + length]`` with zeros before the first and past the last bit."""
    inside = bits[max(start, 0) : max(start + length, 0)]
    before = min(max(-start, 0), length)
    return np.pad(inside, (before, length - before - inside.size))
