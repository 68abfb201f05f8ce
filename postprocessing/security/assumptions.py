"""What every key of this package takes for granted; carried by each report."""

from __future__ import annotations

from postprocessing.scheme import AnnouncedMarks, SettingChoice

_DRAWN = (
    "Settings, thinning coins, noise bits and hash seeds are fresh, distributed as stated and "
    "independent of the devices; noise bits are erased."
)
_WITHIN = (
    "Test settings, marks and thinning coins have probabilities within the stated tolerance given "
    "all that devices and eavesdropper know; given that, the two sides and the coins are "
    "independent of each other and of past outcomes."
)
_SEALED = (
    "Settings, coins and outcomes stay inside the laboratories until all heralds are public and "
    "irrevocable and the quantum phase has ended; rounds are sequential."
)
_MARKED = (
    "Heralds are irrevocable and in the order of the pulses; a round's mark is drawn after its "
    "herald and announced before either side measures; both laboratories are sealed, in both "
    "directions, from mark to outcome; rounds are sequential.",
    "Settings and outcomes stay inside the laboratories until the quantum phase has ended.",
)
NO_REUSE = "The devices are not used again for another key."
ASSUMPTIONS = (
    "Quantum theory is correct.",
    _DRAWN,
    "Whatever leaves a laboratory during the quantum phase (light, and heralds made there) leaves "
    "before the round's setting is drawn and carries nothing of past settings or outcomes (not "
    "covered by entropy accumulation).",
    _SEALED,
    "Outcomes of unheralded pulses and of discarded rounds are never published.",
    "Classical post-processing is trusted and the public channel authenticated.",
    NO_REUSE,
    "Each block of rounds is post-processed once.",
)


def assumptions(choice: SettingChoice | None) -> tuple[str, ...]:
    """Return what a key takes for granted, by how settings are chosen.

    Parameters
    ----------
    choice : LocalSettings, AnnouncedMarks or None
        The design's choice of settings.
    """
    found = list(ASSUMPTIONS)
    if isinstance(choice, AnnouncedMarks):
        place = found.index(_SEALED)
        found[place : place + 1] = _MARKED
    if choice is not None and choice.setting_probability_tolerance:
        found.insert(found.index(_DRAWN) + 1, _WITHIN)
    return tuple(found)
