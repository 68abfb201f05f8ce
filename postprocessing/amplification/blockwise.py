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

from postprocessing.amplification import _product_kernels as kernels
from postprocessing.amplification._carryless_kernels import Multiplier, available_multipliers
from postprocessing.amplification.constants import field_tables, pass_plan
from postprocessing.amplification.packing import Words, clear_tail, word_count

# Calls a kernel on ranges that make up range(count), whose limits are multiples of a step.
Share: TypeAlias = Callable[[Callable[[int, int], None], int, int], None]

# Bit products below which transforms do not pay.
_SIMPLE_LIMIT = 1 << 25
_SIZES = range(11, 26)


def toeplitz_product(
    x: Words, t: Words, input_length: int, output_length: int, threads: int = 1
) -> Words:
    """Return packed h with h_i = Σ_j t_(i − j + n − 1) x_j; see `toeplitz_hash`.

    Bits of `x` and `t` past their ends are ignored; those of the result are 0.
    """
    if input_length == 0 or output_length == 0:
        return np.zeros(word_count(output_length), dtype=np.uint64)
    if input_length * output_length <= _SIMPLE_LIMIT:
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
    size = 1 << m
    block = size << 5
    inputs, outputs = -(-input_length // block), -(-output_length // block)
    tables, forward, backward = field_tables(), pass_plan(m + 5), pass_plan(m + 6)
    # The padding keeps equal columns of different rows from the same cache set.
    x_rows, t_rows, sums = (
        np.empty((rows, size + kernels.TILE_COLUMNS), dtype=np.uint64)
        for rows in (inputs, inputs + outputs, outputs + 1)
    )
    begin = input_length - 1 - inputs * block
    t_length = input_length + output_length - 1
    common = tables.basis, tables.sums

    def transform(first: int, stop: int) -> None:
        kernels.transform_blocks(
            multiplier,
            x,
            0,
            input_length,
            x_rows,
            min(first, inputs),
            min(stop, inputs),
            *common,
            tables.encoding,
            *forward,
        )
        kernels.transform_blocks(
            multiplier,
            t,
            begin,
            t_length,
            t_rows,
            max(first - inputs, 0),
            max(stop - inputs, 0),
            *common,
            tables.encoding,
            *forward,
        )

    def multiply(first: int, stop: int) -> None:
        kernels.multiply_columns(multiplier, x_rows, t_rows, sums, first, stop)

    def invert(first: int, stop: int) -> None:
        kernels.invert_rows(multiplier, sums, first, stop, *common, tables.decoding, *backward)

    with _sharing(threads) as share:
        share(transform, 2 * inputs + outputs, 1)
        share(multiply, size, kernels.TILE_COLUMNS)
        share(invert, outputs + 1, 1)
    hashed = np.empty(word_count(output_length), dtype=np.uint64)
    for k, target in enumerate(np.split(hashed, range(size >> 1, hashed.size, size >> 1))):
        upper = sums[k, size >> 1 : (size >> 1) + target.size]
        np.bitwise_xor(upper, sums[k + 1, : target.size], out=target)
    clear_tail(hashed, output_length)
    return hashed


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


def transform_size(input_length: int, output_length: int, threads: int) -> int:
    """Return the m of the least estimated time."""

    def nanoseconds(m: int) -> float:
        block = 1 << m + 5
        inputs, outputs = -(-input_length // block), -(-output_length // block)
        transforms = -(-(2 * inputs + outputs) // threads) + -(-(outputs + 1) // threads)
        products = inputs * (outputs + 1) / threads
        # Measured on the 256-bit multiplier; the others are slower by nearly one factor.
        return float((transforms * (1.6 + 0.37 * m) + products * 0.5) * (1 << m))

    return min(_SIZES, key=nanoseconds)
