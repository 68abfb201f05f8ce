"""Laboratories that bring their own probabilities: switches of 50:50, data recorded already."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from plain_rounds import LI_SCHEME, STRONG, draw_rounds

from postprocessing.design.request import Security
from postprocessing.errors import InvalidArgumentError
from postprocessing.protocol.distillation import distill
from postprocessing.scheme import LocalSettings
from postprocessing.security import METHODS

LI = dataclasses.replace(STRONG, scheme=LI_SCHEME)


def own(alice: float, bob: float, **changed: Any) -> Security:
    return Security(test_probability_alice=alice, test_probability_bob=bob, **changed)


@pytest.mark.parametrize("method", METHODS)
def test_they_are_taken_as_they_are(method: str) -> None:
    """Given by party: Alice corrects in the one scheme, Bob in the other."""
    for devices, expected in ((STRONG, LocalSettings(0.1, 0.3)), (LI, LocalSettings(0.3, 0.1))):
        design = own(0.1, 0.3, method=method).design(devices, 10**7)
        choice = design.setting_choice
        assert isinstance(choice, LocalSettings)
        assert dataclasses.replace(choice, coin_probability=None) == expected
        # The coin is the post-processing's own.
        assert (choice.coin_probability is not None) == METHODS[method].tells_kinds_apart
        best = Security(method=method).design(devices, 10**7)
        assert 0 < design.key_length < best.key_length


def test_what_is_best_costs_nothing() -> None:
    best = Security().design(STRONG, 10**7)
    assert isinstance(best.setting_choice, LocalSettings)
    side = best.setting_choice.corrector_test_probability
    assert own(side, side).design(STRONG, 10**7).key_length == pytest.approx(
        best.key_length, rel=1e-3
    )


def test_switches_of_50_to_50_make_a_key() -> None:
    """Nothing is thinned: every surplus round is a test."""
    design = own(0.5, 0.5, method="asymptotic").design(STRONG, 100_000)
    assert isinstance(design.setting_choice, LocalSettings)
    assert design.setting_choice.thinning == 1
    rounds = draw_rounds(STRONG, design.setting_choice, 100_000, seed=1)
    report = distill(rounds.alice, rounds.bob, design)
    assert report.abort_reason is None
    assert report.alice_key == report.bob_key
    assert report.key_length > 0


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"test_probability_alice": 0.5}, "test_probability_bob must be given for both"),
        ({"test_probability_bob": 0.5}, "test_probability_alice must be given for both"),
        ({"alice": 0.0, "bob": 0.5}, r"test_probability_alice must be in \(0, 1\)"),
        ({"alice": 0.5, "bob": 1.0}, r"test_probability_bob must be in \(0, 1\)"),
        ({"alice": float("nan"), "bob": 0.1}, "test_probability_alice must be in"),
        (
            {"alice": 0.5, "bob": 0.5, "method": "geat", "settings": "announced"},
            "test_probability_alice must be absent where marks are announced",
        ),
    ],
)
def test_impossible_ones_are_refused(arguments: dict[str, Any], match: str) -> None:
    names = {"alice": "test_probability_alice", "bob": "test_probability_bob"}
    with pytest.raises(InvalidArgumentError, match=match):
        Security(**{names.get(name, name): value for name, value in arguments.items()})


def test_the_reference_tests_half_the_time_at_most() -> None:
    """Beyond, no coin makes the game uniform; the corrector is free."""
    with pytest.raises(InvalidArgumentError, match=r"test_probability_bob must be in \(0, 1/2\]"):
        own(0.1, 0.6).design(STRONG, 10**6)
    with pytest.raises(InvalidArgumentError, match=r"test_probability_alice must be in \(0, 1/2\]"):
        own(0.6, 0.1).design(LI, 10**6)
    assert own(0.6, 0.1).design(STRONG, 10**6).heralded_rounds == 10**6
