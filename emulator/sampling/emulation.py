"""emulate(): the quantum phase of a run, which hands each party its half of the rounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from emulator.sampling.sampler import DEFAULT_BLOCK_SIZE, Codes, Sampler
from emulator.sampling.stopping import HeraldedRounds, stopping_rule
from postprocessing.checks import callback, instance_of, thread_count
from postprocessing.errors import InvalidArgumentError
from postprocessing.records import PartyRecord

ProgressCallback = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class EmulatedRounds:
    """The quantum phase of a run: each party's half, and how long it took.

    Parameters
    ----------
    alice, bob : PartyRecord
        The halves.
    pulses : int
        Number of pulses emitted.

    Examples
    --------
    >>> from postprocessing.records import PartyRecord
    >>> record = PartyRecord(np.zeros(3, np.uint8))
    >>> EmulatedRounds(record, record, pulses=200)
    EmulatedRounds(3 heralded rounds of 200 pulses)
    """

    alice: PartyRecord
    bob: PartyRecord
    pulses: int

    def __repr__(self) -> str:
        """Return how many rounds there are, which may be too many to show."""
        return f"EmulatedRounds({len(self):,} heralded rounds of {self.pulses:,} pulses)"

    def __len__(self) -> int:
        """Return the number of heralded rounds."""
        return len(self.alice)


def emulate(
    schedule: Sampler | Sequence[Sampler],
    *,
    heralded_rounds: int | None = None,
    pulses: int | None = None,
    threads: int = 1,
    on_rounds: ProgressCallback | None = None,
) -> EmulatedRounds:
    """Play the quantum phase: draw rounds and hand each party its half.

    Parameters
    ----------
    schedule : Sampler or sequence of Sampler
        Where the rounds come from. Devices that drift are a sequence, of which each has an equal
        part of the pulses: exactly where the run stops after a number of pulses, and in
        expectation, by its share of the heralded rounds, where it stops after those.
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
        If the stopping rule is impossible, see `emulator.sampling.stopping`.

    Examples
    --------
    >>> import diqkd
    >>> model = diqkd.EntangledCoherent(diqkd.Link(distance_km=100))
    >>> design = diqkd.Security(method="asymptotic").design(model, 1000)
    >>> sampler = diqkd.Sampler(model.joint_distribution(), design.setting_choice, seed=7)
    >>> emulate(sampler, heralded_rounds=1000).pulses
    69304
    """
    samplers = _samplers(schedule)
    heralds = [sampler.gain for sampler in samplers]
    rule = stopping_rule(heralded_rounds, pulses)
    rule.check(float(np.mean(heralds)))
    threads = thread_count(threads)
    report = callback("on_rounds", on_rounds) or (lambda drawn: None)
    play = _emulate_rounds if isinstance(rule, HeraldedRounds) else _emulate_pulses
    return play(samplers, rule.number, threads, report)


def _samplers(schedule: Sampler | Sequence[Sampler]) -> Sequence[Sampler]:
    """Return the samplers of a schedule, at least one."""
    given = schedule if isinstance(schedule, Sequence) else [schedule]
    if not given:
        raise InvalidArgumentError("schedule", schedule, "at least one Sampler")
    return [instance_of("schedule", sampler, Sampler) for sampler in given]


def _emulate_rounds(
    samplers: Sequence[Sampler], rounds: int, threads: int, report: ProgressCallback
) -> EmulatedRounds:
    """Draw a fixed number of heralded rounds, straight into the parties' records."""
    alice, bob = np.empty(rounds, np.uint8), np.empty(rounds, np.uint8)
    heralds = [sampler.gain for sampler in samplers]

    def draw(task: tuple[Sampler, int, int]) -> int:
        sampler, start, stop = task
        block = sampler.draw(start, stop - start, gaps=True)
        sampler.split(block, alice[start:stop], bob[start:stop])
        return int(block.gaps.sum())

    tasks = [
        (sampler, start, min(start + DEFAULT_BLOCK_SIZE, last))
        for sampler, first, last in _parts(samplers, rounds, heralds)
        for start in range(first, last, DEFAULT_BLOCK_SIZE)
    ]
    pulses = 0
    with ThreadPoolExecutor(threads) as pool:
        for task, gap_sum in zip(tasks, pool.map(draw, tasks), strict=True):
            pulses += gap_sum
            report(task[2])
    return EmulatedRounds(PartyRecord(alice), PartyRecord(bob), pulses)


def _emulate_pulses(
    samplers: Sequence[Sampler], pulses: int, threads: int, report: ProgressCallback
) -> EmulatedRounds:
    """Draw rounds until a fixed number of pulses is over.

    At the end of a sampler's part the wait for the next herald begins anew, which a geometric
    distribution does not notice; the round whose gap led past the end is skipped.
    """
    alice: list[Codes] = [np.empty(0, np.uint8)]
    bob: list[Codes] = [np.empty(0, np.uint8)]
    drawn = next_round = 0
    for sampler, first, last in _parts(samplers, pulses, [1.0] * len(samplers)):
        pulse = first
        block_size = _block_size((last - first) * sampler.gain)
        blocks = sampler.blocks(
            first_round=next_round, block_size=block_size, threads=threads, gaps=True
        )
        while pulse < last:
            block = next(blocks)
            indices = block.pulse_indices(pulse)
            size = int(np.searchsorted(indices, np.uint64(last), side="right"))
            halves = np.empty((2, len(block)), np.uint8)
            sampler.split(block, *halves)
            # A copy, where it is cut short, does not keep the rest alive.
            alice.append(halves[0, :size].copy() if size < len(block) else halves[0])
            bob.append(halves[1, :size].copy() if size < len(block) else halves[1])
            drawn, next_round, pulse = drawn + size, next_round + size, int(indices[-1])
            report(drawn)
        next_round += 1
    return EmulatedRounds(
        PartyRecord(np.concatenate(alice)), PartyRecord(np.concatenate(bob)), pulses
    )


def _block_size(expected_rounds: float) -> int:
    """Return a block that holds a short part with room to spare."""
    return min(DEFAULT_BLOCK_SIZE, int(expected_rounds + 5 * math.sqrt(expected_rounds)) + 1)


def _parts(
    samplers: Sequence[Sampler], total: int, weights: Sequence[float]
) -> list[tuple[Sampler, int, int]]:
    """Return each sampler with the half-open range of its share of a total."""
    bounds = part_bounds(total, weights)
    return list(zip(samplers, bounds[:-1], bounds[1:], strict=True))


def part_bounds(total: int, weights: Sequence[float]) -> list[int]:
    """Return where consecutive parts of a total begin, and the total: one bound more than weights.

    Parameters
    ----------
    total : int
        Heralded rounds or pulses of a run.
    weights : sequence of float
        Proportions of the parts.
    """
    shares = np.cumsum(weights) / np.sum(weights)
    return [0, *(round(total * float(share)) for share in shares[:-1]), total]
