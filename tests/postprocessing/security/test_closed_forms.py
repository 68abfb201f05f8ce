"""Closed forms of the security notes in 60 digits, against the code in double precision."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal, localcontext

import pytest

from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.security import RenyiParameters, chsh_entropy, chsh_entropy_slope
from postprocessing.security.accumulation import smoothing_bits
from postprocessing.security.renyi import accumulated_entropy, amplification_cost, renyi_entropy
from postprocessing.security.tradeoff import MinTradeoff

ONE, TWO, FOUR = Decimal(1), Decimal(2), Decimal(4)
WINS = (0.7500001, 0.76, 0.8, 0.8375, 0.853)
NOISES = (0.0, 1e-4, 0.03, 0.3)
EXCESSES = (1e-7, 9.8352e-5, 1e-2, 0.5)


@pytest.fixture(autouse=True)
def sixty_digits() -> Iterator[None]:
    with localcontext() as context:
        context.prec = 60
        yield


def log2(x: Decimal) -> Decimal:
    return x.ln() / TWO.ln()


def entropy(x: Decimal) -> Decimal:
    return sum((-p * log2(p) for p in (x, ONE - x) if p > 0), Decimal(0))


def power(x: Decimal, exponent: Decimal) -> Decimal:
    return (x.ln() * exponent).exp() if x > 0 else Decimal(0)


def chsh(win: float) -> Decimal:
    return 8 * Decimal(win) - 4


def coherence(win: float) -> Decimal:
    return max(Decimal(0), chsh(win) ** 2 / 4 - 1).sqrt()


def noisy_root(win: float, noise: float) -> Decimal:
    q = Decimal(noise)
    return (ONE - q * (ONE - q) * (8 - max(TWO, chsh(win)) ** 2)).sqrt()


def moment(win: float, excess: float, noise: float) -> Decimal:
    """q_α = 2^(1−α) (e₊^α + e₋^α)."""
    alpha, q, c = 1 + Decimal(excess), Decimal(noise), coherence(win)
    u, v = (power((ONE + sign * c) / 2, 1 / alpha) for sign in (1, -1))
    root = ((u + v) ** 2 - 16 * q * (ONE - q) * u * v).sqrt()
    ends = ((u + v + root) / 2, (u + v - root) / 2)
    return power(TWO, 1 - alpha) * sum((power(e, alpha) for e in ends), Decimal(0))


@pytest.mark.parametrize("win", WINS)
@pytest.mark.parametrize("noise", NOISES)
def test_entropy_of_a_round(win: float, noise: float) -> None:
    plain, noisy = (ONE + coherence(win)) / 2, (ONE + noisy_root(win, noise)) / 2
    truth = 1 - entropy(plain) + entropy(noisy)
    assert chsh_entropy(win, noise) == pytest.approx(float(truth), rel=1e-9)


@pytest.mark.parametrize("win", WINS)
@pytest.mark.parametrize("noise", NOISES)
def test_slope_of_the_entropy(win: float, noise: float) -> None:
    s, c, q = chsh(win), coherence(win), Decimal(noise)
    slope = 8 * s / (4 * c) * log2((1 + c) / (1 - c)) / 2
    if noise:
        root = noisy_root(win, noise)
        slope -= 8 * q * (1 - q) * s / root * log2((1 + root) / (1 - root)) / 2
    assert chsh_entropy_slope(win, noise) == pytest.approx(float(slope), rel=1e-9)


@pytest.mark.parametrize("win", WINS)
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("excess", EXCESSES)
def test_renyi_entropy_of_a_round(win: float, noise: float, excess: float) -> None:
    truth = -log2(moment(win, excess, noise)) / Decimal(excess)
    assert renyi_entropy(win, excess, noise) == pytest.approx(float(truth), rel=1e-9)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(
    ("excess", "win_credit", "loss_credit", "test"),
    [(9.8352e-5, 98.815, -498.979, 0.02), (1e-7, 2e3, -1e4, 1e-3), (1e-2, 4.0, -20.0, 0.1)],
)
def test_accumulated_entropy(
    noise: float, excess: float, win_credit: float, loss_credit: float, test: float
) -> None:
    """The maximum over devices by ternary search, as G is concave; κ may only be below."""
    marks = RoundProbabilities(key=0.9 * (1 - test), test=test)
    delta = Decimal(excess)
    weights = [power(TWO, delta * Decimal(credit)) for credit in (win_credit, loss_credit)]

    def moment_of_round(win: float) -> Decimal:
        plain = moment(win, excess, 0.0)
        won = min(Decimal(win), plain)
        credited = weights[0] * won + weights[1] * (plain - won)
        key, tested = Decimal(marks.key), Decimal(marks.test)
        return key * moment(win, excess, noise) + tested * credited + (ONE - key - tested)

    low, high = 0.75, (2 + math.sqrt(2)) / 4
    for _ in range(70):
        first, second = low + (high - low) / 3, high - (high - low) / 3
        if moment_of_round(first) < moment_of_round(second):
            low = first
        else:
            high = second
    truth = float(-log2(moment_of_round(low)) / delta)
    parameters = RenyiParameters(excess, win_credit, loss_credit, 0.8)
    found = accumulated_entropy(parameters, marks, noise)
    assert found == pytest.approx(truth, rel=1e-9)


@pytest.mark.parametrize("excess", EXCESSES)
@pytest.mark.parametrize("epsilon", [1e-20, 9e-11, 1e-3])
def test_costs_of_hashing_and_smoothing(excess: float, epsilon: float) -> None:
    delta, small = Decimal(excess), Decimal(epsilon)
    hashing = -(1 + delta) / delta * log2(small) - 2
    assert amplification_cost(excess, epsilon) == pytest.approx(float(hashing), rel=1e-9)
    smoothing = -log2(1 - (1 - small**2).sqrt())
    assert smoothing_bits(epsilon) == pytest.approx(float(smoothing), rel=1e-9)


@pytest.mark.parametrize("tangent", [0.76, 0.8, 0.85])
@pytest.mark.parametrize("excess", [1e-7, 1e-4, 0.1])
def test_costs_of_accumulation(tangent: float, excess: float) -> None:
    """V and K of Dupuis and Fawzi, with d = 4 and announced marks."""
    test, win = 0.02, 0.81
    score = MinTradeoff(RoundProbabilities.announced(test), tangent)
    s, c, x = chsh(tangent), coherence(tangent), Decimal(excess)
    slope = 8 * s / (4 * c) * log2((1 + c) / (1 - c)) / 2
    lose = Decimal(test) * (1 - Decimal(win))
    variance = lose * (1 - lose) * (slope / Decimal(test)) ** 2
    first = TWO.ln() / 2 * (log2(Decimal(33)) + (2 + variance).sqrt()) ** 2
    assert score.variance_cost(win) == pytest.approx(float(first), rel=1e-9)
    reach = 2 + slope * (1 - (2 - TWO.sqrt()) / 4)
    last = power(TWO, x * reach) / (6 * (1 - x) ** 3 * TWO.ln())
    last *= (power(TWO, reach) + TWO.exp()).ln() ** 3
    assert score.remainder_cost(excess) == pytest.approx(float(last), rel=1e-9)
