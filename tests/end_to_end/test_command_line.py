"""The command as its users meet it: exit codes, one clear line for bad input, files, JSON."""

from __future__ import annotations

import hashlib
import io
import json
import re
import signal
import stat
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from emulator.cli.app import app
from emulator.scenario.loading import load_scenario, preset_names
from emulator.scenario.parameters import parameters_by_scheme

SHORT = ["--security", "asymptotic", "--rounds", "2e5", "--seed", "7"]
REPORT_KEYS = {
    "scheme", "outcome", "abort_reason", "seed", "pulses", "heralded_rounds", "key_rounds",
    "test_rounds", "gain", "chsh", "qber", "leaked_bits", "reconciliation_efficiency", "frames",
    "failed_frames", "design", "key_length", "asymptotic_key_length", "keys_match", "key_sha256",
    "rates_per_pulse", "timings_s", "versions",
}  # fmt: skip


def _call(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def test_run_writes_equal_private_keys_and_a_report(tmp_path):
    result = _call("run", *SHORT, "--out", str(tmp_path), "--json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert report.keys() >= REPORT_KEYS
    assert report == json.loads((tmp_path / "report.json").read_text())
    alice, bob = ((tmp_path / name).read_bytes() for name in ("alice.key", "bob.key"))
    assert alice == bob
    assert 8 * len(alice) == report["key_length"] == report["asymptotic_key_length"] > 0
    assert report["key_sha256"] == hashlib.sha256(alice).hexdigest()
    assert (report["outcome"], report["keys_match"]) == ("key", True)
    assert report["label"] == "asymptotic: not secure at finite size"
    assert report["rates_per_pulse"]["finite_size"] is None
    for name in ("gain", "chsh", "qber"):
        assert abs(report[name]["deviation"]) < 5
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_table_shows_the_comparison():
    result = _call("run", *SHORT)
    assert result.exit_code == 0
    for text in ("CHSH value", "QBER", "deviation", "asymptotic: not secure at finite size"):
        assert text in result.stdout


def test_same_seed_same_key():
    hashes = [json.loads(_call("run", *SHORT, "--json").stdout)["key_sha256"] for _ in range(2)]
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--rounds", "1"], "no key length under this design"),
        (["--rounds", "99"], "no key length under this design"),
        (["--rounds", "1000"], "no key length under this design"),
        (["--pulses", "5000"], "no key length under this design"),
        (
            ["--misalignment-error", "0.9", "--mean-photon-number", "0.1"],
            "no key length under this design",
        ),
        (["--distance-km", "470"], "no positive key rate at any mean photon number"),
        (["--pulses", "10"], "too few heralded rounds"),
    ],
)
def test_aborts_are_results(tmp_path, arguments, reason):
    result = _call("run", *arguments, "--seed", "1", "--out", str(tmp_path), "--json")
    assert result.exit_code == 3
    report = json.loads(result.stdout)
    assert (report["outcome"], report["abort_reason"]) == ("aborted", reason)
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    assert report["keys_match"] is None
    assert report["rates_per_pulse"]["achieved"] == 0
    assert _call("run", *arguments, "--seed", "1").exit_code == 3


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["run", "--distance-km", "-1"], "--distance-km must be .*, got -1"),
        (["run", "--detector-efficiency", "1.2"], "--detector-efficiency must be .*, got 1.2"),
        (["run", "--misalignment-error", "nan"], "--misalignment-error must be .*, got 'nan'"),
        (["run", "--dark-count-probability", "x"], "--dark-count-probability must be .*, got 'x'"),
        (["run", "--mean-photon-number", "0"], "--mean-photon-number must be .*, got 0"),
        (["run", "--rounds", "0"], "--rounds must be greater than or equal to 1, got '?0'?"),
        (["run", "--rounds", "1.5"], "--rounds must be a valid integer.*, got '?1.5'?"),
        (
            ["run", "--mean-photon-number", "many"],
            '--mean-photon-number must be a number or "optimal"',
        ),
        (
            ["run", "--pulses", "1e15"],
            "--pulses must be a whole number in .*, got 1000000000000000",
        ),
        (["run", "--rounds", "10", "--pulses", "10"], "--rounds must be given, or else pulses"),
        (["run", "--seed", "-3"], "--seed must be greater than or equal to 0, got '?-3'?"),
        (["run", "--soundness", "2"], r"--soundness must be a probability in \[1e-20, 1\), got 2"),
        (["run", "--rounds", "1e16"], "--rounds must be less than or equal to .*, got '?1e16'?"),
        (["run", "--scheme", "bb84"], "--scheme must be one of ecs, bell_state, .*, got 'bb84'"),
        (
            ["run", "--security", "magic"],
            "--security must be 'tan22', 'geat', .* or 'asymptotic', got 'magic'",
        ),
        (
            ["run", "ecs-1000km"],
            "scenario must be a path ending in .toml or one of bell-state-50km, .*ecs-100km",
        ),
        (["run", "missing.toml"], "scenario must be a readable TOML file, got 'missing.toml'"),
        (["predict", "--distance-km", "inf"], "--distance-km must be .*, got 'inf'"),
        (["predict", "--over", "distance_km=0:1"], "--over must be NAME=START:STOP:POINTS"),
        (["predict", "--over", "distance_km=0:1:5:log"], "--over must be NAME=START:STOP:POINTS"),
        (
            ["predict", "--over", "alpha=0:1:5"],
            "parameter must be one of the scheme 'ecs': .*got 'alpha'",
        ),
        (["predict", "--over", "distance_km=-5:1:5"], "distance_km must be .*, got -5"),
        (
            ["predict", "--over", "distance_km=0:9:3", "--figure", "xie-fig2"],
            "options must be one of --over, --figure, --statements and --limits",
        ),
        (
            ["predict", "--figure", "xie-fig9"],
            "--figure must be one of xie-fig2, .*, got 'xie-fig9'",
        ),
        (
            ["predict", "--over", "seed=0:9:3"],
            "parameter must be one of the scheme, not of the run",
        ),
        (["predict", "--json", "--csv"], "options must be one of the two, got '--json --csv'"),
        (
            ["run", "ecs-100km", "--scheme", "cavity_cat"],
            "--scheme must be that of the scenario 'ecs-100km', 'ecs', got 'cavity_cat'",
        ),
        (
            ["predict", "--scheme", "cavity_cat", "--entanglement-rate-hz", "1e6"],
            "--entanglement-rate-hz must be in reach of the link, at most 20000 Hz",
        ),
        (["predict", "--scheme", "cavity_cat", "--amplitude", "1e200"], "--amplitude must be in"),
        (["plot", "fig"], "figure must be one of xie-fig2, .*, got 'fig'"),
        (["plot", "xie-fig2", "--out", "figure.txt"], "path must be .*, got 'figure.txt'"),
        (
            ["run", "--scheme", "bell_state", "--misalignment-error", "0"],
            "--misalignment-error must be left out for bell_state, to which it means nothing",
        ),
        (
            ["run", "--scheme", "behaviour", "--table", "no.csv"],
            "--table must be a readable CSV file, got 'no.csv'",
        ),
        (
            ["run", "--scheme", "behaviour", "--table", "no.csv", "--chsh", "2.5"],
            "--table must be given, or else chsh",
        ),
        (
            ["run", "--scheme", "behaviour", "--table", "no.csv", "--qber", "0.1"],
            "--qber must be given with chsh only, got 0.1",
        ),
        (["run", "--scheme", "cavity_cat", "--loss-order", "2"], "--loss-order must be 0, 1 or 3"),
    ],
)
def test_bad_input_gets_one_clear_line(arguments, line):
    result = _call(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert re.fullmatch(f"error: {line}.*\n", result.stderr)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("distance_km = ", "scenario must be valid TOML"),
        (
            "distance = 3\nrounds = 1e6",
            "parameter must be one of the scheme 'ecs': .* got 'distance'",
        ),
        ("distance_km = 3", "rounds must be given, or else pulses"),
        ("distance_km = [3]\nrounds = 5", "distance_km must be a valid number, got"),
        ("distance_km = true\nrounds = 5", "distance_km must be a number or a name, got True"),
    ],
)
def test_bad_scenario_files(tmp_path, text, line):
    path = tmp_path / "scenario.toml"
    path.write_text(text)
    result = _call("run", str(path))
    assert result.exit_code == 2
    assert re.fullmatch(f"error: {line}.*\n", result.stderr)


