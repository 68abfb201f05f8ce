"""The choice of how often to test."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from postprocessing.errors import InvalidArgumentError
from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.scheme import LocalSettings
from postprocessing.security import (
    METHODS,
    Block,
    binary_entropy,
    optimise_settings,
    win_probability,
)

WIN, SECRECY, SHARE = float(win_probability(2.42034956943)), 0.9e-10, 0.005


def leakage(rounds: int) -> Callable[[RoundProbabilities], float]:
    """Key rounds at 1.1 of the Shannon limit, tests published, one tag."""

    def bits(marks: RoundProbabilities) -> float:
        return rounds * (1.1 * marks.key * binary_entropy(7.00037e-6) + marks.test) + 37

    return bits


def optimum(rounds: int, /, **changed: Any) -> LocalSettings:
    arguments: dict[str, Any] = {
        "rounds": rounds,
        "win_probability": WIN,
        "secrecy": SECRECY,
        "completeness_share": SHARE,
        "leakage": leakage(rounds),
    } | changed
    bits = arguments.pop("leakage")

    def block_at(marks: RoundProbabilities) -> Block:
        return Block(probabilities=marks, leaked_bits=bits(marks), **arguments)

    settings = optimise_settings(METHODS["tan22"], block_at, rule="local")
    assert isinstance(settings, LocalSettings)
    return settings


def unclipped_length(rounds: int, settings: LocalSettings) -> float:
    marks = settings.round_probabilities
    block = Block(rounds, marks, WIN, SECRECY, leakage(rounds)(marks), SHARE)
    return METHODS["tan22"].length(block).unclipped


@pytest.mark.parametrize("rounds", [10**7, 10**10, 10**14])
def test_no_other_settings_give_a_longer_key(rounds: int) -> None:
    best = optimum(rounds)
    gamma, p = best.corrector_test_probability, best.reference_test_probability
    length = unclipped_length(rounds, best)
    others = [(gamma * a, p * b) for a in (0.5, 0.9, 1, 1.1, 2) for b in (0.5, 0.9, 1, 1.1, 2)]
    others += [(q, q) for q in np.geomspace(3e-5, 0.45, 15).tolist()]
    assert length > 0
    for other in others:
        assert unclipped_length(rounds, LocalSettings(*other)) <= length * (1 + 1e-5)


@pytest.mark.parametrize("rounds", [100, 10**4, 10**6])
def test_no_other_settings_come_closer_to_a_key(rounds: int) -> None:
    length = unclipped_length(rounds, optimum(rounds))
    for p in np.geomspace(1e-2, 0.5, 40).tolist():
        assert unclipped_length(rounds, LocalSettings(p, p)) <= length + 0.02 * abs(length)


@pytest.mark.parametrize("rounds", [100, 1000, 10_000])
def test_blocks_too_short_for_a_key_have_settings_too(rounds: int) -> None:
    settings = optimum(rounds)
    assert unclipped_length(rounds, settings) < 0
    # Nothing but more tests brings a short block closer to a key.
    assert 0.2 < settings.corrector_test_probability <= 0.5


def test_tests_grow_rarer_with_the_block() -> None:
    tests = [optimum(10**e).round_probabilities.test for e in range(2, 15)]
    assert tests == sorted(tests, reverse=True)


@pytest.mark.parametrize("win", [0.6, 0.751, (2 + math.sqrt(2)) / 4])
def test_any_devices_have_settings(win: float) -> None:
    assert 0 < optimum(10**6, win_probability=win).round_probabilities.test < 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rounds": 0}, "rounds must be at least 1"),
        ({"rounds": math.nan}, "rounds must be at least 1"),
        ({"win_probability": 1.2}, "win_probability must be"),
        ({"secrecy": 0.0}, "secrecy must be"),
        ({"completeness_share": 1.0}, "completeness_share must be"),
        ({"leakage": lambda _: math.nan}, "leaked_bits must be"),
    ],
)
def test_rejects(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        optimum(10**6, **changed)
