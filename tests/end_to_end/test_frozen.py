"""What 0.1.0 did is done again, and what it wrote is read: tests/reference/frozen_0_1_0."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emulator import Sampler, emulate, load_plan, load_scenario, predict, run
from emulator.cli.app import app
from emulator.runner import distill_emulated
from emulator.sweeps.results import load_results
from postprocessing import distill, read_design, read_records
from postprocessing.design import leakage, request
from postprocessing.files.layout import Layout
from postprocessing.network.authentication import KeyPool
from postprocessing.scheme import AnnouncedMarks, LocalSettings

FROZEN = Path(__file__).parents[1] / "reference" / "frozen_0_1_0"
FILES = FROZEN / "files"
TOLERANCE = 1e-6


def _cases(name: str) -> list[Any]:
    cases: list[dict[str, Any]] = json.loads((FROZEN / f"{name}.json").read_text("utf-8"))
    return [pytest.param(case, id=case.get("name", str(at))) for at, case in enumerate(cases)]


def _sha256(data: bytes | None) -> str | None:
    return None if data is None else hashlib.sha256(data).hexdigest()


@pytest.fixture
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take settings as they are optimised, lengths with a margin for rounding, shipped codes.

    0.1.0 had no grid of probabilities, no proofs and no ladders, and chose by the budget for all.
    """
    monkeypatch.setattr(leakage, "planned", lambda *_, **__: None)
    by_budget = leakage.leakage_budget
    monkeypatch.setattr(request, "leakage_budget", lambda *of, **_: by_budget(*of))
    # What was estimated with ladders is not to be remembered, nor the other way round.
    monkeypatch.setattr(leakage, "_best_rate", leakage._best_rate.__wrapped__)
    monkeypatch.setattr(
        request, "with_proved_length", lambda design, length: replace(design, length=length)
    )
    for rule in (LocalSettings, AnnouncedMarks):
        monkeypatch.setattr(rule, "on_grid", lambda settings, bits: settings)


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize("case", _cases("runs"))
def test_runs_make_the_same_keys(case):
    scenario = load_scenario(case["preset"], case["changes"])
    report = run(
        scenario.build_model(),
        heralded_rounds=scenario.rounds,
        pulses=scenario.pulses,
        security=scenario.build_security(),
        seed=case["seed"],
    )
    found = report.to_dict()
    same = ("abort_reason", "pulses", "heralded_rounds", "leaked_bits", "key_length")
    assert {name: found[name] for name in same} == {name: case[name] for name in same}
    assert _sha256(report.alice_key) == _sha256(report.bob_key) == case["key_sha256"]


@pytest.mark.parametrize("case", _cases("frozen_designs"))
def test_frozen_designs_make_the_same_keys(case):
    """Of the same rounds, under a design that was read: nothing of it is computed again."""
    design = read_design(FROZEN / "designs" / f"{case['design']}.json")
    joint = load_scenario(case["preset"], case["changes"]).build_model().joint_distribution()
    sampler = Sampler(joint, design.setting_choice, case["seed"])
    rounds = emulate(sampler, heralded_rounds=case["rounds"])
    assert hashlib.sha256(rounds.alice.codes).hexdigest() == case["alice_record_sha256"]
    report = distill_emulated(rounds, design, case["seed"])
    assert report.abort_reason == case["abort_reason"]
    assert report.transcript.leaked_bits == case["leaked_bits"]
    assert _sha256(report.alice_key) == _sha256(report.bob_key) == case["key_sha256"]