def test_output_folder_with_keys_is_refused_before_the_run(tmp_path):
    (tmp_path / "alice.key").write_bytes(b"old")
    result = _call("run", "--rounds", "1e9", "--out", str(tmp_path))
    assert result.exit_code == 2
    assert "out must be a folder without earlier output" in result.stderr
    assert (tmp_path / "alice.key").read_bytes() == b"old"


@pytest.mark.parametrize("asked", [["--key-bits", "1e5"], ["--seconds", "1"]])
def test_an_impossible_plan_says_why_and_fails(asked):
    link = ("plan", "--distance-km", "500", "--repetition-rate-hz", "1e9", *asked)
    reason = "no positive key rate at any mean photon number"
    result = _call(*link)
    assert (result.exit_code, result.stdout) == (3, f"no key: {reason}\n")
    result = _call(*link, "--json")
    assert (result.exit_code, json.loads(result.stdout)["reason"]) == (3, reason)
    assert _call(*link, "--csv").exit_code == 3
    table = _call(*link, "--over", "distance_km=500,600", "--csv")
    assert table.exit_code == 3
    assert pd.read_csv(io.StringIO(table.stdout))["reason"].tolist() == [reason, reason]


def test_every_parameter_is_a_flag_of_both_verbs():
    for verb in ("run", "predict"):
        usage = _call(verb, "--help").stdout
        for name in parameters_by_scheme():
            assert f"--{name.replace('_', '-')}" in usage


