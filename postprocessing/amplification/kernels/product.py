"""Products of packed polynomials over GF(2): blockwise by transforms, and simply for few bits.

Bit i of a polynomial is bit i mod 64 of word ⌊i/64⌋. The work on transforms is cut into ranges that
threads may share; the result does not depend on the cuts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from postprocessing.amplification.kernels.basis import (
    Words,
    convert_high,
    revert_high,
)
from postprocessing.amplification.kernels.carryless import product
from postprocessing.amplification.kernels.encoding import TILE_WORDS, decode, encode
from postprocessing.amplification.kernels.field import reduced
from postprocessing.amplification.kernels.transform import inverse_transform, transform
from postprocessing.simd.compile import kernel
from postprocessing.simd.words import (
    LANES,
    add,
    broadcast,
    load,
    store,
)

# Columns of all transforms that stay in the cache while they are multiplied.
TILE_COLUMNS = 64


@kernel
def _word(words: Words, i: int) -> Any:
    return words[i] if 0 <= i < words.size else np.uint64(0)


@kernel
def _joined(low: Any, high: Any, shift: Any) -> Any:
    """Return 64 bits of two words, from bit `shift` < 64 on."""
    return (low >> shift) | (high << np.uint64(1) << (np.uint64(63) - shift))


@kernel
def _read(source: Words, start: int, length: int, block: Words) -> None:
    """Set `block` to the bits from `start` on; those before 0 and from `length` on are zero."""
    first, shift, one = start >> 6, np.uint64(start & 63), np.uint64(1)
    # Both words of a block's words inner to outer − 1 are in the source.
    inner = min(max(-first, 0), block.size)
    outer = max(inner, min(block.size, source.size - 1 - first))
    for i in range(inner):
        block[i] = _joined(_word(source, first + i), _word(source, first + i + 1), shift)
    if inner < outer:
        target, words = block[inner:outer], source[first + inner :]
        for i in range(target.size):
            target[i] = _joined(words[i], words[i + 1], shift)
    for i in range(outer, block.size):
        block[i] = _joined(_word(source, first + i), _word(source, first + i + 1), shift)
    kept = max(length - start, 0)
    if kept < 64 * block.size:
        whole = kept >> 6
        block[whole] &= (one << np.uint64(kept & 63)) - one
        block[whole + 1 :] = 0


@kernel
def transform_blocks(
    how: Any,
    m: int,
    source: Words,
    start: int,
    length: int,
    rows: Words,
    first: int,
    stop: int,
    tables: Any,
    passes: Any,
) -> None:
    """Set rows first to stop − 1 to transforms; row r is of the r-th block of bits from `start`.

    A row has 2^m elements and padding, a block 2^(m+5) of the `length` bits of `source`. `tables`
    are the `FieldTables`, `passes` the `PassPlan` of a block.
    """
    size = 1 << m
    block, tile = np.empty(size >> 1, np.uint64), np.empty(TILE_WORDS, np.uint64)
    for r in range(first, stop):
        _read(source, start + r * (size << 5), length, block)
        convert_high(block, passes.whole, passes.chunked)
        encode(block, rows[r, :size], tables.encoding, passes.low, tile)
        transform(how, rows[r, :size], m, tables.basis, tables.sums)


@kernel
def multiply_columns(how: Any, x: Words, t: Words, sums: Words, first: int, stop: int) -> None:
    """Set ``sums[k]`` to Σ_i x_i t_(a − 1 + k − i), a blocks x_i, in columns first to stop − 1."""
    blocks = x.shape[0]
    zero = broadcast(0)
    for start in range(first, stop, TILE_COLUMNS):
        for k in range(sums.shape[0]):
            for p in range(start, start + TILE_COLUMNS, LANES):
                even, odd = zero, zero
                for i in range(blocks):
                    y, z = product(how, load(x[i], p), load(t[blocks - 1 + k - i], p))
                    even, odd = add(even, y), add(odd, z)
                store(sums[k], p, reduced(how, even, odd))


@kernel
def invert_rows(
    how: Any, m: int, rows: Words, first: int, stop: int, tables: Any, passes: Any
) -> None:
    """Replace the transforms in rows first to stop − 1 by the packed products.

    `tables` are the `FieldTables`, `passes` the `PassPlan` of a product.
    """
    size = 1 << m
    block, tile = np.empty(size, np.uint64), np.empty(TILE_WORDS, np.uint64)
    for r in range(first, stop):
        inverse_transform(how, rows[r, :size], m, tables.basis, tables.sums)
        decode(rows[r, :size], block, tables.decoding, passes.low, tile)
        revert_high(block, passes.whole, passes.chunked)
        rows[r, :size] = block


@kernel
def simple_product(x: Words, t: Words, length: int, hashed: Words) -> None:
    """Add to `hashed` the product's coefficients from length − 1 on, `length` bits of x.

    Σ_j x_j ⌊t / X^(length − 1 − j)⌋. Needs ``len(t)`` > ⌊(length − 1)/64⌋
    + ``len(hashed)``.
    """
    one = np.uint64(1)
    for j in range(length):
        drop = length - 1 - j
        shift = np.uint64(drop & 63)
        chosen = np.uint64(0) - (x[j >> 6] >> np.uint64(j & 63) & one)
        words = t[drop >> 6 : (drop >> 6) + hashed.size + 1]
        for k in range(hashed.size):
            hashed[k] ^= _joined(words[k], words[k + 1], shift) & chosen
