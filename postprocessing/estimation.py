"""The CHSH game on the test rounds: count the lost rounds, estimate S for the report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from postprocessing.rounds import BellSettings, Bits


@dataclass(frozen=True)
class GameTally:
    """Result of the CHSH game with uniform inputs.

    Parameters
    ----------
    rounds, lost : int
        Number of test rounds, and of those lost.
    """

    rounds: int
    lost: int

    @property
    def chsh(self) -> float | None:
        """Estimate S = 8 n_won/n_test − 4, for the report only; None without tests."""
        return 8 * (1 - self.lost / self.rounds) - 4 if self.rounds else None


def tally_tests(settings: BellSettings, x: Bits, y: Bits, a: Bits, b: Bits) -> GameTally:
    """Score the CHSH game: a round is won when its outcome product has the sign of its pair.

    Parameters
    ----------
    settings : BellSettings
        The scheme's settings.
    x, y : ndarray of uint8, shape (n,)
        Settings of the test rounds.
    a, b : ndarray of uint8, shape (n,)
        Outcome bits of the test rounds in the common frame (0 for +1, 1 for −1).

    Returns
    -------
    GameTally
        Number of test rounds and of lost ones.
    """
    winning_parity = np.zeros((len(settings.alice_labels), len(settings.bob_labels)), np.uint8)
    for sx, sy, sign in settings.chsh_signs:
        winning_parity[sx, sy] = sign < 0
    lost = (a ^ b) != winning_parity[x, y]
    return GameTally(rounds=len(a), lost=int(np.count_nonzero(lost)))
