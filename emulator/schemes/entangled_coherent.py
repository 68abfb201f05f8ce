"""Heralded DIQKD with entangled coherent states (Xie et al.)."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias, overload

import numpy as np
import numpy.typing as npt
from pydantic import Field

from emulator.schemes.base import NoPositiveKeyRateError, ProtocolModel, Theory
from emulator.schemes.distribution import JointDistribution
from emulator.schemes.optics import (
    Amplitudes,
    Link,
    click,
    coherent_overlap,
    silence,
)
from emulator.schemes.parameters import (
    MayDrift,
    Probability,
    RepetitionRate,
    parameters,
)
from emulator.schemes.spin import xie_probabilities, xie_scheme
from postprocessing.checks import probability
from postprocessing.scheme import BellScheme

FloatArray: TypeAlias = npt.NDArray[np.float64]
FloatOrArray: TypeAlias = float | FloatArray

SCHEME = xie_scheme(heralds=("D1", "D2"), flip=((False, False), (True, False)))
ANNOUNCEMENTS = ("none", "D1", "D2", "both")

# Where the search for the best intensity looks: even the ideal state violates CHSH only below
# 0.4407, and fainter pulses are best only within 1e-5 of the greatest tolerable misalignment.
_INTENSITY_RANGE = (1e-6, 0.5)
_INTENSITY_GRID = 300
# Each zoom narrows the search 8 times, until rates differ by rounding only; from rates a little
# further apart a parabola still tells the optimum, to 1e-9.
_ZOOMS = 8
_ZOOM_GRID = 17
_VERTEX_STEP = 1e-5


@parameters
class EntangledCoherent(ProtocolModel):
    """Alice and Bob each entangle a qubit with a coherent state, (|+z⟩|α⟩ + |−z⟩|−α⟩)/√2.

    Charlie interferes the two light fields; exactly one click of his two detectors heralds.

    Parameters
    ----------
    link : Link
        Fibre and detectors.
    mean_photon_number : float or "optimal"
        μ = |α|² in (0, 10⁶] of each sender's pulse, or the one of highest asymptotic key rate.
    misalignment_error : float
        e_d = (1 − cos δ)/2 of a fixed phase drift δ between the arms, in [0, 1]; above 1/2 the
        drift exchanges the roles of the two detectors.
    repetition_rate_hz : float, optional
        Pulses per second, above 0, for rates per second.

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
    mean_photon_number: Annotated[
        Annotated[float, Field(gt=0, le=1e6)] | Literal["optimal"],
        Field(description="of each sender's pulse"),
        MayDrift(),
    ] = "optimal"
    misalignment_error: Annotated[
        Probability, Field(description="e_d of the phase drift"), MayDrift()
    ] = 0.0
    repetition_rate_hz: RepetitionRate = None

    name: ClassVar[str] = "ecs"
    title: ClassVar[str] = "entangled coherent states"
    default_preset: ClassVar[str | None] = "ecs-100km"
    intensity_parameter: ClassVar[str | None] = "mean_photon_number"
    bell_scheme: ClassVar[BellScheme] = SCHEME

    def working_point(self) -> Self:
        """Return the model with its mean photon number chosen.

        Raises
        ------
        NoPositiveKeyRateError
            If the intensity is to be optimal and none gives a positive key rate.
        """
        if self.mean_photon_number != "optimal":
            return self
        if self.intensity is None:
            raise NoPositiveKeyRateError
        return replace(self, mean_photon_number=self.intensity)

    @cached_property
    def intensity(self) -> float | None:
        """The mean photon number in force; None if "optimal" finds no positive rate."""
        if self.mean_photon_number == "optimal":
            return optimal_mean_photon_number(self.link, self.misalignment_error)
        return self.mean_photon_number

    @property
    def coherent_amplitude(self) -> float | None:
        """α = √μ; None where there is no intensity."""
        return None if self.intensity is None else math.sqrt(self.intensity)

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
        operators = _announcement_operators(
            self.link, self._mean_photon_number, self.misalignment_error
        )
        return JointDistribution(SCHEME, ANNOUNCEMENTS, xie_probabilities(operators.real))

    def theory(self) -> Theory[float]:
        """Return gain, CHSH value and QBER by the closed forms.

        Returns
        -------
        Theory
            The numbers of `joint_distribution`, without its table.

        Raises
        ------
        NoPositiveKeyRateError
            If the intensity is to be optimal and none gives a positive key rate.
        """
        return entangled_coherent_theory(
            self.link.arm_transmittance,
            self.link.dark_count_probability,
            self._mean_photon_number,
            self.misalignment_error,
        )

    @property
    def _mean_photon_number(self) -> float:
        """The mean photon number at the working point."""
        number = self.working_point().mean_photon_number
        assert number != "optimal"
        return number


@overload
def entangled_coherent_theory(
    arm_transmittance: float,
    dark_count_probability: float,
    mean_photon_number: float,
    misalignment_error: float,
) -> Theory[float]: ...


@overload
def entangled_coherent_theory(
    arm_transmittance: FloatOrArray,
    dark_count_probability: FloatOrArray,
    mean_photon_number: FloatOrArray,
    misalignment_error: FloatOrArray,
) -> Theory[Any]: ...