@pytest.mark.parametrize("preset", preset_names())
def test_presets_are_valid_and_predict_a_key(preset):
    result = _call("predict", preset, "--json")
    values = json.loads(result.stdout)
    assert values.keys() >= {
        "gain", "chsh", "qber", "key_rate_per_pulse", "plob_bound", "mean_photon_number",
    }  # fmt: skip
    assert values["key_rate_per_pulse"] > 0


def test_a_curve_is_its_points():
    arguments = ("predict", "--misalignment-error", "0.01", "--over", "distance-km=0:400:5")
    curve = json.loads(_call(*arguments, "--json").stdout)
    assert [row["distance_km"] for row in curve] == [0, 100, 200, 300, 400]
    point = json.loads(
        _call("predict", "--misalignment-error", "0.01", "--distance-km", "300", "--json").stdout
    )
    for name in ("method", "heralded_rounds", "key_length", "finite_key_rate_per_pulse"):
        assert point.pop(name) is not None
    assert curve[3] == {"distance_km": 300, **point}
    table = pd.read_csv(io.StringIO(_call(*arguments, "--csv").stdout))
    assert table["key_rate_per_pulse"].tolist() == [row["key_rate_per_pulse"] for row in curve]
    logarithmic = _call("predict", "--over", "mean_photon_number=1e-4:1e-2:3:log", "--json")
    values = [row["mean_photon_number"] for row in json.loads(logarithmic.stdout)]
    assert values == pytest.approx([1e-4, 1e-3, 1e-2])


def test_one_point_as_csv_and_json_agree():
    row = pd.read_csv(io.StringIO(_call("predict", "--csv").stdout)).iloc[0]
    values = json.loads(_call("predict", "--json").stdout)
    assert list(row.index) == list(values)
    assert row["key_rate_per_pulse"] == values["key_rate_per_pulse"]


def test_numbers_and_picture_of_a_figure(tmp_path):
    rows = json.loads(_call("predict", "--figure", "xie-fig2", "--json").stdout)
    assert {row["figure"] for row in rows} == {"xie-fig2"}
    path = tmp_path / "figure.svg"
    result = _call("plot", "xie-fig2", "--out", str(path))
    assert (result.exit_code, result.stdout) == (0, f"{path}\n")
    assert path.read_text().startswith("<?xml")
    path.write_text("mine")
    result = _call("plot", "xie-fig2", "--out", str(path))
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: --out must be a new file, {str(path)!r} is there")
    assert path.read_text() == "mine"
    assert _call("plot", "xie-fig2", "--out", str(path), "--replace").exit_code == 0
    assert path.read_text().startswith("<?xml")


