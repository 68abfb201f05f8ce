"""Sifting: which rounds are key, test or discarded, and Bob's public flip.

Everything here follows from announced settings, heralds and coins; no outcome of the other party
is ever an input.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from postprocessing.rounds import BellSettings, Bits, Party, PartyRecord

DISCARD, KEY, TEST = 0, 1, 2
_SURPLUS = 3
_PIECE = 1 << 18

RoundKinds = npt.NDArray[np.uint8]


def _kind_table(settings: BellSettings) -> npt.NDArray[np.uint8]:
    """Return the kind of a round by [x, y], before thinning."""
    table = np.full((len(settings.alice_labels), len(settings.bob_labels)), DISCARD, np.uint8)
    for x, y, _ in settings.chsh_signs:
        pair = {"alice": x, "bob": y}
        reference_has_key = pair[settings.reference] == settings.key_setting(settings.reference)
        table[x, y] = _SURPLUS if reference_has_key else TEST
    table[settings.key_pair] = KEY
    return table


def classify(settings: BellSettings, x: Bits, y: Bits) -> tuple[RoundKinds, npt.NDArray[np.intp]]:
    """Classify rounds by both parties' settings, before thinning.

    Parameters
    ----------
    settings : BellSettings
        The scheme's settings.
    x, y : ndarray of uint8, shape (n,)
        Alice's and Bob's settings.

    Returns
    -------
    kinds : ndarray of uint8, shape (n,)
        DISCARD, KEY or TEST of each round; surplus rounds are DISCARD until thinned.
    surplus : ndarray of int, shape (s,)
        Rounds (corrector tests, reference has its key setting) that await a coin.
    """
    table = _kind_table(settings)
    kinds = _look_up(table, x, y)
    surplus = np.flatnonzero(kinds == _SURPLUS)
    kinds[surplus] = DISCARD
    return kinds, surplus


def thin(kinds: RoundKinds, surplus: npt.NDArray[np.intp], coins: Bits) -> RoundKinds:
    """Return the kinds after thinning: surplus rounds whose coin is 1 become tests.

    With coins of probability p/(1 − p) the four CHSH inputs are equally likely among tests.
    """
    thinned = kinds.copy()
    thinned[surplus[coins == 1]] = TEST
    return thinned


def sifted_outcomes(settings: BellSettings, party: Party, record: PartyRecord) -> Bits:
    """Return a party's outcome bits in the common frame: Bob inverts as the herald demands."""
    if party == "alice":
        return record.outcomes
    flips = np.asarray(settings.flip, np.uint8)
    return record.outcomes ^ _look_up(flips, record.heralds, record.settings)


def _look_up(table: npt.NDArray[np.uint8], rows: Bits, columns: Bits) -> npt.NDArray[np.uint8]:
    """Return ``table[rows, columns]``, in pieces: numpy widens indices to eight bytes each."""
    found = np.empty(len(rows), np.uint8)
    for start in range(0, len(rows), _PIECE):
        piece = slice(start, start + _PIECE)
        found[piece] = table[rows[piece], columns[piece]]
    return found
