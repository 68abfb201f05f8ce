"""The sampler: heralded rounds drawn from a joint distribution, in streamed blocks.

Unheralded pulses are never drawn one by one: the herald probability does not depend on the
settings, so the gap to the next heralded pulse is geometric. Every word of randomness has a fixed
place in a counter-based stream (Philox, Salmon et al., SC 2011), so that a seed gives the same
rounds for any block size and any number of threads.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from emulator._sampling_kernels import draw_rounds, geometric_gaps
from emulator.distribution import JointDistribution
from postprocessing.checks import whole_number
from postprocessing.errors import InvalidArgumentError
from postprocessing.randomness import ByteSource
from postprocessing.rounds import LocalSettings, PartyRecord

_Drawn = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint64]]

_WORDS_PER_COUNT = 4
# The parties keep some 20 bytes a round until all heralds are public.
_MOST_ROUNDS = 10**9
# Beyond, double precision no longer counts them one by one.
_MOST_PULSES = 2**53
_LEAST_HERALD_PROBABILITY = 1e-12
DEFAULT_BLOCK_SIZE = 1 << 20


class Stream(IntEnum):
    """The independent random streams of a run."""

    ROUNDS = 0
    GAPS = 1
    ALICE_CHOICES = 2
    BOB_CHOICES = 3
    ALICE_HASH_SEEDS = 4
    BOB_HASH_SEEDS = 5


def _philox(seed: int, stream: Stream, count: int = 0) -> np.random.Philox:
    """Return the generator of a stream, at a given count of its counter."""
    sequence = np.random.SeedSequence(seed, spawn_key=(stream,))
    return np.random.Philox(key=sequence.generate_state(2, np.uint64), counter=count)


def words(seed: int, stream: Stream, start: int, size: int) -> npt.NDArray[np.uint64]:
    """Return words `start` to `start + size` of a stream, without drawing those before."""
    count, skipped = divmod(start, _WORDS_PER_COUNT)
    drawn = _philox(seed, stream, count).random_raw(skipped + size)
    return np.asarray(drawn, np.uint64)[skipped:]


def byte_source(seed: int, stream: Stream) -> ByteSource:
    """Return a stream as a source of bytes, to play a party's trusted generator in emulation."""
    return np.random.Generator(_philox(seed, stream)).bytes


@dataclass(frozen=True, eq=False)
class RoundBlock:
    """Consecutive heralded rounds, as nature has them.

    Parameters
    ----------
    columns : ndarray of uint8, shape (5, n)
        Rows: Alice's setting and outcome bit, Bob's setting and outcome bit, herald.
    pulse_indices : ndarray of uint64, shape (n,)
        Number of the pulse at which each round was heralded, counted from 1.
    """

    columns: npt.NDArray[np.uint8]
    pulse_indices: npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class EmulatedRounds:
    """The quantum phase of a run: each party's half, and how long it took.

    Parameters
    ----------
    alice, bob : PartyRecord
        The halves.
    pulses : int
        Number of pulses emitted.
    """

    alice: PartyRecord
    bob: PartyRecord
    pulses: int

    def __len__(self) -> int:
        """Return the number of heralded rounds."""
        return len(self.alice)


class Sampler:
    """Draws heralded rounds of a joint distribution under locally chosen settings.

    Parameters
    ----------
    distribution : JointDistribution
        The model's exact probabilities.
    local_settings : LocalSettings
        Probabilities with which each side, independently, chooses its setting.
    seed : int
        Seed of the run, at least 0.

    Raises
    ------
    InvalidArgumentError
        If the seed is negative or the herald probability is below 1e-12.

    Notes
    -----
    A round is one draw from the joint law of (x, y, herald, a, b) given a herald, whose settings
    part is the product of the two sides' own laws. Each probability is exact to 2⁻⁶⁴.
    """

    def __init__(
        self, distribution: JointDistribution, local_settings: LocalSettings, seed: int
    ) -> None:
        if seed < 0:
            raise InvalidArgumentError("seed", seed, "at least 0")
        if distribution.herald_probability < _LEAST_HERALD_PROBABILITY:
            value, allowed = (
                distribution.herald_probability,
                f"at least {_LEAST_HERALD_PROBABILITY}",
            )
            raise InvalidArgumentError("herald_probability", value, allowed)
        self._seed = seed
        self._cumulative, self._categories = _round_table(distribution, local_settings)
        self._guide = _guide(self._cumulative)
        self.herald_probability = herald = distribution.herald_probability
        self._log_unheralded = math.log1p(-herald) if herald < 1 else -math.inf

    def blocks(
        self, rounds: int | None = None, *, block_size: int = DEFAULT_BLOCK_SIZE, threads: int = 1
    ) -> Iterator[RoundBlock]:
        """Draw rounds in blocks, in order.

        Parameters
        ----------
        rounds : int, optional
            Number of heralded rounds; unlimited by default.
        block_size : int
            Rounds a block.
        threads : int
            Number of blocks drawn at the same time.

        Yields
        ------
        RoundBlock
            The next block.
        """
        starts = itertools.count(0, block_size) if rounds is None else range(0, rounds, block_size)
        last_pulse = np.uint64(0)
        pending: deque[Future[_Drawn]] = deque()
        with ThreadPoolExecutor(threads) as pool:
            for start in starts:
                size = block_size if rounds is None else min(block_size, rounds - start)
                pending.append(pool.submit(self._draw, start, size))
                if len(pending) == threads:
                    yield (block := _block(pending.popleft().result(), last_pulse))
                    last_pulse = block.pulse_indices[-1]
            while pending:
                yield (block := _block(pending.popleft().result(), last_pulse))
                last_pulse = block.pulse_indices[-1]

    def _draw(self, start: int, size: int) -> _Drawn:
        """Draw rounds `start` to `start + size`: their columns and the gaps before them."""
        columns = np.empty((5, size), np.uint8)
        table = (self._guide, self._cumulative, self._categories)
        draw_rounds(words(self._seed, Stream.ROUNDS, start, size), *table, columns)
        gaps = np.empty(size, np.uint64)
        geometric_gaps(words(self._seed, Stream.GAPS, start, size), self._log_unheralded, gaps)
        return columns, gaps


