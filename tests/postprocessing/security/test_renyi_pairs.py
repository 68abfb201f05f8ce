"""Rényi keys with two kinds of tests: reference rows, strategies as oracles, certain extrema."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_rounds import XIE_SCHEME
from scipy.optimize import brentq
from test_renyi import Strategy, projectors, violating_strategies

from postprocessing.design.design import Design
from postprocessing.design.request import ExpectedValues, Security
from postprocessing.errors import InputFileError, InvalidArgumentError
from postprocessing.files.designs import read_design, write_design
from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.scheme import LocalSettings
from postprocessing.security import METHODS, Block, Counts, RenyiParameters, binary_entropy
from postprocessing.security.renyi import accumulated_entropy, renyi_terms
from postprocessing.security.renyi_pairs import RenyiPairs
from postprocessing.security.renyi_round import RenyiBalance, weight_excess
from postprocessing.security.single_round import largest_weighted_chsh, other_coherence

REFERENCE = Path(__file__).parents[2] / "reference/weighted_chsh.csv"
WEIGHTED = ("renyi_weighted", "renyi_weighted_fixed")
MARKS = RoundProbabilities(0.87, 0.0095, test_at_key_setting=0.0055)
# 100 km of entangled coherent states: the key setting shows more of the violation.
EXPECTED = ExpectedValues(XIE_SCHEME, 2.42, 7e-6, 1.4142)
BLOCK = Block(
    rounds=10**7,
    probabilities=MARKS,
    win_probability=0.8025,
    secrecy=9e-11,
    leaked_bits=2e4,
    win_probability_at_key_setting=0.8535,
)


def reference_rows(quantity: str) -> list[dict[str, str]]:
    with REFERENCE.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "renyi"]
    chosen = [row for row in rows if row["quantity"].startswith(quantity)]
    assert len(chosen) in (6, 10)
    return chosen


def of_row(row: dict[str, str]) -> tuple[RoundProbabilities, RenyiPairs]:
    gamma, p, tau = (float(row[name]) for name in ("gamma", "p", "tau"))
    local = LocalSettings(gamma, min(p, 0.5), coin_probability=tau)
    wins = (float(row["w1"] or 0.8), float(row["w2"] or 0.8))
    won, lost = ((float(row[f"f1{end}"]), float(row[f"f2{end}"])) for end in ("w", "l"))
    return local.round_probabilities, RenyiPairs(float(row["delta"]), won, lost, wins)


@pytest.mark.parametrize("row", reference_rows("kappa"), ids=lambda row: row["value"])
def test_accumulated_entropy_of_the_reference(row: dict[str, str]) -> None:
    marks, parameters = of_row(row)
    entropy = parameters.accumulated_entropy(marks, float(row["q"]))
    assert entropy == pytest.approx(float(row["value"]), rel=1e-8)


@pytest.mark.parametrize("row", reference_rows("expected length"), ids=lambda row: row["value"])
def test_lengths_of_the_reference(row: dict[str, str]) -> None:
    """At the reference's parameters, expected counts and expected leakage."""
    marks, parameters = of_row(row)
    n, q, error = int(float(row["n"])), float(row["q"]), float(row["Q"])
    leaked = 1.1 * n * marks.key * binary_entropy(q + (1 - 2 * q) * error) + 38
    first, second = parameters.published_wins
    block = Block(
        n,
        marks,
        (first + second) / 2,
        9e-11,
        leaked,
        noisy_preprocessing=q,
        win_probability_at_key_setting=first,
    )
    bits = renyi_terms(block, parameters, parameters.score(block.tests)).total
    assert bits == pytest.approx(float(row["value"]), rel=1e-6)


@settings(max_examples=200)
@given(
    st.floats(-4, -0.2).map(lambda e: 10**e),
    st.floats(0.002, 0.4),
    st.floats(0.02, 0.5),
    st.floats(0, 3),
    st.floats(-2, 2),
    st.sampled_from([0.0]) | st.floats(0.001, 0.4),
)
def test_equal_credits_of_uniform_tests_are_those_of_one_kind(
    excess: float, test: float, discarded: float, spread: float, level: float, noise: float
) -> None:
    """As far as the CHSH game's q̄ − w, which the other bound does without, is not negative."""
    marks = RoundProbabilities((1 - test) * (1 - discarded), test)
    won, lost = (level + spread + 0.01) / excess / 4, level / excess / 4
    one = accumulated_entropy(RenyiParameters(excess, won, lost, 0.8), marks, noise)
    two = RenyiPairs(excess, (won, won), (lost, lost), (0.8, 0.8))
    both = two.accumulated_entropy(marks, noise)
    assert both <= one + 1e-9
    if excess < 0.1:
        assert both == pytest.approx(one, abs=1e-9)


