"""The CHSH game on the test rounds: count the lost rounds, estimate S for the report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from postprocessing.scheme import Bits


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


def tally_tests(own: Bits, peer: Bits, winning_parities: Bits) -> GameTally:
    """Score the CHSH game: a round is won when the two outcomes have the parity of its inputs.

    Parameters
    ----------
    own, peer : ndarray of uint8, shape (n,)
        Outcome bits of the test rounds in the common frame (0 for +1, 1 for −1).
    winning_parities : ndarray of uint8, shape (n,)
        1 where the pair of settings enters S with a minus sign.

    Returns
    -------
    GameTally
        Number of test rounds and of lost ones.
    """
    lost = (own ^ peer) != winning_parities
    return GameTally(rounds=len(own), lost=int(np.count_nonzero(lost)))
