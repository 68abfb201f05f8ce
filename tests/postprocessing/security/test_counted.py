"""Keys with counted tests: the bound against devices, patterns, conditions of acceptance."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from postprocessing.design.design import Design
from postprocessing.design.request import ExpectedValues, Security
from postprocessing.errors import InvalidArgumentError
from postprocessing.scheme import BellScheme, RoundProbabilities
from postprocessing.security import METHODS, Block, Counts
from postprocessing.security.counted import CountedParameters, LossScore, SmoothedParameters

COUNTED = ("tan22_counted", "geat_counted", "eat_rpa")
SCHEME = BellScheme(
    alice_labels=("A0", "A1", "A2"),
    bob_labels=("B1", "B2"),
    heralds=("yes",),
    key_pair=(0, 0),
    chsh_signs=((1, 0, 1), (1, 1, -1), (2, 0, 1), (2, 1, 1)),
    flip=((False, False),),
)
# 100 km of entangled coherent states without misalignment, near its best settings.
BLOCK = Block(
    rounds=10**7,
    probabilities=RoundProbabilities(key=0.83, test=0.016),
    win_probability=0.8025,
    secrecy=9e-11,
    leaked_bits=2e4,
)


def found(method: str, block: Block = BLOCK) -> Any:
    return METHODS[method].optimise(block)


def designed(method: str, rounds: int = 10**6) -> Design:
    return Security(method=method).design(ExpectedValues(SCHEME, 2.7, 0.01), rounds)


def eta(e: Any, q: float) -> Any:
    """Return η_q(E), written out."""

    def h(p: Any) -> Any:
        p = np.clip(p, 1e-300, 1 - 1e-16)
        return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))

    return 1 - h((1 + e) / 2) + h((1 + np.sqrt(1 - 4 * q * (1 - q) * (1 - e**2))) / 2)


def worst_device(parameters: CountedParameters, marks: RoundProbabilities, q: float) -> float:
    """Return the least H − f − xV on a grid of devices, with the variance as it is."""
    e, chsh = np.meshgrid(np.sin(np.linspace(0, math.pi / 2, 1500)), np.linspace(-2.83, 2.83, 1500))
    possible = chsh <= 2 * np.sqrt(1 + e**2)
    lost = marks.test * (0.5 - chsh / 8)
    variance = lost * (1 - lost) * parameters.loss_credit**2
    cost = math.log(2) / 2 * (math.log2(33) + np.sqrt(2 + variance)) ** 2
    entropy = marks.key * eta(e, q) + marks.test * eta(e, 0.0)
    left = entropy + lost * parameters.loss_credit - parameters.excess * cost
    return float(left[possible].min())


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("method", COUNTED)
@pytest.mark.parametrize("rounds", [10**6, 10**7, 10**9])
def test_no_device_has_less_than_the_infimum(method: str, rounds: int, noise: float) -> None:
    block = replace(BLOCK, rounds=rounds, noisy_preprocessing=noise)
    parameters = found(method, block)
    bound = LossScore(block.probabilities, parameters, noise).infimum
    worst = worst_device(parameters, block.probabilities, noise)
    # The grid's own step allows for a little, and the linearised variance for a little more.
    assert worst - 1e-3 <= bound <= worst


def test_length_of_eat_rpa_written_out() -> None:
    """ℓ = nI − K − nx²K_x − L′ − leak − ((1 + 2x)/x) log2(1/ε_sec) + 2, from scratch."""
    parameters = found("eat_rpa")
    n, marks, x, k = BLOCK.rounds, BLOCK.probabilities, parameters.excess, parameters.loss_credit
    losses = METHODS["eat_rpa"].tolerated_losses(BLOCK)
    lost = marks.test * (1 - parameters.published_win)
    m, v = lost * k, lost * k**2 - (lost * k) ** 2
    root = math.sqrt(2 + v)
    cost, slope = math.log(2) / 2 * (math.log2(33) + root) ** 2, math.log(2) / 2
    slope *= (math.log2(33) + root) / root
    s = 1 - x * slope * (k - 2 * m)
    e = np.sin(np.linspace(0, math.pi / 2, 400_001))
    balance = marks.key * eta(e, 0.0) + marks.test * eta(e, 0.0)
    balance = balance - marks.test * k * s / 4 * np.sqrt(1 + e**2)
    infimum = marks.test * k * s / 2 - x * (cost - slope * v + slope * m**2) + balance.min()
    spread = 2 + marks.test * k / 2 + math.sqrt(2) / 4 * marks.test * k
    third = 2 ** (x * spread) * math.log(2**spread + math.e**2) ** 3 / (6 * math.log(2))
    third /= (1 - x) ** 3
    length = n * infimum - k * losses - n * x**2 * third - parameters.most_test_bits
    length += -BLOCK.leaked_bits + (1 + 2 * x) / x * math.log2(BLOCK.secrecy) + 2
    bits = METHODS["eat_rpa"].length(BLOCK, parameters).unclipped
    assert bits == pytest.approx(length - 1 - 2e-12 * n, abs=1e-3)


@pytest.mark.parametrize("method", COUNTED)
def test_no_other_parameters_do_better(method: str) -> None:
    best = METHODS[method].length(BLOCK)
    parameters, rng = best.parameters, np.random.default_rng(3)
    for _ in range(200):
        names = ("loss_credit", "excess", "tangent")
        other = {name: getattr(parameters, name) * math.exp(rng.normal(0, 0.02)) for name in names}
        other["tangent"] = min(other["tangent"], 0.999)
        bits = METHODS[method].length(BLOCK, replace(parameters, **other)).unclipped
        assert bits <= best.unclipped * (1 + 1e-5)


@settings(max_examples=100)
@given(st.floats(0.01, 0.99), st.integers(1, 300), st.floats(0.2, 3))
def test_patterns_of_losses_are_no_more_than_they_are_counted(
    win: float, tests: int, cost: float
) -> None:
    """All patterns within L′, where one bit of each test is the published one."""
    most = cost * tests
    parameters = CountedParameters(1.0, 0.1, 0.5, win, most)
    patterns = sum(
        math.comb(tests, lost)
        for lost in range(tests + 1)
        if parameters.test_bits(Counts(tests - lost, lost)) <= most
    )
    assert patterns <= 2 ** (most - tests) * (1 + 1e-9)


@pytest.mark.parametrize("method", COUNTED)
def test_both_conditions_decide(method: str) -> None:
    design = designed(method)
    assert design.length is not None
    parameters: CountedParameters = design.length.parameters
    tests = round(10**6 * design.setting_choice.round_probabilities.test)
    lost = round(tests * (1 - parameters.published_win))
    assert design.accepts(tests, lost)
    assert design.accepts(tests, min(design.tolerated_test_losses, tests)) is (
        parameters.test_bits(
            Counts(tests - design.tolerated_test_losses, design.tolerated_test_losses)
        )
        <= parameters.most_test_bits
    )
    assert not design.accepts(tests, design.tolerated_test_losses + 1)
    # More tests than are paid for, none of them lost.
    won_cost = 1 - math.log2(parameters.published_win)
    affordable = math.floor(parameters.most_test_bits / won_cost)
    assert design.accepts(affordable, 0)
    assert not design.accepts(affordable + 1, 0)


@pytest.mark.parametrize("method", COUNTED)
def test_a_design_without_a_length_accepts_nothing(method: str) -> None:
    block = replace(BLOCK, tolerated_losses=10)
    assert not METHODS[method].accepts(block, None, Counts(100, 0))


@pytest.mark.parametrize("method", COUNTED)
@pytest.mark.parametrize("rounds", [10**6, 10**8])
def test_honest_devices_fail_as_often_as_predicted(method: str, rounds: int) -> None:
    """1e5 tallies; false alarm 5e-4 by Clopper and Pearson at 99.9 %."""
    design, draws = designed(method, rounds), 100_000
    rng = np.random.default_rng(11)
    marks = design.setting_choice.round_probabilities
    win = 0.5 + 2.7 / 8
    tests = rng.binomial(rounds, marks.test, draws)
    lost = rng.binomial(tests, 1 - win)
    failed = sum(
        not design.accepts(*tally) for tally in zip(tests.tolist(), lost.tolist(), strict=True)
    )
    low = binomtest(failed, draws).proportion_ci(0.999, method="exact").low
    assert design.key_length > 0
    assert design.leakage is not None
    assert low <= design.predicted_abort_probability - design.leakage.over_budget_probability
    assert failed > 0


@pytest.mark.parametrize("method", COUNTED)
def test_a_design_that_claims_to_pay_for_more_is_refused(method: str) -> None:
    design = designed(method)
    assert design.length is not None
    for name, factor in (("most_test_bits", 1.01), ("loss_credit", 1.3), ("excess", 4.0)):
        value = getattr(design.length.parameters, name) * factor
        parameters = replace(design.length.parameters, **{name: value})
        with pytest.raises(InvalidArgumentError, match="length must be at most"):
            replace(design, length=replace(design.length, parameters=parameters))
    with pytest.raises(InvalidArgumentError, match="length must be at most"):
        replace(design, tolerated_test_losses=design.tolerated_test_losses + 100)


@pytest.mark.parametrize("kind", [CountedParameters, SmoothedParameters])
def test_parameters_out_of_range_are_named(kind: type[CountedParameters]) -> None:
    names = [field.name for field in fields(kind)]
    for name in names:
        for value in (0.0, -1.0, math.nan, math.inf):
            given = dict.fromkeys(names, 0.5) | {name: value}
            with pytest.raises(InvalidArgumentError, match=name):
                kind(**given)


def test_an_order_that_leaves_nothing_for_winning_is_refused() -> None:
    parameters = replace(found("eat_rpa"), excess=0.5)
    with pytest.raises(InvalidArgumentError, match="excess"):
        METHODS["eat_rpa"].length(BLOCK, parameters)


def test_smoothing_beyond_the_secrecy_is_refused() -> None:
    parameters = found("tan22_counted")
    wide = replace(parameters, amplification=parameters.amplification * 1.001)
    with pytest.raises(InvalidArgumentError, match="parameters"):
        METHODS["tan22_counted"].length(BLOCK, wide)


def test_one_register_costs_less_than_the_theorem_and_one_order_less_still() -> None:
    bits = [METHODS[method].length(BLOCK).unclipped for method in ("tan22", "tan22_counted")]
    # The published outcomes are leakage for the one, a term of its own for the other.
    published = BLOCK.rounds * BLOCK.probabilities.test
    assert bits[1] > bits[0] - published
    assert METHODS["eat_rpa"].length(BLOCK).unclipped > bits[1]
