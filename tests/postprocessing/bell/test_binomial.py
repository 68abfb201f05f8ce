"""The binomial bound: scipy's tail, the closed form, exact sums, and nothing below them."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from postprocessing.bell.binomial import binomial_p_value
from postprocessing.bell.game import SettingLaw


def exact_tail(trials, wins, win_probability):
    """Return P(Bin ≥ wins) exactly."""
    p = Fraction(win_probability)
    up, down, over = p.numerator, p.denominator - p.numerator, p.denominator
    terms = (math.comb(trials, k) * up**k * down ** (trials - k) for k in range(wins, trials + 1))
    return Fraction(sum(terms), over**trials)


def far_tail(trials, wins, win_probability):
    """Return log10 P(Bin ≥ wins) by a series of 60 digits."""
    with localcontext() as context:
        context.prec = 60
        p = Decimal(win_probability)
        first = Decimal(math.comb(trials, wins)).log10() + wins * p.log10()
        first += (trials - wins) * (1 - p).log10()
        term, total, k = Decimal(1), Decimal(0), wins
        while k <= trials and term > total * Decimal("1e-30"):
            total += term
            term *= (trials - k) / Decimal(k + 1) * p / (1 - p)
            k += 1
        return first + total.log10()


@pytest.mark.parametrize(("trials", "wins"), [(245, 196), (245, 150), (10**6, 751_000), (10, 10)])
def test_without_predictability_it_is_scipys_tail(trials, wins):
    found = binomial_p_value(trials, wins, SettingLaw().local_win_probability)
    assert found.value == pytest.approx(stats.binom.sf(wins - 1, trials, 0.75), rel=1e-9)
    assert found.log10 == pytest.approx(math.log10(found.value), abs=1e-12)


@pytest.mark.parametrize("tau", [1.08e-5, 1e-3, 0.07, 0.2])
def test_the_win_probability_has_the_closed_form(tau):
    """Elkouss and Wehner, npj Quantum Inf. 2, 16026 (2016)."""
    found = SettingLaw(predictability=tau).local_win_probability
    assert found == pytest.approx(min(1, 0.75 + 3 * (tau + tau**2)), rel=1e-14)
    exact = Fraction(3, 4) + 3 * (Fraction(tau) + Fraction(tau) ** 2)
    assert Fraction(found) >= min(exact, 1)


def test_delft_2015():
    """Hensen et al., Nature 526, 682 (2015): 196 of 245 trials, P = 0.039 at its predictability."""
    win = SettingLaw(predictability=1.08e-5).local_win_probability
    assert round(binomial_p_value(245, 196, win).value, 3) == 0.039


@pytest.mark.parametrize("win", [0.75, 0.750032400350, 0.8125, 0.999])
def test_it_is_never_below_the_exact_tail(win):
    rng = np.random.default_rng(1)
    for trials in (1, 2, 17, 300, 1000):
        for wins in {0, trials, *rng.integers(0, trials + 1, 12).tolist()}:
            exact = exact_tail(trials, wins, win)
            found = binomial_p_value(trials, wins, win)
            assert exact <= Fraction(found.value) <= 1
            assert found.value <= float(exact) * (1 + 1e-6) or exact < Fraction(1, 10**249)


@pytest.mark.parametrize(
    ("trials", "wins"),
    [(3000, 3000), (3000, 2990), (10**5, 84_000), (10**5, 79_700), (10**6, 764_000)],
)
def test_where_numbers_underflow_the_logarithm_goes_on(trials, wins):
    found, exact = binomial_p_value(trials, wins, 0.75), far_tail(trials, wins, 0.75)
    assert exact <= Decimal(found.log10) < exact * Decimal("0.9999")
    assert found.value > 0


def test_uneven_settings_leave_the_rarest_pair_to_lose():
    """The best of the 16 strategies, at the worst corner, is never above."""
    law = SettingLaw(alice=0.3, bob=0.6)
    assert law.local_win_probability == pytest.approx(1 - 0.3 * 0.4)
    loose = SettingLaw(alice=0.3, bob=0.6, predictability=0.01)
    assert loose.local_win_probability > 1 - (0.3 - 0.01) * (0.4 - 0.01)
