"""Kernels of the sampler: counter-based random words in, categories of rounds and gaps out.

Words are numbered along a stream. A counter of Philox makes two of them, and a stretch of 2¹² words
holds first the low ones of its 2¹¹ counters, then the high ones, which keeps SIMD lanes full. Words
are cut into pieces from the low end, as little-endian machines store them.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from postprocessing.simd.compile import kernel

_Words = npt.NDArray[np.uint64]
_Bytes = npt.NDArray[np.uint8]
_Codes = npt.NDArray[np.unsignedinteger]

WORDS_PER_STRETCH = 1 << 12
PIECES_PER_WORD = 4
_COUNTERS = WORDS_PER_STRETCH // 2
_PIECES = WORDS_PER_STRETCH * PIECES_PER_WORD

# Philox4x32-10: multipliers of the rounds and increments of the key (Salmon et al., SC 2011).
_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ROUNDS = 10

# Categories are searched for undecided ones this many at a time.
_SEARCHED = 256

_MANTISSA = np.int64((1 << 52) - 1)
_EXPONENT_OF_1 = np.int64(1023)
_SQRT_2 = math.sqrt(2.0)
# ln 2 in two parts, of which the first times any exponent is exact.
_LN_2_HIGH, _LN_2_LOW = 0.6931471805598903, 5.497923018708371e-14


@kernel(inline="always")
def _philox(counter: np.uint64, stream: np.uint64, key: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Return the two words of Philox4x32-10 at a counter of 64 bits on a stream of 64 bits."""
    c0, c1 = counter & _LOW, counter >> _HALF
    c2, c3 = stream & _LOW, stream >> _HALF
    k0, k1 = key & _LOW, key >> _HALF
    for _ in range(_ROUNDS):
        p0, p1 = _MULTIPLIER_0 * c0, _MULTIPLIER_1 * c2
        c0, c1, c2, c3 = (p1 >> _HALF) ^ c1 ^ k0, p1 & _LOW, (p0 >> _HALF) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
    return c0 | (c1 << _HALF), c2 | (c3 << _HALF)


@kernel
def write_stretch(number: int, stream: np.uint64, key: np.uint64, out: _Words) -> None:
    """Write a stretch of words of a stream."""
    first = np.uint64(number) * np.uint64(_COUNTERS)
    for i in range(_COUNTERS):
        low, high = _philox(first + np.uint64(i), stream, key)
        out[i] = low
        out[i + _COUNTERS] = high


@kernel
def _look_up(table: _Codes, pieces: npt.NDArray[np.uint16], out: _Codes) -> None:
    """Write ``table[pieces]``."""
    for i in range(len(out)):
        out[i] = table[pieces[i]]


@kernel
def _count(codes: _Codes, code: np.unsignedinteger) -> int:
    """Return how often a category occurs."""
    found = 0
    for i in range(len(codes)):
        found += codes[i] == code
    return found


@kernel
def draw_categories(
    first: int,
    streams: tuple[np.uint64, np.uint64],
    key: np.uint64,
    table: _Codes,
    cumulative: _Words,
    out: _Codes,
) -> None:
    """Invert the cumulative distribution of a round for each of the rounds from ``first`` on.

    Category k is drawn by the words u with cumulative[k − 1] ≤ u < cumulative[k]. ``table`` gives,
    by the 16 leading bits of u, the category, or its type's greatest value where more bits decide:
    then 48 further ones come from the second stream, at the number of the round.
    """
    words = np.empty(WORDS_PER_STRETCH, np.uint64)
    pieces = words.view(np.uint16)
    undecided = table.dtype.type(-1)
    done = 0
    while done < len(out):
        stretch, skipped = divmod(first + done, _PIECES)
        size = min(len(out) - done, _PIECES - skipped)
        write_stretch(stretch, streams[0], key, words)
        chosen, part = pieces[skipped : skipped + size], out[done : done + size]
        _look_up(table, chosen, part)
        for start in range(0, size, _SEARCHED):
            stop = min(size, start + _SEARCHED)
            if _count(part[start:stop], undecided):
                for i in range(start, stop):
                    if part[i] == undecided:
                        more, _ = _philox(np.uint64(first + done + i), streams[1], key)
                        word = (np.uint64(chosen[i]) << np.uint64(48)) | (more >> np.uint64(16))
                        part[i] = np.searchsorted(cumulative, word, side="right")
        done += size


