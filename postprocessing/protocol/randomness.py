"""Trusted randomness of the parties' computers: thinning coins and hash seeds."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from postprocessing.bits import WORD_BITS, PackedBits, word_count
from postprocessing.checks import seed_number
from postprocessing.errors import InvalidArgumentError

ByteSource = Callable[[int], bytes]

# Whole words.
_CHUNK = 1 << 20


@dataclass(frozen=True)
class PartyRandomness:
    """Where one party's trusted computer takes its fresh randomness from.

    Parameters
    ----------
    choices : callable
        ``choices(n)`` returns n private random bytes, for the thinning coins.
    hash_seeds : callable
        ``hash_seeds(n)`` returns n random bytes, for the seeds of verification and amplification.
    seed : int or None
        What both are reproducible from, in emulation; a key made with them is then no secret.

    Raises
    ------
    InvalidArgumentError
        If a source cannot be called, or the seed is not a whole number of at least 0.

    Notes
    -----
    Both default to the operating system's generator. Emulation replaces them by seeded streams.

    Examples
    --------
    >>> len(PartyRandomness().hash_seeds(16))
    16
    """

    choices: ByteSource = secrets.token_bytes
    hash_seeds: ByteSource = secrets.token_bytes
    seed: int | None = None

    def __post_init__(self) -> None:
        """Check that there is something to call, and that the seed is one."""
        for name in ("choices", "hash_seeds"):
            if not callable(getattr(self, name)):
                raise InvalidArgumentError(name, getattr(self, name), "a function")
        if self.seed is not None:
            object.__setattr__(self, "seed", seed_number(self.seed))


def draw_coins(source: ByteSource, count: int, probability: Fraction | float) -> PackedBits:
    """Draw `count` independent bits that are 1 with exactly `probability`.

    A word of 64 random bits is compared with as many binary digits of the probability, and where
    all are equal, another one with the next digits.
    """
    if probability >= 1:
        return PackedBits.from_bits(np.ones(count, np.uint8))
    digits, rest = divmod(Fraction(probability) * 2**64, 1)
    threshold = np.uint64(digits)
    words = np.empty(word_count(count), np.uint64)
    for start in range(0, count, _CHUNK):
        size = min(_CHUNK, count - start)
        drawn = np.frombuffer(_drawn(source, 8 * size), "<u8")
        coins = drawn < threshold
        equal = np.flatnonzero(drawn == threshold)
        if rest and len(equal):
            coins[equal] = draw_coins(source, len(equal), rest).to_bits()
        chunk = PackedBits.from_bits(coins)
        words[start // WORD_BITS :][: len(chunk.words)] = chunk.words
    return PackedBits(words, count)


def _drawn(source: ByteSource, size: int) -> bytes:
    """Return bytes of a source, which must be as many as were asked for.

    Coins of a source that runs short would be no coins, and a key may rest on them.
    """
    drawn = source(size)
    if len(drawn) != size:
        raise InvalidArgumentError("choices", f"{len(drawn)} bytes", f"a source that gives {size}")
    return drawn
