"""Which rungs cost least, and what a key costs on them.

An attempt at x bits costs what it adds, a flag, and something for its time, if all before failed.
From the top down, the best next rung follows from the best of those above it (dynamic programming).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from postprocessing.bits import WORD_BITS
from postprocessing.reconciliation.ladder.ladder import MOST_FRAME_BITS, Ladder
from postprocessing.reconciliation.ladder.lengths import Floats, Rating, rating
from postprocessing.reconciliation.ladder.tailoring import tailored
from postprocessing.reconciliation.performance import binary_entropy
from postprocessing.reconciliation.verification import miss_probability

# What shorter frames need was not measured.
_LEAST_FRAME_BITS = 1_000
# Error rates for which there are designs.
_LEAST_QBER, MOST_LADDER_QBER = 0.004, 0.2
# More frames take too much memory at a time: the long codes for those.
_MOST_FRAMES = 8
# The top rung fails with this probability at most, if the code has so many halves.
_LEAST_SHORT = 1e-7
_PLACES = 600
# Rungs beyond what the expected error rate needs, as multiples of the last that it may.
_BEYOND = (1.04, 1.1, 1.25)
# What an attempt costs beside its bits, over n h(QBER): its time; and where the budget is paid,
# not what is sent.
_TIME, _TIME_OF_BUDGET = 2e-4, 5e-3
_BINS = 1 << 12
# Of 2900 frames of 1e4 to 3e4 bits none did: fewer than 1.1e-3 with 95 % confidence.
_WRONG_WORDS = 1e-3
_NEVER = 1e-300


def wrong_word_probability(key_bits: int) -> float:
    """Return how often a frame of a key meets its syndrome by another word, as is assumed."""
    return _frame_count(key_bits) * _WRONG_WORDS


def _frame_count(key_bits: int) -> int:
    return -(-key_bits // MOST_FRAME_BITS)


@dataclass(frozen=True)
class LadderPlan:
    """A ladder for a key, and what it is expected to cost.

    Parameters
    ----------
    ladder : Ladder
        The ladder.
    frames : int
        Frames of the key.
    failures : tuple of float
        Probability that a frame fails each attempt.
    cautious_failures : tuple of float
        The same for a code that needs more than most of its length do: what a budget rests on.
    tag_bits : int
        Tag of a frame, which is sent before the first attempt.
    """

    ladder: Ladder
    frames: int
    failures: tuple[float, ...]
    cautious_failures: tuple[float, ...]
    tag_bits: int

    @property
    def code(self) -> str:
        """Name of the code."""
        return self.ladder.mother.name

    def undetected_probability(self) -> float:
        """Return the bound on the probability that a frame passes that is not the reference's.

        At each attempt a frame's tag may be compared once.
        """
        once = self.frames * miss_probability(self.ladder.frame_bits, self.tag_bits)
        return once * self.ladder.steps

    @property
    def _costs(self) -> Floats:
        """What a frame costs that ends at each attempt, and one that is disclosed."""
        ladder = self.ladder
        sent = [
            self.tag_bits + ladder.whole_bits + k + 1 + rung for k, rung in enumerate(ladder.rungs)
        ]
        return np.array([*sent, sent[-1] + ladder.frame_bits], float)

    def expected_bits(self) -> float:
        """Return what the key costs on average."""
        return self.frames * float(_shares(self.failures) @ self._costs)

    def budget_bits(self, probability: float) -> int:
        """Return what the key costs at most, but with a probability."""
        disclosing = self.frames * self.cautious_failures[-1]
        if disclosing > probability:
            return math.ceil(self.frames * float(self._costs[-1]))
        least = self._costs[0]
        width = max(1.0, float(self._costs[-2] - least) / _BINS)
        bins = np.ceil((self._costs[:-1] - least) / width).astype(np.int64)
        top = int(bins[-1])
        chances = np.zeros(top + 1)
        np.add.at(chances, bins, _shares(self.cautious_failures)[:-1])
        size = 1 << (self.frames * (top + 1)).bit_length()
        total = np.fft.irfft(np.fft.rfft(chances, size) ** self.frames, size)
        above = np.maximum(0, np.cumsum(total[::-1])[::-1])
        # A key with a disclosed frame counts as beyond.
        place = int(np.argmax(np.append(above[1:], 0) <= probability - disclosing))
        return math.ceil(self.frames * float(least) + place * float(width))


@lru_cache(maxsize=256)
def planned(
    key_bits: int, qber: float, tag_bits: int, *, of_budget: float = 0.0
) -> LadderPlan | None:
    """Return the ladder of least cost for a key; None where there is no code for it.

    Parameters
    ----------
    key_bits : int
        Length of the key, at least 1.
    qber : float
        Expected error rate, in [0, 1/2].
    tag_bits : int
        Tag of a frame.
    of_budget : float, optional
        Where the budget is paid, the probability that it is exceeded.
    """
    frames = _frame_count(key_bits)
    frame_bits = -(-key_bits // (frames * WORD_BITS)) * WORD_BITS
    served = _LEAST_QBER <= qber <= MOST_LADDER_QBER and frames <= _MOST_FRAMES
    if not served or frame_bits < _LEAST_FRAME_BITS:
        return None
    shape = tailored(frame_bits, qber)
    if shape is None:
        return None
    needs, whole = rating(frame_bits, qber), shape.rows * shape.lifting
    places, short = _places(needs, whole)
    cautious = needs.cautious().short(places)
    attempt = 1 + (_TIME_OF_BUDGET if of_budget else _TIME) * frame_bits * binary_entropy(qber)
    stop = len(places) - 1
    if of_budget:
        stop = min(stop, int(np.argmax(cautious <= of_budget / frames)) or stop)
    beyond, above = _from_the_top(places[stop:], short[stop:], attempt, frame_bits)
    costs, below = _from_the_top(places[: stop + 1], short[: stop + 1], attempt, beyond[0])
    start = int(np.argmin(places[: stop + 1] + attempt + short[: stop + 1] * costs))
    chosen = [*_path(below, start), *(stop + k for k in _path(above, 0)[1:])]
    # More errors than expected cost more rungs, not the key.
    further = [min(math.ceil(more * places[-1]), 2 * whole) for more in _BEYOND]
    tops = np.array(sorted({*further} - {int(places[-1])}), float)
    rungs = tuple(int(bits) - whole for bits in (*places[chosen], *tops))
    failures, most = (
        (*of[chosen].tolist(), *each.short(tops).tolist())
        for of, each in ((short, needs), (cautious, needs.cautious()))
    )
    return LadderPlan(Ladder(shape.name, frame_bits, rungs), frames, failures, most, tag_bits)


def _shares(failures: tuple[float, ...]) -> Floats:
    """Return how often a frame ends at each attempt, and after the last."""
    return -np.diff([1.0, *failures, 0.0])


def _places(needs: Rating, whole: int) -> tuple[Floats, Floats]:
    """Return numbers of bits, from the whole syndrome up, and how often more are needed."""
    step = max(1, math.ceil(whole / _PLACES))
    places = np.arange(whole, 2 * whole + 1, step, dtype=float)
    short = needs.short(places)
    enough = int(np.argmax(needs.cautious().short(places) <= _LEAST_SHORT)) or len(places) - 1
    return places[: enough + 1], short[: enough + 1]


def _from_the_top(
    places: Floats, short: Floats, attempt: float, last: float
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return the least cost of all that follows a failure at each place, and the next rung.

    `last` is the cost of what follows a failure at the last place.
    """
    count = len(places)
    beyond, following = np.empty(count), np.full(count, count, np.int64)
    beyond[-1] = last
    for k in range(count - 2, -1, -1):
        survival = short[k + 1 :] / max(short[k], _NEVER)
        costs = places[k + 1 :] - places[k] + attempt + survival * beyond[k + 1 :]
        best = int(np.argmin(costs))
        beyond[k], following[k] = costs[best], k + 1 + best
    return beyond, following


def _path(following: npt.NDArray[np.int64], start: int) -> list[int]:
    """Return the rungs from one on."""
    rungs = [start]
    while following[rungs[-1]] < len(following):
        rungs.append(int(following[rungs[-1]]))
    return rungs