@pytest.mark.parametrize("case", _cases("predictions"))
def test_predictions_are_the_same(case):
    found = predict(load_scenario(None, case["parameters"]).build_model()).to_dict()
    expected = case["result"]
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=TOLERANCE)


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize("case", _cases("designs"))
def test_designs_are_the_same(case):
    scenario, expected = load_scenario(None, case["parameters"]), case["result"]
    design = scenario.build_security().design(scenario.build_model(), case["rounds"])
    marks = design.setting_choice.round_probabilities
    found = {
        name: getattr(design, name)
        for name in ("key_length", "tolerated_test_losses", "least_test_rounds")
    } | {
        "budget_bits": design.leakage.budget_bits if design.leakage else None,
        "predicted_abort_probability": design.predicted_abort_probability,
        "noisy_preprocessing": design.noisy_preprocessing,
        "unclipped": design.length.unclipped if design.length else None,
        "key": marks.key,
        "test": marks.test,
    }
    for name, value in expected.items():
        assert found[name] == (None if value is None else pytest.approx(value, rel=TOLERANCE)), name


def test_old_records_are_read():
    """Joint and split, in two formats, with their design: the same rounds."""
    folder = FILES / "records"
    scheme = read_design(folder / "design.json").scheme
    joint = read_records(folder / "rounds.npz", layout=Layout.of(scheme))
    split = read_records(folder / "alice.parquet", folder / "bob.parquet", layout=Layout.of(scheme))
    for one, other, expected in zip(
        joint, split, ("c359fc8b877f96ba", "d67c78c1d694dbab"), strict=True
    ):
        assert len(one) == 2000
        assert _sha256(one.codes.tobytes()) == _sha256(other.codes.tobytes())
        assert hashlib.sha256(one.codes).hexdigest().startswith(expected)


def test_old_records_and_their_design_make_a_key():
    folder = FILES / "block"
    design = read_design(folder / "design.json")
    records = read_records(
        folder / "alice.parquet", folder / "bob.parquet", layout=Layout.of(design.scheme)
    )
    report = distill(*records, design)
    assert report.abort_reason is None
    assert report.alice_key == report.bob_key
    assert report.key_length == 8 * 311


def test_old_pools_are_read(tmp_path):
    """After a session, which has taken 8 of each party's 100 keys."""
    for party in ("alice", "bob"):
        path = tmp_path / f"{party}.pool"
        shutil.copyfile(FILES / path.name, path)
        path.chmod(0o600)
        with KeyPool(path, party) as pool:
            assert pool.remaining_keys == 92
            used = pool.used_keys
            pool.take()
        with KeyPool(path, party) as pool:
            assert pool.used_keys == used + 1
            # What it was made of it does not know.
            assert pool.soundness is None


@pytest.mark.parametrize("folder", ["run-key", "run-aborted"])
def test_old_reports_are_shown(folder, tmp_path):
    shutil.copytree(FILES / folder, tmp_path / folder)
    result = CliRunner().invoke(app, ["report", str(tmp_path / folder)])
    assert result.exit_code == 0, result.output
    assert "<html" in (tmp_path / folder / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "gain"),
    [
        ("ecs", 0.005359649675713413),
        ("ecs-drift", 0.0047885829113143),
        ("cavity_cat", 0.08558455249907726),
        ("behaviour_table", 1.0),
    ],
)
def test_old_scenarios_are_read(name, gain):
    scenario = load_scenario(str(FILES / "scenarios" / f"{name}.toml"))
    assert predict(scenario.build_model()).gain == pytest.approx(gain, rel=TOLERANCE)


def test_old_sweeps_and_stores_are_read():
    plan = load_plan(FILES / "sweep" / "sweep.toml")
    assert len({task.identity for task in plan.tasks()}) == 12
    runs = load_results(FILES / "sweep" / "store.csv")
    assert runs["status"].value_counts().to_dict() == {"key": 8, "aborted": 4}
    assert runs["scheme"].value_counts().to_dict() == {"ecs": 4, "bell_state": 4, "cavity_cat": 4}


def test_old_layouts_are_read():
    scheme = Layout.read(FILES / "layout.toml").bell_scheme()
    assert (scheme.alice_labels, scheme.bob_labels) == (("A0", "A1", "A2"), ("B1", "B2"))
    assert (scheme.heralds, scheme.key_pair) == (("herald",), (0, 0))
