"""What a key is worth: the label, and ε beside it, in whatever a command says of keys."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from emulator.cli.app import app

WARNING = "soundness 0.5 is above 1e-05"
COMMANDS = {
    "run": ["run", "ecs-100km", "--rounds", "1000", "--seed", "1"],
    "design": ["design", "ecs-100km", "--rounds", "1000", "--out"],
    "plan": ["plan", "ecs-100km", "--mean-photon-number", "0.03", "--key-bits", "1000"],
    "attack": ["attack", "fixed-answers", "--rounds", "1000", "--runs", "0", "--seed", "1"],
}


def _said(command, tmp_path, *more):
    words = COMMANDS[command] + [str(tmp_path / "d.json")] * (command == "design")
    result = CliRunner().invoke(app, [*words, *more], env={"COLUMNS": "200"})
    assert result.exit_code in (0, 3), result.output
    return result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_epsilon_is_beside_the_label(command, tmp_path):
    said = _said(command, tmp_path, "--soundness", "1e-7")
    assert "Tan et al. 2022" in said
    assert "this project's form" in said
    line = next(line for line in said.splitlines() if "soundness" in line)
    assert "1e-07" in line
    assert "above" not in said


@pytest.mark.parametrize("command", COMMANDS)
def test_a_large_epsilon_is_warned_of(command, tmp_path):
    assert WARNING in _said(command, tmp_path, "--soundness", "0.5")


@pytest.mark.parametrize("command", ["run", "design", "attack"])
def test_what_is_not_proved_has_no_epsilon(command, tmp_path):
    said = _said(command, tmp_path, "--method", "asymptotic", "--soundness", "0.5")
    assert "asymptotic: not secure at finite size" in said
    line = next(line for line in said.splitlines() if "soundness" in line)
    assert "0.5" not in line
    assert "above" not in said
