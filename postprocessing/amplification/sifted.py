"""Reconciled keys by themselves: hashed under a seed that is fresh, or the other party's."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from postprocessing.amplification.toeplitz import seed_length, toeplitz_hash
from postprocessing.bits import Bits, PackedBits
from postprocessing.checks import check_bits, whole_number
from postprocessing.errors import InvalidArgumentError


@dataclass(frozen=True, eq=False)
class AmplifiedKey:
    """A key, and the seed of its hash, which the other party needs and everybody may know.

    Parameters
    ----------
    key_bits : ndarray of uint8, shape (ℓ,)
        The key, one bit an element.
    seed_bits : ndarray of uint8, shape (n + ℓ − 1,)
        The seed, one bit an element. It serves one key.

    Examples
    --------
    >>> import numpy as np, diqkd
    >>> diqkd.amplify(np.ones(1000, np.uint8), 400)
    AmplifiedKey(400 bits, under a seed of 1,399 bits)
    """

    key_bits: Bits = field(repr=False)
    seed_bits: Bits = field(repr=False)

    def __repr__(self) -> str:
        """Return how many bits there are, never which."""
        key, seed = self.key_bits.size, self.seed_bits.size
        return f"AmplifiedKey({key:,} bits, under a seed of {seed:,} bits)"


def amplify(bits: Bits, length: int, *, seed: Bits | None = None, threads: int = 1) -> AmplifiedKey:
    """Hash a reconciled string to a key by a random Toeplitz matrix, exactly.

    How long the key may be is for a security proof to say, before the string is there: all that
    was sent about it, tag included, has to be taken off.

    Parameters
    ----------
    bits : ndarray of uint8, shape (n,)
        The string, one bit 0 or 1 an element, the same on both sides.
    length : int
        ℓ in [1, n].
    seed : ndarray of uint8, shape (n + ℓ − 1,), optional
        That of the other party; by default a fresh one of the system's cryptographic generator.
    threads : int, optional
        Threads to share the work; the key does not depend on them.

    Returns
    -------
    AmplifiedKey
        The key and its seed.

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range, or the seed has another length.

    Examples
    --------
    >>> import numpy as np
    >>> string = np.random.default_rng(1).integers(0, 2, 1000, dtype=np.uint8)
    >>> alice = amplify(string, 400)
    >>> bob = amplify(string, 400, seed=alice.seed_bits)
    >>> np.array_equal(alice.key_bits, bob.key_bits)
    True
    """
    check_bits("bits", bits)
    if not bits.size:
        raise InvalidArgumentError("bits", "no bits", "at least one")
    length = whole_number("length", length, 1, bits.size)
    needed = seed_length(bits.size, length)
    if seed is None:
        fresh = secrets.token_bytes(-(-needed // 8))
        seed = PackedBits.from_bytes(fresh, needed).to_bits()
    key = toeplitz_hash(bits, seed, length, threads=threads)
    return AmplifiedKey(key, seed.copy())
