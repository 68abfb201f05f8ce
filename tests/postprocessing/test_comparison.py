"""Which methods are named beside a key that is short: their designs, and none without reason."""

from __future__ import annotations

from typing import Any

import pytest

from postprocessing.design.comparison import keys_by_method, outdone
from postprocessing.design.request import ExpectedValues, Security
from postprocessing.security import METHODS


@pytest.mark.parametrize("rounds", [600_000, 1_200_000])
@pytest.mark.parametrize("part", [None, 1.4])
def test_a_key_below_half_of_the_best_names_all(
    honest: Any, rounds: int, part: float | None
) -> None:
    expected = ExpectedValues(honest.scheme, 2.6, 0.03, part)
    design = Security().design(expected, rounds)
    keys = outdone(design, Security(), expected)
    assert list(keys) == [name for name in METHODS if METHODS[name].composable]
    for method, bits in keys.items():
        assert bits == Security(method=method).design(expected, rounds).key_length
    assert 2 * design.key_length < max(keys.values())


def test_a_key_above_half_of_the_best_names_none(honest: Any) -> None:
    expected = ExpectedValues(honest.scheme, 2.6, 0.03)
    best = keys_by_method(Security(), expected, 10**8)
    design = Security().design(expected, 10**8)
    assert 2 * design.key_length > max(best.values())
    assert outdone(design, Security(), expected) == {}
    assert (
        outdone(Security(method="asymptotic").design(expected, 10**6), Security(), expected) == {}
    )


def test_only_methods_that_cover_what_was_asked_are_named(honest: Any) -> None:
    expected = ExpectedValues(honest.scheme, 2.7, 0.01)
    marks = keys_by_method(Security(method="geat", settings="announced"), expected, 10**6)
    assert list(marks) == ["geat", "geat_counted", "eat_rpa"]
    off = keys_by_method(Security(setting_probability_tolerance=1e-5), expected, 10**6)
    assert list(off) == ["tan22", "geat", "renyi", "renyi_fixed"]


def test_without_a_code_there_is_nothing_to_compare(honest: Any) -> None:
    expected = ExpectedValues(honest.scheme, 2.6, 0.3)
    design = Security().design(expected, 10**6)
    assert outdone(design, Security(), expected) == {}
