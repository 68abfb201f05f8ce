"""The bound of Tan et al. against a plain transcription of it, and its general properties."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postprocessing.errors import InvalidArgumentError
from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.scheme import LocalSettings
from postprocessing.security import (
    METHODS,
    AccumulationParameters,
    Block,
    KeyLength,
    chsh_entropy,
    chsh_entropy_slope,
)
from postprocessing.security.accumulation import smoothing_bits
from postprocessing.security.tradeoff import MinTradeoff

LOW, HIGH = (2 - math.sqrt(2)) / 4, (2 + math.sqrt(2)) / 4

magnitudes = st.floats(3, 14).map(lambda exponent: round(10**exponent))
announced = st.floats(-4, -0.35).map(lambda e: RoundProbabilities.announced(10**e))
local = st.floats(-2, math.log10(0.5)).map(
    lambda e: LocalSettings(10**e, 10**e).round_probabilities
)
probabilities = announced | local
tangents = st.floats(0.7501, HIGH - 1e-6)
secrecies = st.floats(-15, -4).map(lambda exponent: 10.0**exponent)


@st.composite
def parameter_sets(draw: st.DrawFn, secrecy: float) -> AccumulationParameters:
    shares = np.array([draw(st.floats(1e-3, 1)) for _ in range(4)])
    first, second, residual, amplification = (0.999 * secrecy * shares / shares.sum()).tolist()
    return AccumulationParameters(
        tangent=draw(tangents),
        first_excess=10 ** draw(st.floats(-9, -0.3)),
        second_excess=10 ** draw(st.floats(-9, -0.4)),
        first_smoothing=first / 2,
        second_smoothing=second / 4,
        smoothing=(first + second + residual) / 2,
        amplification=amplification,
    )


def losses_at(rounds: int, marks: RoundProbabilities, win: float) -> float:
    return Block(rounds, marks, win, secrecy=0.5, leaked_bits=0.0).accepted_losses


def tan22(parameters: AccumulationParameters | None = None, **block: Any) -> KeyLength[Any]:
    """Return the length of a block whose tolerated losses are given; nothing else is honest."""
    return METHODS["tan22"].length(Block(win_probability=0.0, **block), parameters)


def lengths(**changed: Any) -> KeyLength[Any]:
    marks = RoundProbabilities.announced(0.03)
    arguments: dict[str, Any] = {
        "rounds": 10**7,
        "probabilities": marks,
        "tolerated_losses": losses_at(10**7, marks, 0.83),
        "leaked_bits": 1e6,
        "secrecy": 1e-10,
    }
    return tan22(**(arguments | changed))


def grid_infimum(score: MinTradeoff, excess: float) -> float:
    """Least value of p_keep η − g − (α − 1) V on a dense grid, refined around its least point."""
    grid = np.linspace(LOW, HIGH, 20_001)
    values = objective(score, excess, grid)
    best = grid[int(values.argmin())]
    fine = np.clip(best + np.linspace(-1e-4, 1e-4, 20_001), LOW, HIGH)
    return float(min(values.min(), objective(score, excess, fine).min()))


def objective(score: MinTradeoff, excess: float, win: np.ndarray[Any, Any]) -> Any:
    marks, tangent = score.probabilities, score.tangent
    slope = marks.keep * chsh_entropy_slope(tangent)
    line = marks.keep * chsh_entropy(tangent) + slope * (win - tangent)
    lose = marks.test * (1 - win)
    variance = lose * (1 - lose) * (slope / marks.test) ** 2
    cost = math.log(2) / 2 * (math.log2(33) + np.sqrt(2 + variance)) ** 2
    return marks.keep * chsh_entropy(win) - line - excess * cost


@given(probabilities, tangents, st.floats(-9, -0.3))
@settings(max_examples=200, deadline=None)
def test_infimum_is_a_tight_lower_bound(
    marks: RoundProbabilities, tangent: float, log_excess: float
) -> None:
    excess, score = 10**log_excess, MinTradeoff(marks, tangent)
    bound, minimiser = score.infimum(excess)
    truth = grid_infimum(score, excess)
    assert LOW <= minimiser <= HIGH
    assert bound <= truth + 1e-12 * (1 + abs(truth))
    assert bound == pytest.approx(truth, rel=1e-6, abs=1e-6)


@given(probabilities, tangents)
@settings(deadline=None)
def test_score_lies_below_the_entropy(marks: RoundProbabilities, tangent: float) -> None:
    score, grid = MinTradeoff(marks, tangent), np.linspace(LOW, HIGH, 1001)
    values = np.array([score.value(float(win)) for win in grid])
    assert np.all(values <= marks.keep * chsh_entropy(grid) + 1e-12)


def transcription(
    key: KeyLength[Any], rounds: int, marks: RoundProbabilities, **given: float
) -> float:
    """Write the bound out in one piece, two-universal hashing, infimum on a grid."""
    p, epsilon = key.parameters, given["secrecy"]
    threshold = min(HIGH, 1 - given["tolerated_losses"] / (rounds * marks.test))
    score = MinTradeoff(marks, p.tangent)
    slope = marks.keep * chsh_entropy_slope(p.tangent)
    x, y = p.first_excess, p.second_excess
    spread = 2 + slope * (1 - LOW)
    remainder = 2 ** (x * spread) / (6 * (1 - x) ** 3 * math.log(2))
    remainder *= math.log(2**spread + math.exp(2)) ** 3
    rest = p.smoothing - p.first_smoothing - 2 * p.second_smoothing
    # log2(2/ε²) agrees with ϑ(ε) to ε².
    first, second, chain = (
        math.log2(2 / e**2) for e in (p.first_smoothing, p.second_smoothing, rest)
    )
    accepted = math.log2(1 / epsilon)
    return float(
        rounds * (marks.keep * chsh_entropy(p.tangent) + slope * (threshold - p.tangent))
        + rounds * grid_infimum(score, x)
        - rounds * x**2 * remainder
        - rounds * marks.test
        - rounds * y * math.log2(5) ** 2
        - (first + (1 + x) * accepted) / x
        - (second + (1 + y) * accepted) / y
        - 3 * chain
        - given["leaked_bits"]
        - 2 * math.log2(1 / p.amplification)
        + 2
    )


@given(st.data(), magnitudes, probabilities, secrecies, st.floats(0.76, 0.85))
@settings(max_examples=150, deadline=None)
def test_any_parameters_give_the_transcribed_bound(
    data: st.DataObject, rounds: int, marks: RoundProbabilities, secrecy: float, win: float
) -> None:
    parameters = data.draw(parameter_sets(secrecy))
    numbers = {
        "tolerated_losses": losses_at(rounds, marks, win),
        "leaked_bits": 0.1 * rounds,
        "secrecy": secrecy,
    }
    key = tan22(rounds=rounds, probabilities=marks, parameters=parameters, **numbers)
    written = transcription(key, rounds, marks, **numbers)
    scale = sum(map(abs, key.terms.values()))
    assert key.parameters is parameters
    assert key.unclipped <= written + 1e-14 * scale
    assert key.unclipped == pytest.approx(written, rel=0, abs=1.1 + 2e-6 * scale)


@given(st.data(), magnitudes, probabilities, secrecies, st.floats(0.77, 0.85))
@settings(max_examples=60, deadline=None)
def test_no_other_parameters_give_a_longer_key(
    data: st.DataObject, rounds: int, marks: RoundProbabilities, secrecy: float, win: float
) -> None:
    numbers = {
        "rounds": rounds,
        "probabilities": marks,
        "tolerated_losses": losses_at(rounds, marks, win),
        "leaked_bits": 0.01 * rounds,
        "secrecy": secrecy,
    }
    best = tan22(**numbers)
    p = best.parameters
    near = st.floats(0.8, 1.25) | st.floats(0.99, 1.01)
    shares = np.array(
        [2 * p.first_smoothing, 4 * p.second_smoothing, 2 * p.residual_smoothing, p.amplification]
    ) * [data.draw(near) for _ in range(4)]
    first, second, residual, amplification = secrecy * (1 - 1e-12) * shares / shares.sum()
    moved = AccumulationParameters(
        tangent=min(0.75 + (p.tangent - 0.75) * data.draw(near), HIGH - 1e-9),
        first_excess=min(p.first_excess * data.draw(near), 0.9),
        second_excess=min(p.second_excess * data.draw(near), 0.42),
        first_smoothing=first / 2,
        second_smoothing=second / 4,
        smoothing=(first + second + residual) / 2,
        amplification=amplification,
    )
    others = [
        moved,
        dataclasses.replace(p, tangent=moved.tangent),
        dataclasses.replace(p, first_excess=moved.first_excess),
        dataclasses.replace(p, second_excess=moved.second_excess),
    ]
    scale = sum(map(abs, best.terms.values()))
    for other in others:
        length = tan22(**numbers, parameters=other).unclipped
        assert length <= best.unclipped + 1e-6 * scale


@given(magnitudes, probabilities, secrecies, st.floats(0.755, HIGH), st.floats(0, 0.3))
@settings(max_examples=60, deadline=None)
def test_never_above_the_asymptotic_length(
    rounds: int, marks: RoundProbabilities, secrecy: float, win: float, leak: float
) -> None:
    key = tan22(
        rounds=rounds,
        probabilities=marks,
        tolerated_losses=losses_at(rounds, marks, win),
        leaked_bits=leak * rounds,
        secrecy=secrecy,
    )
    assert key.unclipped < rounds * (marks.keep - leak)
    threshold = 1 - losses_at(rounds, marks, win) / (rounds * marks.test)
    if threshold >= LOW:
        entropy = marks.keep * chsh_entropy(min(threshold, HIGH))
        assert key.unclipped < rounds * (entropy - leak)
    assert 0 <= key.bits <= max(0, key.unclipped)
    assert key.terms.total == key.unclipped


@given(magnitudes, probabilities, st.floats(0.755, 0.85), st.floats(0.755, 0.85))
@settings(max_examples=40, deadline=None)
def test_grows_with_the_violation(
    rounds: int, marks: RoundProbabilities, one: float, other: float
) -> None:
    low, high = (
        lengths(
            rounds=rounds,
            probabilities=marks,
            tolerated_losses=losses_at(rounds, marks, win),
            leaked_bits=0.0,
        )
        for win in sorted((one, other))
    )
    assert low.unclipped <= high.unclipped + 1e-6 * abs(low.terms["entropy"])


@given(secrecies, secrecies)
@settings(max_examples=40, deadline=None)
def test_grows_with_the_permitted_error(one: float, other: float) -> None:
    low, high = (lengths(secrecy=secrecy).unclipped for secrecy in sorted((one, other)))
    assert low <= high * (1 + 1e-6)


@given(st.floats(0, 1e7))
@settings(max_examples=20, deadline=None)
def test_leakage_costs_its_length(leak: float) -> None:
    free = lengths(leaked_bits=0.0)
    assert lengths(leaked_bits=leak).unclipped == pytest.approx(free.unclipped - leak, abs=1e-6)


@pytest.mark.parametrize("rounds", [10**3, 10**4, 10**9, 10**14])
@pytest.mark.parametrize("secrecy", [1e-15, 1e-5])
@pytest.mark.parametrize("win", [0.5, 0.7501, 0.8, HIGH])
def test_every_size_gives_a_finite_length(rounds: int, secrecy: float, win: float) -> None:
    marks = RoundProbabilities.announced(0.01)
    key = lengths(
        rounds=rounds,
        probabilities=marks,
        tolerated_losses=losses_at(rounds, marks, win),
        leaked_bits=0.0,
        secrecy=secrecy,
    )
    assert math.isfinite(key.unclipped)
    assert key.bits >= 0
    assert (key.bits > 0) == (rounds >= 10**9 and win >= 0.8)


def test_a_threshold_beyond_quantum_devices_earns_nothing() -> None:
    at_bound = lengths(tolerated_losses=10**7 * 0.03 * (1 - HIGH))
    assert lengths(tolerated_losses=0).unclipped == pytest.approx(at_bound.unclipped, rel=1e-12)


def test_fixed_parameters_reproduce_the_length() -> None:
    best = lengths()
    assert lengths(parameters=best.parameters) == best


def test_discarding_is_worse_than_keeping() -> None:
    kept, sifted = RoundProbabilities.announced(0.03), RoundProbabilities(key=0.8, test=0.03)
    assert lengths(probabilities=sifted).unclipped < lengths(probabilities=kept).unclipped


@pytest.mark.parametrize("epsilon", [1e-3, 0.1, 0.9])
def test_smoothing_term_is_its_definition(epsilon: float) -> None:
    definition = -math.log2(1 - math.sqrt(1 - epsilon**2))
    assert smoothing_bits(epsilon) == pytest.approx(definition, rel=1e-9)


@pytest.mark.parametrize("epsilon", [1e-8, 1e-15, 1e-100])
def test_smoothing_term_at_small_epsilon(epsilon: float) -> None:
    assert smoothing_bits(epsilon) == pytest.approx(1 - 2 * math.log2(epsilon), rel=1e-15)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rounds": 0}, "rounds must be"),
        ({"rounds": math.nan}, "rounds must be"),
        ({"tolerated_losses": -1}, "tolerated_losses must be"),
        ({"tolerated_losses": math.nan}, "tolerated_losses must be"),
        ({"leaked_bits": -1.0}, "leaked_bits must be"),
        ({"leaked_bits": math.inf}, "leaked_bits must be"),
        ({"secrecy": 0.0}, "secrecy must be"),
        ({"secrecy": 1.0}, "secrecy must be"),
        ({"secrecy": math.nan}, "secrecy must be"),
        ({"noisy_preprocessing": 0.5}, "noisy_preprocessing must be"),
    ],
)
def test_rejects(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        lengths(**changed)


def test_parameters_must_not_need_more_secrecy_than_given() -> None:
    best = lengths(secrecy=1e-10).parameters
    with pytest.raises(InvalidArgumentError, match="parameters must be"):
        lengths(secrecy=0.99e-10, parameters=best)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"tangent": 0.75}, "tangent must be"),
        ({"tangent": HIGH}, "tangent must be"),
        ({"tangent": math.nan}, "tangent must be"),
        ({"first_excess": 0.0}, "first_excess must be"),
        ({"first_excess": 1.0}, "first_excess must be"),
        ({"second_excess": 0.5}, "second_excess must be"),
        ({"first_smoothing": 0.0}, "first_smoothing must be"),
        ({"smoothing": 1e-12}, "smoothing must be more than"),
        ({"amplification": -1e-12}, "amplification must be"),
    ],
)
def test_parameters_out_of_range(changed: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        dataclasses.replace(lengths().parameters, **changed)
