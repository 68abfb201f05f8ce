"""Trials of an attack: the whole pipeline, or the counts that decide its key alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emulator.attacks.attack import Attack, Conduct, Part, Score, Target
from emulator.sampling.emulation import part_bounds
from emulator.sampling.sampler import DEFAULT_BLOCK_SIZE, Sampler
from emulator.sampling.streams import emulated_randomness
from postprocessing.design.design import Design
from postprocessing.protocol.abort_reasons import (
    LEAKAGE_BUDGET_EXCEEDED,
    NO_KEY_LENGTH,
    SETTINGS_NOT_AS_DESIGNED,
    TOO_FEW_TESTS,
    TOO_MANY_LOST_TESTS,
)
from postprocessing.protocol.distillation import distill
from postprocessing.records import PartyRecord
from postprocessing.scheme import BellScheme
from postprocessing.security import METHODS
from postprocessing.testing import GameTally

PASSED = "test passed"

Counts = npt.NDArray[np.int64]
# Plays the rounds from one number to another, and returns how often each category came.
Draw = Callable[[Sampler, int, int], Counts]


@dataclass(frozen=True)
class Trial:
    """How one run under attack ended.

    Parameters
    ----------
    end : str
        "key", or the reason of the abort; from counts alone "test passed" for what may be a key.
    key_length : int
        Bits of key; from counts alone the most that the design gives at these counts.
    extractable_bits : float
        What the eavesdropper cannot know of the raw key.
    tally : GameTally or None
        Score of the CHSH game.
    """

    end: str
    key_length: int
    extractable_bits: float
    tally: GameTally | None

    @property
    def is_sound(self) -> bool:
        """Whether the key is no longer than what the eavesdropper cannot know."""
        return self.key_length <= self.extractable_bits


def play(attack: Attack, target: Target, seed: int, threads: int = 1) -> Trial:
    """Run the whole pipeline under an attack: rounds one by one, both parties, all messages.

    Parameters
    ----------
    attack : Attack
        The attack.
    target : Target
        Honest devices and their design.
    seed : int
        Seed of everything.
    threads : int
        Threads to distill on.
    """
    rounds = target.design.heralded_rounds
    alice, bob = np.empty(rounds, np.uint8), np.empty(rounds, np.uint8)

    def draw(sampler: Sampler, start: int, stop: int) -> Counts:
        counts = np.zeros(len(sampler.probabilities), np.int64)
        for first in range(start, stop, DEFAULT_BLOCK_SIZE):
            last = min(first + DEFAULT_BLOCK_SIZE, stop)
            block = sampler.draw(first, last - first)
            sampler.split(block, alice[first:last], bob[first:last])
            counts += sampler.tally(block)
        return counts

    played = _play_parts(attack.conduct(target, seed), target, seed, draw)
    report = distill(
        PartyRecord(alice),
        PartyRecord(bob),
        target.design,
        alice_randomness=emulated_randomness("alice", seed),
        bob_randomness=emulated_randomness("bob", seed),
        threads=threads,
    )
    return Trial(
        end=report.abort_reason or "key",
        key_length=report.key_length,
        extractable_bits=sum(one.extractable_bits for one in played),
        tally=report.tally,
    )


def play_tallies(attack: Attack, target: Target, seed: int) -> Trial:
    """Draw the counts of a run under an attack, which decide its key.

    Every frame is taken to decode at once, and every verification to succeed: no run has less
    leakage and a longer key, so that it errs on the attack's side.

    Parameters are those of `play`.
    """
    chance = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0x74616C6C,)))

    def draw(sampler: Sampler, start: int, stop: int) -> Counts:
        return np.asarray(chance.multinomial(stop - start, sampler.probabilities))

    played = _play_parts(attack.conduct(target, seed), target, seed, draw)
    counts = np.zeros(4, np.int64)
    for one in played:
        surplus = np.where(one.kinds.surplus, one.counts, 0)
        coins = chance.binomial(surplus, target.setting_choice.thinning_probability)
        tested = np.where(one.kinds.test, one.counts, coins)
        lost, at_key = np.where(one.kinds.lost, tested, 0), one.kinds.surplus
        counts += tested.sum(), lost.sum(), tested[at_key].sum(), lost[at_key].sum()
    tests, losses, tests_at_key, lost_at_key = counts.tolist()
    tally = GameTally(tests, losses, (tests_at_key, lost_at_key))
    unknown = sum(one.extractable_bits for one in played)
    pairs = np.sum([one.pairs(target.scheme) for one in played], axis=0)
    if not target.design.settings_as_designed(pairs):
        return Trial(SETTINGS_NOT_AS_DESIGNED, 0, unknown, tally)
    end, length = decide(target.design, sum(one.key_rounds for one in played), tally)
    return Trial(end, length, unknown, tally)


def decide(design: Design, key_rounds: int, tally: GameTally) -> tuple[str, int]:
    """Return how a run of these counts ends if every frame decodes at once, and its key length.

    Parameters
    ----------
    design : Design
        A design with a code.
    key_rounds : int
        Number of key rounds.
    tally : GameTally
        Score of the CHSH game.
    """
    if tally.rounds < design.least_test_rounds:
        return TOO_FEW_TESTS, 0
    if not design.accepts(tally):
        return TOO_MANY_LOST_TESTS, 0
    sent = tally.rounds * METHODS[design.method].published_per_test
    sent += design.leakage.least_bits(key_rounds) if design.leakage else 0
    if design.exceeds_budget(sent, tally.rounds):
        return LEAKAGE_BUDGET_EXCEEDED, 0
    length = design.final_key_length(key_rounds, tally, sent)
    return (PASSED if length else NO_KEY_LENGTH), length


@dataclass(frozen=True, eq=False)
class _Kinds:
    """Which categories of a sampler are key, test or surplus rounds, and which lose a test."""

    key: npt.NDArray[np.bool_]
    test: npt.NDArray[np.bool_]
    surplus: npt.NDArray[np.bool_]
    lost: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, scheme: BellScheme, sampler: Sampler) -> _Kinds:
        x, a, y, b, heralds = (column.astype(np.int64) for column in sampler.columns)
        signs = np.zeros((len(scheme.alice_labels), len(scheme.bob_labels)), np.int64)
        for alice, bob, sign in scheme.chsh_signs:
            signs[alice, bob] = sign
        in_game = signs[x, y] != 0
        reference = y if scheme.reference == "bob" else x
        at_key = reference == scheme.key_setting(scheme.reference)
        flipped = b ^ np.array(scheme.flip, np.int64)[heralds, y]
        return cls(
            key=(x == scheme.key_pair[0]) & (y == scheme.key_pair[1]),
            test=in_game & ~at_key,
            surplus=in_game & at_key,
            lost=in_game & ((a ^ flipped) != (signs[x, y] < 0)),
        )


@dataclass(eq=False)
class _Played:
    """All stretches that one part was played in: how often each category came."""

    part: Part
    sampler: Sampler
    kinds: _Kinds
    counts: Counts

    @property
    def key_rounds(self) -> int:
        return int(self.counts[self.kinds.key].sum())

    def pairs(self, scheme: BellScheme) -> Counts:
        """Return the rounds of each pair of settings, shape (x, y)."""
        x, _, y, _, _ = self.sampler.columns
        counts = np.zeros((len(scheme.alice_labels), len(scheme.bob_labels)), np.int64)
        np.add.at(counts, (x, y), self.counts)
        return counts

    @property
    def extractable_bits(self) -> float:
        return self.part.entropy * self.key_rounds


def _play_parts(conduct: Conduct, target: Target, seed: int, draw: Draw) -> list[_Played]:
    """Let the devices play part after part, as their memory has it."""
    rounds = target.design.heralded_rounds
    (at_key, others), _ = target.loss_limit
    kept = at_key * target.setting_choice.thinning_probability
    heralds = [part.devices.gain for part in conduct.parts]
    bounds = itertools.pairwise(part_bounds(rounds, heralds))
    played: dict[Part, _Played] = {}
    lost = 0.0
    for planned, (start, stop) in zip(conduct.parts, bounds, strict=True):
        part = conduct.adapted(planned, Score(start / rounds, lost))
        if part not in played:
            sampler = Sampler(part.devices, conduct.setting_choice, seed)
            kinds = _Kinds.of(target.scheme, sampler)
            played[part] = _Played(part, sampler, kinds, np.zeros(len(kinds.key), np.int64))
        one = played[part]
        counts = draw(one.sampler, start, stop)
        one.counts += counts
        lost += others * int(counts[one.kinds.lost & one.kinds.test].sum())
        lost += kept * int(counts[one.kinds.lost & one.kinds.surplus].sum())
    return list(played.values())
