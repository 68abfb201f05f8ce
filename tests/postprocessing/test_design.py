"""The design: frozen before data, its budget, thresholds and predicted abort probability."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from plain_rounds import XIE_SCHEME as SCHEME
from scipy.stats import binom

from postprocessing.design.design import whole_bytes
from postprocessing.design.leakage import VERDICT_BITS, leakage_budget
from postprocessing.design.request import ExpectedValues, Security
from postprocessing.errors import InvalidArgumentError
from postprocessing.reconciliation import failure_rates, tag_length
from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.scheme import LocalSettings
from postprocessing.security import (
    METHODS,
    Block,
    EpsilonSplit,
    RenyiParameters,
    asymptotic_key_fraction,
    binary_entropy,
    win_probability,
)
from postprocessing.testing import GameTally

PROBABILITIES = RoundProbabilities(key=0.82, test=0.0176)


@pytest.fixture(scope="module")
def design(honest):
    return Security().design(honest, 10**7)


def test_key_length_follows_from_the_frozen_parameters(design):
    """Re-evaluating the bound at the frozen parameters gives the designed length."""
    block = Block(
        rounds=design.heralded_rounds,
        probabilities=design.setting_choice.round_probabilities,
        win_probability=0.8,
        tolerated_losses=design.tolerated_test_losses,
        leaked_bits=design.leakage.budget_bits,
        secrecy=design.epsilons.secrecy,
    )
    again = METHODS["tan22"].length(block, design.length.parameters)
    assert design.key_length == whole_bytes(again.bits) > 0
    assert design.key_length % 8 == 0


def test_soundness_is_fully_spent_and_not_overspent(design):
    assert design.epsilons.secrecy + 2 * design.epsilons.correctness <= 1e-10 * (1 + 1e-12)
    assert design.length.parameters.secrecy <= design.epsilons.secrecy


def test_key_length_is_fixed_within_the_budget(design):
    budget = int(design.leakage_budget_bits)
    for key_rounds in (8_000_000, 8_500_000):
        for leaked in (0, budget):
            assert (
                design.final_key_length(key_rounds, GameTally(170_000, 0), leaked)
                == design.key_length
            )
    assert design.final_key_length(8_000_000, GameTally(170_000, 0), budget + 1) == 0
    assert design.final_key_length(design.key_length - 8, GameTally(170_000, 0), 0) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"heralded_rounds": 9_000_000},
        {"tolerated_test_losses": 36_000},
        {"epsilons": EpsilonSplit(1e-12, 1e-13)},
        {"setting_choice": LocalSettings(0.08, 0.08)},
        {"method": "asymptotic"},
    ],
)
def test_a_length_that_the_rest_does_not_allow_is_refused(design, change):
    with pytest.raises(InvalidArgumentError, match=r"(length|parameters|tag_bits) must be"):
        dataclasses.replace(design, **change)


def test_a_larger_budget_shortens_the_key(design):
    larger = dataclasses.replace(design.leakage, budget_bits=design.leakage.budget_bits + 100)
    with pytest.raises(InvalidArgumentError, match="length must be at most"):
        dataclasses.replace(design, leakage=larger)


@pytest.mark.parametrize("method", [name for name in METHODS if METHODS[name].composable])
def test_a_length_must_be_the_bound_at_the_frozen_parameters(honest, method):
    design = Security(method=method, soundness=1e-6).design(honest, 3 * 10**6)
    length = design.length
    assert design.key_length > 0
    longer = dataclasses.replace(length, bits=length.bits + 8)
    with pytest.raises(InvalidArgumentError, match="length must be at most"):
        dataclasses.replace(design, length=longer)


@pytest.mark.parametrize(
    "change",
    [
        {"heralded_rounds": 10**16},
        {"completeness": float("nan")},
        {"predicted_abort_probability": -0.1},
        {"expected_chsh": 2.9},
        {"expected_qber": float("nan")},
        {"tolerated_test_losses": 10**7 + 1},
        {"completeness": 0.6},
    ],
)
def test_numbers_out_of_range_are_refused(design, change):
    (name,) = change
    with pytest.raises(InvalidArgumentError, match=f"{name} must be (a whole number )?in"):
        dataclasses.replace(design, **change)


def test_credits_that_would_overflow_are_refused():
    with pytest.raises(InvalidArgumentError, match="win_credit, loss_credit must be at most"):
        RenyiParameters(1e-3, 1e300, 0.0, 0.8)


def test_a_tag_longer_than_the_hash_is_refused(design):
    longer = dataclasses.replace(design.leakage, tag_bits=129)
    with pytest.raises(InvalidArgumentError, match="tag_bits must be"):
        dataclasses.replace(design, leakage=longer)


def test_predicted_abort_probability_meets_completeness(design):
    assert 0 < design.predicted_abort_probability <= design.completeness


@pytest.mark.parametrize("rounds", [110_000, 250_000, 320_000, 450_000, 10**6])
def test_a_varying_length_keeps_the_completeness(honest, rounds):
    """By 20 000 tallies: honest devices end without a key no more often than they may."""
    wanted = Security(method="renyi", completeness=0.05)
    design = wanted.design(honest, rounds)
    assert design.predicted_abort_probability <= 0.05 or design.key_length == 0
    assert (design.key_length > 0) == (rounds > 250_000)
    test, win = design.setting_choice.round_probabilities.test, win_probability(honest.chsh)
    generator = np.random.default_rng(rounds)
    tests = generator.binomial(rounds, test, 20_000)
    lost = generator.binomial(tests, 1 - win)
    budget = design.leakage.budget_bits
    counts = zip(tests.tolist(), lost.tolist(), strict=True)
    without = sum(
        design.final_key_length(rounds, GameTally(tests, lost), budget + 2 * tests) == 0
        for tests, lost in counts
    )
    if design.key_length:
        # Chernoff's bound is not tight, but a length of mean 0 would be missed half the time.
        assert without <= 20_000 * design.predicted_abort_probability
    else:
        assert without == 20_000


@pytest.mark.parametrize("qber", [0.0, 7e-6, 1e-3, 0.01, 0.03, 0.1])
def test_budget_covers_its_parts(qber):
    """Tests, syndromes, flags, disclosed frames, tag and verdicts, each at its quantile."""
    n, completeness = 10**7, 1e-2
    tag_bits = tag_length(n, 5e-12)
    plan = leakage_budget(n, PROBABILITIES, qber, tag_bits, completeness, ("throughput",))
    rates = plan.reconciliation
    assert binom.sf(plan.key_rounds, n, PROBABILITIES.key) <= completeness / 8
    assert binom.sf(plan.test_rounds, n, PROBABILITIES.test) <= completeness / 8
    assert plan.frames * rates.frame_bits >= plan.key_rounds
    failures = binom.sf(plan.failed_frames, plan.frames, failure_rates(rates, qber))
    assert failures.sum() <= completeness / 4 * (1 + 1e-9)
    tried = (plan.frames, *plan.failed_frames[:-1])
    parts = (
        plan.test_rounds
        + sum(count * (rates.syndrome_bits(step) + 1) for step, count in enumerate(tried))
        + min(plan.failed_frames[-1] * rates.frame_bits, plan.key_rounds)
        + tag_bits
        + VERDICT_BITS
    )
    assert plan.budget_bits == parts
    assert plan.over_budget_probability <= completeness / 2


@pytest.mark.parametrize("qber", [0.3, 0.9])
@pytest.mark.parametrize("method", ["tan22", "asymptotic"])
def test_no_code_means_no_key(qber, method):
    assert leakage_budget(10**6, PROBABILITIES, qber, 60, 1e-2, ("throughput",)) is None
    design = Security(method=method).design(ExpectedValues(SCHEME, 2.8, qber), 10**6)
    assert (design.leakage, design.key_length, design.leakage_budget_bits) == (None, 0, 0)


@pytest.mark.parametrize("rounds", [1, 2, 99, 5000])
def test_few_rounds_give_no_key(honest, rounds):
    for method in METHODS:
        design = Security(method=method).design(honest, rounds)
        assert (design.key_length, design.predicted_abort_probability) == (0, 1)


def test_more_rounds_give_more_key_per_round(honest):
    rates = [Security().design(honest, 10**k).key_length / 10**k for k in range(7, 16)]
    assert rates == sorted(rates)
    assert rates[-1] < honest_rate(honest)


def honest_rate(honest):
    """Return the asymptotic key fraction."""
    return asymptotic_key_fraction(honest.chsh, honest.qber)


def test_extreme_requests_still_give_designs(honest):
    for security in (Security(soundness=1e-20), Security(completeness=1e-12), Security(0.5, 0.5)):
        design = security.design(honest, 10**8)
        assert 0 < design.predicted_abort_probability <= security.completeness
        assert design.key_length > 0


def test_local_chsh_value_gives_no_key():
    for method in METHODS:
        values = ExpectedValues(SCHEME, 2.0, 0.0)
        assert Security(method=method).design(values, 10**7).key_length == 0


def test_asymptotic_design_says_what_it_is(honest):
    design = Security(method="asymptotic").design(honest, 10**6)
    assert design.label == "asymptotic: not secure at finite size"
    assert design.to_dict()["label"] == design.label
    assert design.to_dict()["epsilons"]["secrecy"] is None
    assert design.setting_choice == Security().design(honest, 10**6).setting_choice


@pytest.mark.parametrize(
    "change",
    [
        {"tolerated_test_losses": 30_000},
        {"heralded_rounds": 10**7 + 1},
        {"epsilons": EpsilonSplit(0.9e-10, 0.1e-10)},
        {"scheme": dataclasses.replace(SCHEME, alice_labels=("a", "b", "c"))},
        {"expected_qber": 1e-5},
        {"setting_choice": LocalSettings(0.0942, 0.0942)},
    ],
)
def test_fingerprint_depends_on_what_is_frozen(design, change):
    changed = dataclasses.replace(
        design, **change, length=dataclasses.replace(design.length, bits=8)
    )
    same = dataclasses.replace(design, length=dataclasses.replace(design.length, bits=8))
    assert changed.fingerprint() != same.fingerprint() != design.fingerprint()


def test_counts_of_any_integer_type_give_one_fingerprint(honest, design):
    assert Security().design(honest, np.int64(10**7)).fingerprint() == design.fingerprint()


def test_a_tag_too_short_for_the_correctness_is_refused(design):
    short = dataclasses.replace(design.leakage, tag_bits=design.leakage.tag_bits - 1)
    with pytest.raises(InvalidArgumentError, match="tag_bits must be at least"):
        dataclasses.replace(design, leakage=short)


def test_planned_leakage_follows_the_error_rate():
    """All that the budget sets aside for sending: f ≤ 1.3 in either mode, or 0.01 a key bit."""
    for mode in ("throughput", "efficiency"):
        for qber in np.geomspace(1e-6, 0.11, 25):
            plan = leakage_budget(10**8, PROBABILITIES, qber, 54, 1e-2, (mode,))
            sent = plan.budget_bits - plan.test_rounds - plan.tag_bits - VERDICT_BITS
            most = max(1.3 * binary_entropy(qber), 0.01)
            assert sent <= most * 10**8 * PROBABILITIES.key


def test_auto_takes_the_mode_that_leaves_the_longer_key(honest):
    """Long keys get long frames; short ones cannot fill them."""
    for rounds, least in ((10**6, 0), (10**7, 1), (10**8, 1)):
        lengths, modes = {}, ("throughput", "efficiency", "auto")
        for mode in modes:
            design = Security(soundness=1e-6, reconciliation=mode).design(honest, rounds)
            lengths[mode] = design.key_length
        assert lengths["auto"] == max(lengths.values()) >= least


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (
            lambda: Security(soundness=0.0),
            r"soundness must be a probability in \[1e-20, 1\)",
        ),
        (lambda: Security(completeness=float("nan")), "completeness must be a probability"),
        (lambda: Security(method="af18"), "method must be one of"),
        (lambda: _design(chsh=2.5, qber=1.7, rounds=10), "qber must be in"),
        (lambda: _design(chsh=3.0, qber=0.1, rounds=10), "chsh must be in"),
        (
            lambda: _design(chsh=2.5, qber=0.1, rounds=0),
            r"heralded_rounds must be a whole number in \[1, 1e\+15\]",
        ),
    ],
)
def test_bad_requests_are_refused(make, match):
    with pytest.raises(InvalidArgumentError, match=match):
        make()


def _design(chsh, qber, rounds):
    return Security().design(ExpectedValues(SCHEME, chsh, qber), rounds)
