"""The random streams of a run, all of one seed: nature's, and each party's trusted generators."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from postprocessing.checks import seed_number
from postprocessing.protocol.randomness import ByteSource, PartyRandomness
from postprocessing.scheme import Party


class Stream(IntEnum):
    """The independent random streams of a run."""

    ROUNDS = 0
    FURTHER_BITS = 1
    GAPS = 2
    ALICE_CHOICES = 3
    BOB_CHOICES = 4
    ALICE_HASH_SEEDS = 5
    BOB_HASH_SEEDS = 6


def byte_source(seed: int, stream: Stream) -> ByteSource:
    """Return a stream as a source of bytes, to play a party's trusted generator in emulation."""
    sequence = np.random.SeedSequence(seed, spawn_key=(stream,))
    key = sequence.generate_state(2, np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).bytes


def emulated_randomness(party: Party, seed: int) -> PartyRandomness:
    """Return a party's randomness out of the run's seed: for emulation, never for keys in use.

    Raises
    ------
    InvalidArgumentError
        If the seed is no whole number of at least 0.
    """
    seed = seed_number(seed)
    choices, hash_seeds = {
        "alice": (Stream.ALICE_CHOICES, Stream.ALICE_HASH_SEEDS),
        "bob": (Stream.BOB_CHOICES, Stream.BOB_HASH_SEEDS),
    }[party]
    return PartyRandomness(byte_source(seed, choices), byte_source(seed, hash_seeds), seed)
