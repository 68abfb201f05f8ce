"""Two cavities joined by a fibre: efficiencies, memory, pace, and the loss budget (Li et al.)."""

from __future__ import annotations

import math
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field

from emulator.schemes.cat_code import LossOrder, LossSegments
from emulator.schemes.parameters import Efficiency, NonNegative, parameters
from postprocessing.errors import InvalidArgumentError

Placement = Literal["alice", "lumped", "strict"]

LIGHT_SPEED_IN_FIBRE_M_PER_S = 2e8

_MAXIMAL_LOSS_DB = 700.0
_SHORTEST_PERIOD_S = 1e-15


def _unlimited(value: object) -> object:
    """Take "unlimited" and None for infinity."""
    named = isinstance(value, str) and value == "unlimited"
    return math.inf if named or value is None else value


@parameters
class CavityLink:
    """Alice's and Bob's cavities, the fibre between them, Alice's memory and Bob's detectors.

    Parameters
    ----------
    distance_km : float
        Fibre length L in km, in [0, 1e6]; fibre loss at most 700 dB.
    attenuation_db_per_km : float
        Fibre attenuation β in dB/km, at least 0.
    interaction_efficiency : float
        η_int of one reflection from a cavity, in (0, 1].
    down_conversion_efficiency, up_conversion_efficiency : float
        η_dc and η_uc of the conversions to and from the telecom band, in (0, 1].
    detector_efficiency : float
        η_d, in (0, 1].
    coherence_time_s : float
        t_c of Alice's memory in s, above 0; infinite for a perfect memory.
    gate_time_s : float
        t0 of the slowest gate or measurement in s, in [0, 1e6]; an attempt must take 1e-15 s.

    Raises
    ------
    InvalidArgumentError
        If a number is outside its range.

    Examples
    --------
    >>> link = CavityLink(distance_km=10)
    >>> round(link.fibre_transmittance, 4), round(link.repetition_rate_hz)
    (0.631, 20000)
    """

    distance_km: Annotated[float, Field(ge=0, le=1e6, description="fibre between the users")] = 10.0
    attenuation_db_per_km: Annotated[NonNegative, Field(description="fibre loss")] = 0.2
    interaction_efficiency: Annotated[Efficiency, Field(description="of one cavity reflection")] = (
        1.0
    )
    down_conversion_efficiency: Annotated[Efficiency, Field(description="to telecom light")] = 1.0
    up_conversion_efficiency: Annotated[
        Efficiency, Field(description="back from telecom light")
    ] = 1.0
    detector_efficiency: Annotated[Efficiency, Field(description="of the light's detectors")] = 1.0
    coherence_time_s: Annotated[
        float,
        Field(gt=0, allow_inf_nan=True, description='of Alice\'s memory, or "unlimited"'),
        BeforeValidator(_unlimited),
    ] = math.inf
    gate_time_s: Annotated[float, Field(ge=0, le=1e6, description="of the slowest operation")] = 0.0

    def __post_init__(self) -> None:
        """Check the loss and the pace."""
        if self.distance_km * self.attenuation_db_per_km > _MAXIMAL_LOSS_DB:
            allowed = f"short enough for a loss of at most {_MAXIMAL_LOSS_DB:g} dB"
            raise InvalidArgumentError("distance_km", self.distance_km, allowed)
        if self.attempt_period_s < _SHORTEST_PERIOD_S:
            allowed = f"at least {_SHORTEST_PERIOD_S:g} where the light travels for less"
            raise InvalidArgumentError("gate_time_s", self.gate_time_s, allowed)

    @property
    def travel_time_s(self) -> float:
        """L/c_f, the time a pulse takes from Alice to Bob in s."""
        return self.distance_km * 1e3 / LIGHT_SPEED_IN_FIBRE_M_PER_S

    @property
    def attempt_period_s(self) -> float:
        """max(L/c_f, t0), the time between two attempts in s (Li et al., Eq. (8))."""
        return max(self.travel_time_s, self.gate_time_s)

    @property
    def repetition_rate_hz(self) -> float:
        """Attempts per second."""
        return 1 / self.attempt_period_s

    @property
    def fibre_transmittance(self) -> float:
        """η_ch = 10^(−βL/10)."""
        return float(10 ** (-self.attenuation_db_per_km * self.distance_km / 10))

    def dephasing(self, travel_times: Literal[1, 2] = 1) -> float:
        """Return 1 − D, D = exp(−n L/(c_f t_c)) the coherence of Alice's memory.

        Parameters
        ----------
        travel_times : {1, 2}
            Her atom waits for n travel times: till the pulse arrives, or for the herald.

        Returns
        -------
        float
            Lost coherence in [0, 1].
        """
        return -math.expm1(-travel_times * self.travel_time_s / self.coherence_time_s)

    def segments(self, loss_order: LossOrder, placement: Placement = "alice") -> LossSegments:
        """Return the loss budget, with m + 1 reflections at Alice and as many at Bob, 2^m = l + 1.

        Parameters
        ----------
        loss_order : {0, 1, 3}
            l of the code.
        placement : {"alice", "lumped", "strict"}
            "alice": her m + 1 reflections, conversion and fibre before the syndrome, where the
            code protects; the detectors after Bob's rotation; his reflections free of loss.
            "lumped": her and Bob's first 2m + 1 reflections before the syndrome, his last one with
            the detectors. "strict": each loss after its own rotation; m reflections of each side
            are then unprotected. Not for the 3-loss code.

        Returns
        -------
        LossSegments
            The four transmittances.

        Raises
        ------
        InvalidArgumentError
            If the placement is unknown, or "strict" for the 3-loss code.
        """
        if placement not in get_args(Placement):
            raise InvalidArgumentError("placement", placement, '"alice", "lumped" or "strict"')
        if placement == "strict" and loss_order == 3:
            allowed = '"alice" or "lumped" for the 3-loss code'
            raise InvalidArgumentError("placement", placement, allowed)
        rounds = (loss_order + 1).bit_length() - 1
        reflection = self.interaction_efficiency
        conversion = self.down_conversion_efficiency * self.up_conversion_efficiency
        transmission = conversion * self.fibre_transmittance
        if placement == "alice":
            protected = reflection ** (rounds + 1) * transmission
            return LossSegments(to_syndrome=protected, to_detection=self.detector_efficiency)
        detection = reflection * self.detector_efficiency
        if placement == "lumped":
            protected = reflection ** (2 * rounds + 1) * transmission
            return LossSegments(to_syndrome=protected, to_detection=detection)
        unprotected = reflection**rounds
        return LossSegments(unprotected, reflection * transmission, unprotected, detection)
