"""The fibre between Alice and Bob, with Charlie and his detectors on the way."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from emulator.parameters import (
    Efficiency,
    MayDrift,
    NonNegative,
    Pair,
    as_pair,
    parameters,
)
from postprocessing.errors import InvalidArgumentError

# Parameters of a link that matter where single clicks herald.
PHASES = frozenset({"phase_offset_rad", "phase_noise_rad"})

LIGHT_SPEED_IN_FIBRE_M_PER_S = 2e8

_MAXIMAL_LOSS_DB = 2000.0
_DEFAULT_DISTANCE_KM = 100.0

DarkCount = Annotated[float, Field(ge=0, lt=1)]


@parameters
class Link:
    """The fibre between Alice and Bob with the untrusted Charlie on the way, and his detectors.

    Parameters
    ----------
    distance_km : float, optional
        Fibre length L between Alice and Bob in km, at least 0, with Charlie midway; 100 where
        neither it nor the arms are given. Total loss at most 2000 dB.
    detector_efficiency : float or (float, float)
        η_d of Charlie's detectors, in (0, 1]; two numbers are those of his first and second output
        port.
    dark_count_probability : float or (float, float)
        p_d of one detector in one time window, in [0, 1); two numbers as for the efficiency.
    attenuation_db_per_km : float
        Fibre attenuation β in dB/km, at least 0.
    arm_alice_km, arm_bob_km : float, optional
        Fibre from Alice and from Bob to Charlie in km, at least 0, both in place of `distance_km`.
    phase_offset_rad : float
        A fixed, known phase δ in rad between the arms, for single-photon interference.
    phase_noise_rad : float
        Standard deviation in rad, at least 0, of a Gaussian phase on top of it.

    Raises
    ------
    InvalidArgumentError
        If a number is not finite or outside its range, an arm stands alone, or the arms beside a
        distance.

    Examples
    --------
    >>> round(Link(distance_km=100).arm_transmittance, 12)
    0.08
    >>> Link(arm_alice_km=30, arm_bob_km=110).fibre_km
    140.0
    """

    distance_km: Annotated[
        NonNegative | None, Field(description="fibre between the users, Charlie midway"), MayDrift()
    ] = None
    detector_efficiency: Annotated[
        Efficiency | Pair[Efficiency],
        Field(description="of the light's detectors, or one number for each port: 0.8,0.7"),
        MayDrift(),
        as_pair,
    ] = 0.8
    dark_count_probability: Annotated[
        DarkCount | Pair[DarkCount],
        Field(description="per detector and pulse, or one number for each port"),
        MayDrift(),
        as_pair,
    ] = 1e-7
    attenuation_db_per_km: Annotated[NonNegative, Field(description="fibre loss"), MayDrift()] = 0.2
    arm_alice_km: Annotated[
        NonNegative | None, Field(description="fibre from Alice to Charlie"), MayDrift()
    ] = None
    arm_bob_km: Annotated[
        NonNegative | None, Field(description="fibre from Bob to Charlie"), MayDrift()
    ] = None
    phase_offset_rad: Annotated[
        float, Field(description="known phase between the arms"), MayDrift()
    ] = 0.0
    phase_noise_rad: Annotated[
        NonNegative, Field(description="standard deviation of that phase"), MayDrift()
    ] = 0.0

    def __post_init__(self) -> None:
        """Check the arms and the loss."""
        if self.arm_alice_km is None and self.arm_bob_km is None:
            if self.distance_km is None:
                object.__setattr__(self, "distance_km", _DEFAULT_DISTANCE_KM)
        elif self.distance_km is not None:
            allowed = "left out where the arms are given"
            raise InvalidArgumentError("distance_km", self.distance_km, allowed)
        for name, other in (("arm_alice_km", "arm_bob_km"), ("arm_bob_km", "arm_alice_km")):
            if getattr(self, name) is None and getattr(self, other) is not None:
                given = getattr(self, other)
                raise InvalidArgumentError(other, given, f"given together with {name}")
        if self.fibre_km * self.attenuation_db_per_km > _MAXIMAL_LOSS_DB:
            # Beyond, products of a few click probabilities would leave the range of a double.
            allowed = f"short enough for a loss of at most {_MAXIMAL_LOSS_DB:g} dB"
            arms = {"arm_alice_km": self.arm_alice_km, "arm_bob_km": self.arm_bob_km}
            given = {name: arm for name, arm in arms.items() if arm is not None}
            name = max(given, key=lambda arm: given[arm], default="distance_km")
            raise InvalidArgumentError(name, getattr(self, name), allowed)

    @property
    def arms_km(self) -> tuple[float, float]:
        """Fibre from Alice and from Bob to Charlie in km."""
        if self.arm_alice_km is not None and self.arm_bob_km is not None:
            return self.arm_alice_km, self.arm_bob_km
        half = (self.distance_km or 0.0) / 2
        return half, half

    @property
    def fibre_km(self) -> float:
        """Fibre length between Alice and Bob in km."""
        return self.distance_km if self.distance_km is not None else sum(self.arms_km)

    @property
    def arm_transmittances(self) -> tuple[float, float]:
        """Transmittance of Alice's and of Bob's fibre, detectors not included."""
        alice, bob = self.arms_km
        return self._fibre_transmittance(alice), self._fibre_transmittance(bob)

    @property
    def efficiencies(self) -> tuple[float, float]:
        """η_d of the detectors behind Charlie's first and second output port."""
        return _both(self.detector_efficiency)

    @property
    def dark_counts(self) -> tuple[float, float]:
        """p_d of the detectors behind Charlie's first and second output port."""
        return _both(self.dark_count_probability)

    @property
    def is_symmetric(self) -> bool:
        """Whether both arms are of the same length."""
        alice, bob = self.arms_km
        return alice == bob

    @property
    def arm_transmittance(self) -> float:
        """η = η_d · 10^(−βL/20): one arm of half the distance, the better detector included."""
        return max(self.efficiencies) * self._fibre_transmittance(self.fibre_km / 2)

    @property
    def plob_bound(self) -> float:
        """Repeaterless key capacity −log2(1 − η_d · 10^(−βL/10)) in bits per pulse.

        Infinite where nothing is lost (Pirandola et al., Nat. Commun. 8, 15043 (2017)).
        """
        transmittance = max(self.efficiencies) * self._fibre_transmittance(self.fibre_km)
        return math.inf if transmittance == 1 else -math.log1p(-transmittance) / math.log(2)

    def _fibre_transmittance(self, length_km: float) -> float:
        """Return the transmittance of a fibre of `length_km`."""
        return float(10 ** (-self.attenuation_db_per_km * length_km / 10))


def _both(given: float | tuple[float, float]) -> tuple[float, float]:
    return given if isinstance(given, tuple) else (given, given)
