"""Protocol models: physics in, joint distribution out; one file a scheme."""

from emulator.protocols.base import NoPositiveKeyRateError, NoWorkingPointError, ProtocolModel
from emulator.protocols.behaviour import Behaviour
from emulator.protocols.bell_state import BellState
from emulator.protocols.cavity_cat import CavityCat
from emulator.protocols.cavity_link import CavityLink
from emulator.protocols.entangled_coherent import EntangledCoherent, optimal_mean_photon_number

__all__ = [
    "Behaviour",
    "BellState",
    "CavityCat",
    "CavityLink",
    "EntangledCoherent",
    "NoPositiveKeyRateError",
    "NoWorkingPointError",
    "ProtocolModel",
    "optimal_mean_photon_number",
]