def test_a_table_of_ones_own_beside_its_scenario(tmp_path):
    """A scenario file names its table relative to its own folder."""
    joint = load_scenario("ecs-100km").build_model().joint_distribution()
    cells = [(x, y, a, b) for x in range(3) for y in range(2) for a in (1, -1) for b in (1, -1)]
    signs = {(x, y): joint.correlators[x, y] for x in range(3) for y in range(2)}
    rows = [f"A{x},B{y + 1},{a},{b},{(1 + a * b * signs[x, y]) / 4:.9f}" for x, y, a, b in cells]
    (tmp_path / "table.csv").write_text("x,y,a,b,probability\n" + "\n".join(rows))
    (tmp_path / "scenario.toml").write_text('scheme = "behaviour"\ntable = "table.csv"\n')
    values = json.loads(_call("predict", str(tmp_path / "scenario.toml"), "--json").stdout)
    assert values["chsh"] == pytest.approx(joint.chsh, abs=1e-7)
    assert values["plob_bound"] is values["mean_photon_number"] is None


def _predicted(*arguments: str) -> dict[str, float | None]:
    return json.loads(_call("predict", *arguments, "--json").stdout)


def test_a_chsh_value_alone_is_a_werner_state():
    """Nothing of the preset's state is left behind."""
    werner = (1 - 2.6 / 8**0.5) / 2
    assert _predicted("--scheme", "behaviour", "--chsh", "2.6")["qber"] == pytest.approx(werner)
    given = _predicted("trapped-ions-2022", "--chsh", "2.6", "--qber", "0.05")
    assert given["qber"] == pytest.approx(0.05)


def test_rates_in_time():
    values = _predicted("--repetition-rate-hz", "1e6")
    assert values["herald_rate_hz"] == pytest.approx(1e6 * values["gain"])
    assert values["key_rate_per_second"] == pytest.approx(1e6 * values["key_rate_per_pulse"])
    assert _predicted()["key_rate_per_second"] is None


def test_points_of_a_curve_out_of_reach_are_null():
    arguments = ("--scheme", "cavity_cat", "--entanglement-rate-hz", "3e3")
    rows = _predicted(*arguments, "--over", "distance_km=20:100:2")
    assert rows[0]["amplitude"] > 0
    assert rows[1]["gain"] is rows[1]["amplitude"] is rows[1]["key_rate_per_pulse"] is None


def test_an_unlimited_memory():
    preset = "cavity-devices-of-today-10km"
    unlimited = _predicted(preset, "--coherence-time-s", "unlimited")
    assert unlimited == _predicted(preset, "--coherence-time-s", "inf")
    assert unlimited["chsh"] > _predicted(preset)["chsh"]


def test_prediction_without_a_rate_is_null_not_nan():
    values = json.loads(_call("predict", "--distance-km", "470", "--json").stdout)
    assert values["key_rate_per_pulse"] == 0
    assert values["mean_photon_number"] is values["gain"] is values["chsh"] is None


def test_scenario_file_and_flags_agree(tmp_path):
    path = tmp_path / "scenario.toml"
    path.write_text("distance_km = 50\nmisalignment_error = 0.03\nrounds = 1e7\n")
    flags = ["--distance-km", "50", "--misalignment-error", "0.03"]
    assert _call("predict", str(path)).stdout == _call("predict", *flags).stdout


def test_interrupt_leaves_no_key(tmp_path):
    """Ctrl-C in the middle of a long run ends it at once, with an empty output folder."""
    # Kernels are compiled and cached beforehand: LLVM, called through ctypes, swallows interrupts.
    assert _call("run", *SHORT).exit_code == 0
    command = [Path(sys.executable).parent / "diqkd", "run", "--rounds", "1e8", "--out", tmp_path]
    # Tests in the background ignore interrupts, and so would what they start.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, preexec_fn=heed) as process:
        time.sleep(2)
        # Pressed again where compiled code has swallowed it.
        deadline = time.monotonic() + 600
        while process.poll() is None and time.monotonic() < deadline:
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
    assert process.returncode in (1, 130, -signal.SIGINT)
    assert list(tmp_path.iterdir()) == []
