"""Cheating devices and eavesdroppers, each with what the eavesdropper cannot know of the key."""

from emulator.adversary.attack import Attack, Conduct, Part, Target
from emulator.adversary.catalogue import ATTACKS, attack_named
from emulator.adversary.trial import Trial, play, play_tallies

__all__ = [
    "ATTACKS",
    "Attack",
    "Conduct",
    "Part",
    "Target",
    "Trial",
    "attack_named",
    "play",
    "play_tallies",
]
