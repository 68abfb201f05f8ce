"""Kernels of the sifting: one pass over a party's record and the peer's announced settings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from postprocessing.simd.compile import kernel

_Bytes = npt.NDArray[np.uint8]
_Words = npt.NDArray[np.uint64]
_Counts = npt.NDArray[np.int64]

# What the table of rounds says of a pair of settings; bit 0 is the sifted outcome.
KEY, TEST, SURPLUS, DIFFERENT_WINS = 2, 4, 8, 32
_KEY_SHIFT, _TEST_SHIFT, _SURPLUS_SHIFT, _WINS_SHIFT = 1, 2, 3, 5

# Rounds whose table entries are looked up before any is used; a multiple of 8.
_STRETCH = 4096
_WORD_BITS, _HALF_BITS = 64, 32
# Words of coins that a stretch may read beyond those before it.
COIN_PADDING = _STRETCH // _WORD_BITS + 2
_LOW_HALF = np.uint64(0xFFFFFFFF)
_BYTE, _TOP_BYTE = np.uint64(8), np.uint64(56)
_ONES = np.uint64(0x0101010101010101)
# Times this, the lowest bits of eight bytes line up in the top byte, that of the first byte lowest.
_GATHER = np.uint64(0x0102040810204080)


def selections() -> tuple[_Bytes, _Bytes]:
    """Return two tables by ``mask << 8 | bits``, the lowest bit of a byte first.

    The first packs the bits under the mask together at the bottom; the second spreads the bits from
    the bottom over the places of the mask.
    """
    mask, bits = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    packed, spread, taken = (np.zeros((256, 256), np.int64) for _ in range(3))
    for place in range(8):
        is_chosen = (mask >> place) & 1
        packed |= ((bits >> place) & is_chosen) << taken
        spread |= ((bits >> taken) & is_chosen) << place
        taken += is_chosen
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
def count_fours(own: _Bytes, peer: _Bytes, counts: _Counts) -> None:
    """Count how often each two bytes of packed settings, ``own << 8 | peer``, meet."""
    for i in range(len(own)):
        counts[(np.int64(own[i]) << 8) | np.int64(peer[i])] += 1


@kernel(inline="always")
def _gathered(eight: np.uint64, shift: int) -> np.uint64:
    """Return one bit of each of eight flags as a byte, the first round's the lowest."""
    return (((eight >> np.uint64(shift)) & _ONES) * _GATHER) >> _TOP_BYTE


@kernel(inline="always")
def _count(mask: np.uint64) -> int:
    """Return the number of ones."""
    ones = 0
    while mask:
        mask &= mask - np.uint64(1)
        ones += 1
    return ones


@kernel
def sift(
    codes: _Bytes,
    peer: _Bytes,
    tables: tuple[_Bytes, _Bytes, _Bytes],
    coins: _Words,
    out: tuple[_Words, _Words, _Words, _Words],
) -> tuple[int, int, int]:
    """Write key bits, test bits, the tests' winning parities and which of them a coin has kept.

    Return the numbers of key rounds and of tests, and how many coins were taken.

    ``tables`` are that of rounds and the two of `selections`. ``coins`` and the arrays of ``out``
    are packed bits, from the bottom of a word; those of ``out`` have a word more than rounds fill,
    ``coins`` has `COIN_PADDING` words more than there are coins. Where that runs out, more coins
    come back than there are. Rounds are taken eight at a time, without a branch on what they are,
    and words are written by halves.
    """
    table, packed, spread = tables
    key, tests = out[0].view(np.uint32), out[1].view(np.uint32)
    parities, kept = out[2].view(np.uint32), out[3].view(np.uint32)
    flags = np.empty(_STRETCH, np.uint8)
    eights = flags.view(np.uint64)
    key_word = test_word = parity_word = kept_word = np.uint64(0)
    key_filled = key_written = test_filled = test_written = coin = 0
    for start in range(0, len(codes), _STRETCH):
        if (coin >> 6) + COIN_PADDING > len(coins):
            break
        _write_flags(codes, peer, table, start, flags)
        for group in range(len(eights)):
            eight = eights[group]
            outcomes = _gathered(eight, 0)
            mask = _gathered(eight, _KEY_SHIFT)
            key_word |= np.uint64(packed[(mask << _BYTE) | outcomes]) << np.uint64(key_filled)
            key_filled += _count(mask)
            surplus = _gathered(eight, _SURPLUS_SHIFT)
            at = np.uint64(coin & (_WORD_BITS - 1))
            ahead = (coins[(coin >> 6) + 1] << np.uint64(1)) << (np.uint64(63) - at)
            drawn = ((coins[coin >> 6] >> at) | ahead) & np.uint64(255)
            coin += _count(surplus)
            mask = _gathered(eight, _TEST_SHIFT) | np.uint64(spread[(surplus << _BYTE) | drawn])
            parity = _gathered(eight, _WINS_SHIFT)
            test_word |= np.uint64(packed[(mask << _BYTE) | outcomes]) << np.uint64(test_filled)
            parity_word |= np.uint64(packed[(mask << _BYTE) | parity]) << np.uint64(test_filled)
            kept_word |= np.uint64(packed[(mask << _BYTE) | surplus]) << np.uint64(test_filled)
            test_filled += _count(mask)
            if key_filled >= _HALF_BITS:
                key[key_written] = key_word & _LOW_HALF
                key_word >>= np.uint64(_HALF_BITS)
                key_filled -= _HALF_BITS
                key_written += 1
            if test_filled >= _HALF_BITS:
                tests[test_written] = test_word & _LOW_HALF
                parities[test_written] = parity_word & _LOW_HALF
                kept[test_written] = kept_word & _LOW_HALF
                test_word >>= np.uint64(_HALF_BITS)
                parity_word >>= np.uint64(_HALF_BITS)
                kept_word >>= np.uint64(_HALF_BITS)
                test_filled -= _HALF_BITS
                test_written += 1
    # The other half of the last word is filled up with zeros.
    key[key_written], key[key_written + 1] = key_word, 0
    tests[test_written], tests[test_written + 1] = test_word, 0
    parities[test_written], parities[test_written + 1] = parity_word, 0
    kept[test_written], kept[test_written + 1] = kept_word, 0
    return _HALF_BITS * key_written + key_filled, _HALF_BITS * test_written + test_filled, coin
