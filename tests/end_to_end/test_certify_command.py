"""`diqkd certify`: exit codes, the page and its JSON."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from emulator.cli.app import app


def test_a_design_is_certified_by_its_file(tmp_path: Path) -> None:
    file = tmp_path / "design.json"
    runner = CliRunner()
    made = runner.invoke(app, ["design", "ecs-100km", "--rounds", "1e7", "--out", str(file)])
    assert made.exit_code == 0
    shown = runner.invoke(app, ["certify", str(file)])
    assert shown.exit_code == 0
    assert "HOLDS" in shown.stdout
    told = json.loads(runner.invoke(app, ["certify", str(file), "--json"]).stdout)
    assert told["holds"]
    values = json.loads(file.read_text())
    assert told["proof"]["bits"] == values["length"]["bits"] == told["claimed_bits"]
    values["leakage"]["budget_bits"] += 1
    file.write_text(json.dumps(values))
    refused = runner.invoke(app, ["certify", str(file)])
    assert refused.exit_code == 1
    assert "REFUSED" in refused.stdout
    assert runner.invoke(app, ["certify", str(tmp_path / "none.json")]).exit_code == 2
