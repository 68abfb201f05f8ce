"""Heralded DIQKD by the interference of single photons (Cabrillo et al.; Bose et al.)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from emulator.parameters import (
    MayDrift,
    Pair,
    Probability,
    RepetitionRate,
    as_pair,
    parameters,
)
from emulator.schemes.midway import SingleClickModel
from emulator.states.directions import Directions, Pauli
from emulator.states.imperfections import Matrices, Table
from emulator.states.light import click_probability, silence_probability

# Alice's along −z, and between −z and ±x: ψ⁺ has σ_z σ_z = −1 and σ_x σ_x = +1.
_FIXED = Directions((math.pi, -3 * math.pi / 4, 3 * math.pi / 4), (0.0, math.pi / 2))

Population = Annotated[float, Field(gt=0, lt=1)]


@parameters
class SinglePhoton(SingleClickModel):
    """Alice and Bob each entangle a qubit with a photon or none, √(1−q)|−z⟩|0⟩ + √q|+z⟩|1⟩.

    Charlie interferes the two light fields; exactly one click of his two detectors heralds one of
    the Bell states ψ±, with an admixture of |++⟩ where both sent a photon (Cabrillo et al., PRA
    59, 1025 (1999); Bose et al., PRL 83, 5158 (1999)). The fixed directions have the key along z,
    where that admixture makes the errors, and the other test direction of Bob along x.

    Parameters
    ----------
    link : Link
        Fibre and detectors.
    bright_population : float, (float, float) or "optimal"
        q in (0, 1), one number for both or Alice's and Bob's, or that of highest asymptotic key
        rate, looked for up to 1/2.
    mode_overlap : float
        V = ⟨mode of Alice|mode of Bob⟩ in [0, 1], an amplitude: two photons interfere by V².
    repetition_rate_hz : float, optional
        Pulses per second, above 0, for rates per second.
    imperfections, directions, measurement, coherence_time_s
        As for every scheme with Charlie: what wears the qubits down and how they are measured.

    Raises
    ------
    InvalidArgumentError
        If a number is not finite or outside its range, or a direction of Bob allows no flip where
        his correction must be one.

    Examples
    --------
    >>> from emulator.schemes.optics import Link
    >>> model = SinglePhoton(Link(distance_km=11), bright_population=0.02, directions="optimal")
    >>> round(model.joint_distribution().chsh, 3)
    2.789
    """

    bright_population: Annotated[
        Population | Literal["optimal"] | Pair[Population],
        Field(description="probability of a photon of each sender's pulse"),
        MayDrift(),
        as_pair,
    ] = "optimal"
    mode_overlap: Annotated[
        Probability, Field(description="amplitude overlap of both senders' photons"), MayDrift()
    ] = 1.0
    repetition_rate_hz: RepetitionRate = None

    name: ClassVar[str] = "single_photon"
    title: ClassVar[str] = "single-photon interference"
    default_preset: ClassVar[str | None] = "single-photon-11km"
    corrections: ClassVar[Mapping[str, Pauli]] = {"D1": "1", "D2": "z"}
    light_range: ClassVar[tuple[float, float]] = (1e-7, 0.5)
    intensity_parameter: ClassVar[str | None] = "bright_population"

    @property
    def paper_directions(self) -> Directions:
        """The key along z and Bob's other direction along x, as they fit ψ⁺."""
        return _FIXED

    def announced(self, light: Table) -> Matrices:
        """Return the states of populations of shape (n, 2): (n, announcement, 4, 4).

        What the fibres lose tells whose photon it was; so does, where the modes do not overlap,
        what the detectors see.
        """
        none, at_first, at_second = (self._given(*n) for n in ((0, 0), (1, 0), (0, 1)))
        one = (at_first + at_second) / 2
        alice, bob = (column[:, np.newaxis] for column in light.T)
        t_a, t_b = self.link.arm_transmittances
        both_sent = t_a * t_b * self._two_photons() + (1 - t_a) * (1 - t_b) * none
        both_sent += (t_a * (1 - t_b) + (1 - t_a) * t_b) * one
        matrices = np.zeros((len(light), len(self.announcements), 4, 4), dtype=np.complex128)
        matrices[..., 0, 0] = alice * bob * both_sent
        matrices[..., 1, 1] = alice * (1 - bob) * (t_a * one + (1 - t_a) * none)
        matrices[..., 2, 2] = (1 - alice) * bob * (t_b * one + (1 - t_b) * none)
        matrices[..., 3, 3] = (1 - alice) * (1 - bob) * none
        weight = np.sqrt(alice * (1 - alice) * bob * (1 - bob) * t_a * t_b)
        # From there on nothing of it is left in a double.
        noise, offset = min(self.link.phase_noise_rad, 100.0), self.link.phase_offset_rad
        kept = self.mode_overlap * np.exp(-(noise**2) / 2 - 1j * offset)
        matrices[..., 1, 2] = weight * kept * (at_first - at_second) / 2
        matrices[..., 2, 1] = matrices[..., 1, 2].conj()
        return matrices

    def _two_photons(self) -> Table:
        """Return P(announcement | two photons arrive); they bunch where their modes overlap."""
        bunched, split = (1 + self.mode_overlap**2) / 4, (1 - self.mode_overlap**2) / 2
        return bunched * (self._given(2, 0) + self._given(0, 2)) + split * self._given(1, 1)

    def _given(self, first: int, second: int) -> Table:
        """Return P(announcement) for numbers of photons that reach D1 and D2."""
        (click1, silent1), (click2, silent2) = (
            (click_probability(n, eta, dark), silence_probability(n, eta, dark))
            for n, eta, dark in zip(
                (first, second), self.link.efficiencies, self.link.dark_counts, strict=True
            )
        )
        return np.array([silent1 * silent2, click1 * silent2, silent1 * click2, click1 * click2])
