"""The documented example of a new scheme works as it stands."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

from emulator import load_scenario, run
from emulator.scenario import parameters as schemes
from postprocessing import Security

PAGE = Path(__file__).parents[2] / "docs" / "schemes.md"


def test_one_file_and_its_registration_make_a_scheme(monkeypatch):
    physics, registration = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len((physics + registration).splitlines()) <= 45
    module = types.ModuleType("emulator.schemes.swapped_pairs")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(physics, module.__dict__)
    namespace = dict(vars(schemes))
    # The registered class lives in the module of the schemes and resolves its names there.
    exec(registration, namespace)
    monkeypatch.setitem(schemes.SCHEMES, "swapped_pairs", namespace["SwappedPairsScenario"])

    scenario = load_scenario(None, {"scheme": "swapped_pairs", "distance_km": 20, "rounds": 2e6})
    report = run(
        scenario.build_model(),
        **scenario.stopping_rule(),
        security=Security(soundness=1e-6),
        seed=5,
    )
    assert report.prediction.scheme == "swapped_pairs"
    assert report.alice_key == report.bob_key
    assert report.key_length > 0
