"""The finite-size study: runs and tallies of growing blocks, held against theory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from emulator.runner import run
from emulator.scenario.scenario import Scenario
from emulator.schemes.base import ProtocolModel
from postprocessing.checks import callback, instance_of, seed_number, whole_number
from postprocessing.design.design import Design
from postprocessing.design.request import Security
from postprocessing.errors import InvalidArgumentError
from postprocessing.limits import MOST_ROUNDS
from postprocessing.security import METHODS, asymptotic_key_fraction
from postprocessing.testing import GameTally

DEFAULT_SIZES = (10**5, 10**6, 10**7, 10**8)
RUN_METHODS = ("tan22", "renyi", "renyi_fixed", "eat_rpa", "renyi_weighted")
DRAWS = 100_000
CONFIDENCE = 0.999
_POINTS_A_DECADE = 4


@dataclass(frozen=True)
class FiniteSizeStudy:
    """What a study found.

    Parameters
    ----------
    runs : DataFrame
        One row a run through the whole pipeline: block size, method, seed, outcome, key length in
        bits and key bits per heralded round.
    tallies : DataFrame
        One row a block size and method, see `tally_statistics`.
    curves : DataFrame
        One row a block size, with the designed key bits per heralded round of each method, and the
        asymptotic ones.
    """

    runs: pd.DataFrame
    tallies: pd.DataFrame
    curves: pd.DataFrame


def finite_size_study(
    scenario: Scenario,
    *,
    sizes: Sequence[int] = DEFAULT_SIZES,
    runs: int = 3,
    draws: int = DRAWS,
    seed: int = 0,
    on_progress: Callable[[str, float | None], None] | None = None,
) -> FiniteSizeStudy:
    """Run blocks of several sizes and hold keys, aborts and test statistics against theory.

    Parameters
    ----------
    scenario : Scenario
        Scheme, link, soundness and completeness; its stopping rule and method are not used.
    sizes : sequence of int
        Heralded rounds of the blocks, each 1000 to 10⁹.
    runs : int
        Runs through the whole pipeline for each size and method, 1 to 1000.
    draws : int
        Draws of the test tally for each size and method, 2 to 10⁷.
    seed : int
        Of everything random; run k has the seed `seed` + k.
    on_progress : callable, optional
        Called with the stage and its finished fraction.

    Returns
    -------
    FiniteSizeStudy
        The same for the same seed.

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range, or the scheme has no working point.

    Examples
    --------
    >>> import diqkd
    >>> scenario = diqkd.load_scenario("ecs-100km")
    >>> finite_size_study(scenario, sizes=[10])
    Traceback (most recent call last):
    postprocessing.errors.InvalidArgumentError: sizes must be a whole number in [1000, ... got 10
    """
    instance_of("scenario", scenario, Scenario)
    if not isinstance(sizes, Sequence | np.ndarray) or not np.ndim(sizes) or not len(sizes):
        raise InvalidArgumentError("sizes", sizes, "a list of at least one block size")
    seed = seed_number(seed)
    sizes = sorted({whole_number("sizes", size, 1000, MOST_ROUNDS) for size in sizes})
    runs = whole_number("runs", runs, 1, 1000)
    draws = whole_number("draws", draws, 2, 10**7)
    progress = callback("on_progress", on_progress) or (lambda stage, fraction: None)
    model, security = scenario.build_model(), scenario.build_security()
    run_rows, tally_rows = [], []
    points = [(size, method) for size in sizes for method in RUN_METHODS]
    for done, (size, method) in enumerate(points):
        progress("runs", done / len(points))
        of_method = replace(security, method=method)
        design = of_method.design(model, size)
        place = RUN_METHODS.index(method)
        generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(size, place)))
        statistics = tally_statistics(design, draws, generator)
        tally_rows.append({"rounds": size, "method": method, **statistics})
        for k in range(runs):
            row = {"rounds": size, "method": method, "seed": seed + k}
            run_rows.append(row | _key_of(model, of_method, size, seed + k))
    progress("curves", None)
    curves = finite_size_curves(model, security, sizes[0], sizes[-1])
    return FiniteSizeStudy(pd.DataFrame(run_rows), pd.DataFrame(tally_rows), curves)


def tally_statistics(
    design: Design, draws: int, generator: np.random.Generator
) -> dict[str, float | int]:
    """Draw test tallies of honest devices and compare aborts and the estimate Ŝ with theory.

    The tally (won, lost, no test) of n independent rounds is multinomial; Ŝ = 8 n_won/n_test − 4.

    Parameters
    ----------
    design : Design
        A finite-size design, which decides.
    draws : int
        Number of tallies.
    generator : numpy Generator
        Their randomness.

    Returns
    -------
    dict
        ``expected_tests`` n p_test, ``draws``, ``aborts``, ``abort_frequency`` with its
        Clopper–Pearson interval ``abort_low``, ``abort_high`` at 99.9 % confidence,
        ``abort_bound``, the part of the design's predicted abort probability that is not the
        leakage budget's, ``key_bits`` of those that do not abort on average with their standard
        deviation ``key_bits_deviation``, at the whole budget, and
        ``chsh_variance`` of Ŝ with ``chsh_variance_theory`` = 64 w(1 − w)/(n p_test), or the sum
        of 16 w(1 − w)/(n P) of both kinds where they differ, by the delta method; it means
        something with many tests only, and a tally without any counts as S = 4.
    """
    rounds, marks = design.heralded_rounds, design.setting_choice.round_probabilities
    wins = design.win_probabilities
    tests = generator.binomial(rounds, marks.test, draws)
    at_key = generator.binomial(tests, marks.kinds[0] / marks.test)
    lost_at_key = generator.binomial(at_key, 1 - wins[0])
    lost = lost_at_key + generator.binomial(tests - at_key, 1 - wins[1])
    drawn = zip(*(each.tolist() for each in (tests, lost, at_key, lost_at_key)), strict=True)
    tallies = [GameTally(all_, out, (first, gone)) for all_, out, first, gone in drawn]
    lengths = np.fromiter((_key_bits(design, tally) for tally in tallies), np.int64, draws)
    keys = lengths[lengths > 0]
    aborts = draws - len(keys)
    interval = binomtest(aborts, draws).proportion_ci(CONFIDENCE, method="exact")
    bound = design.predicted_abort_probability
    if design.key_length and design.leakage:
        bound -= design.leakage.over_budget_probability
    if marks.has_uniform_inputs:
        win = sum(wins) / 2
        estimates = 8 * (1 - lost / np.maximum(tests, 1)) - 4
        variance = 64 * win * (1 - win) / (rounds * marks.test)
    else:
        others = np.maximum(tests - at_key, 1)
        estimates = 4 - 4 * (lost_at_key / np.maximum(at_key, 1) + (lost - lost_at_key) / others)
        kinds = zip(marks.kinds, wins, strict=True)
        variance = sum(16 * win * (1 - win) / (rounds * kind) for kind, win in kinds)
    return {
        "expected_tests": rounds * marks.test,
        "draws": draws,
        "aborts": aborts,
        "abort_frequency": aborts / draws,
        "abort_low": float(interval.low),
        "abort_high": float(interval.high),
        "abort_bound": bound,
        "key_bits": float(keys.mean()) if len(keys) else 0.0,
        "key_bits_deviation": float(keys.std()) if len(keys) else 0.0,
        "chsh_variance": float(estimates.var(ddof=1)),
        "chsh_variance_theory": variance,
    }


def _key_bits(design: Design, tally: GameTally) -> int:
    """Return the key length at these counts with the leakage budget used up; 0 for an abort."""
    tests = tally.rounds
    if tests < design.least_test_rounds or not design.accepts(tally):
        return 0
    key_rounds = math.floor(design.heralded_rounds * design.setting_choice.round_probabilities.key)
    return design.final_key_length(key_rounds, tally, design.most_outcome_bits(tests))


def finite_size_curves(
    model: ProtocolModel, security: Security, smallest: int, largest: int
) -> pd.DataFrame:
    """Return the key bits per heralded round that each method designs for growing blocks."""
    joint = model.joint_distribution()
    decades = math.log10(largest / smallest)
    points = math.ceil(_POINTS_A_DECADE * decades) + 1
    asymptotic = float(asymptotic_key_fraction(joint.chsh, joint.qber))
    rows = []
    for size in np.unique(np.geomspace(smallest, largest, points).round().astype(int)).tolist():
        lengths: dict[str, float] = {
            method: replace(security, method=method).design(joint, size).key_length / size
            for method in METHODS
            if METHODS[method].composable
        }
        rows.append({"rounds": size, **lengths, "asymptotic": asymptotic})
    return pd.DataFrame(rows)


def _key_of(
    model: ProtocolModel, security: Security, rounds: int, seed: int
) -> dict[str, str | int | float]:
    """Run the whole pipeline once and return what became of it."""
    report = run(model, heralded_rounds=rounds, security=security, seed=seed)
    return {
        "outcome": report.outcome,
        "reason": report.abort_reason or "",
        "key_bits": report.key_length,
        "key_fraction": report.key_length / rounds,
    }
