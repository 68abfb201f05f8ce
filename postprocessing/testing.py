"""The CHSH game on the test rounds: count losses of both kinds, estimate S for the report."""

from __future__ import annotations

from dataclasses import dataclass

from postprocessing.bits import PackedBits
from postprocessing.errors import InvalidArgumentError


@dataclass(frozen=True)
class GameTally:
    """Result of the CHSH game.

    Parameters
    ----------
    rounds, lost : int
        Number of test rounds, and of those lost.
    at_key_setting : (int, int), optional
        The same of the tests in which the reference had its key setting; None where nobody counted
        them.

    Raises
    ------
    InvalidArgumentError
        If there are more of them than tests.
    """

    rounds: int
    lost: int
    at_key_setting: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Check that one kind is a part of the whole."""
        if self.at_key_setting is None:
            return
        rounds, lost = self.at_key_setting
        won, others_won = rounds - lost, self.rounds - rounds - (self.lost - lost)
        if not (0 <= lost <= self.lost and min(won, others_won) >= 0):
            allowed = f"a part of {self.rounds} tests with {self.lost} lost"
            raise InvalidArgumentError("at_key_setting", self.at_key_setting, allowed)

    @property
    def chsh(self) -> float | None:
        """Estimate S = 8 n_won/n_test − 4 of uniform inputs, for the report; None without tests."""
        return 8 * (1 - self.lost / self.rounds) - 4 if self.rounds else None

    @property
    def chsh_of_kinds(self) -> float | None:
        """Estimate S as the sum of both kinds' parts; None without tests of both."""
        rounds, lost = self.at_key_setting or (0, 0)
        others = self.rounds - rounds
        if not (rounds and others):
            return None
        return 4 - 4 * (lost / rounds + (self.lost - lost) / others)


def tally_tests(
    own: PackedBits, peer: PackedBits, winning_parities: PackedBits, at_key_setting: PackedBits
) -> GameTally:
    """Score the CHSH game: a round is won when the two outcomes have the parity of its inputs.

    Parameters
    ----------
    own, peer : PackedBits
        Outcome bits of the test rounds in the common frame (0 for +1, 1 for −1).
    winning_parities : PackedBits
        1 where the pair of settings enters S with a minus sign.
    at_key_setting : PackedBits
        1 where the reference had its key setting.

    Returns
    -------
    GameTally
        Number of test rounds and of lost ones, of both kinds.
    """
    lost = own ^ peer ^ winning_parities
    kind = at_key_setting.ones, (lost & at_key_setting).ones
    return GameTally(rounds=len(own), lost=lost.ones, at_key_setting=kind)
