"""Heralded DIQKD with entangled coherent states (Xie et al.)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from emulator.distribution import JointDistribution, Probabilities
from emulator.optics import Amplitudes, Link, check_number, click, coherent_overlap, silence
from emulator.protocols.base import NoPositiveKeyRateError
from postprocessing.rounds import BellSettings
from postprocessing.security import asymptotic_key_fraction

SETTINGS = BellSettings(
    alice_labels=("A0", "A1", "A2"),
    bob_labels=("B1", "B2"),
    heralds=("D1", "D2"),
    key_pair=(0, 0),
    chsh_signs=((1, 0, 1), (1, 1, -1), (2, 0, 1), (2, 1, 1)),
    flip=((False, False), (True, False)),
)
ANNOUNCEMENTS = ("none", "D1", "D2", "both")

_ALICE_ANGLES = (0.0, math.pi / 4, -math.pi / 4)
_BOB_ANGLES = (0.0, math.pi / 2)

# Where the search for the best intensity looks: even the ideal state violates CHSH only below
# 0.4407, and fainter pulses are best only within 1e-5 of the greatest tolerable misalignment.
_INTENSITY_RANGE = (1e-6, 0.5)
_INTENSITY_GRID = 300
_INTENSITY_TOLERANCE = 1e-9


@dataclass(frozen=True)
class EntangledCoherent:
    """Alice and Bob each entangle a qubit with a coherent state, (|+z⟩|α⟩ + |−z⟩|−α⟩)/√2.

    Charlie interferes the two light fields; exactly one click of his two detectors heralds.

    Parameters
    ----------
    link : Link
        Fibre and detectors.
    mean_photon_number : float or "optimal"
        μ = |α|² > 0 of each sender's pulse, or the one of highest asymptotic key rate.
    misalignment_error : float
        e_d = (1 − cos δ)/2 of a fixed phase drift δ between the arms, in [0, 1]; above 1/2 the
        drift exchanges the roles of the two detectors.

    Raises
    ------
    InvalidArgumentError
        If a number is not finite or outside its range.

    Examples
    --------
    >>> model = EntangledCoherent(Link(distance_km=100), mean_photon_number=0.09)
    >>> round(model.joint_distribution().chsh, 4)
    2.4151
    """

    link: Link
    mean_photon_number: float | Literal["optimal"] = "optimal"
    misalignment_error: float = 0.0

    name: ClassVar[str] = "ecs"
    bell_settings: ClassVar[BellSettings] = SETTINGS

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.mean_photon_number != "optimal":
            allowed, within = 'finite and above 0, or "optimal"', (math.ulp(0.0), math.inf)
            check_number("mean_photon_number", self.mean_photon_number, allowed, within=within)
        error = self.misalignment_error
        check_number("misalignment_error", error, "in [0, 1]", within=(0.0, 1.0))

    @cached_property
    def intensity(self) -> float | None:
        """The mean photon number in force; None if "optimal" finds no positive rate."""
        if self.mean_photon_number == "optimal":
            return optimal_mean_photon_number(self.link, self.misalignment_error)
        return self.mean_photon_number

    def joint_distribution(self) -> JointDistribution:
        """Return the exact probabilities of one pulse (Xie et al., Eqs. (4)–(6)).

        Returns
        -------
        JointDistribution
            Announcements "none", "D1" and "D2" (the heralds), "both".

        Raises
        ------
        NoPositiveKeyRateError
            If the intensity is to be optimal and none gives a positive key rate.
        """
        if self.intensity is None:
            raise NoPositiveKeyRateError
        table = _probabilities(self.link, self.intensity, self.misalignment_error)
        return JointDistribution(SETTINGS, ANNOUNCEMENTS, table)


def optimal_mean_photon_number(link: Link, misalignment_error: float = 0.0) -> float | None:
    """Return the mean photon number of highest asymptotic key rate (Xie et al., Eq. (1)).

    Parameters
    ----------
    link : Link
        Fibre and detectors.
    misalignment_error : float
        e_d in [0, 1].

    Returns
    -------
    float or None
        Mean photon number of each sender's pulse; None where no rate is positive.
    """

    def loss(log_intensity: float) -> float:
        model = EntangledCoherent(link, math.exp(log_intensity), misalignment_error)
        joint = model.joint_distribution()
        return -joint.gain * asymptotic_key_fraction(joint.chsh, joint.qber)

    low, high = (math.log(bound) for bound in _INTENSITY_RANGE)
    grid: list[float] = np.linspace(low, high, _INTENSITY_GRID).tolist()
    best = min(range(1, _INTENSITY_GRID - 1), key=[loss(point) for point in grid].__getitem__)
    found = minimize_scalar(
        loss,
        bounds=(grid[best - 1], grid[best + 1]),
        method="bounded",
        options={"xatol": _INTENSITY_TOLERANCE},
    )
    return math.exp(found.x) if found.fun < 0 else None


def _probabilities(link: Link, intensity: float, misalignment_error: float) -> Probabilities:
    """Return p[x, y, announcement, a, b]."""
    operators = _announcement_operators(link, intensity, misalignment_error)
    alice, bob = _projectors(_ALICE_ANGLES), _projectors(_BOB_ANGLES)
    table = np.einsum("xasu,ybtv,hstuv->xyhab", alice, bob, operators.real) / 4
    # Complete destructive interference leaves zeros that rounding may take below 0.
    probabilities: Probabilities = np.maximum(table, 0.0)
    return probabilities


def _announcement_operators(link: Link, intensity: float, misalignment_error: float) -> Amplitudes:
    """Return ⟨light of (u, v)| announcement |light of (s, t)⟩, shape (announcement, s, t, u, v).

    s, t and u, v index Alice's and Bob's qubit states |+z⟩ and |−z⟩ in ket and bra.
    """
    transmittance, dark = link.arm_transmittance, link.dark_count_probability
    ports = _port_amplitudes(transmittance * intensity, misalignment_error)
    kept = math.sqrt((1 - transmittance) * intensity) * np.array([1.0, -1.0], dtype=np.complex128)
    lost = coherent_overlap(kept[np.newaxis, :], kept[:, np.newaxis])
    environment = lost[:, np.newaxis, :, np.newaxis] * lost[np.newaxis, :, np.newaxis, :]
    bra, ket = ports[:, np.newaxis, np.newaxis], ports[..., np.newaxis, np.newaxis]
    first_click, second_click = click(bra, ket, dark)
    first_silent, second_silent = silence(bra, ket, dark)
    clicks = np.stack(
        [
            first_silent * second_silent,
            first_click * second_silent,
            first_silent * second_click,
            first_click * second_click,
        ]
    )
    operators: Amplitudes = environment * clicks
    return operators


def _port_amplitudes(arriving_photons: float, misalignment_error: float) -> Amplitudes:
    """Return the amplitudes at Charlie's detectors D1 and D2, shape (2, s, t).

    Light |sα⟩|tα⟩ interferes constructively in D1 for s = t, in D2 for s = −t. The factor −i keeps
    the map an isometry; the paper's Eq. (5) prints it without, which would let Bob's marginals
    depend on Charlie's alignment.
    """
    signs = np.array([1.0, -1.0])
    even = (signs[:, np.newaxis] + signs[np.newaxis, :]) / 2
    odd = (signs[:, np.newaxis] - signs[np.newaxis, :]) / 2
    amplitude = math.sqrt(2 * arriving_photons)
    aligned = amplitude * math.sqrt(1 - misalignment_error)
    drifted = -1j * amplitude * math.sqrt(misalignment_error)
    return np.stack([aligned * even + drifted * odd, aligned * odd + drifted * even])


def _projectors(angles: tuple[float, ...]) -> npt.NDArray[np.float64]:
    """Return |a⟩⟨a| of cosθ σ_z + sinθ σ_x in the z basis, shape (angle, outcome, 2, 2)."""
    half = np.array(angles) / 2
    plus = np.stack([np.cos(half), np.sin(half)], axis=-1)
    minus = np.stack([np.sin(half), -np.cos(half)], axis=-1)
    vectors = np.stack([plus, minus], axis=1)
    projectors: npt.NDArray[np.float64] = vectors[..., np.newaxis] * vectors[..., np.newaxis, :]
    return projectors
