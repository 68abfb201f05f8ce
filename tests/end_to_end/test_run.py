"""Runs from photons to keys: equal keys, agreement with theory, aborts of cheating devices."""

from __future__ import annotations

import pytest
from scipy import stats

from emulator import EntangledCoherent, Link, Sampler, emulate, run
from emulator.runner import distill_emulated
from postprocessing import ExpectedValues, InvalidArgumentError, Security
from postprocessing.protocol.messages import Syndromes

# Two-sided, per statistical check; seeds are fixed.
FALSE_ALARM = 1e-6
SECURITY = Security(soundness=1e-6)


@pytest.fixture(scope="module")
def finite_size_run():
    """Four million heralded rounds at 100 km: enough for a finite-size key at ε = 1e-6."""
    model = EntangledCoherent(Link(distance_km=100))
    return run(model, heralded_rounds=4_000_000, security=SECURITY, seed=3)


def test_finite_size_key(finite_size_run):
    report = finite_size_run
    assert report.outcome == "key"
    assert report.alice_key == report.bob_key
    assert report.key_length == report.design.key_length > 0
    assert report.leaked_bits <= report.design.leakage_budget_bits


def test_emulation_agrees_with_theory(finite_size_run):
    report = finite_size_run
    limit = stats.norm.isf(FALSE_ALARM / 2)
    assert abs(report.gain.deviation) < limit
    assert abs(report.chsh.deviation) < limit
    errors, rounds = report.errors, report.key_rounds
    assert stats.binomtest(errors, rounds, report.qber.expected).pvalue > FALSE_ALARM
    kinds = report.design.setting_choice.round_probabilities
    for count, probability in (
        (rounds, kinds.key),
        (report.tally.rounds, kinds.test),
    ):
        test = stats.binomtest(count, report.heralded_rounds, probability)
        assert test.pvalue > FALSE_ALARM


def test_rates_are_ordered(finite_size_run):
    """Finite-size keys are shorter than asymptotic ones, which stay below the theory's rate."""
    report = finite_size_run
    rates = report.rates_per_pulse
    assert 0 < rates["finite_size"] < rates["asymptotic"]
    assert rates["achieved"] == pytest.approx(rates["finite_size"], rel=0.01)
    assert report.key_length < report.asymptotic_key_length


@pytest.mark.parametrize("seed", range(3))
def test_classical_devices_always_abort(classical, finite_size_run, seed):
    """Local deterministic devices lose a quarter of the tests; no syndrome is ever sent."""
    design = finite_size_run.design
    emulated = emulate(
        Sampler(classical, design.setting_choice, seed), heralded_rounds=design.heralded_rounds
    )
    report = distill_emulated(emulated, design, seed)
    assert report.abort_reason == "too many lost tests"
    assert report.alice_key is report.bob_key is None
    assert report.transcript.leaked_by(Syndromes) == 0


def test_model_distribution_and_numbers_give_the_same_design(honest):
    model = EntangledCoherent(Link(distance_km=100))
    numbers = ExpectedValues(honest.scheme, honest.chsh, honest.qber)
    assert len({SECURITY.design(known, 10**7) for known in (model, honest, numbers)}) == 1


@pytest.mark.parametrize("misalignment_error", [0.0, 0.01, 0.03])
@pytest.mark.parametrize("distance_km", [0, 300])
def test_every_error_rate_reconciles(distance_km, misalignment_error):
    model = EntangledCoherent(Link(distance_km), misalignment_error=misalignment_error)
    asymptotic = Security(method="asymptotic")
    report = run(model, heralded_rounds=1_000_000, security=asymptotic, seed=5)
    assert report.outcome == "key"
    assert report.alice_key == report.bob_key
    expected = report.qber.expected
    errors, rounds = report.errors, report.key_rounds
    assert stats.binomtest(errors, rounds, expected).pvalue > FALSE_ALARM


def test_pulse_limited_run_uses_the_designed_rounds():
    model = EntangledCoherent(Link(distance_km=0))
    security = Security(method="asymptotic")
    report = run(model, pulses=2_000_000, security=security, seed=6)
    assert report.outcome == "key"
    assert report.pulses == 2_000_000
    assert report.design.heralded_rounds < report.heralded_rounds


def test_far_apart_more_pulses_fit_than_rounds():
    """2e9 pulses herald 275 000 rounds at 300 km: these have to fit into memory, not the pulses."""
    model = EntangledCoherent(Link(distance_km=300))
    report = run(model, pulses=2 * 10**9, security=Security(method="asymptotic"), seed=1)
    assert report.keys_match
    assert report.pulses == 2 * 10**9
    assert abs(report.gain.deviation) < 5


def test_stopping_rule_is_required():
    model = EntangledCoherent(Link(distance_km=0))
    with pytest.raises(InvalidArgumentError, match="heralded_rounds must be given, or else pulses"):
        run(model)
    with pytest.raises(InvalidArgumentError, match="heralded_rounds must be a whole number"):
        run(model, heralded_rounds=2.5)
    with pytest.raises(InvalidArgumentError, match="pulses must be a whole number"):
        run(model, pulses=10**15)
