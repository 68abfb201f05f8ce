"""Keys with counted tests: the bound against devices, patterns, conditions of acceptance."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_rounds import XIE_SCHEME
from qubit_strategies import random_strategies
from scipy.optimize import brentq
from scipy.stats import binomtest

from postprocessing.design.design import Design
from postprocessing.design.request import ExpectedValues, Security
from postprocessing.errors import InvalidArgumentError
from postprocessing.quantiles import weighted_quantile
from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.security import METHODS, Block, Counts
from postprocessing.security.counted import CountedParameters, LossScore, SmoothedParameters
from postprocessing.security.single_round import RoundBalance
from postprocessing.testing import GameTally

COUNTED = ("tan22_counted", "geat_counted", "eat_rpa")
REFERENCE = Path(__file__).parents[2] / "reference/weighted_chsh.csv"
# 100 km of entangled coherent states without misalignment, near its best settings.
BLOCK = Block(
    rounds=10**7,
    probabilities=RoundProbabilities(key=0.83, test=0.016),
    win_probability=0.8025,
    secrecy=9e-11,
    leaked_bits=2e4,
    win_probability_at_key_setting=0.8535,
)


def found(method: str, block: Block = BLOCK) -> Any:
    return METHODS[method].optimise(block)


def designed(method: str, rounds: int = 10**6) -> Design:
    return Security(method=method).design(ExpectedValues(XIE_SCHEME, 2.7, 0.01, 1.4), rounds)


def eta(e: Any, q: float) -> Any:
    """Return η_q(E), written out."""

    def h(p: Any) -> Any:
        p = np.clip(p, 1e-300, 1 - 1e-16)
        return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))

    return 1 - h((1 + e) / 2) + h((1 + np.sqrt(1 - 4 * q * (1 - q) * (1 - e**2))) / 2)


def moments(chances: Any, sizes: Any) -> tuple[Any, Any]:
    """Return the mean of a sum, and that of its squares."""
    mean, square = (
        sum(p * k**power for p, k in zip(chances, sizes, strict=True)) for power in (1, 2)
    )
    return mean, square


def left(
    parameters: CountedParameters, marks: RoundProbabilities, parts: Any, entropies: Any
) -> float:
    """Return the least H − f − xV of devices, with the variance as it is."""
    lost = [p * (0.5 - part / 4) for p, part in zip(marks.kinds, parts, strict=True)]
    mean, square = moments(lost, parameters.loss_credits)
    cost = math.log(2) / 2 * (math.log2(33) + np.sqrt(2 + square - mean**2)) ** 2
    weights = (marks.key, *marks.kinds)
    entropy = sum(p * bits for p, bits in zip(weights, entropies, strict=True))
    return float((entropy + mean - parameters.excess * cost).min())


@cache
def random_devices(noise: float) -> tuple[Any, ...]:
    return random_strategies(2000, seed=5, noise=noise)


def phase_flips(noise: float) -> tuple[Any, ...]:
    """Return X, Y and entropies of a maximally entangled state with phase flips, at any angles.

    Its key outcomes have the coherence E, the reference's other outcomes are unknown to Eve.
    """
    e = np.sin(np.linspace(0, math.pi / 2, 2001))[:, np.newaxis]
    angle = np.linspace(0, math.pi / 2, 801)
    x, y = 2 * np.cos(angle) + 0 * e, 2 * e * np.sin(angle)
    return x, y, eta(e, noise) + 0 * x, eta(e, 0.0) + 0 * x, 1 + 0 * x


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("method", COUNTED)
@pytest.mark.parametrize("rounds", [10**6, 10**7, 10**9])
@pytest.mark.parametrize("first", [0.8025, 0.8535])
def test_no_device_has_less_than_the_infimum(
    method: str, rounds: int, noise: float, first: float
) -> None:
    block = replace(
        BLOCK, rounds=rounds, noisy_preprocessing=noise, win_probability_at_key_setting=first
    )
    parameters = found(method, block)
    score = LossScore(
        block.probabilities,
        parameters.loss_credits,
        parameters.published_wins,
        parameters.excess,
    )
    bound, marks = score.infimum(parameters.tangent, noise), block.probabilities
    x, y, *entropies = random_devices(noise)
    assert left(parameters, marks, (x, y), entropies) >= bound
    x, y, *entropies = phase_flips(noise)
    # Of tests with the other setting the bound grants less than these devices have.
    assert bound <= left(parameters, marks, (x, y), entropies) <= bound + marks.test


def reference_rows(kind: str, start: str) -> list[dict[str, str]]:
    """Return the rows of a quantity with counted tests."""
    with REFERENCE.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == kind]
    chosen = [r for r in rows if r["counted"] == "yes" and r["quantity"].startswith(start)]
    assert chosen
    return chosen


def values_of(row: dict[str, str]) -> dict[str, float]:
    names = ("n", "gamma", "p", "tau", "w1", "w2", "Q", "q", "k1", "k2", "excess_x", "value")
    return {name: float(row[name]) for name in names}


@dataclass(frozen=True)
class Marks(RoundProbabilities):
    """Round probabilities of which the two kinds of tests do not come equally often."""

    first: float = 0.0

    @property
    def kinds(self) -> tuple[float, float]:
        return self.first, self.test - self.first


def of_row(values: dict[str, float]) -> tuple[Marks, LossScore, float]:
    """Return probabilities, score and best tangent of a reference row."""
    gamma, p, tau = values["gamma"], values["p"], values["tau"]
    first, second = gamma * (1 - p) * tau, gamma * p
    marks = Marks(key=(1 - gamma) * (1 - p), test=first + second, first=first)
    credits_, wins = (values["k1"], values["k2"]), (values["w1"], values["w2"])
    score = LossScore(marks, credits_, wins, values["excess_x"])
    kinds = zip(marks.kinds, credits_, score.shares, strict=True)
    first_gain, second_gain = (p * k * s / 4 for p, k, s in kinds)
    balance = RoundBalance(marks.key, marks.kinds, (first_gain, second_gain), values["q"])
    low, high = max(math.sqrt(balance.bend) * (1 + 1e-12), 1e-9), 1 - 1e-9
    if balance.slope(low) >= 0:
        return marks, score, low
    return marks, score, float(brentq(balance.slope, low, high, xtol=1e-16))


@pytest.mark.parametrize("row", reference_rows("tan22", "infimum"), ids=lambda row: row["value"])
def test_infimum_of_the_reference(row: dict[str, str]) -> None:
    values = values_of(row)
    _, score, tangent = of_row(values)
    assert score.infimum(tangent, values["q"]) == pytest.approx(values["value"], rel=1e-8)


@pytest.mark.parametrize("row", reference_rows("tan22", "third"), ids=lambda row: row["value"])
def test_third_order_of_the_reference(row: dict[str, str]) -> None:
    values = values_of(row)
    _, score, _ = of_row(values)
    bits = -values["n"] * values["excess_x"] ** 2 * score.remainder_cost
    assert bits == pytest.approx(values["value"], rel=1e-8)


@pytest.mark.parametrize(
    ("kind", "row"),
    [(kind, row) for kind in ("tan22", "eat_rpa") for row in reference_rows(kind, "length")],
    ids=lambda given: given if isinstance(given, str) else given["value"],
)
def test_lengths_of_the_reference(kind: str, row: dict[str, str]) -> None:
    """At the reference's parameters, K, register and expected leakage."""
    values = values_of(row)
    marks, score, tangent = of_row(values)
    n, x, q = values["n"], values["excess_x"], values["q"]
    chances = [p * (1 - w) for p, w in zip(marks.kinds, score.wins, strict=True)]
    mean, square = moments(chances, score.loss_credits)
    most_lost = n * mean + 2.5758293035489004 * math.sqrt(n * (square - mean**2))
    register = spread = 0.0
    for p, w in zip(marks.kinds, score.wins, strict=True):
        register += p * binary(w)
        spread += p * (w * math.log2(w) ** 2 + (1 - w) * math.log2(1 - w) ** 2)
    tests = n * (marks.test + register) + 2.5758293035489004 * math.sqrt(n * spread)
    leaked = 1.1 * n * marks.key * binary(values["Q"] * (1 - q) + q * (1 - values["Q"])) + 38
    block = Block(int(n), marks, 0.8, 9e-11, leaked, noisy_preprocessing=q)
    common = (score.loss_credits, most_lost, score.wins, tests, x, tangent)
    if kind == "eat_rpa":
        bits = METHODS["eat_rpa"].length(block, CountedParameters(*common)).unclipped
    else:
        smoothing = 9e-11 / (1 + x) / 2
        parameters = SmoothedParameters(*common, smoothing, 9e-11 - 2 * smoothing)
        bits = METHODS["tan22_counted"].length(block, parameters).unclipped
    assert bits == pytest.approx(values["value"], rel=1e-6)


