"""Protocol models: physics in, joint distribution out; one file a scheme."""

from emulator.protocols.base import NoPositiveKeyRateError, ProtocolModel
from emulator.protocols.entangled_coherent import EntangledCoherent, optimal_mean_photon_number

__all__ = [
    "EntangledCoherent",
    "NoPositiveKeyRateError",
    "ProtocolModel",
    "optimal_mean_photon_number",
]