def emulate(
    sampler: Sampler,
    *,
    heralded_rounds: int | None = None,
    pulses: int | None = None,
    threads: int = 1,
    on_rounds: Callable[[int], None] | None = None,
) -> EmulatedRounds:
    """Play the quantum phase: draw rounds and hand each party its half.

    Parameters
    ----------
    sampler : Sampler
        Where the rounds come from.
    heralded_rounds, pulses : int, optional
        Stop after this many heralded rounds, or after this many pulses: exactly one is given.
    threads : int
        Number of blocks drawn at the same time.
    on_rounds : callable, optional
        Called with the number of heralded rounds drawn so far, after each block.

    Returns
    -------
    EmulatedRounds
        The two halves and the number of pulses.

    Raises
    ------
    InvalidArgumentError
        If the stopping rule is impossible, see `check_stopping_rule`.
    """
    check_stopping_rule(heralded_rounds, pulses, sampler.herald_probability)
    kept, drawn, last_pulse = [], 0, 0
    for block in sampler.blocks(heralded_rounds, threads=threads):
        size = block.columns.shape[1]
        if pulses is not None:
            size = int(np.searchsorted(block.pulse_indices, np.uint64(pulses), side="right"))
        kept.append(block.columns[:, :size])
        drawn, last_pulse = drawn + size, int(block.pulse_indices[-1])
        if on_rounds is not None:
            on_rounds(drawn)
        if pulses is not None and last_pulse >= pulses:
            break
    x, a, y, b, heralds = (np.concatenate([part[row] for part in kept]) for row in range(5))
    return EmulatedRounds(
        alice=PartyRecord(x, a, heralds),
        bob=PartyRecord(y, b, heralds),
        pulses=last_pulse if pulses is None else pulses,
    )


def check_stopping_rule(
    heralded_rounds: int | None, pulses: int | None, herald_probability: float = 1.0
) -> None:
    """Check that one of the two is given, and that the run fits into memory and counters.

    Parameters
    ----------
    heralded_rounds, pulses : int or None
        The stopping rule.
    herald_probability : float
        Probability that a pulse is heralded, in (0, 1].

    Raises
    ------
    InvalidArgumentError
        Unless exactly one is given and is a whole number of at least 1, or if the run is expected
        to have more than 10⁹ heralded rounds or 2⁵³ pulses.
    """
    if heralded_rounds is None and pulses is not None:
        most = min(_MOST_PULSES, math.floor(_MOST_ROUNDS / herald_probability))
        whole_number("pulses", pulses, 1, most)
    elif pulses is None and heralded_rounds is not None:
        most = min(_MOST_ROUNDS, math.floor(_MOST_PULSES * herald_probability))
        whole_number("heralded_rounds", heralded_rounds, 1, most)
    else:
        given = (heralded_rounds, pulses)
        raise InvalidArgumentError("heralded_rounds", given, "given, or else pulses")


def _block(drawn: _Drawn, last_pulse: np.uint64) -> RoundBlock:
    """Place a block's gaps after the last heralded pulse."""
    columns, gaps = drawn
    return RoundBlock(columns, last_pulse + np.cumsum(gaps, dtype=np.uint64))


def _round_table(
    distribution: JointDistribution, local_settings: LocalSettings
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint8]]:
    """Return the upper bounds of all categories but the last, on 2⁶⁴, and their columns."""
    settings = distribution.settings
    law = (
        local_settings.choice(settings, "alice")[:, None, None, None, None]
        * local_settings.choice(settings, "bob")[None, :, None, None, None]
        * distribution.heralded()
    )
    # A category of probability zero must not own even one word.
    x, y, herald, a, b = np.nonzero(law)
    exact = [Fraction(float(p)) for p in law[x, y, herald, a, b]]
    total = sum(exact)
    bounds = [min(2**64 - 1, round(c / total * 2**64)) for c in itertools.accumulate(exact)]
    return np.array(bounds[:-1], np.uint64), np.array([x, a, y, b, herald], np.uint8)


def _guide(cumulative: npt.NDArray[np.uint64]) -> npt.NDArray[np.unsignedinteger]:
    """Return, by the 16 leading bits of a word, the least category it can fall into."""
    least_words = np.arange(1 << 16, dtype=np.uint64) << np.uint64(48)
    categories = np.searchsorted(cumulative, least_words, side="right")
    return categories.astype(np.min_scalar_type(len(cumulative)))
