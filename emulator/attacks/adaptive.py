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
# How far the two states of `leans_by_the_score` are from the middle, in βX + Y.
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
    value = _value_on_course(target, aim)
    strong, weak = (optimal_part(target, value + lean) for lean in (_LEAN, -_LEAN))
    return _on_course(target, aim, strong, weak)


def lost_on_course(target: Target, devices: JointDistribution) -> float:
    """Return what lost tests should weigh: the coins must rarely lead past the threshold.

    Parameters
    ----------
    target : Target
        What is attacked.
    devices : JointDistribution
        Devices whose losses fall to surplus rounds, which await a coin, as often.
    """
    (at_key, _), most = target.loss_limit
    dropped = 1 - target.setting_choice.thinning_probability
    variance = dropped * at_key * surplus_share(devices, target.weight) * most
    return most - _MARGIN * math.sqrt(variance)


def surplus_share(devices: JointDistribution, weight: float = 1.0) -> float:
    """Return which share of what lost tests weigh is of surplus rounds that a coin kept."""
    first, second = devices.chsh_at_key_setting, devices.chsh - devices.chsh_at_key_setting
    kept, others = weight * (2 - first), 2 - second
    return kept / (kept + others)


def _value_on_course(target: Target, aim: float) -> float:
    """Return the weighted CHSH value at which lost tests weigh so much."""
    (_, others), _ = target.loss_limit
    tests = target.design.heralded_rounds * target.setting_choice.round_probabilities.kinds[1]
    return 2 * (1 + target.weight) - 4 * aim / (tests * others)


def _value_of(target: Target, part: Part) -> float:
    return target.weighted_chsh(part.devices.chsh, part.devices.chsh_at_key_setting)


def _on_course(target: Target, aim: float, strong: Part, weak: Part) -> Conduct:
    """Return devices that choose between two parts by the score; planned is their mixture."""

    def adapted(planned: Part, score: Score) -> Part:
        return strong if score.lost > aim * score.progress else weak

    low = _value_of(target, weak)
    share = (_value_on_course(target, aim) - low) / (_value_of(target, strong) - low)
    share = min(max(share, 0.0), 1.0)
    joint = strong.devices
    table = share * joint.probabilities + (1 - share) * weak.devices.probabilities
    mixed = JointDistribution(joint.scheme, joint.announcements, table)
    planned = Part(mixed, share * strong.entropy + (1 - share) * weak.entropy)
    return Conduct((planned,) * STRETCHES, target.setting_choice, adapted)
