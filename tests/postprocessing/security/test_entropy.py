"""Entropies of single rounds: exact values, numerics at the edges, shape of the curve."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postprocessing.errors import InvalidArgumentError
from postprocessing.security import (
    asymptotic_key_fraction,
    binary_entropy,
    chsh_entropy,
    chsh_entropy_slope,
    chsh_value,
    unclipped_key_fraction,
    win_probability,
)

TSIRELSON = 2 * math.sqrt(2)
LOW, HIGH = (2 - math.sqrt(2)) / 4, (2 + math.sqrt(2)) / 4
wins = st.floats(LOW, HIGH)


def precise_binary_entropy(x: float) -> float:
    with localcontext() as context:
        context.prec = 80
        p = Decimal(x)
        q = 1 - p
        return float(-(p * p.ln() + q * q.ln()) / Decimal(2).ln())


@pytest.mark.parametrize(
    "x", [1e-30, 1e-15, 1e-7, 0.01, 0.3, 0.5 - 1e-9, 0.5, 0.7, 1 - 1e-7, 1 - 2**-53]
)
def test_binary_entropy_is_accurate_relative_to_itself(x: float) -> None:
    assert binary_entropy(x) == pytest.approx(precise_binary_entropy(x), rel=1e-15, abs=0)


def test_binary_entropy_at_the_ends_and_on_arrays() -> None:
    assert binary_entropy(0.0) == 0
    assert binary_entropy(1.0) == 0
    values = binary_entropy(np.array([0.0, 0.11, 0.5]))
    assert values == pytest.approx([0, precise_binary_entropy(0.11), 1], rel=1e-15)


@pytest.mark.parametrize("x", [-1e-9, 1.0000001, math.nan, math.inf])
def test_binary_entropy_rejects_non_probabilities(x: float) -> None:
    with pytest.raises(InvalidArgumentError, match=r"probability must be in \[0, 1\]"):
        binary_entropy(x)


def test_chsh_entropy_at_the_landmarks() -> None:
    assert chsh_entropy(HIGH) == 1
    assert chsh_entropy(HIGH + 1e-13) == 1
    assert chsh_entropy(0.75) == 0
    assert chsh_entropy(0.5) == 0
    assert chsh_entropy(LOW) == 0


@given(st.floats(2.001, 2.828))
def test_chsh_entropy_is_the_formula_of_acin(chsh: float) -> None:
    formula = 1 - precise_binary_entropy((1 + math.sqrt(chsh**2 / 4 - 1)) / 2)
    assert chsh_entropy(win_probability(chsh)) == pytest.approx(formula, abs=1e-14)


@given(wins, wins, st.floats(0, 1))
def test_chsh_entropy_is_convex(first: float, second: float, share: float) -> None:
    mixture = min(share * first + (1 - share) * second, HIGH)
    chord = share * chsh_entropy(first) + (1 - share) * chsh_entropy(second)
    assert chsh_entropy(mixture) <= chord + 1e-13


@given(wins, wins)
def test_chsh_entropy_increases_from_zero_to_one(first: float, second: float) -> None:
    low, high = chsh_entropy(min(first, second)), chsh_entropy(max(first, second))
    assert 0 <= low <= high + 1e-15
    assert high <= 1


@given(st.floats(0.7501, 0.8535))
def test_slope_is_the_derivative(win: float) -> None:
    step = 1e-6
    secant = (chsh_entropy(win + step) - chsh_entropy(win - step)) / (2 * step)
    assert chsh_entropy_slope(win) == pytest.approx(secant, rel=1e-4)


def test_slope_at_the_landmarks() -> None:
    assert chsh_entropy_slope(0.75) == 0
    assert chsh_entropy_slope(0.75 + 1e-14) == pytest.approx(4 / math.log(2), rel=1e-6)
    assert chsh_entropy_slope(HIGH) == math.inf


def test_entropy_and_slope_work_elementwise() -> None:
    points = np.array([0.5, 0.76, 0.8, 0.85])
    assert np.array_equal(chsh_entropy(points), [chsh_entropy(float(w)) for w in points])
    assert np.array_equal(
        chsh_entropy_slope(points), [chsh_entropy_slope(float(w)) for w in points]
    )


@pytest.mark.parametrize("win", [LOW - 1e-9, HIGH + 1e-9, math.nan])
def test_win_probabilities_outside_the_quantum_range_are_rejected(win: float) -> None:
    for function in (chsh_entropy, chsh_entropy_slope, chsh_value):
        with pytest.raises(InvalidArgumentError, match="win_probability must be in"):
            function(win)


@given(st.floats(-TSIRELSON, TSIRELSON))
def test_chsh_value_and_win_probability_are_inverse(chsh: float) -> None:
    assert chsh_value(win_probability(chsh)) == pytest.approx(chsh, abs=2e-15)


@pytest.mark.parametrize("chsh", [TSIRELSON * (1 + 1e-9), -3.0, math.nan])
def test_chsh_values_outside_the_quantum_range_are_rejected(chsh: float) -> None:
    with pytest.raises(InvalidArgumentError, match="chsh must be in"):
        win_probability(chsh)


def test_asymptotic_fraction_at_the_landmarks() -> None:
    assert asymptotic_key_fraction(TSIRELSON, 0) == 1
    assert asymptotic_key_fraction(TSIRELSON * (1 + 1e-12), 0) == 1
    assert asymptotic_key_fraction(2, 0) == 0
    assert asymptotic_key_fraction(1.3, 0.2) == 0
    assert unclipped_key_fraction(1.3, 0.2) == -binary_entropy(0.2)
    # Acín et al. (2007): S = 2√2 (1 − 2Q) carries a key up to Q = 7.1 %.
    assert asymptotic_key_fraction(TSIRELSON * (1 - 2 * 0.071), 0.071) > 0
    assert asymptotic_key_fraction(TSIRELSON * (1 - 2 * 0.072), 0.072) == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"chsh": 2.9}, "chsh must be in"),
        ({"qber": -0.1}, "qber must be in"),
        ({"qber": math.nan}, "qber must be in"),
        ({"efficiency": 0.9}, "efficiency must be a finite number"),
        ({"efficiency": math.nan}, "efficiency must be a finite number"),
    ],
)
def test_asymptotic_fraction_rejects(changed: dict[str, float], message: str) -> None:
    arguments = {"chsh": 2.7, "qber": 0.01, "efficiency": 1.1} | changed
    with pytest.raises(InvalidArgumentError, match=message):
        asymptotic_key_fraction(
            arguments["chsh"], arguments["qber"], efficiency=arguments["efficiency"]
        )
