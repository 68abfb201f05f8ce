"""The sampler: heralded rounds drawn from a joint distribution, in streamed blocks.

Unheralded pulses are never drawn one by one: the herald probability does not depend on the
settings, so the gap to the next heralded pulse is geometric. Every word of randomness has a fixed
place in a counter-based stream (Philox4x32-10, Salmon et al., SC 2011), so that a seed gives the
same rounds for any block size, any number of threads and any round to start from.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from emulator.sampling.kernels import count_categories, draw_categories, draw_gaps, split
from emulator.sampling.streams import Stream as Stream
from emulator.sampling.streams import byte_source as byte_source
from emulator.states.distribution import JointDistribution
from postprocessing.checks import instance_of, seed_number, whole_number
from postprocessing.errors import InvalidArgumentError
from postprocessing.limits import MOST_THREADS
from postprocessing.records import record_codes
from postprocessing.scheme import SettingChoice

Words = npt.NDArray[np.uint64]
Codes = npt.NDArray[np.uint8]
Categories = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

_LEAST_HERALD_PROBABILITY = 1e-12
_MOST_STREAMS = 2**56
_LAST_ROUND = 2**62
DEFAULT_BLOCK_SIZE = 1 << 20


@dataclass(frozen=True, eq=False)
class RoundBlock:
    """Consecutive heralded rounds, as nature has them.

    Parameters
    ----------
    categories : ndarray of uint8 or uint16, shape (n,)
        Each round as an index into ``Sampler.columns``.
    gaps : ndarray of uint64, shape (n,)
        Pulses up to and including each heralded one, counted from the one before; empty unless
        asked for.
    kinds : int
        Number of categories that there are.
    """

    categories: Categories
    gaps: Words
    kinds: int

    def __len__(self) -> int:
        """Return the number of rounds."""
        return len(self.categories)

    def pulse_indices(self, last_pulse: int = 0) -> Words:
        """Return the numbers of the heralded pulses, uint64, counted from 1.

        Parameters
        ----------
        last_pulse : int
            Number of the heralded pulse before the block.
        """
        return np.uint64(last_pulse) + np.cumsum(self.gaps, dtype=np.uint64)


class Sampler:
    """Draws heralded rounds of a joint distribution under a choice of settings.

    Parameters
    ----------
    distribution : JointDistribution
        The model's exact probabilities.
    setting_choice : LocalSettings or AnnouncedMarks
        Probabilities with which settings are chosen: by each side alone, or by shared marks.
    seed : int
        Seed of the run, at least 0.
    stream : int, optional
        Which of 2⁵⁶ independent sequences of that seed to draw.

    Attributes
    ----------
    gain : float
        Probability that a pulse is heralded.
    columns : ndarray of uint8, shape (5, K)
        Alice's setting and outcome bit, Bob's setting and outcome bit and the herald of each
        category of rounds.
    probabilities : ndarray of float64, shape (K,)
        Probability of each category among heralded rounds.

    Raises
    ------
    InvalidArgumentError
        If the seed or the stream is out of range or the herald probability is below 1e-12.

    Notes
    -----
    A round is one draw from the joint law of (x, y, herald, a, b) given a herald, whose settings
    part is the product of the two sides' own laws, or follows a shared mark. Each probability is
    exact to 2⁻⁶⁴: sixteen bits decide most rounds by a table, and 48 more those at a boundary
    between two categories.

    Examples
    --------
    >>> import diqkd
    >>> model = diqkd.EntangledCoherent(diqkd.Link(distance_km=100))
    >>> design = diqkd.Security(method="asymptotic").design(model, 10**6)
    >>> sampler = Sampler(model.joint_distribution(), design.setting_choice, seed=7)
    >>> round(sampler.gain, 4)
    0.0141
    """

    def __init__(
        self,
        distribution: JointDistribution,
        setting_choice: SettingChoice,
        seed: int,
        stream: int = 0,
    ) -> None:
        instance_of("distribution", distribution, JointDistribution)
        if not isinstance(setting_choice, SettingChoice):
            allowed = "LocalSettings or AnnouncedMarks"
            raise InvalidArgumentError("setting_choice", setting_choice, allowed)
        seed, stream = seed_number(seed), whole_number("stream", stream, 0, _MOST_STREAMS - 1)
        herald = distribution.gain
        # A sum of probabilities may miss it by rounding.
        if herald < _LEAST_HERALD_PROBABILITY * (1 - 1e-9):
            allowed = f"at least {_LEAST_HERALD_PROBABILITY}"
            raise InvalidArgumentError("gain", herald, allowed)
        self.gain = herald
        self._log_unheralded = math.log1p(-herald) if herald < 1 else -math.inf
        self.probabilities, self.columns = _categories(distribution, setting_choice)
        self._cumulative = cumulative_words(self.probabilities)
        self._table = guide_table(self._cumulative)
        x, a, y, b, heralds = self.columns
        self.alice_codes, self.bob_codes = record_codes(x, a, heralds), record_codes(y, b, heralds)
        # Numba would compile small and large Python integers separately.
        self._key = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
        self._streams = {purpose: np.uint64(purpose + (stream << 8)) for purpose in Stream}

    def __repr__(self) -> str:
        """Return what a pulse and a heralded round may come to."""
        return f"Sampler(gain {self.gain:.6g}, {len(self.probabilities)} categories of rounds)"

    def blocks(
        self,
        rounds: int | None = None,
        *,
        first_round: int = 0,
        block_size: int = DEFAULT_BLOCK_SIZE,
        threads: int = 1,
        gaps: bool = False,
    ) -> Iterator[RoundBlock]:
        """Draw rounds in blocks, in order.

        Parameters
        ----------
        rounds : int, optional
            Number of heralded rounds; unlimited by default.
        first_round : int
            Number of the first round, at least 0; those before it are not drawn.
        block_size : int
            Rounds a block.
        threads : int
            Number of blocks drawn at the same time.
        gaps : bool
            Whether to draw the gaps between heralded pulses too.

        Yields
        ------
        RoundBlock
            The next block.

        Raises
        ------
        InvalidArgumentError
            If a number is out of range.
        """
        first_round = whole_number("first_round", first_round, 0, _LAST_ROUND)
        block_size = whole_number("block_size", block_size, 1, _LAST_ROUND)
        threads = whole_number("threads", threads, 1, MOST_THREADS)
        last = None
        if rounds is not None:
            last = first_round + whole_number("rounds", rounds, 0, _LAST_ROUND - first_round)
        starts = itertools.count(first_round, block_size)
        pending: deque[Future[RoundBlock]] = deque()
        with ThreadPoolExecutor(threads) as pool:
            for start in starts:
                if last is not None and start >= last:
                    break
                size = block_size if last is None else min(block_size, last - start)
                pending.append(pool.submit(self.draw, start, size, gaps=gaps))
                if len(pending) > threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()

    def draw(self, first_round: int, rounds: int, *, gaps: bool = False) -> RoundBlock:
        """Draw the rounds from `first_round` on, on the calling thread."""
        first_round = whole_number("first_round", first_round, 0, _LAST_ROUND)
        rounds = whole_number("rounds", rounds, 0, _LAST_ROUND - first_round)
        categories = np.empty(rounds, self._table.dtype)
        streams = (self._streams[Stream.ROUNDS], self._streams[Stream.FURTHER_BITS])
        draw_categories(first_round, streams, self._key, self._table, self._cumulative, categories)
        drawn = self.draw_gaps(first_round, rounds if gaps else 0)
        return RoundBlock(categories, drawn, len(self.probabilities))

    def draw_gaps(self, first_round: int, rounds: int) -> Words:
        """Draw the gaps of the rounds from `first_round` on, on the calling thread."""
        drawn = np.empty(rounds, np.uint64)
        stream = self._streams[Stream.GAPS]
        draw_gaps(first_round, stream, self._key, self._log_unheralded, drawn)
        return drawn

    def split(self, block: RoundBlock, to_alice: Codes, to_bob: Codes) -> None:
        """Write each party's half of a block, see `postprocessing.records.PartyRecord`.

        Raises
        ------
        InvalidArgumentError
            If a half has another length than the block, or the block another sampler.
        """
        self._check_own(block)
        if not len(to_alice) == len(to_bob) == len(block):
            lengths = (len(to_alice), len(to_bob))
            raise InvalidArgumentError("halves", lengths, f"of the block's length {len(block)}")
        split(block.categories, self.alice_codes, self.bob_codes, to_alice, to_bob)

    def tally(self, block: RoundBlock) -> npt.NDArray[np.int64]:
        """Count the rounds of each category: a diagnostic, which no party could make.

        Raises
        ------
        InvalidArgumentError
            If the block is of a sampler with other categories.
        """
        self._check_own(block)
        counts = np.zeros((4, len(self.probabilities)), np.int64)
        count_categories(block.categories, counts)
        total: npt.NDArray[np.int64] = counts.sum(axis=0)
        return total

    def _check_own(self, block: RoundBlock) -> None:
        """Check that a block's categories are among this sampler's."""
        if block.kinds != len(self.probabilities):
            allowed = f"one of {len(self.probabilities)} categories"
            raise InvalidArgumentError("block", block.kinds, allowed)


def cumulative_words(probabilities: npt.NDArray[np.float64]) -> Words:
    """Return the upper bounds of all categories but the last on the scale of 2⁶⁴.

    Parameters
    ----------
    probabilities : ndarray of float64, shape (K,)
        Positive probabilities; their sum is taken for 1.

    Returns
    -------
    ndarray of uint64, shape (K - 1,)
        Rounded from exact sums.
    """
    exact = [Fraction(float(p)) for p in probabilities]
    total = sum(exact)
    bounds = [min(2**64 - 1, round(c / total * 2**64)) for c in itertools.accumulate(exact)]
    return np.array(bounds[:-1], np.uint64)


def guide_table(cumulative: Words) -> Categories:
    """Return the category by the 16 leading bits of a word, or the type's greatest if undecided.

    Parameters
    ----------
    cumulative : ndarray of uint64, shape (K - 1,)
        Upper bounds of the categories but the last.

    Returns
    -------
    ndarray of uint8 (up to 255 categories) or uint16, shape (65536,)
        The table.
    """
    least = np.arange(1 << 16, dtype=np.uint64) << np.uint64(48)
    first = np.searchsorted(cumulative, least, side="right")
    last = np.searchsorted(cumulative, least | np.uint64(2**48 - 1), side="right")
    undecided = 255 if len(cumulative) < 255 else 65535
    table = np.where(first == last, first, undecided)
    return table.astype(np.uint8) if undecided == 255 else table.astype(np.uint16)


def _categories(
    distribution: JointDistribution, setting_choice: SettingChoice
) -> tuple[npt.NDArray[np.float64], Codes]:
    """Return the probabilities of all categories that occur, and their columns."""
    settings = distribution.scheme
    law = setting_choice.pair_law(settings)[:, :, None, None, None] * distribution.heralded()
    # A category of probability zero must not own even one word.
    x, y, herald, a, b = np.nonzero(law)
    columns = np.array([x, a, y, b, herald], np.uint8)
    return law[x, y, herald, a, b] / law.sum(), columns