def game_moment(
    weight: float, chsh: float, marks: RoundProbabilities, design: RenyiParameters, noise: float
) -> float:
    """Return G of one weighted game: Q₁ = min(w, q̄), coherence by the inverse, no hull."""

    def bound(e: float) -> float:
        return float(largest_weighted_chsh(weight, e)) - chsh

    e = 0.0 if bound(0.0) >= 0 else float(brentq(bound, 0, 1, xtol=1e-15))
    other = float(other_coherence(weight, e))
    alpha = 1 + design.excess

    def q_of(c: float, flip: float) -> float:
        u, v = ((1 + c) / 2) ** (1 / alpha), ((1 - c) / 2) ** (1 / alpha)
        root = math.sqrt((u + v) ** 2 - 16 * flip * (1 - flip) * u * v)
        powers = ((u + v + root) / 2) ** alpha + ((u + v - root) / 2) ** alpha
        return float(2 ** (1 - alpha) * powers)

    mean = (weight * q_of(e, 0.0) + q_of(other, 0.0)) / (1 + weight)
    win = 0.5 + chsh / (4 * (1 + weight))
    won = min(win, mean)
    credited = 2 ** (design.excess * design.win_credit) * won
    credited += 2 ** (design.excess * design.loss_credit) * (mean - won)
    return marks.key * q_of(e, noise) + 1 - marks.keep + marks.test * credited


@pytest.mark.parametrize("weight", [0.349013, 0.7, 0.9, 1.0, 1.2, 2.0])
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_one_weighted_game_is_the_case_of_equal_credits(weight: float, noise: float) -> None:
    """P₁ : P₂ = β : 1, all credits equal; the greatest of G over the CHSH value by brute force."""
    design = RenyiParameters(1e-3, 120.0, -500.0, 0.83)
    test, key = 0.03, 0.8
    marks = RoundProbabilities(key, test, test_at_key_setting=test * weight / (1 + weight))
    local, quantum = (float(largest_weighted_chsh(weight, e)) for e in (0.0, 1.0))
    grid = np.linspace(local, quantum, 4001)
    values = [game_moment(weight, s, marks, design, noise) for s in grid]
    pairs = RenyiPairs(1e-3, (120.0, 120.0), (-500.0, -500.0), (0.83, 0.83))
    most = 1 + pairs.balance(marks, noise).moment_excess
    assert max(values) <= most + 1e-12
    # The grid, and cells below the bend.
    assert most <= max(values) + 2e-7


def powers_of_kinds(one: Strategy, alpha: float) -> list[tuple[float, float]]:
    """Return the powers of won and of lost tests of both kinds; Alice is the reference."""
    found = []
    for x in (0, 1):
        won, lost = [], []
        for y in (0, 1):
            for s, p in enumerate(projectors(one.alice[x])):
                for t, q in enumerate(projectors(one.bob[y])):
                    (won if (s ^ t) == (x & y) else lost).append(np.kron(p, q))
        found.append((one.powers(won, alpha) / 2, one.powers(lost, alpha) / 2))
    return found


