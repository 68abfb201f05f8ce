"""Coherent states and threshold detectors: overlaps, silence and clicks without cancellation."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Amplitudes: TypeAlias = npt.NDArray[np.complex128]
Reals: TypeAlias = npt.NDArray[np.float64]

# Standard deviations beyond which a Gaussian's tail is below rounding, and the deviation in rad
# that leaves no phase at all, e^(−σ²/2) < 1e-17.
_TAIL = 8.8
_UNIFORM_RAD = 9.0


class PhaseNodes(NamedTuple):
    """Phases in rad with their weights, of sum 1."""

    phases: Reals
    weights: Reals


def coherent_overlap(bra: Amplitudes, ket: Amplitudes) -> Amplitudes:
    """Return ⟨v|u⟩ = exp(−|u|²/2 − |v|²/2 + v*u) of coherent states.

    Parameters
    ----------
    bra, ket : ndarray of complex
        Amplitudes v and u, broadcast against each other.

    Returns
    -------
    ndarray of complex
        The overlaps.
    """
    # −|u − v|²/2 + i Im(v*u) is the same exponent without the cancellation of large terms.
    phase = (np.conj(bra) * ket).imag
    return np.exp(-(np.abs(ket - bra) ** 2) / 2 + 1j * phase)


def silence(bra: Amplitudes, ket: Amplitudes, dark_count_probability: float) -> Amplitudes:
    """Return (1 − p_d)⟨v|0⟩⟨0|u⟩: a threshold detector that does not click.

    Parameters
    ----------
    bra, ket : ndarray of complex
        Coherent amplitudes v and u at the detector, broadcast against each other.
    dark_count_probability : float
        p_d in [0, 1).

    Returns
    -------
    ndarray of complex
        Matrix elements of the no-click operator.
    """
    mean_photons = (np.abs(bra) ** 2 + np.abs(ket) ** 2) / 2
    vacuum: Amplitudes = np.exp(-mean_photons).astype(np.complex128)
    return (1 - dark_count_probability) * vacuum


def click(bra: Amplitudes, ket: Amplitudes, dark_count_probability: float) -> Amplitudes:
    """Return ⟨v|u⟩ − (1 − p_d)⟨v|0⟩⟨0|u⟩: a threshold detector that clicks.

    Relative precision does not degrade for faint light.

    Parameters
    ----------
    bra, ket : ndarray of complex
        Coherent amplitudes v and u at the detector, broadcast against each other.
    dark_count_probability : float
        p_d in [0, 1).

    Returns
    -------
    ndarray of complex
        Matrix elements of the click operator.
    """
    mean_photons = (np.abs(bra) ** 2 + np.abs(ket) ** 2) / 2
    inner = np.conj(bra) * ket
    # V(e^z − 1) with V = ⟨v|0⟩⟨0|u⟩ and z = v*u; for Re z > 0 written as −V e^z (e^(−z) − 1), so
    # that bright light does not overflow.
    bright = inner.real > 0
    sign = np.where(bright, -1.0, 1.0)
    # v*u − (|u|² + |v|²)/2 without the cancellation of large terms.
    overlap = 1j * inner.imag - np.abs(ket - bra) ** 2 / 2
    exponent = np.where(bright, overlap, -mean_photons)
    photons: Amplitudes = sign * np.exp(exponent) * np.expm1(sign * inner)
    dark: Amplitudes = dark_count_probability * np.exp(-mean_photons)
    return photons + dark


def click_probability(photons: int, efficiency: float, dark_count_probability: float) -> float:
    """Return the probability that a threshold detector clicks when photons reach it.

    Parameters
    ----------
    photons : {0, 1, 2}
        Their number.
    efficiency : float
        η_d in (0, 1].
    dark_count_probability : float
        p_d in [0, 1).

    Returns
    -------
    float
        p_d + (1 − p_d)(1 − (1 − η_d)ⁿ), faint probabilities included.

    Examples
    --------
    >>> click_probability(2, 0.5, 0.0)
    0.75
    """
    # η Σ (1 − η)ᵏ is 1 − (1 − η)ⁿ without its cancellation.
    seen = efficiency * sum((1 - efficiency) ** k for k in range(photons))
    return dark_count_probability + (1 - dark_count_probability) * seen


def silence_probability(photons: int, efficiency: float, dark_count_probability: float) -> float:
    """Return the probability that it does not, (1 − p_d)(1 − η_d)ⁿ; see `click_probability`."""
    return float((1 - dark_count_probability) * (1 - efficiency) ** photons)


def phase_nodes(means: tuple[float, ...], deviation: float, bandwidth: float) -> PhaseNodes:
    """Return phases and weights that average a periodic function over Gaussians.

    The trapezoidal rule on the normal density converges faster than any power: with a spacing h
    it errs by about exp(−(2π/h − σk)²/2) for a function of frequencies up to k.

    Parameters
    ----------
    means : tuple of float
        Centres of the Gaussians, in rad, all of the same weight.
    deviation : float
        Their standard deviation σ in rad, at least 0.
    bandwidth : float
        Highest frequency k of the function, in 1/rad.

    Returns
    -------
    PhaseNodes
        Phases in rad and weights of sum 1.
    """
    centres = np.array(means)
    # From here on a circle is covered evenly, to rounding.
    deviation = min(deviation, _UNIFORM_RAD)
    if deviation == 0:
        return PhaseNodes(centres, np.full(len(centres), 1 / len(centres)))
    count = int(np.ceil(_TAIL * (_TAIL + deviation * bandwidth) / np.pi))
    steps = np.linspace(-_TAIL, _TAIL, 2 * (count // 2) + 1)
    weights = np.exp(-(steps**2) / 2)
    weights = np.tile(weights / weights.sum(), len(centres)) / len(centres)
    return PhaseNodes(np.add.outer(centres, deviation * steps).ravel(), weights)
