"""Probabilities live on a grid that hardware draws exactly, and lengths are those of the grid."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from plain_rounds import LI_SCHEME, STRONG, draw_rounds

from postprocessing.design.design import Design
from postprocessing.design.request import ExpectedValues, Security
from postprocessing.errors import InvalidArgumentError
from postprocessing.protocol.distillation import distill
from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.scheme import AnnouncedMarks, LocalSettings, Party
from postprocessing.security import METHODS, Block, win_probability

PARTIES: tuple[Party, Party] = ("alice", "bob")
METHODS_AND_RULES = [
    ("tan22", "local"),
    ("geat", "local"),
    ("geat", "announced"),
    ("tan22_counted", "local"),
    ("geat_counted", "announced"),
    ("eat_rpa", "local"),
    ("eat_rpa", "announced"),
    ("renyi", "local"),
    ("renyi_fixed", "local"),
    ("renyi_weighted", "local"),
    ("renyi_weighted_fixed", "local"),
]
# Dearest here are announced marks at 1e10 rounds, with 2e-6 of the key; where the search stops
# short of the optimum, the grid gains as much as it costs.
MOST_COST = 1e-5


def exact_law(design: Design) -> dict[Party, list[Fraction]]:
    scheme, choice = design.scheme, design.setting_choice
    return {party: [Fraction(p) for p in choice.choice(scheme, party)] for party in PARTIES}


def proved_bits(design: Design) -> int:
    """Return the length at the probabilities that a generator draws, all from whole numbers."""
    law, scheme, key_pair = exact_law(design), design.scheme, design.scheme.key_pair
    assert isinstance(design.setting_choice, LocalSettings)
    of = {"alice": law["alice"], "bob": law["bob"]}
    reference, corrector = scheme.reference, scheme.corrector
    p = sum(
        of[reference][s]
        for s in scheme.test_settings(reference)
        if s != scheme.key_setting(reference)
    )
    gamma = sum(of[corrector][s] for s in scheme.test_settings(corrector))
    # A test: the corrector tests, and the reference does, or a coin says so.
    at_key = gamma * (1 - p) * design.setting_choice.thinning
    key, test = law["alice"][key_pair[0]] * law["bob"][key_pair[1]], gamma * p + at_key
    first = None if design.setting_choice.coin_probability is None else float(at_key)
    return _bits(design, RoundProbabilities(float(key), float(test), test_at_key_setting=first))


def _bits(design: Design, drawn: RoundProbabilities) -> int:
    assert design.leakage is not None
    assert design.length is not None
    method: Any = METHODS[design.method]
    leaked = design.leakage.budget_bits
    if method.varies:
        leaked = -design.length.terms["leakage"]
    block = Block(
        rounds=design.heralded_rounds,
        probabilities=drawn,
        win_probability=float(win_probability(design.expected_chsh)),
        secrecy=design.epsilons.secrecy,
        leaked_bits=leaked,
        noisy_preprocessing=design.noisy_preprocessing,
        tolerated_losses=design.tolerated_test_losses,
        least_score=design.least_score,
    )
    length = method.length(block, design.length.parameters)
    # Without the margin for rounding, and as sharp as floats are.
    return math.floor(length.unclipped - length.terms["rounding"] + 1e-12 * design.heralded_rounds)


@pytest.mark.parametrize("rounds", [10**7, 10**8, 10**9, 10**10])
@pytest.mark.parametrize(("method", "rule"), METHODS_AND_RULES)
def test_designs_are_never_longer_than_proved_at_what_is_drawn(
    method: str, rule: Any, rounds: int, honest: ExpectedValues, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = Security(method=method, settings=rule).design(honest, rounds)
    for probabilities in exact_law(design).values():
        assert sum(probabilities) == 1
        assert all((p * 2**16).denominator == 1 for p in probabilities)
    if isinstance(design.setting_choice, LocalSettings):
        assert design.key_length <= proved_bits(design)
    else:
        law = design.setting_choice.pair_law(design.scheme)
        assert all((Fraction(p) * 2**16).denominator == 1 for p in law.ravel())
        key, test = law[design.scheme.key_pair], law.sum() - law[design.scheme.key_pair]
        assert design.key_length <= _bits(design, RoundProbabilities(key, test))
    # What the grid costs.
    for kind in (LocalSettings, AnnouncedMarks):
        monkeypatch.setattr(kind, "on_grid", lambda settings, bits: settings)
    best = Security(method=method, settings=rule).design(honest, rounds)
    assert design.key_length > (1 - MOST_COST) * best.key_length - 1000


@pytest.mark.parametrize("bits", [8, 12, 16, 20, 32])
def test_another_grid_on_request(bits: int, honest: ExpectedValues) -> None:
    design = Security(grid_bits=bits).design(honest, 10**8)
    for probabilities in exact_law(design).values():
        assert all((p * 2**bits).denominator == 1 for p in probabilities)
        assert bits <= 16 or any((p * 2**16).denominator > 1 for p in probabilities)


@pytest.mark.parametrize("bits", [7, 33, 16.5, True, "16", None])
def test_other_grids_are_refused(bits: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="grid_bits must be a whole number"):
        Security(grid_bits=bits)


@pytest.mark.parametrize("value", [1e-9, 1e-5, 0.1, 0.25, 0.4999999, 0.5])
@pytest.mark.parametrize("bits", [8, 16, 32])
def test_the_nearest_settings_of_the_grid(value: float, bits: int) -> None:
    """Never none at all, and no further away than half a step."""
    settings = LocalSettings(value, value).on_grid(bits)
    gamma, p = settings.corrector_test_probability, settings.reference_test_probability
    unit = Fraction(1, 2**bits)
    assert (Fraction(gamma) / (2 * unit)).denominator == (Fraction(p) / unit).denominator == 1
    exact = Fraction(value)
    assert abs(Fraction(gamma) - exact) <= max(unit, 2 * unit - exact)
    assert abs(Fraction(p) - exact) <= max(unit / 2, unit - exact)
    marks = AnnouncedMarks(value).on_grid(bits).test_probability
    assert (Fraction(marks) / (4 * unit)).denominator == 1
    assert LocalSettings(1 - 1e-12, 0.5).on_grid(bits).corrector_test_probability < 1
    assert AnnouncedMarks(1 - 1e-12).on_grid(bits).test_probability < 1


def test_the_coin_is_the_fraction_of_two_whole_numbers() -> None:
    settings = LocalSettings(0.1, 0.1).on_grid(16)
    a = int(settings.reference_test_probability * 2**16)
    assert settings.thinning == Fraction(a, 2**16 - a)
    assert float(settings.thinning) == pytest.approx(settings.thinning_probability, rel=1e-15)


def test_keys_are_made_on_the_grid_of_either_scheme() -> None:
    for devices in (STRONG, dataclasses.replace(STRONG, scheme=LI_SCHEME)):
        design = Security(method="asymptotic").design(devices, 50_000)
        rounds = draw_rounds(devices, design.setting_choice, 50_000, seed=1)
        report = distill(rounds.alice, rounds.bob, design)
        assert report.abort_reason is None
        assert report.alice_key == report.bob_key


def test_generators_of_sixteen_bits_draw_a_design_exactly(honest: ExpectedValues) -> None:
    """Over all 65,536 words each setting comes as often as designed."""
    design = Security().design(honest, 10**8)
    words = np.arange(2**16)
    for probabilities in exact_law(design).values():
        bounds = np.cumsum([int(p * 2**16) for p in probabilities])
        drawn = np.bincount(np.searchsorted(bounds, words, side="right"))
        assert [Fraction(int(count), 2**16) for count in drawn] == [p for p in probabilities if p]
