"""`diqkd codes`: the list, a code by itself, and its file."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from emulator.cli.app import app
from postprocessing.files.alist import read_alist
from postprocessing.reconciliation import code_family
from postprocessing.reconciliation.performance import binary_entropy

NAME = "fast0.01-512-19x200"


def diqkd(*words: object) -> Result:
    return CliRunner().invoke(app, ["codes", *(str(word) for word in words)])


def test_all_codes_are_listed() -> None:
    told = json.loads(diqkd("--json").stdout)
    assert [one["name"] for one in told] == list(code_family())
    for one in told:
        ladder = one["corrected"]
        assert [rate["qber"] for rate in ladder] == sorted(rate["qber"] for rate in ladder)
        assert all(rate["leak_per_bit"] > binary_entropy(rate["qber"]) for rate in ladder)
    page = diqkd().stdout
    assert all(name in page for name in code_family())


def test_a_code_is_shown_and_written(tmp_path: Path) -> None:
    shown = diqkd(NAME, "--alist", tmp_path / "code", "--json")
    assert shown.exit_code == 0
    told = json.loads(shown.stdout)
    assert told["girth"] >= 6
    assert sum(told["bit_degrees"].values()) == told["frame_bits"] == 102_400
    assert read_alist(tmp_path / "code").shape == (19 * 512, 102_400)
    assert "bit degrees" in diqkd(NAME).stdout
    again = diqkd(NAME, "--alist", tmp_path / "code")
    assert again.exit_code == 2


def test_refused(tmp_path: Path) -> None:
    assert "code must be one of" in diqkd("none").output
    assert diqkd("--alist", tmp_path / "code").exit_code == 2
    assert not (tmp_path / "code").exists()


def test_a_code_made_to_measure_is_shown_too() -> None:
    told = json.loads(diqkd("heavy0.036-64-36x157-0", "--json").stdout)
    assert told["frame_bits"] == 157 * 64
    rates = [each["qber"] for each in told["corrected"]]
    assert 0.025 < rates[0] < 0.036 < rates[-1] < 0.11
