"""Figures of links as they are built: what directions and the place of Charlie are worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from emulator.papers.figure import Axis, Curve, Figure, Style, Values
from emulator.schemes.base import NoPositiveKeyRateError, ProtocolModel
from emulator.schemes.bell_state import BellState
from emulator.schemes.entangled_coherent import EntangledCoherent
from emulator.schemes.optics import Link
from emulator.schemes.single_photon import SinglePhoton

_KEY_RATE = "key rate R (bit/pulse)"
_FIBRE_KM = 140.0


def _rate(model: ProtocolModel) -> float:
    """Return the asymptotic key rate per pulse, 0 where there is none."""
    try:
        return float(model.theory().key_rate_per_pulse)
    except NoPositiveKeyRateError:
        return 0.0


def _directions() -> Figure:
    """Return the rate of the paper's directions beside that of the best ones."""
    x = np.linspace(0, 500, 51)

    def rates(directions: str, misalignment_error: float) -> Values:
        return np.array(
            [
                _rate(
                    EntangledCoherent(
                        Link(km), "optimal", misalignment_error, directions=directions
                    )
                )
                for km in map(float, x)
            ]
        )

    curves = (
        Curve("best directions", x, rates("optimal", 0.0), style=Style("blue")),
        Curve("paper's directions", x, rates("paper", 0.0), style=Style("blue", "dashed")),
        Curve("best, e_d = 0.01", x, rates("optimal", 0.01), style=Style("orange")),
        Curve("paper's, e_d = 0.01", x, rates("paper", 0.01), style=Style("orange", "dashed")),
    )
    return Figure(
        "link-directions",
        "Entangled coherent states: directions of the paper and best ones",
        Axis("distance_km", "distance L between Alice and Bob (km)", limits=(0, 500)),
        Axis("key_rate_per_pulse", _KEY_RATE, "log", (1e-9, 1)),
        curves,
    )


def _arms() -> Figure:
    """Return the rate against the place of Charlie on a fibre of 140 km."""
    x = np.linspace(0, _FIBRE_KM / 2, 29)
    links = [Link(arm_alice_km=float(km), arm_bob_km=_FIBRE_KM - float(km)) for km in x]

    def rates(make: Callable[[Link], ProtocolModel]) -> Values:
        return np.array([_rate(make(link)) for link in links])

    curves = (
        Curve(
            "entangled coherent states",
            x,
            rates(lambda link: EntangledCoherent(link, directions="optimal")),
            style=Style("blue"),
        ),
        Curve(
            "single photons",
            x,
            rates(lambda link: SinglePhoton(link, directions="optimal")),
            style=Style("green", "long dashes"),
        ),
        Curve("Bell states", x, rates(BellState), style=Style("vermillion", "dashdot")),
    )
    return Figure(
        "link-arms",
        "Charlie's place on 140 km of fibre, best light and directions",
        Axis("arm_alice_km", "fibre from Alice to Charlie (km)", limits=(0, _FIBRE_KM / 2)),
        Axis("key_rate_per_pulse", _KEY_RATE, "log", (1e-5, 1e-2)),
        curves,
    )


LINK_FIGURES: Mapping[str, Callable[[], Figure]] = {
    "link-directions": _directions,
    "link-arms": _arms,
}
