"""Protocol models: physics in, joint distribution out; one file a scheme."""

from emulator.schemes.base import NoPositiveKeyRateError, NoWorkingPointError, ProtocolModel
from emulator.schemes.behaviour import Behaviour
from emulator.schemes.bell_state import BellState
from emulator.schemes.cavity_cat import CavityCat
from emulator.schemes.cavity_link import CavityLink
from emulator.schemes.entangled_coherent import EntangledCoherent, optimal_mean_photon_number

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
