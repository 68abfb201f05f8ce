"""What the schemes with Charlie between the users share: link, memories, choice of intensities."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from emulator.parameters import Light, MayDrift, parameters, unlimited
from emulator.schemes.base import NoPositiveKeyRateError
from emulator.schemes.optics import LIGHT_SPEED_IN_FIBRE_M_PER_S, Link
from emulator.schemes.search import maximum
from emulator.schemes.state_model import StateModel, check_directions
from emulator.states.directions import Pauli
from emulator.states.heralded import HeraldedStates
from emulator.states.imperfections import Imperfections, Matrices, Table
from postprocessing.errors import InvalidArgumentError

Measurement = Literal["before_herald", "after_herald"]

_LIGHT_GRID = 300
# Logarithm of √(μ_A t_A/μ_B t_B): how far from balanced light at the beam splitter is looked at.
_IMBALANCE = 2.0
_IMBALANCED_GRID = (100, 9)
# Points of that search whose states are computed at once.
_POINTS_AT_ONCE = 512


@parameters
class MidwayModel(StateModel):
    """A scheme in which Alice and Bob send light to Charlie, who announces what he detects.

    Parameters
    ----------
    link : Link
        Fibre and detectors.
    measurement : {"before_herald", "after_herald"}
        Whether both sides measure as they send the light, so that Bob corrects his outcomes by
        flips, or keep their qubits until the herald is back, so that he corrects by a gate.
    coherence_time_s : float
        T₂ in s of the qubits that wait for the herald, above 0; infinite by default. Each
        dephases by (1 − e^(−t/T₂))/2, t the time to Charlie and back.

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range, or a coherence time is given for qubits that do not
        wait.
    """

    link: Link
    measurement: Annotated[
        Measurement, Field(description="whether the qubits wait for Charlie's answer")
    ] = Field(default="before_herald", kw_only=True)
    coherence_time_s: Annotated[
        float,
        Field(gt=0, allow_inf_nan=True, description='of qubits that wait, or "unlimited"'),
        unlimited,
        MayDrift(),
    ] = Field(default=math.inf, kw_only=True)

    may_await_herald: ClassVar[bool] = True
    later: ClassVar[frozenset[str]] = StateModel.later | {
        "measurement", "coherence_time_s", "settings", "arm_alice_km", "arm_bob_km",
        "phase_offset_rad", "phase_noise_rad", "mode_overlap",
    }  # fmt: skip
    displaced: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "distance_km": ("arm_alice_km", "arm_bob_km"),
        "arm_alice_km": ("distance_km",),
        "arm_bob_km": ("distance_km",),
    }

    def __post_init__(self) -> None:
        """Check what depends on more than one parameter."""
        super().__post_init__()
        if not self.awaits_herald and self.coherence_time_s < math.inf:
            allowed = "left out unless measurement is after_herald"
            raise InvalidArgumentError("coherence_time_s", self.coherence_time_s, allowed)

    @property
    def awaits_herald(self) -> bool:
        """Whether both sides still hold their qubits when the herald has reached them."""
        return self.measurement == "after_herald"

    @property
    def worn(self) -> Imperfections:
        """The imperfections in force, the dephasing of qubits that wait included."""
        if self.coherence_time_s == math.inf:
            return self.imperfections
        waits = (2e3 * arm / LIGHT_SPEED_IN_FIBRE_M_PER_S for arm in self.link.arms_km)
        alice, bob = (-math.expm1(-wait / self.coherence_time_s) / 2 for wait in waits)
        return self.imperfections.after(alice, bob)


@parameters
class SingleClickModel(MidwayModel):
    """A scheme of two light fields that interfere in two detectors, of which one alone clicks.

    Its light is the field that `intensity_parameter` names: a number for both senders, Alice's
    and Bob's, or "optimal".

    Raises
    ------
    InvalidArgumentError
        As for `MidwayModel`, or if a direction of Bob allows no flip where his correction must be
        one.
    """

    announcements: ClassVar[tuple[str, ...]] = ("none", "D1", "D2", "both")
    corrections: ClassVar[Mapping[str, Pauli]]
    # Where the search for the best light looks.
    light_range: ClassVar[tuple[float, float]]

    def __post_init__(self) -> None:
        """Check what depends on more than one parameter."""
        super().__post_init__()
        check_directions(self, tuple(self.corrections.values()))

    @abstractmethod
    def announced(self, light: Table) -> Matrices:
        """Return the states of light of shape (n, 2), Alice's and Bob's.

        Returns
        -------
        ndarray of complex128, shape (n, announcement, 4, 4)
            In the order of `announcements`.
        """

    def heralded_states(self) -> HeraldedStates:
        """Return the states of one pulse's announcements, at the working point.

        Returns
        -------
        HeraldedStates
            Announcements "none", "D1" and "D2" (the heralds), "both".

        Raises
        ------
        NoPositiveKeyRateError
            If the light is to be optimal and none gives a positive key rate.
        """
        light: Any = self.with_light().light
        (matrices,) = self.announced(np.broadcast_to(light, (1, 2)))
        return HeraldedStates(
            dict(zip(self.announcements, matrices, strict=True)), self.corrections
        )

    def with_light(self) -> Self:
        """Return the model with its light chosen.

        Raises
        ------
        NoPositiveKeyRateError
            If the light is to be optimal and none gives a positive key rate.
        """
        name = str(self.intensity_parameter)
        if self.light is None:
            raise NoPositiveKeyRateError
        chosen: dict[str, Any] = {name: self.light}
        return self if getattr(self, name) == self.light else replace(self, **chosen)

    @property
    def intensity(self) -> Light | None:
        """Brightness in force; None if "optimal" finds no positive key rate."""
        return self.light

    @cached_property
    def light(self) -> Light | None:
        """Brightness in force; None if "optimal" finds no positive key rate."""
        given = getattr(self, str(self.intensity_parameter))
        return self._brightest() if given == "optimal" else given

    def _brightest(self) -> Light | None:
        """Return the light of highest key rate: over equal arms one number, else two."""
        corrections = tuple(self.corrections.values())
        heralds = [self.announcements.index(herald) for herald in self.corrections]

        def rates(light: Table) -> Table:
            blocks = np.array_split(light, -(-len(light) // _POINTS_AT_ONCE))
            announced = (self.announced(block)[:, heralds] for block in blocks)
            return np.concatenate([self.key_rates(block, corrections) for block in announced])

        least, most = map(math.log, self.light_range)
        if self.link.is_symmetric:
            box = np.array([least]), np.array([most]), (_LIGHT_GRID,)
            point, rate = maximum(lambda logs: rates(np.exp(logs[:, [0, 0]])), *box)
            return float(np.exp(point[0])) if rate > 0 else None
        alice, bob = self.link.arm_transmittances
        balanced = (math.log(bob) - math.log(alice)) / 2

        def of(points: Table) -> Table:
            half = balanced + points[:, 1]
            brighter = points[:, 0] - np.abs(half)
            return np.exp(np.stack([brighter + half, brighter - half], axis=-1))

        low, high = np.array([least, -_IMBALANCE]), np.array([most, _IMBALANCE])
        point, rate = maximum(lambda points: rates(of(points)), low, high, _IMBALANCED_GRID)
        first, second = of(point[np.newaxis])[0]
        return (float(first), float(second)) if rate > 0 else None
