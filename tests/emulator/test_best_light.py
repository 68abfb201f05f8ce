"""The best intensities over unequal arms, against the simplex search of Nelder and Mead."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import minimize

from emulator import EntangledCoherent, Imperfections, Link, SinglePhoton, predict
from emulator.schemes.search import maximum


def link(alice: float, bob: float, **given: Any) -> Link:
    """Return a link of two arms in km."""
    return Link(arm_alice_km=alice, arm_bob_km=bob, **given)


UNEVEN = {"detector_efficiency": (0.9, 0.6), "dark_count_probability": (1e-7, 3e-6)}
WORN = Imperfections(white_noise_visibility=0.99, readout_error_alice=0.005)
MODELS = {
    "ecs-30-110": EntangledCoherent(link(30, 110)),
    "ecs-0-200": EntangledCoherent(link(0, 200)),
    "ecs-0-60": EntangledCoherent(link(0, 60), directions="optimal"),
    "ecs-120-100-noise": EntangledCoherent(link(120, 100, phase_noise_rad=0.1, **UNEVEN)),
    "ecs-30-110-offset": EntangledCoherent(
        link(30, 110, phase_offset_rad=0.3, phase_noise_rad=0.15), directions="optimal"
    ),
    "ecs-200-230": EntangledCoherent(link(200, 230), directions="optimal"),
    "ecs-80-10-worn": EntangledCoherent(
        link(80, 10), imperfections=WORN, directions="optimal", misalignment_error=0.005
    ),
    "single-photon-30-110": SinglePhoton(link(30, 110)),
    "single-photon-0-25": SinglePhoton(link(0, 25), mode_overlap=0.95, directions="optimal"),
    "single-photon-30-110-noise": SinglePhoton(
        link(30, 110, phase_offset_rad=0.3, phase_noise_rad=0.15, **UNEVEN),
        mode_overlap=0.97,
        directions="optimal",
    ),
    "single-photon-150-190": SinglePhoton(link(150, 190), directions="optimal"),
}


@pytest.mark.parametrize("steepness", [1, 5, 50])
def test_the_search_climbs_an_oblique_ridge(steepness: float) -> None:
    top = np.array([0.3217, 0.7131])

    def ridge(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        x, y = (points - top).T
        merit: npt.NDArray[np.float64] = 1 - steepness * (x + y) ** 2 - (x - y) ** 2
        return merit

    point, value = maximum(ridge, np.zeros(2), np.ones(2), (100, 9))
    np.testing.assert_allclose(point, top, atol=1e-7)
    assert value == pytest.approx(1, rel=1e-12)


def rate_of(model: Any, logarithms: npt.NDArray[np.float64]) -> float:
    """Return the key rate of one pair of intensities."""
    name = str(model.intensity_parameter)
    light = tuple(float(value) for value in np.exp(logarithms))
    if name == "bright_population" and max(light) > 0.5:
        return 0.0
    return float(predict(replace(model, **{name: light})).key_rate_per_pulse or 0.0)


@pytest.mark.parametrize("name", MODELS)
def test_no_pair_of_intensities_is_better(name: str) -> None:
    model: Any = MODELS[name]
    found = predict(model).key_rate_per_pulse
    assert found is not None
    assert found > 0
    best = np.log(getattr(model.with_light(), str(model.intensity_parameter)))
    alice, bob = model.link.arm_transmittances
    balanced = np.array([1, -1]) * math.log(bob / alice) / 2
    # From the light found, and from light that is balanced where it arrives, faint and bright.
    starts = [best + 0.1, *(balanced - balanced.max() + math.log(top) for top in (0.02, 0.15))]
    rivals = []
    for start in starts:
        options = {"xatol": 1e-6, "fatol": 1e-9 * found, "maxfev": 160}
        search = minimize(
            lambda logs: -rate_of(model, logs), start, method="Nelder-Mead", options=options
        )
        rivals.append(-search.fun)
    assert max(rivals) <= found * (1 + 1e-6)
    assert max(rivals) >= found * (1 - 1e-4)
