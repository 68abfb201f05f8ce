"""Heralded DIQKD with entangled coherent states (Xie et al.)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from emulator.parameters import (
    Light,
    MayDrift,
    Pair,
    Probability,
    RepetitionRate,
    as_pair,
    parameters,
)
from emulator.schemes.midway import SingleClickModel
from emulator.schemes.optics import Link
from emulator.states.directions import Pauli
from emulator.states.imperfections import Matrices, Table
from emulator.states.light import PhaseNodes, click, coherent_overlap, phase_nodes, silence
from postprocessing.checks import probability
from postprocessing.errors import InvalidArgumentError

# Signs of the light that goes with ++, +−, −+, −−.
_ALICE = np.array([1.0, 1.0, -1.0, -1.0])
_BOB = np.array([1.0, -1.0, 1.0, -1.0])

# Frequencies in the phase between the arms that matter, of faint light and beyond.
_FAINT_BANDWIDTH, _BRIGHT_BANDWIDTH = 14.0, 9.0

Intensity = Annotated[float, Field(gt=0, le=1e6)]


@parameters
class EntangledCoherent(SingleClickModel):
    """Alice and Bob each entangle a qubit with a coherent state, (|+z⟩|α⟩ + |−z⟩|−α⟩)/√2.

    Charlie interferes the two light fields; exactly one click of his two detectors heralds.

    Parameters
    ----------
    link : Link
        Fibre and detectors.
    mean_photon_number : float, (float, float) or "optimal"
        μ = |α|² in (0, 10⁶] of each sender's pulse, one number for both or Alice's and Bob's, or
        the light of highest asymptotic key rate.
    misalignment_error : float
        e_d = (1 − cos δ)/2 of a phase drift δ of unknown sign between the arms, in [0, 1]; above
        1/2 the drift exchanges the roles of the two detectors. Not beside a phase offset.
    repetition_rate_hz : float, optional
        Pulses per second, above 0, for rates per second.
    imperfections, directions, measurement, coherence_time_s
        As for every scheme with Charlie: what wears the qubits down and how they are measured.

    Raises
    ------
    InvalidArgumentError
        If a number is not finite or outside its range, a misalignment stands beside a phase
        offset, or a direction of Bob allows no flip where his correction must be one.

    Examples
    --------
    >>> model = EntangledCoherent(Link(distance_km=100), mean_photon_number=0.09)
    >>> round(model.joint_distribution().chsh, 4)
    2.4151
    """

    mean_photon_number: Annotated[
        Intensity | Literal["optimal"] | Pair[Intensity],
        Field(description="of each sender's pulse"),
        MayDrift(),
        as_pair,
    ] = "optimal"
    misalignment_error: Annotated[
        Probability, Field(description="e_d of a phase drift of unknown sign"), MayDrift()
    ] = 0.0
    repetition_rate_hz: RepetitionRate = None

    name: ClassVar[str] = "ecs"
    title: ClassVar[str] = "entangled coherent states"
    default_preset: ClassVar[str | None] = "ecs-100km"
    corrections: ClassVar[Mapping[str, Pauli]] = {"D1": "1", "D2": "x"}
    # Even the ideal state violates CHSH only below 0.4407 at the paper's directions, and fainter
    # pulses are best only within 1e-5 of the greatest tolerable misalignment.
    light_range: ClassVar[tuple[float, float]] = (1e-6, 0.5)
    intensity_parameter: ClassVar[str | None] = "mean_photon_number"

    def __post_init__(self) -> None:
        """Check what depends on more than one parameter."""
        super().__post_init__()
        if self.misalignment_error and self.link.phase_offset_rad:
            allowed = "left out where phase_offset_rad is given"
            raise InvalidArgumentError("misalignment_error", self.misalignment_error, allowed)

    @property
    def coherent_amplitude(self) -> Light | None:
        """α = √μ, Alice's and Bob's where they differ; None where there is no intensity."""
        if isinstance(self.intensity, tuple):
            alice, bob = self.intensity
            return math.sqrt(alice), math.sqrt(bob)
        return None if self.intensity is None else math.sqrt(self.intensity)

    def _phases(self, intensities: Table) -> PhaseNodes:
        """Return the phases between the arms over which light of some intensities averages."""
        drift = 2 * math.asin(math.sqrt(self.misalignment_error))
        means = (drift, -drift) if drift else (self.link.phase_offset_rad,)
        arriving = float(np.max(intensities) * max(self.link.arm_transmittances))
        bandwidth = _FAINT_BANDWIDTH + _BRIGHT_BANDWIDTH * math.sqrt(arriving)
        return phase_nodes(means, self.link.phase_noise_rad, bandwidth)

    def announced(self, light: Table) -> Matrices:
        """Return the states of light of shape (n, 2), Alice's and Bob's: (n, announcement, 4, 4).

        Element (k, l) of a state is ¼ ⟨environment of l|of k⟩ ⟨detected light of l| announcement
        |of k⟩: what the fibres lose tells the spins, and so does what no detector sees.
        """
        nodes = self._phases(light)
        alice, bob = (
            np.sqrt(column * transmittance)[:, np.newaxis, np.newaxis] * signs
            for column, transmittance, signs in zip(
                light.T, self.link.arm_transmittances, (_ALICE, _BOB), strict=True
            )
        )
        # e^(iδ) − 1, so that faint light at a dark port is not lost to rounding.
        turn = np.expm1(1j * nodes.phases)[:, np.newaxis] * bob
        ports = ((alice + bob + turn) / math.sqrt(2), (alice - bob - turn) / math.sqrt(2))
        detectors = zip(ports, self.link.efficiencies, self.link.dark_counts, strict=True)
        (silent1, click1), (silent2, click2) = (_detection(*detector) for detector in detectors)
        clicks = (silent1 * silent2, click1 * silent2, silent1 * click2, click1 * click2)
        averaged = np.stack([np.einsum("p,npkl->nkl", nodes.weights, one) for one in clicks], 1)
        matrices: Matrices = self._lost_in_fibre(light)[:, np.newaxis] * averaged / 4
        return matrices

    def _lost_in_fibre(self, intensities: Table) -> Table:
        """Return the overlaps of the light that both fibres lose, shape (n, 4, 4)."""
        overlaps = np.ones((len(intensities), 4, 4))
        columns = zip(intensities.T, self.link.arm_transmittances, (_ALICE, _BOB), strict=True)
        for intensity, transmittance, signs in columns:
            differ = signs[:, np.newaxis] != signs
            lost = 2 * intensity * (1 - transmittance)
            overlaps *= np.exp(-lost[:, np.newaxis, np.newaxis] * differ)
        return overlaps


def _detection(port: Matrices, efficiency: float, dark_count: float) -> tuple[Matrices, Matrices]:
    """Return the elements of a silent and of a clicking detector, its unseen light included.

    Parameters
    ----------
    port : ndarray of complex128, shape (n, phase, 4)
        Amplitudes that reach it, by the spins' basis state.
    efficiency, dark_count : float
        η_d and p_d.

    Returns
    -------
    ndarray of complex128, shape (n, phase, 4, 4)
        Each, ket first.
    """
    ket, bra = port[..., :, np.newaxis], port[..., np.newaxis, :]
    seen, unseen = math.sqrt(efficiency), math.sqrt(1 - efficiency)
    light = coherent_overlap(unseen * bra, unseen * ket)
    silent = light * silence(seen * bra, seen * ket, dark_count)
    return silent, light * click(seen * bra, seen * ket, dark_count)


def optimal_mean_photon_number(link: Link, misalignment_error: float = 0.0) -> Light | None:
    """Return the mean photon number of highest asymptotic key rate (Xie et al., Eq. (1)).

    Parameters
    ----------
    link : Link
        Fibre and detectors.
    misalignment_error : float
        e_d in [0, 1].

    Returns
    -------
    float, (float, float) or None
        Mean photon number of each sender's pulse at the paper's directions, over unequal arms
        Alice's and Bob's; None where no rate is positive.

    Raises
    ------
    InvalidArgumentError
        If `misalignment_error` is not finite or outside its range.
    """
    misalignment_error = probability("misalignment_error", misalignment_error)
    return EntangledCoherent(link, misalignment_error=misalignment_error).intensity
