"""The schemes by name: the project's own, and those that other distributions bring."""

from __future__ import annotations

from emulator.schemes.base import Scheme
from postprocessing.registry import Registry

DEFAULT_SCHEME = "ecs"

SCHEMES: Registry[type[Scheme]] = Registry(
    "diqkd.schemes",
    "scheme",
    {
        "ecs": "emulator.schemes.entangled_coherent:EntangledCoherent",
        "bell_state": "emulator.schemes.bell_state:BellState",
        "single_photon": "emulator.schemes.single_photon:SinglePhoton",
        "cavity_cat": "emulator.schemes.cavity_cat:CavityCat",
        "behaviour": "emulator.schemes.behaviour:BehaviourSource",
    },
)
