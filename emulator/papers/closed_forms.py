"""The closed forms of Xie et al., on whole arrays of points: what their figures show."""

from __future__ import annotations

import math
from typing import Any, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from emulator.schemes.base import Theory

FloatArray: TypeAlias = npt.NDArray[np.float64]
FloatOrArray: TypeAlias = float | FloatArray

# Where the search for the best intensity looks: even the ideal state violates CHSH only below
# 0.4407, and fainter pulses are best only within 1e-5 of the greatest tolerable misalignment.
_INTENSITY_RANGE = (1e-6, 0.5)
_INTENSITY_GRID = 300
# Each zoom narrows the search 8 times, until rates differ by rounding only; from rates a little
# further apart a parabola still tells the optimum, to 1e-9.
_ZOOMS = 8
_ZOOM_GRID = 17
_VERTEX_STEP = 1e-5


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


@overload
def bell_state_theory(arm_transmittance: float, dark_count_probability: float) -> Theory[float]: ...


@overload
def bell_state_theory(
    arm_transmittance: FloatOrArray, dark_count_probability: FloatOrArray
) -> Theory[Any]: ...


def bell_state_theory(
    arm_transmittance: FloatOrArray, dark_count_probability: FloatOrArray
) -> Theory[Any]:
    """Return gain, CHSH value and QBER by the closed forms (Xie et al., caption of Fig. 2).

    Parameters
    ----------
    arm_transmittance : float or ndarray
        η in (0, 1], detector included.
    dark_count_probability : float or ndarray
        p_d in [0, 1).

    Returns
    -------
    Theory
        Of floats for floats, else of arrays of the shape that the arguments broadcast to.

    Examples
    --------
    >>> bell_state_theory(np.array([0.8, 0.08]), 1e-7).gain.round(8).tolist()
    [0.32000006, 0.00320003]
    """
    eta, dark = arm_transmittance, dark_count_probability
    # The paper's denominators are twice this sum of positive terms; its QBER, as printed a
    # difference from 1/2, is the wrong half of the dark counts' part.
    either = eta**2 / 2 + eta * (4 - 3 * eta) * dark + 4 * (1 - eta) ** 2 * dark**2
    wrong = eta * (2 - eta) * dark + 2 * (1 - eta) ** 2 * dark**2
    return Theory(
        gain=(1 - dark) ** 2 * either,
        chsh=math.sqrt(2) * eta**2 * (1 - dark) / either,
        qber=wrong / either,
    )


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
