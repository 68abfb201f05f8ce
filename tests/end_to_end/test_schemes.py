"""Every scheme from photons to equal keys, through the same sampler and post-processing."""

from __future__ import annotations

import json

import pytest
from scipy import stats
from typer.testing import CliRunner

from emulator import load_scenario, run
from emulator.cli.app import app
from emulator.schemes.registry import SCHEMES
from postprocessing import Security

# Two-sided, per statistical check; seeds are fixed.
FALSE_ALARM = 1e-6


@pytest.mark.parametrize(
    ("preset", "reference"),
    [
        ("bell-state-50km", "bob"),
        ("cavity-1-loss-10km", "alice"),
        ("cavity-3-loss-5km", "alice"),
        ("cavity-devices-of-today-10km", "alice"),
        ("trapped-ions-2022", "bob"),
    ],
)
def test_a_scheme_makes_equal_keys(preset, reference):
    model = load_scenario(preset).build_model()
    report = run(model, heralded_rounds=4_000_000, security=Security(soundness=1e-6), seed=11)
    assert report.design.scheme.reference == reference
    assert report.outcome == "key"
    assert report.alice_key == report.bob_key
    assert report.key_length == report.design.key_length > 0
    assert report.leaked_bits <= report.design.leakage_budget_bits
    limit = stats.norm.isf(FALSE_ALARM / 2)
    assert abs(report.chsh.deviation) < limit
    assert abs(report.gain.deviation or 0.0) < limit
    errors, rounds = report.errors, report.key_rounds
    if report.qber.expected == 0:
        assert errors == 0
    else:
        assert stats.binomtest(errors, rounds, report.qber.expected).pvalue > FALSE_ALARM


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_scheme_alone_names_its_first_preset(scheme):
    result = CliRunner().invoke(app, ["predict", "--scheme", scheme, "--json"])
    named = CliRunner().invoke(app, ["predict", SCHEMES[scheme].default_preset, "--json"])
    assert json.loads(result.stdout) == json.loads(named.stdout)
    assert json.loads(result.stdout)["scheme"] == scheme


def test_rates_per_second():
    arguments = ["run", "cavity-1-loss-10km", "--rounds", "2e5", "--security", "asymptotic"]
    values = json.loads(CliRunner().invoke(app, [*arguments, "--seed", "3", "--json"]).stdout)
    pace = values["prediction"]["repetition_rate_hz"]
    # One pulse for every travel time over 10 km at 2e8 m/s.
    assert pace == pytest.approx(20_000)
    for name in ("asymptotic", "achieved"):
        rate = values["rates_per_pulse"][name]
        assert values["rates_per_second"][name] == pytest.approx(rate * pace)
