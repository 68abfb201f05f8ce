"""Devices with a memory of their score: as bad as they can be without failing the test.

Before each of many short stretches the devices of both sides put together all settings and outcomes
so far, and play weakly where they are ahead of their course, strongly where they are behind. That
is more than the assumptions allow, by which nothing of past outcomes leaves a laboratory; the
proofs cover it, as the memory goes from round to round and never to the eavesdropper. Steering
takes out most of the chance in the score, so that the devices can aim closer to the threshold than
others; what the coins, drawn only afterwards, add to it remains.
"""

from __future__ import annotations

import math

from emulator.attacks.attack import Conduct, Part, Score, Target
from emulator.attacks.partly_quantum import (
    classical_part,
    ideal_part,
    mixture,
    optimal_collective,
    optimal_part,
)
from emulator.states.distribution import JointDistribution

STRETCHES = 200
# How far the two states of `leans_by_the_score` are from the middle, in S.
_LEAN = 0.1
# Standard deviations of the coins between the course and the threshold: one run in a hundred fails.
_MARGIN = 2.33


def keeps_the_score(target: Target, seed: int) -> Conduct:
    """Be classical whenever the score so far allows it, ideal otherwise."""
    aim = lost_on_course(target, mixture(target, seed).parts[0].devices)
    return _on_course(target, aim, ideal_part(target), classical_part(target))


def leans_by_the_score(target: Target, seed: int) -> Conduct:
    """Share the state that gives away most at one of two CHSH values, as the score demands."""
    aim = lost_on_course(target, optimal_collective(target, seed).parts[0].devices)
    chsh = _chsh_on_course(target, aim)
    strong, weak = (optimal_part(target, chsh + lean) for lean in (_LEAN, -_LEAN))
    return _on_course(target, aim, strong, weak)


def lost_on_course(target: Target, devices: JointDistribution) -> float:
    """Return how many lost tests to aim at: the coins must rarely lead past the threshold.

    Parameters
    ----------
    target : Target
        What is attacked.
    devices : JointDistribution
        Devices whose losses fall to surplus rounds, which await a coin, as often.
    """
    tolerated = target.design.tolerated_test_losses
    dropped = 1 - target.setting_choice.thinning_probability
    return tolerated - _MARGIN * math.sqrt(dropped * surplus_share(devices) * tolerated)


def surplus_share(devices: JointDistribution) -> float:
    """Return which share of the lost tests of some devices are surplus rounds that a coin kept."""
    settings = devices.scheme
    kept, all_tests = 0.0, 0.0
    for x, y, sign in settings.chsh_signs:
        lost = 1 - sign * devices.correlators[x, y]
        all_tests += lost
        kept += lost if y == settings.key_setting("bob") else 0.0
    return kept / all_tests


def _chsh_on_course(target: Target, aim: float) -> float:
    tests = target.design.heralded_rounds * target.setting_choice.round_probabilities.test
    return 4 - 8 * aim / tests


def _on_course(target: Target, aim: float, strong: Part, weak: Part) -> Conduct:
    """Return devices that choose between two parts by the score; planned is their mixture."""

    def adapted(planned: Part, score: Score) -> Part:
        return strong if score.lost > aim * score.progress else weak

    span = strong.devices.chsh - weak.devices.chsh
    share = (_chsh_on_course(target, aim) - weak.devices.chsh) / span
    share = min(max(share, 0.0), 1.0)
    joint = strong.devices
    table = share * joint.probabilities + (1 - share) * weak.devices.probabilities
    mixed = JointDistribution(joint.scheme, joint.announcements, table)
    planned = Part(mixed, share * strong.entropy + (1 - share) * weak.entropy)
    return Conduct((planned,) * STRETCHES, target.setting_choice, adapted)
