"""`diqkd codes`: the list, a code by itself, and its file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from scipy import sparse
from typer.testing import CliRunner, Result

from emulator.cli.app import app
from postprocessing.files.alist import read_alist, write_alist
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


def test_ones_own_code_is_shown_measured_and_used(tmp_path: Path) -> None:
    file = tmp_path / "mine.alist"
    ring = np.eye(20, 30, dtype=np.uint8) + np.eye(20, 30, 7, dtype=np.uint8)
    write_alist(file, sparse.csr_array(ring + np.eye(20, 30, 10, dtype=np.uint8)))
    (shown,) = [json.loads(diqkd(file, "--json").stdout)]
    assert (shown["name"], shown["frame_bits"]) == ("mine", 64 * 30)
    assert "see --measure" in diqkd(file).stdout
    words = ("--measure", 0.001, "--measure", 0.4, "--frames", 10, "--threads", 1)
    rows = json.loads(diqkd(file, *words, "--plot", tmp_path / "f.png", "--json").stdout)
    assert [row["qber"] for row in rows] == [0.001, 0.4]
    assert rows[1]["failed"] > rows[0]["failed"]
    assert (tmp_path / "f.png").stat().st_size > 1000
    key = tmp_path / "key.bits"
    key.write_text("01" * 2000, encoding="ascii")
    told = CliRunner().invoke(
        app, ["reconcile", str(key), str(key), "--qber", "0.001", "--code", str(file), "--json"]
    )
    assert json.loads(told.stdout)["code"] == "mine"


def test_codes_are_drawn(tmp_path: Path) -> None:
    assert diqkd("--plot", tmp_path / "codes.svg").exit_code == 0
    assert (tmp_path / "codes.svg").exists()
    assert diqkd("--plot", tmp_path / "codes.svg").exit_code == 2
    assert diqkd(NAME, "--plot", tmp_path / "codes.txt").exit_code == 2
    assert diqkd("--measure", 0.01).exit_code == 2
    assert diqkd(tmp_path / "none.alist").exit_code == 2
