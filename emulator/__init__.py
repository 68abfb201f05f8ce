"""diqkd's quantum layer: protocol models, the sampler, and runs from photons to keys."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.distribution import JointDistribution
    from emulator.emulation import EmulatedRounds, emulate
    from emulator.loading import load_scenario
    from emulator.optics import Link
    from emulator.prediction import Prediction, predict
    from emulator.protocols.behaviour import Behaviour
    from emulator.protocols.bell_state import BellState
    from emulator.protocols.cavity_cat import CavityCat
    from emulator.protocols.cavity_link import CavityLink
    from emulator.protocols.entangled_coherent import EntangledCoherent
    from emulator.report import RunReport
    from emulator.runner import run
    from emulator.sampling import Sampler
    from emulator.scenario import Scenario
    from emulator.sweeps.plan import SweepPlan, load_plan
    from emulator.sweeps.sweeper import sweep

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
    "Behaviour": "emulator.protocols.behaviour",
    "BellState": "emulator.protocols.bell_state",
    "CavityCat": "emulator.protocols.cavity_cat",
    "CavityLink": "emulator.protocols.cavity_link",
    "EmulatedRounds": "emulator.emulation",
    "EntangledCoherent": "emulator.protocols.entangled_coherent",
    "JointDistribution": "emulator.distribution",
    "Link": "emulator.optics",
    "Prediction": "emulator.prediction",
    "RunReport": "emulator.report",
    "Sampler": "emulator.sampling",
    "Scenario": "emulator.scenario",
    "SweepPlan": "emulator.sweeps.plan",
    "emulate": "emulator.emulation",
    "load_plan": "emulator.sweeps.plan",
    "load_scenario": "emulator.loading",
    "predict": "emulator.prediction",
    "run": "emulator.runner",
    "sweep": "emulator.sweeps.sweeper",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use, so that the command line need not wait for numba."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