def test_no_qubit_strategy_beats_the_credits() -> None:
    """2000 strategies: 2^{−δκ} bounds the moment of a round, with credits of both kinds."""
    rng = np.random.default_rng(23)
    slacks = []
    for one in violating_strategies(2000):
        excess = 10 ** rng.uniform(-3, -0.1)
        first, second = 10 ** rng.uniform(-2, -0.7, 2)
        test = first + second
        marks = RoundProbabilities(
            (1 - test) * float(rng.choice([1, 0.8])), test, test_at_key_setting=first
        )
        noise = float(rng.choice([0.0, rng.uniform(0, 0.4)]))
        lost = rng.normal(size=2) / excess / 10
        won = lost + rng.exponential(size=2) / excess / 10
        pairs = RenyiPairs(excess, tuple(won.tolist()), tuple(lost.tolist()), (0.8, 0.8))
        moment = marks.key * one.powers(one.key_operators(noise), 1 + excess) + 1 - marks.keep
        powers = zip(marks.kinds, powers_of_kinds(one, 1 + excess), won, lost, strict=True)
        for p, (q_won, q_lost), f_won, f_lost in powers:
            moment += p * (2 ** (excess * f_won) * q_won + 2 ** (excess * f_lost) * q_lost)
        slacks.append(-math.log2(moment) / excess - pairs.accumulated_entropy(marks, noise))
    assert min(slacks) > -1e-9


@settings(max_examples=300)
@given(
    st.floats(-6, 0).map(lambda e: 10**e),
    st.sampled_from([0.0, 1e-9, 0.5]) | st.floats(1e-4, 0.499),
    st.floats(0, 1),
)
def test_the_moment_is_concave_in_the_square_of_the_coherence(
    excess: float, noise: float, place: float
) -> None:
    squares = place * np.linspace(0, 1, 201)
    values = weight_excess(np.sqrt(squares), excess, noise)
    assert np.diff(values, 2).max() <= 1e-15 + 1e-12 * excess


BALANCES = st.builds(
    lambda marks, excess, levels, spreads, noise: RenyiBalance(
        RoundProbabilities(marks[0], sum(marks[1:]), test_at_key_setting=marks[1]),
        excess,
        tuple((low + gap) / excess for low, gap in zip(levels, spreads, strict=True)),
        tuple(low / excess for low in levels),
        noise,
    ),
    st.tuples(st.floats(0.2, 0.6), st.floats(0.01, 0.2), st.floats(0.01, 0.2)),
    st.floats(-5, -0.1).map(lambda e: 10**e),
    st.tuples(st.floats(-3, 1), st.floats(-3, 1)),
    st.tuples(st.floats(0.01, 3), st.floats(0.01, 3)),
    st.sampled_from([0.0]) | st.floats(1e-6, 0.45),
)


@settings(max_examples=300)
@given(BALANCES)
def test_the_moment_of_no_coherence_is_beyond_the_bound(balance: RenyiBalance) -> None:
    grid = np.concatenate([np.linspace(0, 1, 4001), 1 - np.geomspace(1e-12, 1e-3, 200)])
    kinds = zip(
        balance.probabilities.kinds,
        balance.win_credits,
        balance.loss_credits,
        strict=True,
    )
    constant = sum(
        p * (2 ** (balance.excess * won) + 2 ** (balance.excess * lost) - 2) / 2
        for p, won, lost in kinds
    )
    scored = balance.gains[1] * largest_weighted_chsh(balance.weight, grid)
    values = constant + scored - balance.entropy(grid)
    assert balance.moment_excess >= values.max() - 1e-12
    assert balance.moment_excess <= values.max() + 2e-4 * max(1.0, abs(values.max()))


@pytest.mark.parametrize("method", WEIGHTED)
def test_no_neighbouring_parameters_give_a_longer_key(method: str) -> None:
    found = METHODS[method].optimise(BLOCK)
    best = METHODS[method].length(BLOCK, found).unclipped
    rng = np.random.default_rng(3)
    for _ in range(60):
        move = 1 + 0.03 * rng.normal(size=5)
        won = tuple(f * m for f, m in zip(found.win_credits, move[:2], strict=True))
        lost = tuple(f * m for f, m in zip(found.loss_credits, move[2:4], strict=True))
        moved = replace(found, excess=found.excess * move[4], win_credits=won, loss_credits=lost)
        assert METHODS[method].length(BLOCK, moved).unclipped <= best * (1 + 1e-5)


