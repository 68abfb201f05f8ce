"""Between packed coefficients and the field elements at which the transform starts.

With f = Σ c_(i,k) X_(i·2^m + k), i < 64 and k < 2^m, element k is E_k = Σ_i c_(i,k) X_(i·2^m): all
X_(i·2^m) are constant on the points of the transform. Row i of the packed coefficients has the 2^m
bits c_(i,·). Collecting a column of 64 bits is a bit transposition; the linear map from the column
to the field takes one table of 256 elements a byte.

Tiles of 1024 columns are worked on in 256 quads: quad q, lane j belongs to column 256 j + q. There
the basis conversion among the low eight bits of k adds whole quads.
"""

from __future__ import annotations

import numpy as np

from postprocessing.amplification.kernels.basis import Passes, Words, convert_low, revert_low
from postprocessing.simd.compile import kernel
from postprocessing.simd.words import (
    LANES,
    add,
    broadcast,
    left,
    load,
    mask,
    right,
    store,
    transpose,
)

TILE_WORDS = 1024
_QUADS = 256
_BYTE = np.uint64(0xFF)
_HALF = np.uint64(0xFFFFFFFF)


@kernel
def _exchange(tile: Words, first: int, rows: int, distance: int, kept: int) -> None:
    """Exchange bits of rows r and r + distance; one step of a bit transposition."""
    low = broadcast(kept)
    for block in range(first, first + rows, 2 * distance):
        for r in range(block, block + distance):
            x, y = load(tile, LANES * r), load(tile, LANES * (r + distance))
            moved = mask(add(right(x, distance), y), low)
            store(tile, LANES * (r + distance), add(y, moved))
            store(tile, LANES * r, add(x, left(moved, distance)))


@kernel
def _transpose_bits(tile: Words, first: int, rows: int) -> None:
    """Transpose the 32 x 32 blocks of bits of 32 or 64 rows."""
    _exchange(tile, first, rows, 16, 0x0000FFFF0000FFFF)
    _exchange(tile, first, rows, 8, 0x00FF00FF00FF00FF)
    _exchange(tile, first, rows, 4, 0x0F0F0F0F0F0F0F0F)
    _exchange(tile, first, rows, 2, 0x3333333333333333)
    _exchange(tile, first, rows, 1, 0x5555555555555555)


@kernel
def _read_columns(words: Words, stride: int, start: int, tile: Words) -> None:
    """Set quad 64 b + r to words b, 4 + b, 8 + b, 12 + b from `start` of row r < 32."""
    for r in range(32):
        at = r * stride + start
        x = transpose(
            load(words, at), load(words, at + 4), load(words, at + 8), load(words, at + 12)
        )
        store(tile, LANES * r, x[0])
        store(tile, LANES * (64 + r), x[1])
        store(tile, LANES * (128 + r), x[2])
        store(tile, LANES * (192 + r), x[3])


@kernel
def _write_columns(words: Words, stride: int, start: int, tile: Words) -> None:
    """Undo `_read_columns`, for 64 rows."""
    for r in range(64):
        x = transpose(
            load(tile, LANES * r),
            load(tile, LANES * (64 + r)),
            load(tile, LANES * (128 + r)),
            load(tile, LANES * (192 + r)),
        )
        at = r * stride + start
        store(words, at, x[0])
        store(words, at + 4, x[1])
        store(words, at + 8, x[2])
        store(words, at + 12, x[3])


@kernel
def encode(words: Words, elements: Words, tables: Words, low: Passes, tile: Words) -> None:
    """Set the 2^m elements from 32 rows of coefficients; rows 32 to 63 are zero."""
    stride = words.size >> 5
    half = broadcast(_HALF)
    for column in range(0, stride, 16):
        _read_columns(words, stride, column, tile)
        for first in range(0, _QUADS, 64):
            _transpose_bits(tile, first, 32)
            for r in range(first, first + 32):
                x = load(tile, LANES * r)
                store(tile, LANES * r, mask(x, half))
                store(tile, LANES * (r + 32), right(x, 32))
        convert_low(tile, low)
        for lane in range(LANES):
            part = elements[64 * column + _QUADS * lane : 64 * column + _QUADS * (lane + 1)]
            for k in range(_QUADS):
                x = tile[LANES * k + lane]
                part[k] = (
                    tables[0, x & _BYTE]
                    ^ tables[1, x >> np.uint64(8) & _BYTE]
                    ^ tables[2, x >> np.uint64(16) & _BYTE]
                    ^ tables[3, x >> np.uint64(24) & _BYTE]
                )


@kernel
def decode(elements: Words, words: Words, tables: Words, low: Passes, tile: Words) -> None:
    """Set 64 rows of coefficients from the 2^m elements; `tables` are those of the inverse map."""
    stride = words.size >> 6
    for column in range(0, stride, 16):
        for lane in range(LANES):
            part = elements[64 * column + _QUADS * lane : 64 * column + _QUADS * (lane + 1)]
            for k in range(_QUADS):
                x = part[k]
                tile[LANES * k + lane] = (
                    tables[0, x & _BYTE]
                    ^ tables[1, x >> np.uint64(8) & _BYTE]
                    ^ tables[2, x >> np.uint64(16) & _BYTE]
                    ^ tables[3, x >> np.uint64(24) & _BYTE]
                    ^ tables[4, x >> np.uint64(32) & _BYTE]
                    ^ tables[5, x >> np.uint64(40) & _BYTE]
                    ^ tables[6, x >> np.uint64(48) & _BYTE]
                    ^ tables[7, x >> np.uint64(56)]
                )
        revert_low(tile, low)
        for first in range(0, _QUADS, 64):
            _exchange(tile, first, 64, 32, 0x00000000FFFFFFFF)
            _transpose_bits(tile, first, 64)
        _write_columns(words, stride, column, tile)
