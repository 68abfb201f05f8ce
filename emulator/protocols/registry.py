"""The schemes by name: a scenario becomes a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from emulator.optics import Link
from emulator.protocols.base import ProtocolModel
from emulator.protocols.entangled_coherent import EntangledCoherent

if TYPE_CHECKING:
    from emulator.scenario import Scenario


def build_model(scenario: Scenario) -> ProtocolModel:
    """Return the model that a scenario describes.

    Parameters
    ----------
    scenario : Scenario
        Validated parameters.

    Returns
    -------
    ProtocolModel
        The scheme with its parameters.

    Raises
    ------
    InvalidArgumentError
        If a parameter is outside the range of the model.
    """
    return _BUILDERS[scenario.scheme](scenario)


def _entangled_coherent(scenario: Scenario) -> ProtocolModel:
    return EntangledCoherent(
        Link(
            distance_km=scenario.distance_km,
            detector_efficiency=scenario.detector_efficiency,
            dark_count_probability=scenario.dark_count_probability,
            attenuation_db_per_km=scenario.attenuation_db_per_km,
        ),
        mean_photon_number=scenario.mean_photon_number,
        misalignment_error=scenario.misalignment_error,
    )


_BUILDERS: dict[str, Callable[[Scenario], ProtocolModel]] = {"ecs": _entangled_coherent}
