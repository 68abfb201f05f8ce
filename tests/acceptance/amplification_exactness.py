"""Toeplitz hashing against independent computations at sizes too long for the tests.

Run: ``python tests/acceptance/amplification_exactness.py``; some minutes and 2 GiB. Every
multiplier of the processor against a number-theoretic transform at random sizes up to 1e7, 1000
rows at 1e8 bits against inner products, and cryptomite and randextract at 1e4 to 1e6 bits where
installed (``pip install '.[benchmarks]'``). Exits with 1 at the first difference.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable

import numba as nb
import numpy as np
from rich.console import Console
from rich.progress import track

from postprocessing.amplification import seed_length, toeplitz_hash, toeplitz_hash_packed
from postprocessing.amplification.blockwise import block_toeplitz_product, transform_size
from postprocessing.amplification.kernels.carryless import available_multipliers
from postprocessing.bits import Bits, PackedBits

# p = 15 · 2^27 + 1 > 1e9, above any count of ones; 31 generates its multiplicative group.
PRIME, GENERATOR = 15 * 2**27 + 1, 31


@nb.njit(nogil=True)
def number_theoretic_transform(values, root):
    """Transform in place, decimation in frequency: the result is in bit-reversed order."""
    p = np.uint64(PRIME)
    half = values.size // 2
    while half:
        twiddles = np.empty(half, np.uint64)
        factor = np.uint64(1)
        for j in range(half):
            twiddles[j] = factor
            factor = factor * root % p
        for block in range(0, values.size, 2 * half):
            for j in range(half):
                x, y = values[block + j], values[block + half + j]
                values[block + j] = (x + y) % p
                values[block + half + j] = (x + p - y) * twiddles[j] % p
        root = root * root % p
        half //= 2


@nb.njit(nogil=True)
def inverse_number_theoretic_transform(values, root):
    """Undo it but for the factor of the length, from bit-reversed to natural order."""
    p = np.uint64(PRIME)
    half = 1
    while half < values.size:
        step = root
        for _ in range(log2(values.size // (2 * half))):
            step = step * step % p
        twiddles = np.empty(half, np.uint64)
        factor = np.uint64(1)
        for j in range(half):
            twiddles[j] = factor
            factor = factor * step % p
        for block in range(0, values.size, 2 * half):
            for j in range(half):
                x, y = values[block + j], values[block + half + j] * twiddles[j] % p
                values[block + j] = (x + y) % p
                values[block + half + j] = (x + p - y) % p
        half *= 2


@nb.njit
def log2(power):
    """Return the logarithm of a power of two."""
    count = 0
    while power > 1:
        power >>= 1
        count += 1
    return count


def exact_convolution(bits: Bits, seed: Bits, length: int) -> Bits:
    """Return the hash from exact counts of ones, modulo a prime above them."""
    size = 1 << (seed.size - 1).bit_length()
    root = pow(GENERATOR, (PRIME - 1) // size, PRIME)
    x, t = np.zeros((2, size), dtype=np.uint64)
    x[: bits.size], t[: seed.size] = bits, seed
    number_theoretic_transform(x, np.uint64(root))
    number_theoretic_transform(t, np.uint64(root))
    x = x * t % np.uint64(PRIME)
    inverse_number_theoretic_transform(x, np.uint64(pow(root, -1, PRIME)))
    kept = x[bits.size - 1 : bits.size - 1 + length] * np.uint64(pow(size, -1, PRIME))
    return (kept % np.uint64(PRIME) & np.uint64(1)).astype(np.uint8)


@nb.njit(nogil=True)
def inner_product(reversed_string, seed, row):
    """Return the parity of seed[row : row + n] & reversed string, packed."""
    first, shift = row >> 6, np.uint64(row & 63)
    total = np.uint64(0)
    for i in range(reversed_string.size):
        word = seed[first + i] >> shift
        word |= seed[first + i + 1] << np.uint64(1) << (np.uint64(63) - shift)
        total ^= word & reversed_string[i]
    for k in (32, 16, 8, 4, 2, 1):
        total ^= total >> np.uint64(k)
    return total & np.uint64(1)


def equal(what: str, first: Bits, second: Bits) -> None:
    """Leave with an error if the bits differ."""
    if not np.array_equal(first, second):
        sys.exit(f"{what}: {np.count_nonzero(first != second)} of {first.size} bits differ")


def random_case(generator: np.random.Generator, n: int, length: int) -> tuple[Bits, Bits]:
    """Return a string and a seed."""
    bits = generator.integers(0, 2, n, dtype=np.uint8)
    return bits, generator.integers(0, 2, seed_length(n, length), dtype=np.uint8)


def against_number_theory(generator: np.random.Generator, cases: int) -> None:
    """Compare all multipliers at random sizes up to 1e7 and random transform sizes."""
    for _ in track(range(cases), "number-theoretic transform"):
        n = int(10 ** generator.uniform(4, 7))
        length = int(n * generator.uniform(0.01, 1))
        bits, seed = random_case(generator, n, length)
        expected = exact_convolution(bits, seed, length)
        for threads, multiplier in enumerate(available_multipliers(), start=1):
            m = transform_size(n, length, threads) + int(generator.integers(0, 3))
            hashed = block_toeplitz_product(
                *(PackedBits.from_bits(b).words for b in (bits, seed)),
                n,
                length,
                m,
                threads,
                multiplier,
            )
            what = f"{multiplier.name}, n {n}, length {length}, m {m}, {threads} threads"
            equal(what, PackedBits(hashed, length).to_bits(), expected)


def rows_of_a_long_string(generator: np.random.Generator, n: int, rows: int) -> None:
    """Compare random rows and the first and last ones with inner products."""
    length = n // 2
    bits, seed = (
        PackedBits.from_bytes(generator.bytes(-(-size // 8)), size)
        for size in (n, seed_length(n, length))
    )
    backwards = PackedBits.from_bits(bits.to_bits()[::-1]).words
    padded = np.append(seed.words, np.zeros(2, dtype=np.uint64))
    chosen = np.concatenate([[0, length - 1], generator.integers(0, length, rows - 2)])
    expected = np.array([inner_product(backwards, padded, int(row)) for row in chosen])
    for threads in (1, 2):
        hashed = toeplitz_hash_packed(bits, seed, length, threads=threads)
        equal(f"rows at {n:.0e} bits", hashed.to_bits()[chosen], expected)
    m = transform_size(n, length, 1)
    for multiplier in available_multipliers():
        other = block_toeplitz_product(bits.words, seed.words, n, length, m, 1, multiplier)
        equal(f"{multiplier.name} at {n:.0e} bits", other, hashed.words)


def against_cryptomite(generator: np.random.Generator, n: int) -> None:
    """Compare; its seed begins with the diagonal i = j, ours with i − j = 1 − n."""
    from cryptomite.toeplitz import Toeplitz

    length = n // 2 + 1
    bits, seed = random_case(generator, n, length)
    theirs = Toeplitz(n, length).extract(bits.tolist(), np.roll(seed, 1 - n).tolist())
    equal(f"cryptomite at {n}", toeplitz_hash(bits, seed, length), np.array(theirs))


def against_randextract(generator: np.random.Generator, n: int) -> None:
    """Compare; its seed begins as cryptomite's does."""
    from randextract import ToeplitzHashing

    length = n // 2 + 1
    bits, seed = random_case(generator, n, length)
    theirs = ToeplitzHashing(n, length).extract(bits, np.roll(seed, 1 - n))
    equal(f"randextract at {n}", toeplitz_hash(bits, seed, length), np.asarray(theirs))


def main() -> None:
    """Run all comparisons."""
    generator, console = np.random.default_rng(1), Console()
    peers: dict[str, Callable[[np.random.Generator, int], None]] = {
        "cryptomite": against_cryptomite,
        "randextract": against_randextract,
    }
    for name, compare in peers.items():
        if importlib.util.find_spec(name) is None:
            console.print(f"{name}: not installed")
            continue
        for n in (10_000, 100_003, 1_000_000):
            compare(generator, n)
        console.print(f"{name}: equal at 1e4 to 1e6 bits")
    against_number_theory(generator, cases=12)
    console.print("number-theoretic transform: equal")
    rows_of_a_long_string(generator, 10**8, rows=1000)
    console.print("1000 rows at 1e8 bits: equal, and all multipliers everywhere")


if __name__ == "__main__":
    main()