def test_weights_of_their_own_are_worth_more() -> None:
    """Four hundredths where the reference's key setting shows more of the violation."""
    one, two = (
        Security(method=method).design(EXPECTED, 10**7).key_length
        for method in ("renyi", "renyi_weighted")
    )
    assert two > 1.03 * one


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"excess": 1.0}, r"excess must be in \(0, 1\)"),
        ({"excess": math.nan}, "excess must be"),
        ({"win_credits": 3.0}, "win_credits must be a pair"),
        ({"win_credits": (1.0, -5.0)}, "win_credits must be greater than loss_credits"),
        ({"win_credits": (1.0, math.inf)}, "win_credits must be"),
        ({"loss_credits": (-1e9, -1.0)}, "loss_credits must be at most 1000/excess"),
        ({"published_wins": (0.8, 1.0)}, r"published_wins must be in \(0, 1\)"),
    ],
)
def test_parameters_out_of_range_are_named(changed: dict[str, Any], message: str) -> None:
    given_ = {
        "excess": 1e-3,
        "win_credits": (1.0, 2.0),
        "loss_credits": (-4.0, -5.0),
        "published_wins": (0.8, 0.7),
    }
    with pytest.raises(InvalidArgumentError, match=message):
        RenyiPairs(**given_ | changed)


def test_tests_that_nobody_told_apart_have_no_score() -> None:
    with pytest.raises(InvalidArgumentError, match="at_key_setting"):
        RenyiPairs(1e-3, (1.0, 1.0), (-4.0, -4.0), (0.8, 0.8)).score(Counts(10, 1))


@cache
def designed() -> Design:
    return Security(method="renyi_weighted_fixed").design(EXPECTED, 10**6)


def test_a_stored_design_keeps_pairs_and_coin(tmp_path: Path) -> None:
    design = designed()
    write_design(tmp_path / "design.json", design)
    assert read_design(tmp_path / "design.json") == design
    assert isinstance(design.setting_choice, LocalSettings)
    assert design.setting_choice.coin_probability is not None


@pytest.mark.parametrize(
    ("places", "value", "message"),
    [
        (("length", "parameters", "win_credits"), [-1e3, 40.0], "win_credits must be greater than"),
        (("length", "parameters", "loss_credits"), [math.pi], "loss_credits"),
        (("length", "parameters", "published_wins"), [0.8, 1.5], r"published_wins must be in"),
        (("length", "parameters", "excess"), 1.5, r"excess must be in \(0, 1\)"),
        (("setting_choice", "coin_probability"), 1.01, r"coin_probability must be in \(0, 1\]"),
        (("setting_choice", "coin_probability"), 0.5, "must be at most"),
        (("method",), "renyi_fixed", "test_at_key_setting must be None"),
    ],
)
def test_a_stored_design_is_proved_anew(
    places: tuple[str, ...], value: Any, message: str, tmp_path: Path
) -> None:
    """Out of range, or in range and without a proof of the length that is claimed."""
    design = designed()
    write_design(tmp_path / "design.json", design)
    values = json.loads((tmp_path / "design.json").read_text())
    inner = values
    for name in places[:-1]:
        inner = inner[name]
    inner[places[-1]] = value
    (tmp_path / "design.json").write_text(json.dumps(values))
    with pytest.raises(InputFileError, match=message):
        read_design(tmp_path / "design.json")


@pytest.mark.parametrize("method", ["tan22", "geat", "renyi", "renyi_fixed"])
def test_a_coin_of_its_own_is_refused_where_inputs_must_be_uniform(method: str) -> None:
    local = LocalSettings(0.1, 0.1, coin_probability=0.2)
    design = Security(method=method).design(EXPECTED, 10**6)
    with pytest.raises(InvalidArgumentError, match="test_at_key_setting must be None"):
        replace(design, setting_choice=local)
    block = replace(BLOCK, win_probability_at_key_setting=None)
    with pytest.raises(InvalidArgumentError, match="test_at_key_setting must be None"):
        METHODS[method].length(block)


def test_a_coin_of_its_own_and_a_tolerance_exclude_each_other() -> None:
    with pytest.raises(InvalidArgumentError, match="coin_probability must be left out"):
        LocalSettings(0.1, 0.1, 1e-3, coin_probability=0.2)
    for wrong in (0.0, math.nan, 1.1):
        with pytest.raises(InvalidArgumentError, match=r"coin_probability must be in \(0, 1\]"):
            LocalSettings(0.1, 0.1, coin_probability=wrong)
    for wrong in (0.0, 0.3, math.nan):
        with pytest.raises(InvalidArgumentError, match="test_at_key_setting must be in"):
            RoundProbabilities(0.5, 0.3, test_at_key_setting=wrong)
