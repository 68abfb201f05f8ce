"""diqkd's quantum layer: protocol models, the sampler, and runs from photons to keys."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.report import RunReport
    from emulator.runner import run
    from emulator.sampling.emulation import EmulatedRounds, emulate
    from emulator.sampling.sampler import Sampler
    from emulator.scenario.loading import load_scenario
    from emulator.scenario.scenario import Scenario
    from emulator.schemes.behaviour import Behaviour
    from emulator.schemes.bell_state import BellState
    from emulator.schemes.cavity_cat import CavityCat
    from emulator.schemes.cavity_link import CavityLink
    from emulator.schemes.distribution import JointDistribution
    from emulator.schemes.entangled_coherent import EntangledCoherent
    from emulator.schemes.optics import Link
    from emulator.sweeps.plan import SweepPlan, load_plan
    from emulator.sweeps.sweeper import sweep
    from emulator.theory.prediction import Prediction, predict

__all__ = [
    "Behaviour",
    "BellState",
    "CavityCat",
    "CavityLink",
    "EmulatedRounds",
    "EntangledCoherent",
    "JointDistribution",
    "Link",
    "Prediction",
    "RunReport",
    "Sampler",
    "Scenario",
    "SweepPlan",
    "emulate",
    "load_plan",
    "load_scenario",
    "predict",
    "run",
    "sweep",
]

_HOMES = {
    "Behaviour": "emulator.schemes.behaviour",
    "BellState": "emulator.schemes.bell_state",
    "CavityCat": "emulator.schemes.cavity_cat",
    "CavityLink": "emulator.schemes.cavity_link",
    "EmulatedRounds": "emulator.sampling.emulation",
    "EntangledCoherent": "emulator.schemes.entangled_coherent",
    "JointDistribution": "emulator.schemes.distribution",
    "Link": "emulator.schemes.optics",
    "Prediction": "emulator.theory.prediction",
    "RunReport": "emulator.report",
    "Sampler": "emulator.sampling.sampler",
    "Scenario": "emulator.scenario.scenario",
    "SweepPlan": "emulator.sweeps.plan",
    "emulate": "emulator.sampling.emulation",
    "load_plan": "emulator.sweeps.plan",
    "load_scenario": "emulator.scenario.loading",
    "predict": "emulator.theory.prediction",
    "run": "emulator.runner",
    "sweep": "emulator.sweeps.sweeper",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use, so that the command line need not wait for numba."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
