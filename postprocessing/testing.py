"""The CHSH game on the test rounds: count the lost rounds, estimate S for the report."""

from __future__ import annotations

from dataclasses import dataclass

from postprocessing.bits import PackedBits


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


def tally_tests(own: PackedBits, peer: PackedBits, winning_parities: PackedBits) -> GameTally:
    """Score the CHSH game: a round is won when the two outcomes have the parity of its inputs.

    Parameters
    ----------
    own, peer : PackedBits
        Outcome bits of the test rounds in the common frame (0 for +1, 1 for −1).
    winning_parities : PackedBits
        1 where the pair of settings enters S with a minus sign.

    Returns
    -------
    GameTally
        Number of test rounds and of lost ones.
    """
    return GameTally(rounds=len(own), lost=(own ^ peer ^ winning_parities).ones)
