"""The figures of Xie et al.: key rates against distance, at the best intensity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from emulator.papers.closed_forms import (
    bell_state_theory,
    entangled_coherent_theory,
    optimal_intensities,
)
from emulator.papers.figure import Axis, Curve, Figure, Style, Values
from emulator.schemes.optics import Link

MISALIGNMENTS = (0.0, 0.01, 0.03, 0.05, 0.07)

_DARK_COUNT = 1e-7
_DISTANCES_KM = np.linspace(0, 500, 251)
_DISTANCE = Axis("distance_km", "distance L between Alice and Bob (km)", limits=(0, 500))
_KEY_RATE = Axis("key_rate_per_pulse", "key rate R (bit/pulse)", "log", (1e-11, 10))
_INTENSITY = Axis("mean_photon_number", "optimal mean photon number μ", limits=(0, 0.2))
_CHSH = Axis("chsh", "CHSH value S", limits=(2, 3))
_MISALIGNED_STYLES = (
    Style("blue"),
    Style("sky", "long dashes"),
    Style("green", "dashdot"),
    Style("orange", "dotted", width=2.4),
    Style("vermillion", "solid", "circle", width=1.3),
)


@dataclass(frozen=True, eq=False)
class OptimalPoints:
    """The entangled-coherent-state scheme at the intensity of highest key rate.

    Parameters
    ----------
    mean_photon_number, chsh : ndarray of float64
        μ and S; NaN where no intensity gives a key.
    key_rate_per_pulse : ndarray of float64
        Asymptotic secret bits per pulse; 0 where no intensity gives a key.
    """

    mean_photon_number: Values
    chsh: Values
    key_rate_per_pulse: Values


def entangled_coherent_points(distances_km: Values, misalignment_error: float) -> OptimalPoints:
    """Return the entangled-coherent-state scheme over the paper's link.

    Parameters
    ----------
    distances_km : ndarray of float64
        Distances L in km.
    misalignment_error : float
        e_d in [0, 1].

    Returns
    -------
    OptimalPoints
        One point a distance.
    """
    arms = np.array([_link(distance).arm_transmittance for distance in distances_km])
    dark = _DARK_COUNT
    intensities = optimal_intensities(arms, dark, misalignment_error)
    working = np.isfinite(intensities)
    theory = entangled_coherent_theory(
        arms[working], dark, intensities[working], misalignment_error
    )
    chsh, rates = np.full(arms.shape, np.nan), np.zeros(arms.shape)
    chsh[working], rates[working] = theory.chsh, theory.key_rate_per_pulse
    return OptimalPoints(intensities, chsh, rates)


def bell_state_rates(distances_km: Values) -> Values:
    """Return the key rate of the Bell-state scheme in bits per pulse (Xie et al., Fig. 2)."""
    arms = np.array([_link(distance).arm_transmittance for distance in distances_km])
    rates: Values = bell_state_theory(arms, _DARK_COUNT).key_rate_per_pulse
    return rates


def plob_bounds(distances_km: Values) -> Values:
    """Return the repeaterless bound in bits per pulse (Xie et al., Fig. 3)."""
    return np.array([_link(distance).plob_bound for distance in distances_km])


def _link(distance_km: float) -> Link:
    """Return fibre and detectors of both figures."""
    return Link(
        float(distance_km),
        detector_efficiency=0.8,
        dark_count_probability=_DARK_COUNT,
        attenuation_db_per_km=0.2,
    )


def _key_rates() -> Figure:
    """Return Fig. 2: entangled coherent states beside Bell states."""
    x = _DISTANCES_KM
    points = entangled_coherent_points(x, 0.0)
    intensity = points.mean_photon_number
    return Figure(
        "xie-fig2",
        "Xie et al., Fig. 2: entangled coherent states and Bell states",
        _DISTANCE,
        _KEY_RATE,
        (
            Curve("entangled coherent states", x, points.key_rate_per_pulse, style=Style("blue")),
            Curve("Bell states", x, bell_state_rates(x), style=Style("vermillion", "dashdot")),
            Curve(
                "optimal μ (right)",
                x,
                intensity,
                "right",
                style=Style("black", "dashed", width=1.2),
            ),
        ),
        _INTENSITY,
    )


def _misaligned_key_rates() -> Figure:
    """Return Fig. 3: misalignment errors, the PLOB bound, and S at e_d = 0.01."""
    x = _DISTANCES_KM
    points = {error: entangled_coherent_points(x, error) for error in MISALIGNMENTS}
    rates = tuple(
        Curve(f"e_d = {error:g}", x, points[error].key_rate_per_pulse, style=style)
        for error, style in zip(MISALIGNMENTS, _MISALIGNED_STYLES, strict=True)
    )
    return Figure(
        "xie-fig3",
        "Xie et al., Fig. 3: misalignment errors and the PLOB bound",
        _DISTANCE,
        _KEY_RATE,
        (
            *rates,
            Curve("PLOB bound", x, plob_bounds(x), style=Style("black")),
            Curve(
                "S at e_d = 0.01 (right)",
                x,
                points[0.01].chsh,
                "right",
                style=Style("purple", "dashed", width=1.3),
            ),
        ),
        _CHSH,
    )


XIE_FIGURES: Mapping[str, Callable[[], Figure]] = {
    "xie-fig2": _key_rates,
    "xie-fig3": _misaligned_key_rates,
}
