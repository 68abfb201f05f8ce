"""Cheating devices and eavesdroppers, each with what the eavesdropper cannot know of the key."""

from emulator.attacks.attack import Attack, Conduct, Part, Target
from emulator.attacks.campaign import AttackReport, run_attack
from emulator.attacks.catalogue import ATTACKS, attack_named
from emulator.attacks.trial import Trial, play, play_tallies

__all__ = [
    "ATTACKS",
    "Attack",
    "AttackReport",
    "Conduct",
    "Part",
    "Target",
    "Trial",
    "attack_named",
    "play",
    "play_tallies",
    "run_attack",
]