def binary(p: float) -> float:
    """Return the binary entropy."""
    return -sum(x * math.log2(x) for x in (p, 1 - p) if x > 0)


@pytest.mark.parametrize("method", COUNTED)
def test_no_other_parameters_do_better(method: str) -> None:
    """All four at once, K at the same share of honest runs."""
    best = METHODS[method].length(BLOCK)
    parameters, rng = best.parameters, np.random.default_rng(3)
    kinds = zip(BLOCK.probabilities.kinds, BLOCK.win_probabilities, strict=True)
    first, second = (p * (1 - w) for p, w in kinds)
    for _ in range(200):
        factors = np.exp(rng.normal(0, 0.02, 4)).tolist()
        k1, k2 = (k * f for k, f in zip(parameters.loss_credits, factors[2:], strict=True))
        share = 0.98 * BLOCK.completeness_share
        other = replace(
            parameters,
            loss_credits=(k1, k2),
            most_lost=weighted_quantile(BLOCK.rounds, (first, second), (k1, k2), share),
            excess=parameters.excess * factors[0],
            tangent=min(parameters.tangent * factors[1], 0.999),
        )
        bits = METHODS[method].length(BLOCK, other).unclipped
        assert bits <= best.unclipped * (1 + 1e-4)


@settings(max_examples=100)
@given(
    st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 0.99)),
    st.tuples(st.integers(0, 40), st.integers(1, 40)),
    st.floats(0.2, 3),
)
def test_patterns_of_losses_are_no_more_than_they_are_counted(
    wins: tuple[float, float], tests: tuple[int, int], cost: float
) -> None:
    """All patterns within L′, where one bit of each test is the published one."""
    first, second = tests
    most = cost * (first + second)
    parameters = CountedParameters((1.0, 1.0), 1.0, wins, most, 0.1, 0.5)
    patterns = sum(
        math.comb(first, a) * math.comb(second, b)
        for a in range(first + 1)
        for b in range(second + 1)
        if parameters.test_bits(Counts(first + second - a - b, a + b, (first - a, a))) <= most
    )
    assert patterns <= 2 ** (most - first - second) * (1 + 1e-9)


