"""Single-round bounds by Eve's coherence: reference rows, random strategies, certain extrema."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from qubit_strategies import random_strategies
from scipy.optimize import brentq, minimize_scalar

from postprocessing.security.entropy import entropy_of_coherence
from postprocessing.security.single_round import (
    RoundBalance,
    largest_weighted_chsh,
    least_in_cells,
    other_coherence,
)

REFERENCE = Path(__file__).parents[2] / "reference/weighted_chsh.csv"


def rows(quantity: str) -> list[dict[str, str]]:
    """Return the single-round rows of a quantity."""
    with REFERENCE.open(newline="") as file:
        found = [row for row in csv.DictReader(file) if row["quantity"].startswith(quantity)]
    single = [row for row in found if row["kind"] == "single"]
    assert single
    return single


def coherence_of(weight: float, chsh: float) -> float:
    """Return E_β(S), the inverse of the bound."""
    return float(brentq(lambda e: float(largest_weighted_chsh(weight, e)) - chsh, 0, 1, xtol=1e-15))


def tangent_of(balance: RoundBalance) -> float:
    """Return where Φ is least beyond the bend, to all digits."""
    ends = max(math.sqrt(balance.bend) * (1 + 1e-12), 1e-9), 1 - 1e-9
    if balance.slope(ends[0]) >= 0:
        return ends[0]
    return (
        float(brentq(balance.slope, *ends, xtol=1e-16)) if balance.slope(ends[1]) > 0 else ends[1]
    )


def hull_entropy(weight: float, chsh: float, noise: float) -> float:
    """Return the least entropy at S_β: by duality, the greatest bound of all slopes.

    For β ≥ 1 the curve of single blocks is convex, and is its own hull.
    """
    if weight >= 1:
        return float(entropy_of_coherence(coherence_of(weight, chsh), noise))

    def shortfall(log_slope: float) -> float:
        slope = math.exp(log_slope)
        balance = RoundBalance(1.0, (0.0, 0.0), (slope * weight, slope), noise)
        return -(balance.least(tangent_of(balance)) + slope * chsh)

    found = minimize_scalar(shortfall, bounds=(-3, 4), method="bounded", options={"xatol": 1e-10})
    return -float(found.fun)


@pytest.mark.parametrize("row", rows("largest S_beta"), ids=lambda row: row["beta"] + row["E"])
def test_largest_chsh_of_the_reference(row: dict[str, str]) -> None:
    bound = largest_weighted_chsh(float(row["beta"]), float(row["E"]))
    assert float(bound) == pytest.approx(float(row["value"]), rel=1e-9)


@pytest.mark.parametrize("row", rows("coherence of B2"), ids=lambda row: row["beta"] + row["E"])
def test_other_coherence_of_the_reference(row: dict[str, str]) -> None:
    bound = other_coherence(float(row["beta"]), float(row["E"]))
    assert float(bound) == pytest.approx(float(row["value"]), rel=1e-9)


@pytest.mark.parametrize(
    "row", rows("coherence E_beta"), ids=lambda row: row["beta"] + row["S_beta"]
)
def test_coherence_of_the_reference(row: dict[str, str]) -> None:
    found = coherence_of(float(row["beta"]), float(row["S_beta"]))
    assert found == pytest.approx(float(row["value"]), rel=1e-9)


@pytest.mark.parametrize(
    "row", rows("hull entropy"), ids=lambda row: f"{row['beta']}-{row['S_beta']}-{row['q']}"
)
def test_hull_entropy_of_the_reference(row: dict[str, str]) -> None:
    found = hull_entropy(float(row["beta"]), float(row["S_beta"]), float(row["q"]))
    assert found == pytest.approx(float(row["value"]), rel=1e-8)


def game_rows(quantity: str) -> list[dict[str, str]]:
    """Return the rows of one game whose two kinds of tests come as β : 1."""
    with REFERENCE.open(newline="") as file:
        found = [row for row in csv.DictReader(file) if row["kind"] == "game"]
    chosen = [row for row in found if row["quantity"].startswith(quantity)]
    assert len(chosen) == 6
    return chosen


@pytest.mark.parametrize(
    ("quantity", "coherence"), [("game local bound", 0.0), ("game quantum maximum", 1.0)]
)
def test_win_probabilities_of_a_weighted_game(quantity: str, coherence: float) -> None:
    for row in game_rows(quantity):
        weight = float(row["beta"])
        win = 0.5 + float(largest_weighted_chsh(weight, coherence)) / (4 * (1 + weight))
        assert win == pytest.approx(float(row["value"]), rel=1e-9)


@pytest.mark.parametrize("row", game_rows("game entropy"), ids=lambda row: row["value"])
def test_entropy_of_a_weighted_game(row: dict[str, str]) -> None:
    """Tests as β : 1 with one credit Δ for a win, of which the best gives entropy and slope."""
    weight, win, noise = float(row["beta"]), float(row["w1"]), float(row["q"])
    kinds = weight / (1 + weight), 1 / (1 + weight)

    def shortfall(log_credit: float) -> float:
        credit = math.exp(log_credit)
        gains = (credit * kinds[0] / 4, credit * kinds[1] / 4)
        balance = RoundBalance(1.0, (0.0, 0.0), gains, noise)
        return -(balance.least(tangent_of(balance)) + credit * (win - 0.5))

    found = minimize_scalar(shortfall, bounds=(0, 5), method="bounded", options={"xatol": 1e-11})
    assert -float(found.fun) == pytest.approx(float(row["value"]), rel=1e-8)
    (slope,) = [
        float(other["value"])
        for other in game_rows("game slope")
        if all(other[name] == row[name] for name in ("beta", "w1", "q"))
    ]
    # The entropy is flat in the credit, so that the best is known to half as many digits.
    assert math.exp(float(found.x)) == pytest.approx(slope, rel=2e-4)


def test_no_hull_is_skipped_near_full_coherence() -> None:
    """A mixture of the local and the maximal point has at most 0.67588 here, by construction."""
    assert hull_entropy(0.349013, 2.046093, 0.1) <= 0.67588


@settings(max_examples=200)
@given(st.floats(0.05, 20), st.floats(0, 1))
def test_the_other_coherence_is_that_of_the_exchanged_settings(weight: float, e: float) -> None:
    """S_β = β(X + Y/β): with the settings exchanged the weight is 1/β."""
    other = float(other_coherence(weight, e))
    assert 0 <= other <= 1
    chsh = float(largest_weighted_chsh(weight, e))
    exchanged = float(largest_weighted_chsh(1 / weight, other))
    local = 2 * max(1.0, 1 / weight)
    assert weight * max(exchanged, local) == pytest.approx(max(chsh, weight * local), rel=1e-9)


@pytest.mark.parametrize("weight", [0.3, 0.8, 1 - 1e-15, 1.0, 1 + 1e-15, 1.25, 6.0])
def test_both_bounds_grow_without_a_jump(weight: float) -> None:
    coherence = np.linspace(0, 1, 20001)
    for bound in (largest_weighted_chsh(weight, coherence), other_coherence(weight, coherence)):
        steps = np.diff(bound)
        assert steps.min() >= -1e-12
        # The steepest is at E = 0 or E = 1, like a square root.
        assert steps.max() < 0.1


def test_no_strategy_has_less_entropy_than_the_bound() -> None:
    """H − AX − BY of 2000 random strategies against the least Φ, at 12 random balances."""
    x, y, noisy, first, second = random_strategies(2000, seed=5, noise=0.07)
    rng = np.random.default_rng(6)
    beyond_local = 0
    for _ in range(12):
        weight, size = rng.uniform(0.3, 2.5), rng.uniform(0.05, 1.5)
        key, kinds = rng.uniform(0.3, 0.9), rng.uniform(0, 0.3, 2)
        balance = RoundBalance(key, tuple(kinds), (size * weight, size), 0.07)
        grid = np.linspace(0.01, 0.999, 300)
        least = balance.least(float(grid[np.argmin(balance.value(grid))]))
        had = key * noisy + kinds[0] * first + kinds[1] * second
        assert (had - size * (weight * x + y)).min() >= least - 1e-12
        beyond_local += int((weight * x + y > 2 * max(1, weight)).sum())
    assert beyond_local > 2000


BALANCES = st.builds(
    lambda key, first, second, weight, size, noise: RoundBalance(
        key, (first, second), (size * weight, size), noise
    ),
    st.floats(0.2, 0.98),
    st.floats(0, 0.2),
    st.floats(0, 0.2),
    st.sampled_from([1.0, 1 - 1e-15, 1 + 1e-15, 1 - 1e-9]) | st.floats(0.1, 6),
    st.floats(0.01, 2),
    st.sampled_from([0.0, 1e-12]) | st.floats(1e-6, 0.45),
)


@settings(max_examples=300)
@given(BALANCES, st.floats(0.01, 0.999))
@example(RoundBalance(0.9375, (0.125, 0.0), (4.0, 2.0)), 0.5)
def test_any_tangent_bounds_and_the_best_is_tight(balance: RoundBalance, tangent: float) -> None:
    grid = np.concatenate([np.linspace(0, 1, 4001), 1 - np.geomspace(1e-12, 1e-3, 200)])
    lowest = float(balance.value(grid).min())
    assert balance.least(tangent) <= lowest + 1e-12
    best = tangent_of(balance)
    # Below the bend cells bound it, to the width of the smallest.
    lowest = min(lowest, float(balance.value(best)))
    assert lowest - 1e-5 <= balance.least(best) <= lowest + 1e-12


def test_cells_end_where_few_matter_for_ever_and_no_number_is_no_bound() -> None:
    """A kink that a cell's end meets is halved for ever; a step as well."""
    found = least_in_cells(lambda e: 2 * e, lambda e: e, 1.0, math.inf)
    assert -1e-9 < found <= 0
    step = least_in_cells(lambda e: e + (e > 0.3), lambda e: 2 * e, 1.0, math.inf)
    assert -0.3 - 1e-9 < step <= -0.3 + 1e-12
    assert math.isnan(
        least_in_cells(lambda e: np.where(e > 0.9, np.nan, 2 * e), lambda e: e, 1.0, math.inf)
    )
