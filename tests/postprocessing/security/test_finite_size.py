"""The acceptance test and the division of the soundness."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from postprocessing.errors import InvalidArgumentError
from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.security import Block, EpsilonSplit


def block(rounds: Any, test: float, win: float, share: float, **given: Any) -> Block:
    marks = RoundProbabilities.announced(test)
    return Block(rounds, marks, win, 1e-10, 0.0, share, **given)


def tolerated_test_losses(rounds: float, test: float, win: float, share: float) -> float:
    return block(rounds, test, win, share).accepted_losses


def approximate_test_losses(rounds: float, test: float, win: float, share: float) -> float:
    return block(rounds, test, win, share).smooth().accepted_losses


def threshold(losses: float) -> float:
    return block(10**5, 0.05, 0.8, 0.005, tolerated_losses=losses).threshold


def exact_tail(losses: int, rounds: int, lose: Fraction) -> Fraction:
    """P(Bin(rounds, lose) > losses) in rational arithmetic."""
    return sum(
        (
            math.comb(rounds, j) * lose**j * (1 - lose) ** (rounds - j)
            for j in range(losses + 1, rounds + 1)
        ),
        Fraction(0),
    )


@pytest.mark.parametrize("rounds", [1, 7, 60])
@pytest.mark.parametrize("share", [0.5, 0.005, 1e-6])
def test_tolerated_losses_by_rational_arithmetic(rounds: int, share: float) -> None:
    losses = tolerated_test_losses(rounds, 0.5, 0.75, share)
    lose = Fraction(1, 8)
    assert exact_tail(losses, rounds, lose) <= Fraction(share)
    assert losses == 0 or exact_tail(losses - 1, rounds, lose) > Fraction(share)


@pytest.mark.parametrize("rounds", [10**3, 10**7, 10**10, 10**14])
@pytest.mark.parametrize("test_probability", [1e-4, 0.05])
def test_tolerated_losses_at_every_size(rounds: int, test_probability: float) -> None:
    losses = tolerated_test_losses(rounds, test_probability, 0.8, 0.005)
    lose = test_probability * (1 - 0.8)
    assert binom.sf(losses, rounds, lose) <= 0.005
    assert binom.sf(losses - 1, rounds, lose) > 0.005


def test_devices_that_never_lose_need_no_tolerance() -> None:
    assert tolerated_test_losses(10**6, 0.1, 1.0, 0.005) == 0


@pytest.mark.parametrize("rounds", [10**4, 10**7, 10**12])
def test_normal_approximation_of_the_losses(rounds: int) -> None:
    exact = tolerated_test_losses(rounds, 0.05, 0.8, 0.005)
    # (z² − 1)/6 is the next term of the expansion, z = 2.58.
    assert abs(approximate_test_losses(rounds, 0.05, 0.8, 0.005) - exact) < 2


def test_threshold_of_a_count() -> None:
    assert threshold(800) == pytest.approx(0.84, rel=1e-15)
    assert threshold(0) == 1
    assert threshold(10**5) == pytest.approx(-19, rel=1e-15)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0.1, 0.8, 0.005), "rounds must be"),
        ((math.nan, 0.1, 0.8, 0.005), "rounds must be"),
        ((100, 0.0, 0.8, 0.005), "test must be"),
        ((100, 0.1, 1.1, 0.005), "win_probability must be"),
        ((100, 0.1, math.nan, 0.005), "win_probability must be"),
        ((100, 0.1, 0.8, 0.0), "completeness_share must be"),
        ((100, 0.1, 0.8, 1.0), "completeness_share must be"),
    ],
)
def test_losses_reject(arguments: tuple[int, float, float, float], message: str) -> None:
    for function in (tolerated_test_losses, approximate_test_losses):
        with pytest.raises(InvalidArgumentError, match=message):
            function(*arguments)


@pytest.mark.parametrize("losses", [-1, 10**5 + 1, math.nan])
def test_threshold_rejects_impossible_counts(losses: float) -> None:
    with pytest.raises(InvalidArgumentError, match="tolerated_losses must be"):
        threshold(losses)


@given(st.floats(1e-30, 0.5))
def test_soundness_is_divided_without_rest(soundness: float) -> None:
    split = EpsilonSplit.from_soundness(soundness)
    assert split.secrecy == pytest.approx(0.9 * soundness, rel=1e-15)
    assert split.correctness == pytest.approx(0.05 * soundness, rel=1e-15)
    assert split.soundness == pytest.approx(soundness, rel=1e-15)


@pytest.mark.parametrize("soundness", [0.0, 1.0, -1e-10, math.nan])
def test_soundness_out_of_range(soundness: float) -> None:
    with pytest.raises(InvalidArgumentError, match="soundness must be in"):
        EpsilonSplit.from_soundness(soundness)


@pytest.mark.parametrize(
    ("secrecy", "correctness", "message"),
    [
        (0.0, 1e-11, "secrecy must be"),
        (math.nan, 1e-11, "secrecy must be"),
        (1e-10, 0.0, "correctness must be"),
        (1e-10, 1.0, "correctness must be"),
        (0.5, 0.3, "epsilons must be a split"),
    ],
)
def test_epsilons_out_of_range(secrecy: float, correctness: float, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        EpsilonSplit(secrecy, correctness)
