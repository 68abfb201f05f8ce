"""Fibre loss, coherent-state overlaps and threshold detectors."""

from __future__ import annotations

import math
from typing import Annotated, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import Field

from emulator.schemes.parameters import Efficiency, MayDrift, NonNegative, parameters
from postprocessing.errors import InvalidArgumentError

Amplitudes: TypeAlias = npt.NDArray[np.complex128]

_MAXIMAL_LOSS_DB = 2000.0


@parameters
class Link:
    """The fibre between Alice and Bob with the untrusted Charlie midway, and Charlie's detectors.

    Parameters
    ----------
    distance_km : float
        Fibre length L between Alice and Bob in km, at least 0; total loss at most 2000 dB.
    detector_efficiency : float
        η_d of Charlie's detectors, in (0, 1].
    dark_count_probability : float
        p_d of one detector in one time window, in [0, 1).
    attenuation_db_per_km : float
        Fibre attenuation β in dB/km, at least 0.

    Raises
    ------
    InvalidArgumentError
        If a number is not finite or outside its range.

    Examples
    --------
    >>> round(Link(distance_km=100).arm_transmittance, 12)
    0.08
    """

    distance_km: Annotated[
        NonNegative, Field(description="fibre between the users"), MayDrift()
    ] = 100.0
    detector_efficiency: Annotated[
        Efficiency, Field(description="of the light's detectors"), MayDrift()
    ] = 0.8
    dark_count_probability: Annotated[
        float, Field(ge=0, lt=1, description="per detector and pulse"), MayDrift()
    ] = 1e-7
    attenuation_db_per_km: Annotated[NonNegative, Field(description="fibre loss"), MayDrift()] = 0.2

    def __post_init__(self) -> None:
        """Check the loss."""
        if self.distance_km * self.attenuation_db_per_km > _MAXIMAL_LOSS_DB:
            # Beyond, products of a few click probabilities would leave the range of a double.
            allowed = f"short enough for a loss of at most {_MAXIMAL_LOSS_DB:g} dB"
            raise InvalidArgumentError("distance_km", self.distance_km, allowed)

    @property
    def arm_transmittance(self) -> float:
        """η = η_d · 10^(−βL/20): one arm of half the distance, detector included."""
        return self.detector_efficiency * self._fibre_transmittance(self.distance_km / 2)

    @property
    def plob_bound(self) -> float:
        """Repeaterless key capacity −log2(1 − η_d · 10^(−βL/10)) in bits per pulse.

        Infinite where nothing is lost (Pirandola et al., Nat. Commun. 8, 15043 (2017)).
        """
        transmittance = self.detector_efficiency * self._fibre_transmittance(self.distance_km)
        return math.inf if transmittance == 1 else -math.log1p(-transmittance) / math.log(2)

    def _fibre_transmittance(self, length_km: float) -> float:
        """Return the transmittance of a fibre of `length_km`."""
        return float(10 ** (-self.attenuation_db_per_km * length_km / 10))


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
    exponent = np.where(bright, inner, 0) - mean_photons
    photons: Amplitudes = sign * np.exp(exponent) * np.expm1(sign * inner)
    dark: Amplitudes = dark_count_probability * np.exp(-mean_photons)
    return photons + dark
