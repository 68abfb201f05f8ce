"""Generators that may be off: designs within whose tolerance no round gives more than proved."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from plain_rounds import LI_SCHEME, STRONG, XIE_SCHEME, draw_rounds
from scipy.stats import binom

from postprocessing.design.design import LOST_TESTS_SHARE, RARE_SHARE, Design
from postprocessing.design.request import ExpectedValues, Security
from postprocessing.errors import InputFileError, InvalidArgumentError
from postprocessing.files.designs import read_design, write_design
from postprocessing.protocol.distillation import distill
from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.scheme import AnnouncedMarks, LocalSettings, SettingChoice
from postprocessing.security import METHODS, Block, chsh_entropy, win_probability
from postprocessing.security.accumulation import AccumulationParameters
from postprocessing.security.entropy import QUANTUM_WIN_PROBABILITIES
from postprocessing.security.renyi import RenyiParameters, accumulated_entropy, renyi_entropy
from postprocessing.security.tradeoff import MinTradeoff
from postprocessing.tolerance import coin_bounds, pair_bounds, round_bounds

Law = npt.NDArray[np.float64]
METHODS_AND_RULES = [
    ("tan22", "local"),
    ("geat", "local"),
    ("geat", "announced"),
    ("renyi", "local"),
    ("renyi_fixed", "local"),
]
# Tolerances from far below what matters to the greatest.
CHOICES: list[SettingChoice] = [
    LocalSettings(0.1, 0.1, 1e-3),
    LocalSettings(0.03, 0.05, 0.01),
    LocalSettings(0.3, 0.5, 0.01),
    LocalSettings(0.9, 0.45, 1e-4),
    AnnouncedMarks(0.02, 0.01),
    AnnouncedMarks(0.1, 1e-4),
    AnnouncedMarks(0.9, 0.01),
]
EITHER = (-1.0, 1.0)


def points(choice: SettingChoice, chance: np.random.Generator) -> Iterator[tuple[float, Law]]:
    """Give P(key) and P(test, x, y) at all corners of the box, and somewhere inside it.

    Made of what is drawn, one after the other, without the product's own arithmetic.
    """
    off = choice.setting_probability_tolerance
    corners = [*itertools.product(EITHER, repeat=5), *chance.uniform(-1, 1, (200, 5))]
    for moves in corners:
        u = off * np.asarray(moves)
        if isinstance(choice, AnnouncedMarks):
            mark = choice.test_probability + u[0]
            first, second = 0.5 + u[1], 0.5 + u[2]
            inputs = np.outer([first, 1 - first], [second, 1 - second])
            yield 1 - mark, mark * inputs
            continue
        tests = choice.corrector_test_probability / 2 + u[:2]
        other = choice.reference_test_probability + u[2]
        coin = min(choice.thinning_probability + u[3], 1.0)
        yield (1 - tests.sum()) * (1 - other), np.outer(tests, [(1 - other) * coin, other])


def behaviours(chance: np.random.Generator) -> Iterator[tuple[float, Law]]:
    """Give the mean win probability and that of each input, quantum and classical."""
    for kept in itertools.product((0, 1), repeat=4):
        # Classical: an odd number of lost inputs.
        if sum(kept) % 2:
            wins = np.array(kept, np.float64).reshape(2, 2)
            yield float(wins.mean()), wins
    for _ in range(400):
        a, b = chance.uniform(0, 2 * math.pi, (2, 2))
        if chance.random() < 0.5:
            # Near the best angles, where there is entropy.
            a = np.array([0, math.pi / 2]) + 0.3 * chance.normal(size=2)
            b = np.array([math.pi / 4, -math.pi / 4]) + 0.3 * chance.normal(size=2)
        correlators = chance.uniform(0.5, 1) * np.cos(np.subtract.outer(a, b))
        wins = (1 + correlators * [[1, 1], [1, -1]]) / 2
        yield float(wins.mean()), wins


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_whatever_is_drawn_lies_within_the_bounds(choice: SettingChoice) -> None:
    """And the bounds of the tests are met, so that they give nothing away."""
    rounds = round_bounds(choice)
    least, most = 1.0, 0.0
    for key, tests in points(choice, np.random.default_rng(1)):
        assert rounds.key * (1 - 1e-12) <= key <= rounds.most_key * (1 + 1e-12)
        assert rounds.test * (1 - 1e-12) <= 4 * tests.min()
        assert 4 * tests.max() <= rounds.most_test * (1 + 1e-12)
        least, most = min(least, 4 * tests.min()), max(most, 4 * tests.max())
    assert (rounds.test, rounds.most_test) == pytest.approx((least, most), rel=1e-9)


@pytest.mark.parametrize("scheme", [XIE_SCHEME, LI_SCHEME], ids=["xie", "li"])
@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_pairs_of_settings_lie_within_their_bounds(choice: SettingChoice, scheme: Any) -> None:
    low, high = pair_bounds(choice, scheme)
    law, off = choice.pair_law(scheme), choice.setting_probability_tolerance
    assert np.all(low <= law)
    assert np.all(law <= high)
    assert np.array_equal(law == 0, high == 0)
    for corner in itertools.product((-off, off), repeat=3):
        if isinstance(choice, AnnouncedMarks):
            moved: Any = AnnouncedMarks(choice.test_probability + corner[0]).pair_law(scheme)
        else:
            gamma = choice.corrector_test_probability + 2 * corner[0]
            p = choice.reference_test_probability + corner[1]
            moved = LocalSettings(gamma, min(p, 0.5)).pair_law(scheme)
            coin = choice.thinning_probability + corner[2]
            assert coin_bounds(choice)[0] <= min(coin, 1) <= coin_bounds(choice)[1]
        assert np.all(low <= moved * (1 + 1e-12))
        assert np.all(moved <= high * (1 + 1e-12))


def entropy_of(key: float, tests: Law, win: float, q: float) -> float:
    """Return the least entropy of a round: noise in key rounds alone, none in discarded rounds."""
    return key * float(chsh_entropy(win, q)) + float(tests.sum()) * float(chsh_entropy(win))


def score_of(score: MinTradeoff, test: float) -> tuple[float, float]:
    """Return f(win) = f(no test) and f(lose)."""
    return score.value(1.0), score.value(1.0) - score.slope / test


@pytest.mark.parametrize("q", [0.0, 0.05])
@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_the_score_promises_no_more_than_there_is(choice: SettingChoice, q: float) -> None:
    """It is a min-tradeoff function of every round, and its fluctuation within what is charged."""
    chance, bounds = np.random.default_rng(2), round_bounds(choice)
    box, played = [*points(choice, chance)], [*behaviours(chance)]
    broken = False
    for tangent in (0.76, 0.8, 0.85):
        score = MinTradeoff(bounds, tangent, q)
        top, bottom = score_of(score, bounds.test)
        exact = choice.round_probabilities
        naive = MinTradeoff(exact, tangent, q)
        high, low = score_of(naive, exact.test)
        infima = {excess: score.infimum(excess)[0] for excess in (1e-5, 1e-3, 0.1)}
        for (key, tests), (win, wins) in itertools.product(box[::7], played[::4]):
            lost = float((tests * (1 - wins)).sum())
            entropy, mean = entropy_of(key, tests, win, q), top - (top - bottom) * lost
            assert mean <= entropy + 1e-12
            assert 2 + top - mean <= score.spread + 1e-9
            variance = lost * (1 - lost) * (top - bottom) ** 2
            cost = math.log(2) / 2 * (math.log2(33) + math.sqrt(2 + variance)) ** 2
            for excess, infimum in infima.items():
                assert entropy - mean - excess * cost >= infimum - 1e-9
            broken |= high - (high - low) * lost > entropy + 1e-12
    # Without a tolerance the same rounds would be credited with more than there is.
    assert broken


@pytest.mark.parametrize("q", [0.0, 0.05])
@pytest.mark.parametrize("choice", [c for c in CHOICES if isinstance(c, LocalSettings)], ids=str)
def test_the_moments_of_credits_stay_below_their_bound(choice: SettingChoice, q: float) -> None:
    chance, bounds = np.random.default_rng(3), round_bounds(choice)
    box, played = [*points(choice, chance)], [*behaviours(chance)]
    for excess, credit, loss in ((1e-3, 30.0, -150.0), (1e-2, 5.0, -30.0), (1e-3, -2.0, -90.0)):
        parameters = RenyiParameters(excess, credit, loss, 0.8)
        most = 2 ** (-excess * accumulated_entropy(parameters, bounds, q))
        for (key, tests), (win, wins) in itertools.product(box[::7], played[::4]):
            plain, noisy = (2 ** (-excess * float(renyi_entropy(win, excess, x))) for x in (0.0, q))
            won = np.minimum(wins, plain)
            weights = 2 ** (excess * credit) * won + 2 ** (excess * loss) * (plain - won)
            moment = key * noisy + float((tests * weights).sum()) + 1 - key - tests.sum()
            assert moment <= most + 1e-12


def length_at(design: Design, key: float, test: float) -> int:
    """Return the length of a design at the exact probabilities of rounds, all else as it is."""
    assert design.leakage is not None
    assert design.length is not None
    method: Any = METHODS[design.method]
    leaked = design.leakage.budget_bits
    block = Block(
        rounds=design.heralded_rounds,
        probabilities=RoundProbabilities(key, test),
        win_probability=float(win_probability(design.expected_chsh)),
        secrecy=design.epsilons.secrecy,
        leaked_bits=-design.length.terms["leakage"] if method.varies else leaked,
        tolerated_losses=design.tolerated_test_losses,
        least_score=design.least_score,
    )
    if method.varies:
        # An affine function of the counts: compare it at the same ones.
        block = dataclasses.replace(block, counts=design.block.tests)
    return int(method.length(block, design.length.parameters).bits)


@pytest.mark.parametrize("tolerance", [1e-6, 1e-3])
@pytest.mark.parametrize("rounds", [10**7, 10**8, 10**9, 10**10])
@pytest.mark.parametrize(("method", "rule"), METHODS_AND_RULES)
def test_designs_are_never_longer_than_proved_within_the_tolerance(
    method: str, rule: Any, rounds: int, tolerance: float, honest: ExpectedValues
) -> None:
    """At generators that are as far off as they may be; without a tolerance they would be."""
    wanted = Security(method=method, settings=rule, setting_probability_tolerance=tolerance)
    design = wanted.design(honest, rounds)
    assert design.key_length > 0
    choice = design.setting_choice
    plain = dataclasses.replace(wanted, setting_probability_tolerance=0.0)
    exact = plain.design(honest, rounds)
    assert design.key_length < exact.key_length
    for sign in EITHER:
        if isinstance(choice, AnnouncedMarks):
            key, test = 1 - choice.test_probability, choice.test_probability
            assert design.key_length <= length_at(
                design, key - sign * tolerance, test + sign * tolerance
            )
            continue
        gamma = choice.corrector_test_probability + 2 * sign * tolerance
        p = choice.reference_test_probability + sign * tolerance
        assert design.key_length <= length_at(design, (1 - gamma) * (1 - p), 2 * gamma * p)
    assert isinstance(exact.setting_choice, type(choice))
    if not METHODS[method].varies and isinstance(exact.setting_choice, LocalSettings):
        moved = []
        for sign in EITHER:
            gamma = exact.setting_choice.corrector_test_probability + 2 * sign * tolerance
            p = exact.setting_choice.reference_test_probability + sign * tolerance
            moved.append(length_at(exact, (1 - gamma) * (1 - p), 2 * gamma * p))
        assert exact.key_length > min(moved)


@pytest.mark.parametrize(("method", "rule"), METHODS_AND_RULES)
def test_honest_devices_pass_wherever_their_generators_are(
    method: str, rule: Any, honest: ExpectedValues
) -> None:
    """Counted at each corner: too few tests, too many lost ones, more key rounds than budgeted."""
    n, tolerance, completeness = 10**8, 1e-3, 1e-2
    wanted = Security(
        method=method,
        settings=rule,
        completeness=completeness,
        setting_probability_tolerance=tolerance,
    )
    design = wanted.design(honest, n)
    assert design.leakage is not None
    assert design.predicted_abort_probability <= completeness
    lose, surely = 1 - float(win_probability(honest.chsh)), 1 + 1e-9
    for key, tests in points(design.setting_choice, np.random.default_rng(4)):
        test = float(tests.sum())
        few = binom.cdf(design.least_test_rounds - 1, n, test)
        assert few <= completeness * RARE_SHARE * surely
        assert binom.sf(design.leakage.key_rounds, n, key) <= completeness / 8 * surely
        assert binom.sf(design.leakage.test_rounds, n, test) <= completeness / 8 * surely
        if not METHODS[method].scored and not METHODS[method].varies:
            lost = binom.sf(design.tolerated_test_losses, n, test * lose)
            assert lost <= completeness * LOST_TESTS_SHARE * surely


def test_generators_within_the_tolerance_make_a_key() -> None:
    """The same bias ends a run under a design that knows of no tolerance."""
    rounds, tolerance = 4_000_000, 2e-3
    for off, reason in ((tolerance, None), (0.0, "settings not as designed")):
        wanted = Security(1e-6, setting_probability_tolerance=off)
        design = wanted.design(STRONG, rounds)
        assert design.key_length > 0
        choice = design.setting_choice
        assert isinstance(choice, LocalSettings)
        biased = LocalSettings(
            choice.corrector_test_probability + 2 * tolerance,
            choice.reference_test_probability - tolerance,
        )
        drawn = draw_rounds(STRONG, biased, rounds, seed=1)
        report = distill(drawn.alice, drawn.bob, design)
        assert report.abort_reason == reason
        assert report.alice_key == report.bob_key
        assert (report.key_length > 0) == (reason is None)


@pytest.mark.parametrize("value", [-1e-9, 0.0100001, 1.0, math.nan, math.inf, "x", True, None])
def test_other_tolerances_are_refused(value: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="setting_probability_tolerance must be"):
        Security(setting_probability_tolerance=value)


def test_a_method_that_proves_nothing_of_it_takes_none() -> None:
    with pytest.raises(InvalidArgumentError, match="tolerance must be 0 for the method 'asym"):
        Security(method="asymptotic", setting_probability_tolerance=1e-6)
    design = Security(method="asymptotic").design(STRONG, 10**6)
    changed = dataclasses.replace(design.setting_choice, setting_probability_tolerance=1e-6)
    with pytest.raises(InvalidArgumentError, match="tolerance must be 0 for the method 'asym"):
        dataclasses.replace(design, setting_choice=changed)


@pytest.mark.parametrize(
    ("make", "tolerance"),
    [
        (lambda off: LocalSettings(0.01, 0.1, off), 0.005),
        (lambda off: LocalSettings(0.1, 0.005, off), 0.005),
        (lambda off: LocalSettings(0.96, 0.5, off), 0.01),
        (lambda off: AnnouncedMarks(0.01, off), 0.01),
        (lambda off: AnnouncedMarks(0.96, off), 0.01),
        (lambda off: LocalSettings(0.3, 0.3, off), 0.011),
        (lambda off: LocalSettings(0.3, 0.3, off), math.nan),
    ],
)
def test_settings_that_might_never_come_are_refused(make: Any, tolerance: float) -> None:
    assert make(0.0).setting_probability_tolerance == 0
    with pytest.raises(InvalidArgumentError, match="setting_probability_tolerance must be in"):
        make(tolerance)
    wanted = {"test_probability_alice": 0.01, "test_probability_bob": 0.1}
    with pytest.raises(InvalidArgumentError, match="setting_probability_tolerance must be in"):
        Security(**wanted, setting_probability_tolerance=0.005).design(STRONG, 10**6)


def test_a_design_file_holds_it_and_no_longer_key(tmp_path: Path) -> None:
    design = Security(setting_probability_tolerance=1e-4).design(STRONG, 10**7)
    path = tmp_path / "design.json"
    write_design(path, design)
    assert read_design(path) == design
    values = json.loads(path.read_text())
    assert values["setting_choice"]["setting_probability_tolerance"] == 1e-4
    # The length of exact generators is more than this tolerance allows.
    exact = Security().design(STRONG, 10**7)
    path.unlink()
    write_design(path, exact)
    values = json.loads(path.read_text())
    values["setting_choice"]["setting_probability_tolerance"] = 1e-4
    path.write_text(json.dumps(values))
    with pytest.raises(InputFileError, match="length must be at most"):
        read_design(path)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("rounds", [10**5, 10**8, 10**12, 10**15])
@pytest.mark.parametrize(("method", "rule"), [("tan22", "local"), ("geat", "announced")])
def test_the_search_stays_within_what_a_tolerance_allows(
    method: str, rule: Any, rounds: int, bits: int, honest: ExpectedValues
) -> None:
    """However rarely tests would be best, designs of the greatest tolerance are possible."""
    wanted = Security(
        method=method, settings=rule, grid_bits=bits, setting_probability_tolerance=0.01
    )
    assert wanted.design(honest, rounds).heralded_rounds == rounds


def test_the_quantum_range_has_no_lower_end_without_slack() -> None:
    exact = MinTradeoff(LocalSettings(0.1, 0.1).round_probabilities, 0.8)
    assert exact.least_win == QUANTUM_WIN_PROBABILITIES[0]
    wide = MinTradeoff(round_bounds(LocalSettings(0.1, 0.1, 1e-3)), 0.8)
    assert wide.least_win < QUANTUM_WIN_PROBABILITIES[0]
    assert wide.spread > 2 + wide.slope * (1 - QUANTUM_WIN_PROBABILITIES[0])


def test_tests_are_charged_at_their_most(honest: ExpectedValues) -> None:
    design = Security(setting_probability_tolerance=1e-3).design(honest, 10**8)
    assert design.length is not None
    assert isinstance(design.length.parameters, AccumulationParameters)
    most = max(t.sum() for _, t in points(design.setting_choice, np.random.default_rng(5)))
    assert design.length.terms["tests"] <= -(10**8) * most
