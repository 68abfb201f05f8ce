"""A report is its JSON, both ways; terminal and page say the same; those of 0.1.0 are read."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from emulator.cli.app import app
from emulator.pages.html_report import html_report
from emulator.pages.saved import read_report
from emulator.pages.terminal import print_report
from emulator.report import RunReport
from emulator.runner import distill_emulated, run
from emulator.sampling.emulation import emulate
from emulator.sampling.sampler import Sampler
from emulator.schemes.behaviour import Behaviour
from emulator.sweeps.store import RESULTS
from postprocessing.design.request import Security
from postprocessing.errors import InputFileError, InvalidArgumentError
from postprocessing.files.lab_report import LabReport
from postprocessing.files.validation import validate
from postprocessing.network.channel import Traffic
from postprocessing.network.report import SessionReport
from postprocessing.protocol.report import DistillationReport
from postprocessing.testing import GameTally

OLD = Path(__file__).parent / "reports_of_0_1_0"
ROUNDS = 50_000
MODEL = Behaviour.from_state(2.8, 0.001, 0.01)
SECURITY = Security(method="renyi")
SOUNDNESS = "1e-10 = 9e-11 secrecy + 2 × 5e-12"
KINDS = (
    "run", "run-asymptotic", "run-aborted", "run-without-rounds", "distillation", "lab",
    "lab-aborted", "party", "party-aborted", "party-failed",
)  # fmt: skip


@pytest.fixture(scope="module")
def reports() -> dict[str, DistillationReport]:
    """One of every kind and end."""
    joint = MODEL.joint_distribution()
    design = SECURITY.design(joint, ROUNDS)
    longer = SECURITY.design(joint, 2 * ROUNDS)
    rounds = emulate(Sampler(joint, design.setting_choice, 3), heralded_rounds=ROUNDS)
    plain = distill_emulated(rounds, design, 3)
    short = distill_emulated(rounds, longer, 3)
    validation = validate(rounds.alice, rounds.bob, design.scheme, design.setting_choice)
    asymptotic = Security(method="asymptotic")
    traffic = Traffic(sent_bytes=1000, received_bytes=2000, keys=15)
    session = {"session": b"\x00\xff", "traffic": traffic, "record_spent": True}
    counts = {
        "key_rounds": 33_000,
        "test_rounds": 3_500,
        "tally": GameTally(3_500, 500),
        "leaked_bits": 8_000,
    }
    return {
        "run": replace(
            run(MODEL, heralded_rounds=ROUNDS, security=SECURITY, seed=3),
            scenario={"scheme": "behaviour", "rounds": ROUNDS},
        ),
        "run-asymptotic": run(MODEL, heralded_rounds=20_000, security=asymptotic, seed=3),
        "run-aborted": run(MODEL, heralded_rounds=20_000, security=Security(), seed=3),
        "run-without-rounds": run(MODEL, pulses=10, security=SECURITY, seed=3),
        "distillation": plain,
        "lab": LabReport.from_files(plain, validation, emulated=True),
        "lab-aborted": LabReport.from_files(short, validation, emulated=False),
        "party": SessionReport.of_session(
            design, "alice", "key", key_length=9760, emulated=True, **session, **counts
        ),
        "party-aborted": SessionReport.of_session(
            design, "bob", "aborted", "too many lost tests", **session, **counts
        ),
        "party-failed": SessionReport.of_session(design, "bob", "failed", "silence", **session),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_is_its_json_both_ways(reports, kind):
    report = reports[kind]
    text = report.to_json()
    again = type(report).from_json(text)
    if kind != "run-asymptotic":
        assert again == report
    # A whole number of bits may come back as 1037.0.
    assert again.to_dict() == report.to_dict()
    assert json.loads(text) == report.to_dict()
    assert not re.search("NaN|Infinity", text)
    assert (again.alice_key, again.bob_key) == (None, None)
    assert again.transcript.leaked_bits == report.transcript.leaked_bits


@pytest.mark.parametrize("kind", KINDS)
def test_no_key_is_told(reports, kind):
    report = reports[kind]
    assert not {"alice_key", "bob_key"} & report.to_dict().keys()
    for key in (report.alice_key, report.bob_key):
        if key is not None:
            told = repr(report) + report.to_json() + html_report(report)
            assert key.hex() not in told
            assert repr(key) not in told
    smuggled = type(report).from_dict(report.to_dict() | {"alice_key": "00", "bob_key": "00"})
    assert (smuggled.alice_key, smuggled.bob_key) == (None, None)


@pytest.mark.parametrize("kind", KINDS)
def test_terminal_and_page_say_the_same(reports, kind):
    report = reports[kind]
    console = Console(width=250)
    with console.capture() as captured:
        print_report(report, console)
    printed, page = captured.get(), html.unescape(html_report(report))
    for section in report.present():
        assert f"<h2>{section.title}</h2>" in page
        texts = [*section.header, *section.bullets, *(cell for row in section.rows for cell in row)]
        for text in texts:
            assert f">{text}<" in page
            assert section.is_detail or text in printed
        assert section.is_detail or section.title in printed
    assert ("<svg" in page) == any(section.picture for section in report.present())


def test_the_epsilon_stands_beside_the_label(reports):
    for kind, report in reports.items():
        rows = report.present()[0].rows
        place = [name for name, _ in rows].index("security")
        claimed = "-" if kind in ("run-asymptotic", "run-without-rounds") else SOUNDNESS
        assert rows[place + 1] == ("soundness", claimed)


def test_a_notebook_shows_the_summary(reports):
    shown = reports["run"]._repr_html_()
    assert SOUNDNESS in shown
    assert "where the key went" in shown
    assert "DisclosedTests" not in shown


@pytest.mark.parametrize("kind", ["run", "run-asymptotic", "run-aborted", "run-without-rounds"])
def test_a_row_has_the_columns_of_a_store(reports, kind):
    report = reports[kind]
    row = report.row()
    assert row.keys() == {"status", "reason", *RESULTS}
    assert (row["status"], row["reason"]) == (report.outcome, report.abort_reason)
    assert row["qber_expected"] == MODEL.joint_distribution().qber
    assert row["rate_achieved"] == report.rates_per_pulse["achieved"]


def test_keys_that_differ_are_a_failure(reports):
    row = replace(reports["run"], keys_match=False).row()
    assert row == {
        "status": "failed",
        "reason": "the keys differ although they were verified",
    }


def test_a_party_keeps_what_is_not_public_to_itself(reports):
    values = reports["party"].to_dict()
    for name in ("corrected_errors", "reconciliation_efficiency", "keys_match"):
        assert values[name] is None
    assert (values["sent_bytes"], values["received_bytes"]) == (1000, 2000)
    assert reports["party"].traffic.keys == 15
    assert values["net_key_bits"] == 9760 - 15 * 256


@pytest.mark.parametrize("path", sorted(OLD.glob("*.json")), ids=lambda path: path.stem)
def test_reports_of_0_1_0_are_read(path):
    old, report = json.loads(path.read_text()), read_report(path)
    new = report.to_dict()
    kind = path.stem.partition("-")[0]
    assert type(report) is {"run": RunReport, "distill": LabReport, "party": SessionReport}[kind]
    assert new["label"] == old.pop("security")
    old.pop("seconds", None)
    design = old.pop("design", None)
    # What is predicted has become more.
    prediction = old.pop("prediction", None) or {}
    assert prediction.items() <= (new.get("prediction") or {}).items()
    assert old.items() <= new.items()
    if design is not None:
        names = {"settings": "scheme", "local_settings": "setting_choice"}
        renamed = {names.get(name, name): value for name, value in design.items()}
        # What a design is called is said by the version that reads it.
        assert new["design"] | {"label": renamed["label"]} == renamed
    assert type(report).from_json(report.to_json()).to_json() == report.to_json()
    assert report.heading in html_report(report)
    if kind == "run":
        assert report.emulated
        assert report.warning == "reproducible from a seed: not a secret key"


def test_the_terms_of_an_old_distillation_are_those_of_its_key():
    report = read_report(OLD / "distill-key.json")
    assert sum(report.key_terms.values()) == pytest.approx(report.key_length, abs=9)
    assert report.present()[0].rows[5] == ("soundness", SOUNDNESS)


@pytest.mark.parametrize("kind", ["run", "run-aborted", "lab", "lab-aborted", "party"])
def test_every_folder_has_a_page_and_a_waterfall(reports, tmp_path, kind):
    report = reports[kind]
    name = "alice.report" if kind == "party" else "report"
    (tmp_path / f"{name}.json").write_text(report.to_json())
    assert read_report(tmp_path) == report
    result = CliRunner().invoke(app, ["report", str(tmp_path)])
    page = tmp_path / f"{name}.html"
    assert (result.exit_code, result.stdout.strip()) == (0, str(page)), result.stderr
    assert report.heading in page.read_text(encoding="utf-8")
    picture = tmp_path / "waterfall.png"
    result = CliRunner().invoke(app, ["plot", "waterfall", str(tmp_path), "--out", str(picture)])
    assert result.exit_code == 0, result.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_of_two_reports_one_is_named(reports, tmp_path):
    for party in ("alice", "bob"):
        (tmp_path / f"{party}.report.json").write_text(reports["party"].to_json())
    with pytest.raises(InvalidArgumentError, match=r"one of alice\.report\.json, bob\.report\.js"):
        read_report(tmp_path)
    assert read_report(tmp_path / "bob.report.json") == reports["party"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"design": {"method": "magic"}}, r"\(design\."),
        ({"transcript": [{"sender": "eve"}]}, r"\(transcript\.0\.sender: Input should be 'alice'"),
        ({"prediction": None}, r"\(prediction: Input should be"),
    ],
)
def test_other_reports_are_refused(reports, tmp_path, change, message):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(reports["run"].to_dict() | change))
    with pytest.raises(InputFileError, match=message):
        read_report(tmp_path)


def test_a_report_without_terms_is_refused_a_waterfall_by_its_name(tmp_path):
    picture = str(tmp_path / "waterfall.png")
    old = str(OLD / "party-key.json")
    result = CliRunner().invoke(app, ["plot", "waterfall", old, "--out", picture])
    assert result.exit_code == 2
    shown = " ".join(result.output.split())
    assert "run must be one whose report has the terms" in shown
    assert "party-key.json" in shown
