"""From monomials to the Lin–Chung–Han basis and back, by Taylor expansions on packed bits.

The basis is X_k = Π_b s_b(x)^(k_b) with s_b(x) = x^(2^b) + ..., the subspace polynomials of the
Cantor basis, where s_b(x) for b a power of two is x^(2^b) + x. A *pass* (h, s) expands each block
of 2h coefficients, h > s powers of two, at x^h + x^s once: with lower and upper halves f + x^h g,

    g += ⌊g / x^(h − s)⌋,   f += x^s g  (truncated to h coefficients).

Its inverse does the two steps the other way round (Gao and Mateer 2010; Lin, Al-Naffouri, Han and
Chung 2016). Passes are given by the logarithms of h and s, see `passes` of `constants`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from postprocessing.simd.compile import kernel
from postprocessing.simd.words import (
    LANES,
    Quad,
    add,
    last_one,
    last_two,
    left,
    load,
    right,
    store,
    up_one,
    up_two,
)

Words = npt.NDArray[np.uint64]
Passes = npt.NDArray[np.int64]

# Of 2^16 bits, in the first-level cache.
CHUNK_WORDS = 1024


@kernel
def _top(x: Quad, s: int) -> Quad:
    """Return the s < 256 last bits of a quad as its first ones."""
    if s == 128:
        return last_two(x)
    return last_one(right(x, 64 - s)) if s < 64 else last_one(x)


@kernel
def _shifted(x: Quad, s: int) -> Quad:
    """Return 256 bits shifted up by s ≤ 128."""
    if s == 128:
        return up_two(x)
    return add(left(x, s), up_one(right(x, 64 - s))) if s < 64 else up_one(x)


@kernel
def _short_pass(words: Words, start: int, stop: int, h: int, s: int, inverse: bool) -> None:
    """Do one pass with h words and s < 256 bits on ``words[start:stop]``."""
    offset = s >> 6
    for f in range(start, stop, 2 * h):
        g = f + h
        x = load(words, g)
        if not inverse:
            x = add(x, _top(load(words, g + h - LANES), s))
            store(words, g, x)
        store(words, f, add(load(words, f), _shifted(x, s)))
        if s < 64:
            for i in range(LANES, h, LANES):
                y = add(left(load(words, g + i), s), right(load(words, g + i - 1), 64 - s))
                store(words, f + i, add(load(words, f + i), y))
        else:
            for i in range(LANES, h, LANES):
                store(words, f + i, add(load(words, f + i), load(words, g + i - offset)))
        if inverse:
            store(words, g, add(load(words, g), _top(load(words, g + h - LANES), s)))


@kernel
def _add_range(words: Words, target: int, source: int, count: int) -> None:
    for i in range(0, count, LANES):
        store(words, target + i, add(load(words, target + i), load(words, source + i)))


@kernel
def _long_pass(words: Words, start: int, stop: int, h: int, s: int, inverse: bool) -> None:
    """Do one pass with h words and s words, both multiples of 4, on ``words[start:stop]``."""
    for f in range(start, stop, 2 * h):
        g = f + h
        if not inverse:
            _add_range(words, g, g + h - s, s)
        _add_range(words, f + s, g, h - s)
        if inverse:
            _add_range(words, g, g + h - s, s)


@kernel
def _pass(words: Words, start: int, stop: int, log_h: int, log_s: int, inverse: bool) -> None:
    if log_s >= 8:
        _long_pass(words, start, stop, 1 << (log_h - 6), 1 << (log_s - 6), inverse)
    else:
        _short_pass(words, start, stop, 1 << (log_h - 6), 1 << log_s, inverse)


@kernel
def convert_high(words: Words, whole: Passes, chunked: Passes) -> None:
    """Do all passes but those among the low eight bits of an index: h ≥ 2^16, then 2^8 ≤ h."""
    for log_h, log_s in whole:
        _pass(words, 0, words.size, log_h, log_s, False)
    for start in range(0, words.size, CHUNK_WORDS):
        for log_h, log_s in chunked:
            _pass(words, start, start + CHUNK_WORDS, log_h, log_s, False)


@kernel
def revert_high(words: Words, whole: Passes, chunked: Passes) -> None:
    """Undo `convert_high`."""
    for start in range(0, words.size, CHUNK_WORDS):
        for log_h, log_s in chunked[::-1]:
            _pass(words, start, start + CHUNK_WORDS, log_h, log_s, True)
    for log_h, log_s in whole[::-1]:
        _pass(words, 0, words.size, log_h, log_s, True)


@kernel
def convert_low(quads: Words, low: Passes) -> None:
    """Do the passes among the low eight bits of an index; coefficient k is quad k of 256."""
    for log_h, log_s in low:
        _long_pass(quads, 0, quads.size, LANES << log_h, LANES << log_s, False)


@kernel
def revert_low(quads: Words, low: Passes) -> None:
    """Undo `convert_low`."""
    for log_h, log_s in low[::-1]:
        _long_pass(quads, 0, quads.size, LANES << log_h, LANES << log_s, True)
