"""Binomial quantiles against scipy's, and beyond its range."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, multinomial, norm

from postprocessing.quantiles import (
    exceedance,
    lower_quantile,
    upper_quantile,
    weighted_exceedance,
    weighted_quantile,
)


@given(
    trials=st.integers(1, 10**6),
    probability=st.floats(1e-6, 0.999),
    share=st.floats(1e-9, 0.5),
)
def test_quantiles_are_the_tightest_that_keep_their_share(trials, probability, share):
    upper = upper_quantile(trials, probability, share)
    assert binom.sf(upper, trials, probability) <= share * (1 + 1e-9)
    assert upper == 0 or binom.sf(upper - 1, trials, probability) > share * (1 - 1e-9)
    lower = lower_quantile(trials, probability, share)
    assert binom.cdf(lower - 1, trials, probability) <= share * (1 + 1e-9)
    assert lower == trials or binom.cdf(lower, trials, probability) > share * (1 - 1e-9)


def test_exceedance_at_the_ends():
    assert exceedance(10, 0.3, 10) == 0
    assert exceedance(10, 0.3, -1) == 1
    assert exceedance(10, 0.3, 3) == pytest.approx(binom.sf(3, 10, 0.3), rel=1e-12)


def test_blocks_beyond_32_bits():
    """At n = 1e15 the quantile is the normal one within a standard deviation's thousandth."""
    mean, deviation = 1e14, (1e15 * 0.1 * 0.9) ** 0.5
    assert upper_quantile(10**15, 0.1, 1e-3) == pytest.approx(
        mean + 3.0902323 * deviation, abs=1e-3 * deviation
    )


@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.0, 2.5), (3.0, 0.7)])
@pytest.mark.parametrize("chances", [(0.05, 0.1), (0.3, 0.02)])
def test_weighted_tail_against_all_outcomes(
    weights: tuple[float, float], chances: tuple[float, float]
) -> None:
    """The multinomial law written out: never below it, and little above."""
    trials = 40
    law = {
        (a, b): multinomial.pmf([a, b, trials - a - b], trials, [*chances, 1 - sum(chances)])
        for a in range(trials + 1)
        for b in range(trials + 1 - a)
    }
    for most in np.linspace(0.5, 40, 30).tolist():
        tail = sum(p for (a, b), p in law.items() if a * weights[0] + b * weights[1] > most)
        bound = weighted_exceedance(trials, chances, weights, most)
        assert tail * (1 - 1e-12) <= bound <= tail * (1 + 1e-9) + 3e-15


@pytest.mark.parametrize("trials", [10**4, 10**7, 10**10, 10**13])
def test_weighted_quantile_is_little_above_the_normal_one(trials: int) -> None:
    chances, weights, share = (8e-4, 2.2e-3), (456.0, 600.0), 4.9e-3
    most = weighted_quantile(trials, chances, weights, share)
    assert weighted_exceedance(trials, chances, weights, most) <= share
    mean = sum(p * a for p, a in zip(chances, weights, strict=True))
    square = sum(p * a * a for p, a in zip(chances, weights, strict=True))
    deviations = (most - trials * mean) / math.sqrt(trials * (square - mean**2))
    skew = 1 / math.sqrt(trials * sum(chances))
    assert norm.isf(share) <= deviations + 1e-9 <= norm.isf(share) + 0.02 + 2 * skew
