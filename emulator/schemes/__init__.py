"""Protocol models: physics in, heralded states out; one file a scheme."""

from emulator.schemes.base import NoPositiveKeyRateError, NoWorkingPointError, ProtocolModel
from emulator.schemes.behaviour import Behaviour
from emulator.schemes.bell_state import BellState
from emulator.schemes.cavity_cat import CavityCat
from emulator.schemes.cavity_link import CavityLink
from emulator.schemes.entangled_coherent import EntangledCoherent, optimal_mean_photon_number
from emulator.schemes.single_photon import SinglePhoton

__all__ = [
    "Behaviour",
    "BellState",
    "CavityCat",
    "CavityLink",
    "EntangledCoherent",
    "NoPositiveKeyRateError",
    "NoWorkingPointError",
    "ProtocolModel",
    "SinglePhoton",
    "optimal_mean_photon_number",
]
