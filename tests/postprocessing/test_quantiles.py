"""Binomial quantiles against scipy's, and beyond its range."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from postprocessing.quantiles import exceedance, lower_quantile, upper_quantile


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
