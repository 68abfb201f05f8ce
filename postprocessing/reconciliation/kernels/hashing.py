"""Kernel of the polynomial hash over GF(2^128) = GF(2)[x]/(x^128 + x^7 + x^2 + x + 1).

An element is two little-endian 64-bit words: bit i of word w is the coefficient of x^(64w + i).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from postprocessing.simd.compile import kernel

Words = npt.NDArray[np.uint64]

# x^128 in the field.
_REDUCTION = np.uint64(0x87)


@kernel
def multiplication_tables(multiplier: Words) -> Words:
    """Return ``tables[k, b]`` = (byte b times x^(8k)) · multiplier, shape (16, 256, 2)."""
    one, top = np.uint64(1), np.uint64(63)
    tables = np.zeros((16, 256, 2), np.uint64)
    low, high = multiplier[0], multiplier[1]
    for k in range(16):
        for bit in range(8):
            size = 1 << bit
            for b in range(size):
                tables[k, size + b, 0] = tables[k, b, 0] ^ low
                tables[k, size + b, 1] = tables[k, b, 1] ^ high
            carry = high >> top
            high = (high << one) | (low >> top)
            low = (low << one) ^ (carry * _REDUCTION)
    return tables


@kernel
def polynomial(blocks: Words, tables: Words) -> Words:
    """Return Σ blocks[i] r^(B − i) by Horner's rule, r the multiplier of `tables`; shape (2,).

    `blocks` is (B, 2); every term, the last one too, carries a power of r.
    """
    byte = np.uint64(0xFF)
    low, high = np.uint64(0), np.uint64(0)
    for i in range(blocks.shape[0]):
        low ^= blocks[i, 0]
        high ^= blocks[i, 1]
        next_low, next_high = np.uint64(0), np.uint64(0)
        for k in range(8):
            shift = np.uint64(8 * k)
            a, b = (low >> shift) & byte, (high >> shift) & byte
            next_low ^= tables[k, a, 0] ^ tables[k + 8, b, 0]
            next_high ^= tables[k, a, 1] ^ tables[k + 8, b, 1]
        low, high = next_low, next_high
    result = np.empty(2, np.uint64)
    result[0], result[1] = low, high
    return result
