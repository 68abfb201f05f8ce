"""Kernels of the sifting: one pass over a party's record and the peer's announced settings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from postprocessing.simd.compile import kernel

_Bytes = npt.NDArray[np.uint8]

# What the table of rounds says of a pair of settings; bit 0 is the sifted outcome.
KEY, TEST, SURPLUS, UNKNOWN, DIFFERENT_WINS = 2, 4, 8, 16, 32
_KEY_SHIFT, _TEST_SHIFT, _SURPLUS_SHIFT, _WINS_SHIFT = 1, 2, 3, 5

# Rounds whose table entries are looked up before any is used; a multiple of 8.
_STRETCH = 4096
_FLUSHED = 32
# Bytes of coins that a stretch may read beyond those before it.
COIN_PADDING = _STRETCH // 8 + 2
_BYTE, _TOP_BYTE = np.uint64(8), np.uint64(56)
_ONES = np.uint64(0x0101010101010101)
# Times this, the lowest bits of eight bytes line up in the top byte, that of the first byte first.
_GATHER = np.uint64(0x8040201008040201)


def selections() -> tuple[_Bytes, _Bytes]:
    """Return two tables by ``mask << 8 | bits``, bytes read from the top.

    The first packs the bits under the mask together at the top; the second spreads the bits from
    the top over the places of the mask.
    """
    mask, bits = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    packed, spread, taken = (np.zeros((256, 256), np.int64) for _ in range(3))
    for place in range(7, -1, -1):
        is_chosen = (mask >> place) & 1
        packed |= (((bits >> place) & is_chosen) << 7) >> taken
        spread |= ((bits >> (7 - taken)) & is_chosen) << place
        taken = np.minimum(taken + is_chosen, 7)
    return packed.astype(np.uint8).ravel(), spread.astype(np.uint8).ravel()


@kernel
def pack_settings(codes: _Bytes, out: _Bytes) -> None:
    """Write the settings of a record, four to a byte, the first in the lowest bits."""
    whole = len(codes) // 4
    for i in range(whole):
        packed = np.uint8(0)
        for k in range(4):
            packed |= ((codes[4 * i + k] >> 1) & 3) << (2 * k)
        out[i] = packed
    if whole < len(out):
        packed = np.uint8(0)
        for k in range(len(codes) - 4 * whole):
            packed |= ((codes[4 * whole + k] >> 1) & 3) << (2 * k)
        out[whole] = packed


@kernel
def _write_flags(codes: _Bytes, peer: _Bytes, table: _Bytes, start: int, out: _Bytes) -> None:
    """Write what the table says of the rounds from ``start`` on, nothing for those beyond.

    ``start`` is a multiple of 4.
    """
    size = min(len(codes) - start, len(out))
    for i in range(size // 4):
        four = np.int64(peer[start // 4 + i])
        for k in range(4):
            code = np.int64(codes[start + 4 * i + k])
            out[4 * i + k] = table[(code << 2) | ((four >> (2 * k)) & 3)]
    for i in range(size // 4 * 4, size):
        setting = (np.int64(peer[(start + i) // 4]) >> (2 * (i % 4))) & 3
        out[i] = table[(np.int64(codes[start + i]) << 2) | setting]
    out[size:] = 0


@kernel
def count_pairs(own: _Bytes, peer: _Bytes, fours: _Bytes) -> int:
    """Return the sum of what a table, by ``own << 8 | peer``, says of packed settings."""
    total = 0
    for i in range(len(own)):
        total += fours[(np.int64(own[i]) << 8) | np.int64(peer[i])]
    return total


@kernel(inline="always")
def _gathered(eight: np.uint64, shift: int) -> np.uint64:
    """Return one bit of each of eight flags as a byte, the first round's at the top."""
    return (((eight >> np.uint64(shift)) & _ONES) * _GATHER) >> _TOP_BYTE


@kernel(inline="always")
def _count(mask: np.uint64) -> int:
    """Return the number of ones."""
    ones = 0
    while mask:
        mask &= mask - np.uint64(1)
        ones += 1
    return ones


@kernel(inline="always")
def _append(word: np.uint64, filled: int, value: int) -> np.uint64:
    """Put a byte behind the bits of a word, which fill it from the top."""
    return word | (np.uint64(value) << np.uint64(np.int64(_TOP_BYTE) - filled))


@kernel(inline="always")
def _write_top(word: np.uint64, out: _Bytes, at: int, size: int) -> None:
    """Write the top bytes of a word."""
    for k in range(size):
        out[at + k] = np.uint8(word >> np.uint64(56 - 8 * k))


@kernel
def sift(
    codes: _Bytes,
    peer: _Bytes,
    tables: tuple[_Bytes, _Bytes, _Bytes],
    coins: _Bytes,
    out: tuple[_Bytes, _Bytes, _Bytes],
) -> tuple[int, int, int]:
    """Write key bits, test bits and the tests' winning parities; return both numbers, and coins.

    ``tables`` are that of rounds and the two of `selections`. ``coins`` and the arrays of ``out``
    are packed bits, from the top of a byte; those of ``out`` have eight bytes more than they need,
    ``coins`` `COIN_PADDING`. Where that runs out, more coins come back than there are. Rounds are
    taken eight at a time, without a branch on what they are.
    """
    table, packed, spread = tables
    key, tests, parities = out
    flags = np.empty(_STRETCH, np.uint8)
    eights = flags.view(np.uint64)
    key_word = test_word = parity_word = np.uint64(0)
    key_filled = key_written = test_filled = test_written = coin = 0
    for start in range(0, len(codes), _STRETCH):
        if (coin >> 3) + COIN_PADDING > len(coins):
            break
        _write_flags(codes, peer, table, start, flags)
        for group in range(len(eights)):
            eight = eights[group]
            outcomes = _gathered(eight, 0)
            mask = _gathered(eight, _KEY_SHIFT)
            key_word = _append(key_word, key_filled, packed[(mask << _BYTE) | outcomes])
            key_filled += _count(mask)
            surplus = _gathered(eight, _SURPLUS_SHIFT)
            pair = (np.uint64(coins[coin >> 3]) << _BYTE) | np.uint64(coins[(coin >> 3) + 1])
            drawn = (pair >> np.uint64(8 - (coin & 7))) & np.uint64(255)
            coin += _count(surplus)
            mask = _gathered(eight, _TEST_SHIFT) | np.uint64(spread[(surplus << _BYTE) | drawn])
            parity = _gathered(eight, _WINS_SHIFT)
            test_word = _append(test_word, test_filled, packed[(mask << _BYTE) | outcomes])
            parity_word = _append(parity_word, test_filled, packed[(mask << _BYTE) | parity])
            test_filled += _count(mask)
            if key_filled >= _FLUSHED:
                _write_top(key_word, key, key_written, 4)
                key_word <<= np.uint64(_FLUSHED)
                key_filled -= _FLUSHED
                key_written += 4
            if test_filled >= _FLUSHED:
                _write_top(test_word, tests, test_written, 4)
                _write_top(parity_word, parities, test_written, 4)
                test_word <<= np.uint64(_FLUSHED)
                parity_word <<= np.uint64(_FLUSHED)
                test_filled -= _FLUSHED
                test_written += 4
    _write_top(key_word, key, key_written, 8)
    _write_top(test_word, tests, test_written, 8)
    _write_top(parity_word, parities, test_written, 8)
    return 8 * key_written + key_filled, 8 * test_written + test_filled, coin