def entangled_coherent_theory(
    arm_transmittance: FloatOrArray,
    dark_count_probability: FloatOrArray,
    mean_photon_number: FloatOrArray,
    misalignment_error: FloatOrArray,
) -> Theory[Any]:
    """Return gain, CHSH value and QBER by the closed forms (Xie et al., below Eq. (5)).

    Parameters
    ----------
    arm_transmittance : float or ndarray
        η in (0, 1], detector included.
    dark_count_probability : float or ndarray
        p_d in [0, 1).
    mean_photon_number : float or ndarray
        μ > 0 of each sender's pulse.
    misalignment_error : float or ndarray
        e_d in [0, 1].

    Returns
    -------
    Theory
        Of floats for floats, else of arrays of the shape that the arguments broadcast to. Bright
        light does not overflow, faint light does not cancel.

    Examples
    --------
    >>> theory = entangled_coherent_theory(0.08, 1e-7, np.array([0.05, 0.09]), 0.0)
    >>> theory.chsh.round(4).tolist()
    [2.5813, 2.4151]
    """
    eta, dark, mu = arm_transmittance, dark_count_probability, mean_photon_number
    aligned, drifted = 2 * mu * eta * (1 - misalignment_error), 2 * mu * eta * misalignment_error
    # The paper's numerators and denominators over e^(2μ(1−η)) leave e^x − 1 of the photons x at
    # each detector, and 2 p_d. Over the greater e^x too, nothing overflows.
    greater = np.maximum(aligned, drifted)
    right = -np.exp(aligned - greater) * np.expm1(-aligned)
    wrong = -np.exp(drifted - greater) * np.expm1(-drifted)
    by_chance = dark * np.exp(-greater)
    norm = right + wrong + 2 * by_chance
    # The x correlations shrink with the overlap of the light that each arm may have lost.
    interference = -np.expm1(-aligned) - np.expm1(-drifted) - 2 * dark
    coherence = np.exp(-4 * mu * (1 - eta) - greater)
    return Theory(
        gain=(1 - dark) * np.exp(-np.minimum(aligned, drifted)) * norm,
        chsh=math.sqrt(2) * (right - wrong + coherence * interference) / norm,
        qber=(wrong + by_chance) / norm,
    )


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

    Raises
    ------
    InvalidArgumentError
        If `misalignment_error` is not finite or outside its range.
    """
    misalignment_error = probability("misalignment_error", misalignment_error)
    best = optimal_intensities(
        link.arm_transmittance, link.dark_count_probability, misalignment_error
    )
    return None if np.isnan(best) else float(best)


def optimal_intensities(
    arm_transmittance: FloatOrArray,
    dark_count_probability: FloatOrArray,
    misalignment_error: FloatOrArray,
) -> FloatArray:
    """Return the mean photon numbers of highest asymptotic key rate on an array of points.

    Parameters
    ----------
    arm_transmittance : float or ndarray
        η in (0, 1], detector included.
    dark_count_probability : float or ndarray
        p_d in [0, 1).
    misalignment_error : float or ndarray
        e_d in [0, 1].

    Returns
    -------
    ndarray of float64
        Mean photon numbers, of the shape that the arguments broadcast to; NaN where no rate is
        positive.

    Examples
    --------
    >>> optimal_intensities(0.08, 1e-7, np.array([0.0, 0.03, 0.5])).round(4).tolist()
    [0.0886, 0.0498, nan]
    """
    points = np.broadcast_arrays(arm_transmittance, dark_count_probability, misalignment_error)
    columns = [np.asarray(values, dtype=np.float64)[..., np.newaxis] for values in points]

    def merit(log_intensities: FloatArray) -> FloatArray:
        eta, dark, misalignment = columns
        return _merit(entangled_coherent_theory(eta, dark, np.exp(log_intensities), misalignment))

    low, high = (math.log(bound) for bound in _INTENSITY_RANGE)
    grid, step = np.linspace(low, high, _INTENSITY_GRID, retstep=True)
    best = _best_of(grid, merit(grid))
    for _ in range(_ZOOMS):
        offsets, finer = np.linspace(-step, step, _ZOOM_GRID, retstep=True)
        grid, step = np.clip(best + offsets, low, high), finer
        best = _best_of(grid, merit(grid))
    near = merit(best + _VERTEX_STEP * np.array([-1.0, 0.0, 1.0]))
    intensities = np.exp(best[..., 0] + _vertex(near))
    found: FloatArray = np.where(near[..., 1] > 0, intensities, np.nan)
    return found


def _best_of(grid: FloatArray, merit: FloatArray) -> FloatArray:
    """Return the grid point of greatest merit along the last axis, which keeps length 1."""
    best = merit.argmax(axis=-1)[..., np.newaxis]
    point: FloatArray = np.take_along_axis(np.broadcast_to(grid, merit.shape), best, axis=-1)
    return point


def _vertex(near: FloatArray) -> FloatArray:
    """Return where the parabola through three merits peaks, from the middle one.

    0 where not all three are key rates, which alone are smooth.
    """
    left, middle, right = np.moveaxis(near, -1, 0)
    curvature = left - 2 * middle + right
    smooth = (near > 0).all(axis=-1) & (curvature < 0)
    shift = (left - right) / np.where(smooth, 2 * curvature, np.inf)
    vertex: FloatArray = _VERTEX_STEP * np.clip(shift, -1.0, 1.0)
    return vertex


def _merit(theory: Theory[FloatArray]) -> FloatArray:
    """Return the key rate where there is one, else how close it is.

    Below 0 it is the key fraction, from −1 on, and without a CHSH violation S − 4, up to −2, so
    that a search climbs to the positive rates however few intensities give one.
    """
    # Help and bad input do not wait for scipy.
    from postprocessing.security import unclipped_key_fraction

    fraction = unclipped_key_fraction(theory.chsh, theory.qber)
    rate = np.where(fraction > 0, theory.gain * fraction, fraction)
    merit: FloatArray = np.where(theory.chsh > 2, rate, theory.chsh - 4)
    return merit


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
