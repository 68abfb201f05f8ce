"""Kernel of the syndrome encoder: sums of cyclic shifts, 64 bits at a time.

A frame is (block columns · Z/64) words, bit i of a block column in bit i mod 64 of its word ⌊i/64⌋.
Rows of `edges` are (block column, shift), grouped by block row.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from postprocessing.simd.compile import kernel

Words = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.int64]


@kernel
def _double(frame: Words, doubled: Words) -> None:
    """Write each block column of a frame twice in a row, and one word of it once more."""
    per_column = (doubled.shape[1] - 1) // 2
    for column in range(doubled.shape[0]):
        for i in range(per_column):
            word = frame[column * per_column + i]
            doubled[column, i] = word
            doubled[column, per_column + i] = word
        doubled[column, 2 * per_column] = doubled[column, 0]


@kernel
def encode(frames: Words, row_starts: Integers, edges: Integers, syndromes: Words) -> None:
    """Fill zeroed `syndromes` (frames, block rows, Z/64) with those of `frames` (frames, words)."""
    per_column = syndromes.shape[2]
    columns = frames.shape[1] // per_column
    doubled = np.empty((columns, 2 * per_column + 1), np.uint64)
    for k in range(frames.shape[0]):
        _double(frames[k], doubled)
        for row in range(syndromes.shape[1]):
            target = syndromes[k, row]
            for edge in range(row_starts[row], row_starts[row + 1]):
                source, first = doubled[edges[edge, 0]], edges[edge, 1] // 64
                down = np.uint64(edges[edge, 1] % 64)
                if down == np.uint64(0):
                    for i in range(per_column):
                        target[i] ^= source[first + i]
                else:
                    up = np.uint64(64) - down
                    for i in range(per_column):
                        low, high = source[first + i] >> down, source[first + i + 1] << up
                        target[i] ^= low | high