def counts_of(tally: GameTally) -> Counts:
    assert tally.at_key_setting is not None
    rounds, lost = tally.at_key_setting
    return Counts(tally.rounds - tally.lost, tally.lost, (rounds - lost, lost))


@pytest.mark.parametrize("method", COUNTED)
def test_both_conditions_decide(method: str) -> None:
    design = designed(method)
    assert design.length is not None
    parameters: CountedParameters = design.length.parameters
    kinds = design.setting_choice.round_probabilities.kinds
    tests = [round(10**6 * kind) for kind in kinds]
    wins = zip(tests, parameters.published_wins, strict=True)
    lost = [round(count * (1 - win)) for count, win in wins]
    assert design.accepts(GameTally(sum(tests), sum(lost), (tests[0], lost[0])))
    half = min(tests)
    for kind in (0, 1):
        # Lost tests of one kind alone, up to K; half of the tests, so that L′ is no matter.
        most = math.floor(parameters.most_lost / parameters.loss_credits[kind])
        tallies = [
            GameTally(half, count, (half, count) if kind == 0 else (0, 0))
            for count in (most, most + 1)
        ]
        assert half > most
        cost = max(parameters.test_bits(counts_of(tally)) for tally in tallies)
        if cost <= parameters.most_test_bits:
            assert [design.accepts(tally) for tally in tallies] == [True, False]
    # More tests than are paid for, none of them lost.
    affordable = math.floor(
        parameters.most_test_bits / (1 - math.log2(parameters.published_wins[1]))
    )
    assert design.accepts(GameTally(affordable, 0, (0, 0)))
    assert not design.accepts(GameTally(affordable + 1, 0, (0, 0)))