@kernel(inline="always")
def _log(x: float) -> float:
    """Return ln x of a normal number x in (0, 1], by sums and products that no library varies.

    x = m 2^e with m = 1 + f in [√½, √2) and s = f/(2 + f): ln x = e ln 2 + 2 artanh s, where
    2 artanh s = f − f²/2 + s (f²/2 + 2 s²/3 + 2 s⁴/5 + ...) has an exact leading term.
    """
    bits = np.float64(x).view(np.int64)
    exponent = (bits >> 52) - _EXPONENT_OF_1
    mantissa = np.int64((bits & _MANTISSA) | (_EXPONENT_OF_1 << 52)).view(np.float64)
    large = mantissa >= _SQRT_2
    mantissa = mantissa * 0.5 if large else mantissa
    exponent = exponent + 1 if large else exponent
    f = mantissa - 1.0
    s = f / (2.0 + f)
    z = s * s
    # z ≤ 0.03; written out for the sake of SIMD.
    series = 2 / 15 + z * (2 / 17 + z * (2 / 19 + z * (2 / 21)))
    series = 2 / 7 + z * (2 / 9 + z * (2 / 11 + z * (2 / 13 + z * series)))
    series = z * (2 / 3 + z * (2 / 5 + z * series))
    half = 0.5 * f * f
    return exponent * _LN_2_HIGH + (f - (half - (s * (half + series) + exponent * _LN_2_LOW)))


@kernel
def _to_gaps(words: _Words, log_unheralded: float, out: _Words) -> None:
    """Turn words into gaps."""
    for i in range(len(words)):
        uniform = (np.float64(words[i] >> np.uint64(11)) + 1.0) * 2.0**-53
        out[i] = np.uint64(1) + np.uint64(_log(uniform) / log_unheralded)


@kernel
def draw_gaps(
    first: int, stream: np.uint64, key: np.uint64, log_unheralded: float, out: _Words
) -> None:
    """Draw the number of pulses up to and including each heralded one, from ``first`` on.

    P(gap > g) = (1 − P)^g, so gap = 1 + ⌊ln u / ln(1 − P)⌋ for u uniform in (0, 1],
    exact to 2⁻⁵³.
    """
    words = np.empty(WORDS_PER_STRETCH, np.uint64)
    done = 0
    while done < len(out):
        stretch, skipped = divmod(first + done, WORDS_PER_STRETCH)
        size = min(len(out) - done, WORDS_PER_STRETCH - skipped)
        write_stretch(stretch, stream, key, words)
        _to_gaps(words[skipped : skipped + size], log_unheralded, out[done : done + size])
        done += size


@kernel
def split(categories: _Codes, alice: _Bytes, bob: _Bytes, to_alice: _Bytes, to_bob: _Bytes) -> None:
    """Hand each party its half: ``to_alice`` is ``alice`` at each category, likewise Bob."""
    for i in range(len(categories)):
        to_alice[i] = alice[categories[i]]
        to_bob[i] = bob[categories[i]]


@kernel
def count_categories(categories: _Codes, counts: npt.NDArray[np.int64]) -> None:
    """Add how often each category occurs, in four interleaved tallies that do not wait in line.

    ``counts`` has shape (4, K).
    """
    whole = len(categories) // 4 * 4
    for i in range(0, whole, 4):
        for lane in range(4):
            counts[lane, categories[i + lane]] += 1
    for i in range(whole, len(categories)):
        counts[0, categories[i]] += 1
