"""The public names exist, each in one place, with an example, and import lazily."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import diqkd
import emulator
import postprocessing
from emulator import face

ROOT = Path(__file__).parents[1]
NAMES = {diqkd: face.__all__, emulator: emulator.__all__, postprocessing: postprocessing.__all__}


@pytest.mark.parametrize("package", NAMES)
def test_public_names(package):
    for name in NAMES[package]:
        assert getattr(package, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing"):
        _ = package.nothing


@pytest.mark.parametrize("package", NAMES)
def test_every_name_has_an_example(package):
    """Those of the modules' own docstrings are run with the tests."""
    documented = {name: inspect.getdoc(getattr(package, name)) or "" for name in NAMES[package]}
    assert [name for name, text in documented.items() if ">>>" not in text] == []


def test_a_name_is_the_same_thing_everywhere():
    for name in face.__all__:
        homes = [package for package in (emulator, postprocessing) if name in package.__all__]
        assert [getattr(home, name) for home in homes] == [getattr(diqkd, name)]


def test_the_front_door_shows_what_is_documented():
    """Neither more nor less, in the order of the stub and under its headings."""
    assert dir(diqkd) == sorted([*face.__all__, "__version__"])
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    documented = re.findall(r"^## (.+)$|^- `(\w+)`", page, re.MULTILINE)
    stub = (ROOT / "emulator" / "face.pyi").read_text(encoding="utf-8")
    listed = re.findall(r"^# (.+)$|^from \w+ import (\w+)", stub, re.MULTILINE)
    assert documented == listed


def test_the_version_is_that_of_the_distribution():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{diqkd.__version__}"' in text


@pytest.mark.parametrize("package", ["emulator.cli.app", "diqkd"])
def test_help_does_not_wait_for_numba(package):
    code = f"import sys, {package}; print('numba' in sys.modules, 'scipy' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False", "False"]


def test_objects_show_themselves_on_one_line():
    model = diqkd.EntangledCoherent(diqkd.Link(distance_km=100))
    joint, security = model.joint_distribution(), diqkd.Security(method="asymptotic")
    design, record = security.design(model, 1000), diqkd.PartyRecord(np.zeros(9, np.uint8))
    sampler = diqkd.Sampler(joint, design.setting_choice, seed=7)
    rounds = diqkd.emulate(sampler, heralded_rounds=1000)
    for value in (joint, security, design, record, sampler, rounds):
        shown = repr(value)
        assert shown.startswith(type(value).__name__)
        assert "\n" not in shown
        assert len(shown) < 220
    assert "gain" in diqkd.predict(model)._repr_html_()