def test_tests_that_nobody_told_apart_pass_nothing() -> None:
    with pytest.raises(InvalidArgumentError, match="at_key_setting"):
        designed("eat_rpa").accepts(GameTally(100, 1))


def test_tolerated_losses_are_never_too_many() -> None:
    design = designed("eat_rpa")
    assert design.length is not None
    parameters, lost = design.length.parameters, design.tolerated_test_losses
    taken = [parameters.lost_bits(Counts(0, lost, (0, at_key))) for at_key in (0, lost)]
    assert parameters.most_lost * (1 - 1e-3) < max(taken) <= parameters.most_lost


@pytest.mark.parametrize("method", COUNTED)
@pytest.mark.parametrize("rounds", [10**6, 10**8])
def test_honest_devices_fail_as_often_as_predicted(method: str, rounds: int) -> None:
    """1e5 tallies; false alarm 5e-4 by Clopper and Pearson at 99.9 %."""
    design, draws = designed(method, rounds), 100_000
    rng = np.random.default_rng(11)
    first, second = (
        rng.binomial(rounds, p, draws) for p in design.setting_choice.round_probabilities.kinds
    )
    lost = rng.binomial(first, 0.5 - 1.4 / 4), rng.binomial(second, 0.5 - 1.3 / 4)
    tallies = np.stack([first + second, lost[0] + lost[1], first, lost[0]], axis=1).tolist()
    failed = sum(not design.accepts(GameTally(n, bad, (m, k))) for n, bad, m, k in tallies)
    interval = binomtest(failed, draws).proportion_ci(0.999, method="exact")
    assert design.key_length > 0
    assert design.leakage is not None
    predicted = design.predicted_abort_probability - design.leakage.over_budget_probability
    assert interval.low <= predicted
    # The bound is no more than a tenth above what happens.
    assert interval.high >= 0.9 * predicted - 2e-4


@pytest.mark.parametrize("method", COUNTED)
def test_a_design_that_claims_to_pay_for_more_is_refused(method: str) -> None:
    design = designed(method)
    assert design.length is not None
    parameters = design.length.parameters
    first, second = parameters.loss_credits
    for changed in (
        {"most_test_bits": parameters.most_test_bits * 1.01},
        {"most_lost": parameters.most_lost * 1.01},
        {"excess": parameters.excess * 4},
        {"loss_credits": (second, first)},
        {"loss_credits": (first * 0.9, second)},
    ):
        other = replace(design.length, parameters=replace(parameters, **changed))
        with pytest.raises(InvalidArgumentError, match="length must be at most"):
            replace(design, length=other)


@pytest.mark.parametrize("kind", [CountedParameters, SmoothedParameters])
def test_parameters_out_of_range_are_named(kind: type[CountedParameters]) -> None:
    names, pairs = [field.name for field in fields(kind)], ("loss_credits", "published_wins")
    good = {name: (0.5, 0.5) if name in pairs else 0.5 for name in names}
    for name in names:
        for value in (0.0, -1.0, math.nan, math.inf, None):
            given: Any = good | {name: (0.5, value) if name in pairs else value}
            with pytest.raises(InvalidArgumentError, match=name):
                kind(**given)
    for name in pairs:
        wrong: Any = good | {name: (0.5,)}
        with pytest.raises(InvalidArgumentError, match=name):
            kind(**wrong)


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


def test_weights_of_their_own_are_worth_more_than_equal_ones() -> None:
    method = METHODS["eat_rpa"]
    assert method.length(BLOCK).unclipped > 1.005 * method.settings_rating(BLOCK)
