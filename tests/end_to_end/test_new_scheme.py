"""The documented example of a new scheme works as it stands, from a distribution of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "schemes.md"
DIQKD = Path(sys.executable).parent / "diqkd"


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """Return a folder that holds the example as an installer leaves it."""
    physics, project = re.findall(r"```(?:python|toml)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len((physics + project).splitlines()) <= 45
    folder = tmp_path_factory.mktemp("site")
    (folder / "swapped_pairs.py").write_text(physics)
    described = tomllib.loads(project)["project"]
    info = folder / f"swapped_pairs-{described['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {described['name']}\nVersion: {described['version']}\n"
    )
    lines = [f"{k} = {v}" for k, v in described["entry-points"]["diqkd.schemes"].items()]
    (info / "entry_points.txt").write_text("\n".join(["[diqkd.schemes]", *lines, ""]))
    return folder


def _call(installed: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [DIQKD, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_one_class_and_its_entry_point_make_keys(installed):
    link = ("--scheme", "swapped_pairs", "--distance-km", 20)
    flags = ("--rounds", 2e6, "--soundness", 1e-6, "--seed", 5, "--json")
    report = json.loads(_call(installed, "run", *link, *flags).stdout)
    assert (report["scheme"], report["keys_match"]) == ("swapped_pairs", True)
    assert report["key_length"] > 0
    assert report["scenario"]["visibility"] == 0.97


def test_its_parameters_are_those_of_any_other_scheme(installed, tmp_path):
    assert "--visibility" in _call(installed, "predict", "--help").stdout
    scenario = tmp_path / "scenario.toml"
    scenario.write_text('scheme = "swapped_pairs"\nvisibility = 1.5\n')
    wrong = _call(installed, "predict", scenario)
    assert wrong.stderr == "error: visibility must be in [0, 1], got 1.5\n"
    drift = _call(installed, "predict", scenario, "--drift", "visibility=0.9:1:3", "--json")
    assert json.loads(drift.stdout)["chsh"] == pytest.approx(0.95 * 8**0.5)


def test_it_shares_a_store_with_the_others(installed, tmp_path):
    """A store that was begun without the scheme says what it lacks."""
    old, new, plan = (tmp_path / name for name in ("old.csv", "new.csv", "sweep.toml"))
    run = '[scenario]\nrounds = 100\nmethod = "asymptotic"\n'
    plan.write_text(f'{run}[axes]\nscheme = ["bell_state"]\n')
    begun = [DIQKD, "sweep", plan, "--store", old, "--in-process"]
    assert subprocess.run(begun, capture_output=True, check=False).returncode == 0
    plan.write_text(f'{run}[axes]\nscheme = ["bell_state", "swapped_pairs"]\n')
    assert _call(installed, "sweep", plan, "--store", new, "--in-process").returncode == 0
    refused = _call(installed, "sweep", plan, "--store", old, "--in-process")
    assert "store must have a column 'visibility'" in refused.stderr
