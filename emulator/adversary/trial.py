"""Trials of an attack: the whole pipeline, or the counts that decide the test alone."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emulator.adversary.attack import Attack, Conduct, Target
from emulator.emulation import emulate, part_bounds
from emulator.runner import distill_emulated
from emulator.sampling import Sampler
from postprocessing.estimation import GameTally
from postprocessing.parties import TOO_FEW_TESTS, TOO_MANY_LOST_TESTS
from postprocessing.rounds import BellSettings

PASSED = "test passed"


@dataclass(frozen=True)
class Trial:
    """How one run under attack ended.

    Parameters
    ----------
    end : str
        "key", or the reason of the abort; from counts alone "test passed" for what may be a key.
    key_length : int
        Bits of key; from counts alone the length of the design.
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
    """Run the whole pipeline under an attack: rounds one by one, both endpoints, all messages.

    Parameters
    ----------
    attack : Attack
        The attack.
    target : Target
        Honest devices and their design.
    seed : int
        Seed of everything.
    threads : int
        Threads to work on.
    """
    conduct, rounds = attack.conduct(target, seed), target.design.heralded_rounds
    samplers = _samplers(conduct, seed)
    emulated = emulate(samplers, heralded_rounds=rounds, threads=threads)
    report = distill_emulated(emulated, target.design, seed, threads=threads)
    pair = target.settings.key_pair
    is_key = (emulated.alice.settings == pair[0]) & (emulated.bob.settings == pair[1])
    bounds = _bounds(samplers, rounds)
    counts = [int(is_key[start:stop].sum()) for start, stop in itertools.pairwise(bounds)]
    return Trial(
        end=report.abort_reason or "key",
        key_length=report.key_length,
        extractable_bits=_extractable(conduct, counts),
        tally=report.tally,
    )


def play_tallies(attack: Attack, target: Target, seed: int) -> Trial:
    """Draw the counts of a run under an attack, which decide the test.

    A run that passes the test is taken to make a key of the design's length, even where a later
    stage would abort: that errs on the attack's side.

    Parameters are those of `play`.
    """
    conduct, rounds = attack.conduct(target, seed), target.design.heralded_rounds
    chance = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0x74616C6C,)))
    samplers = _samplers(conduct, seed)
    bounds = _bounds(samplers, rounds)
    # Counts of the same devices add up, whenever they are in use.
    in_use: Counter[Sampler] = Counter()
    for sampler, start, stop in zip(samplers, bounds, bounds[1:], strict=False):
        in_use[sampler] += stop - start
    key_rounds: dict[Sampler, int] = {}
    tests = lost = 0
    for sampler, total in in_use.items():
        counts = chance.multinomial(total, sampler.probabilities)
        kinds = _kinds(target.settings, sampler)
        surplus = np.where(kinds.surplus, counts, 0)
        coins = chance.binomial(surplus, target.local_settings.thinning_probability)
        tested = np.where(kinds.test, counts, coins)
        tests, lost = tests + int(tested.sum()), lost + int(tested[kinds.lost].sum())
        key_rounds[sampler] = int(counts[kinds.key].sum())
    entropies = {
        sampler: part.entropy for sampler, part in zip(samplers, conduct.parts, strict=True)
    }
    unknown = sum(entropies[sampler] * count for sampler, count in key_rounds.items())
    end = PASSED
    if tests < target.design.least_test_rounds:
        end = TOO_FEW_TESTS
    elif lost > target.design.tolerated_test_losses:
        end = TOO_MANY_LOST_TESTS
    length = target.design.key_length if end == PASSED else 0
    return Trial(end, length, unknown, GameTally(tests, lost))


@dataclass(frozen=True, eq=False)
class _Kinds:
    """Which categories of a sampler are key, test or surplus rounds, and which lose a test."""

    key: npt.NDArray[np.bool_]
    test: npt.NDArray[np.bool_]
    surplus: npt.NDArray[np.bool_]
    lost: npt.NDArray[np.bool_]


def _kinds(settings: BellSettings, sampler: Sampler) -> _Kinds:
    x, a, y, b, heralds = (column.astype(np.int64) for column in sampler.columns)
    signs = np.zeros((len(settings.alice_labels), len(settings.bob_labels)), np.int64)
    for alice, bob, sign in settings.chsh_signs:
        signs[alice, bob] = sign
    in_game = signs[x, y] != 0
    reference = y if settings.reference == "bob" else x
    at_key = reference == settings.key_setting(settings.reference)
    flipped = b ^ np.array(settings.flip, np.int64)[heralds, y]
    return _Kinds(
        key=(x == settings.key_pair[0]) & (y == settings.key_pair[1]),
        test=in_game & ~at_key,
        surplus=in_game & at_key,
        lost=in_game & ((a ^ flipped) != (signs[x, y] < 0)),
    )


def _samplers(conduct: Conduct, seed: int) -> list[Sampler]:
    """Return a sampler for each part, one for devices that come again."""
    different = {id(part.devices): part.devices for part in conduct.parts}
    made = {
        key: Sampler(devices, conduct.local_settings, seed) for key, devices in different.items()
    }
    return [made[id(part.devices)] for part in conduct.parts]


def _bounds(samplers: list[Sampler], rounds: int) -> list[int]:
    return part_bounds(rounds, [sampler.herald_probability for sampler in samplers])


def _extractable(conduct: Conduct, key_rounds: list[int]) -> float:
    pairs = zip(conduct.parts, key_rounds, strict=True)
    return float(sum(part.entropy * count for part, count in pairs))
