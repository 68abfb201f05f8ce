"""A Toeplitz matrix times a packed vector, block by block.

With input blocks x_i and diagonal blocks t_j of B bits, t shifted up such that block row a − 1
begins with a block, output block k is the upper half of P_(a−1+k) plus the lower half of P_(a+k),
P_q = Σ_i x_i t_(q−i). The products are of 2B = 2^(m+6) bits, the size of a transform.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from postprocessing.amplification.constants import field_tables, pass_plan
from postprocessing.amplification.kernels import product as kernels
from postprocessing.amplification.kernels.carryless import Multiplier, available_multipliers
from postprocessing.bits import Words, clear_tail, word_count

Rows: TypeAlias = npt.NDArray[np.uint64]
# Calls a kernel on ranges that make up range(count), whose limits are multiples of a step.
Share: TypeAlias = Callable[[Callable[[int, int], None], int, int], None]

_SIZES = range(11, 26)


def toeplitz_product(
    x: Words, t: Words, input_length: int, output_length: int, threads: int = 1
) -> Words:
    """Return packed h with h_i = Σ_j t_(i − j + n − 1) x_j; see `toeplitz_hash`.

    Bits of `x` and `t` past their ends are ignored; those of the result are 0.
    """
    if output_length == 0:
        return np.zeros(word_count(output_length), dtype=np.uint64)
    # Kernels are compiled for plain arrays only, not once more for read-only or unaligned ones.
    x, t = (np.require(words, requirements=["C", "A", "W"]) for words in (x, t))
    if simple_is_faster(input_length, output_length):
        return simple_toeplitz_product(x, t, input_length, output_length)
    m = transform_size(input_length, output_length, threads)
    multiplier = available_multipliers()[0]
    return block_toeplitz_product(x, t, input_length, output_length, m, threads, multiplier)


def simple_toeplitz_product(x: Words, t: Words, input_length: int, output_length: int) -> Words:
    """Return the product by shifting t once for every bit of x."""
    hashed = np.zeros(word_count(output_length), dtype=np.uint64)
    padding = hashed.size + word_count(input_length) + 1 - t.size
    kernels.simple_product(x, np.pad(t, (0, padding)), input_length, hashed)
    clear_tail(hashed, output_length)
    return hashed


def block_toeplitz_product(
    x: Words,
    t: Words,
    input_length: int,
    output_length: int,
    m: int,
    threads: int,
    multiplier: Multiplier,
) -> Words:
    """Return the product by transforms of 2^m elements, m ≥ 11."""
    block = 1 << m + 5
    inputs, outputs = -(-input_length // block), -(-output_length // block)
    begin = input_length - 1 - inputs * block
    t_length = input_length + output_length - 1
    with _sharing(threads) as share:
        x_rows = _transformed(x, 0, input_length, inputs, m, multiplier, share)
        t_rows = _transformed(t, begin, t_length, inputs + outputs, m, multiplier, share)
        products = _multiplied(x_rows, t_rows, m, multiplier, share)
    hashed = np.empty(word_count(output_length), dtype=np.uint64)
    half = 1 << m - 1
    for k, target in enumerate(np.split(hashed, range(half, hashed.size, half))):
        upper = products[k, half : half + target.size]
        np.bitwise_xor(upper, products[k + 1, : target.size], out=target)
    clear_tail(hashed, output_length)
    return hashed


def _transformed(
    source: Words,
    begin: int,
    length: int,
    blocks: int,
    m: int,
    multiplier: Multiplier,
    share: Share,
) -> Rows:
    """Return the transforms of the blocks of a string from bit `begin` on."""
    rows = _empty_rows(blocks, m)
    tables, passes = field_tables(), pass_plan(m + 5)

    def transform(first: int, stop: int) -> None:
        kernels.transform_blocks(
            multiplier, m, source, begin, length, rows, first, stop, tables, passes
        )

    share(transform, blocks, 1)
    return rows


def _multiplied(x_rows: Rows, t_rows: Rows, m: int, multiplier: Multiplier, share: Share) -> Rows:
    """Return the products P_(a−1), ..., P_(a−1+b) in the first 2^m words of each row."""
    products = _empty_rows(len(t_rows) - len(x_rows) + 1, m)
    tables, passes = field_tables(), pass_plan(m + 6)

    def multiply(first: int, stop: int) -> None:
        kernels.multiply_columns(multiplier, x_rows, t_rows, products, first, stop)

    def invert(first: int, stop: int) -> None:
        kernels.invert_rows(multiplier, m, products, first, stop, tables, passes)

    share(multiply, 1 << m, kernels.TILE_COLUMNS)
    share(invert, len(products), 1)
    return products


def _empty_rows(count: int, m: int) -> Rows:
    """Return rows of 2^m words, and padding to keep equal columns from the same cache set."""
    return np.empty((count, (1 << m) + kernels.TILE_COLUMNS), dtype=np.uint64)


@contextmanager
def _sharing(threads: int) -> Iterator[Share]:
    """Yield a function that does a kernel's work on several threads."""
    if threads == 1:
        yield lambda kernel, count, step: kernel(0, count)
        return
    with ThreadPoolExecutor(threads) as pool:

        def share(kernel: Callable[[int, int], None], count: int, step: int) -> None:
            limits = [count * i // threads // step * step for i in range(threads)] + [count]
            list(pool.map(kernel, limits[:-1], limits[1:]))

        yield share


def simple_is_faster(input_length: int, output_length: int) -> bool:
    """Return whether transforms do not pay; about 0.3 ms at most, and little compilation."""
    return input_length * (output_length + 2000) <= 1 << 27


def transform_size(input_length: int, output_length: int, threads: int) -> int:
    """Return the m of the least estimated time."""

    def nanoseconds(m: int) -> float:
        block = 1 << m + 5
        inputs, outputs = -(-input_length // block), -(-output_length // block)
        transforms = sum(-(-rows // threads) for rows in (inputs, inputs + outputs, outputs + 1))
        products = inputs * (outputs + 1) / threads
        # Measured on the 256-bit multiplier; the others are slower by nearly one factor.
        return float((transforms * (1.6 + 0.37 * m) + products * 0.5) * (1 << m))

    return min(_SIZES, key=nanoseconds)
