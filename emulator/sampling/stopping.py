"""When a run stops: after a number of heralded rounds, or after a number of pulses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

from postprocessing.checks import whole_number
from postprocessing.errors import InvalidArgumentError
from postprocessing.limits import MOST_PULSES, MOST_ROUNDS


@dataclass(frozen=True)
class HeraldedRounds:
    """Stop after so many heralded rounds, at least 1."""

    number: int

    def __post_init__(self) -> None:
        """Check the range, whatever the gain."""
        number = whole_number("heralded_rounds", self.number, 1, MOST_ROUNDS)
        object.__setattr__(self, "number", number)

    @property
    def keyword(self) -> dict[str, int]:
        """The rule as an argument of `stopping_rule`."""
        return {"heralded_rounds": self.number}

    def check(self, gain: float) -> None:
        """Check that the run fits into memory and counters.

        Parameters
        ----------
        gain : float
            Probability that a pulse is heralded, in (0, 1].

        Raises
        ------
        InvalidArgumentError
            If the run is expected to have more than 10⁹ heralded rounds or 2⁵³ pulses, or if not
            even 2⁵³ pulses are expected to herald a round.
        """
        most = min(MOST_ROUNDS, _rounds_in_all_pulses(gain))
        whole_number("heralded_rounds", self.number, 1, most)

    def rounds_to_count_on(self, gain: float, shortfall_probability: float) -> int:
        """Return the number of heralded rounds, whatever the gain."""
        return self.number


@dataclass(frozen=True)
class Pulses:
    """Stop after so many pulses, at least 1."""

    number: int

    def __post_init__(self) -> None:
        """Check the range, whatever the gain."""
        object.__setattr__(self, "number", whole_number("pulses", self.number, 1, MOST_PULSES))

    @property
    def keyword(self) -> dict[str, int]:
        """The rule as an argument of `stopping_rule`."""
        return {"pulses": self.number}

    def check(self, gain: float) -> None:
        """Check that the run fits into memory and counters, as for `HeraldedRounds`."""
        _rounds_in_all_pulses(gain)
        whole_number("pulses", self.number, 1, min(MOST_PULSES, math.floor(MOST_ROUNDS / gain)))

    def rounds_to_count_on(self, gain: float, shortfall_probability: float) -> int:
        """Return the heralded rounds that honest devices yield but for a small probability.

        Parameters
        ----------
        gain : float
            Probability that a pulse is heralded, in (0, 1].
        shortfall_probability : float
            Probability of fewer rounds, in (0, 1).

        Returns
        -------
        int
            Possibly 0.
        """
        # Help and bad input do not wait for scipy.
        from postprocessing.quantiles import lower_quantile

        return lower_quantile(self.number, gain, shortfall_probability)


StoppingRule: TypeAlias = HeraldedRounds | Pulses


def stopping_rule(heralded_rounds: int | None = None, pulses: int | None = None) -> StoppingRule:
    """Return the stopping rule of two keywords.

    Parameters
    ----------
    heralded_rounds, pulses : int, optional
        Stop after this many heralded rounds, or after this many pulses.

    Raises
    ------
    InvalidArgumentError
        Unless exactly one is given, and a whole number of at least 1 that can be counted.
    """
    if pulses is None and heralded_rounds is not None:
        return HeraldedRounds(heralded_rounds)
    if heralded_rounds is None and pulses is not None:
        return Pulses(pulses)
    given = (heralded_rounds, pulses)
    raise InvalidArgumentError("heralded_rounds", given, "given, or else pulses")


def _rounds_in_all_pulses(gain: float) -> int:
    """Return how many heralded rounds are expected in as many pulses as can be counted."""
    rounds = math.floor(MOST_PULSES * gain)
    if rounds < 1:
        allowed = f"enough for one heralded round in {MOST_PULSES} pulses"
        raise InvalidArgumentError("gain", gain, allowed)
    return rounds
