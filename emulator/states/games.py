"""The settings of the two papers: which of them make the key, which the CHSH game."""

from __future__ import annotations

import math

from emulator.states.directions import Directions
from postprocessing.errors import InvalidArgumentError
from postprocessing.scheme import BellScheme

# Directions cosθ σ_z + sinθ σ_x of A0, A1, A2 and of B1, B2 (Xie et al.).
ALICE_ANGLES = (0.0, math.pi / 4, -math.pi / 4)
BOB_ANGLES = (0.0, math.pi / 2)

Flips = tuple[tuple[bool, ...], ...]


def xie_scheme(heralds: tuple[str, ...], flip: Flips) -> BellScheme:
    """Return the settings of Xie et al.: key (A0, B1), S = A1B1 − A1B2 + A2B1 + A2B2.

    Parameters
    ----------
    heralds : tuple of str
        Names of the announcements that herald a round.
    flip : tuple of (bool, bool)
        For each herald, whether Bob inverts his outcome of B1 and of B2.

    Returns
    -------
    BellScheme
        Alice's A0, A1, A2 and Bob's B1, B2.
    """
    return BellScheme(
        alice_labels=("A0", "A1", "A2"),
        bob_labels=("B1", "B2"),
        heralds=heralds,
        key_pair=(0, 0),
        chsh_signs=((1, 0, 1), (1, 1, -1), (2, 0, 1), (2, 1, 1)),
        flip=flip,
    )


def li_scheme(heralds: tuple[str, ...], flip: Flips) -> BellScheme:
    """Return the settings of Li et al.: key (A0, B2), S = A0B0 + A0B1 + A1B0 − A1B1.

    Parameters
    ----------
    heralds : tuple of str
        Names of the announcements that herald a round.
    flip : tuple of (bool, bool, bool)
        For each herald, whether Bob inverts his outcome of B0, B1 and B2.

    Returns
    -------
    BellScheme
        Alice's A0, A1 and Bob's B0, B1, B2.
    """
    return BellScheme(
        alice_labels=("A0", "A1"),
        bob_labels=("B0", "B1", "B2"),
        heralds=heralds,
        key_pair=(0, 2),
        chsh_signs=((0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, -1)),
        flip=flip,
    )


# The same with a herald on which nothing is flipped.
XIE_SETTINGS = xie_scheme(("herald",), ((False, False),))
LI_SETTINGS = li_scheme(("herald",), ((False, False, False),))


def settings_of(directions: Directions) -> BellScheme:
    """Return the settings that the numbers of directions tell, with one herald and no flips.

    Raises
    ------
    InvalidArgumentError
        If they are neither 3 and 2, as in Xie et al., nor 2 and 3, as in Li et al.
    """
    counts = len(directions.alice), len(directions.bob)
    for settings in (XIE_SETTINGS, LI_SETTINGS):
        if counts == (len(settings.alice_labels), len(settings.bob_labels)):
            return settings
    allowed = "3 of Alice and 2 of Bob, or 2 of Alice and 3 of Bob"
    raise InvalidArgumentError("directions", f"{counts[0]} and {counts[1]}", allowed)
