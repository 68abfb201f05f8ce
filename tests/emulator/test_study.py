"""The finite-size study: tallies against exact probabilities, and its files."""

from __future__ import annotations

import math
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from typer.testing import CliRunner

from emulator.cli.app import app
from emulator.plotting.study import plot_study
from emulator.scenario.loading import load_scenario
from emulator.sweeps.study import (
    RUN_METHODS,
    FiniteSizeStudy,
    finite_size_study,
    tally_statistics,
)
from postprocessing.design.design import Design
from postprocessing.design.request import ExpectedValues, Security
from postprocessing.errors import InvalidArgumentError
from postprocessing.scheme import BellScheme
from postprocessing.security import METHODS, Counts, RenyiParameters

DRAWS, ROUNDS = 100_000, 10**7


def design_of(method: str) -> Design:
    scheme: BellScheme = load_scenario(None, {}).build_model().joint_distribution().scheme
    return Security(method=method).design(ExpectedValues(scheme, 2.7, 0.02), ROUNDS)


def statistics_of(design: Design) -> dict[str, float | int]:
    return tally_statistics(design, DRAWS, np.random.default_rng(7))


def test_aborts_of_tan22_have_the_exact_probability() -> None:
    design = design_of("tan22")
    found = statistics_of(design)
    test, lose = design.setting_choice.round_probabilities.test, 0.5 - design.expected_chsh / 8
    too_many = binom.sf(design.tolerated_test_losses, ROUNDS, test * lose)
    too_few = binom.cdf(design.least_test_rounds - 1, ROUNDS, test)
    # The interval misses the truth with probability 1e-3; the two causes may coincide.
    assert found["abort_low"] <= too_many + too_few
    assert found["abort_high"] >= max(too_many, too_few)
    assert found["abort_bound"] >= too_many


def test_aborts_of_renyi_fixed_stay_within_the_bound() -> None:
    found = statistics_of(design_of("renyi_fixed"))
    assert found["aborts"] > 0
    assert found["abort_low"] <= found["abort_bound"]


def test_varying_lengths_spread_as_the_score_does() -> None:
    """By the variance of one round's score, written out; and the bound on aborts holds."""
    design = design_of("renyi")
    found = statistics_of(design)
    assert design.length is not None
    parameters = design.length.parameters
    assert isinstance(parameters, RenyiParameters)
    test, win = design.setting_choice.round_probabilities.test, 0.5 + design.expected_chsh / 8
    scores = [parameters.score(Counts(*one)) for one in ((1, 0), (0, 1))]
    square = test * (win * scores[0] ** 2 + (1 - win) * scores[1] ** 2)
    mean = test * (win * scores[0] + (1 - win) * scores[1])
    deviation = math.sqrt(ROUNDS * (square - mean**2))
    assert found["key_bits_deviation"] == pytest.approx(deviation, rel=0.02)
    assert found["key_bits"] == pytest.approx(design.key_length, rel=0.02)
    assert found["abort_low"] <= found["abort_bound"]


def test_a_stricter_threshold_is_seen_in_the_aborts() -> None:
    design = design_of("tan22")
    strict = replace(design, tolerated_test_losses=design.tolerated_test_losses - 100)
    assert statistics_of(strict)["abort_low"] > design.predicted_abort_probability


def test_variance_of_the_estimate_follows_the_delta_method() -> None:
    found = statistics_of(design_of("tan22"))
    # Standard error √(2/draws) = 0.45 %: five of them, a false alarm below 1e-6.
    assert found["chsh_variance"] == pytest.approx(found["chsh_variance_theory"], rel=0.0224)


def test_a_point_end_to_end(tmp_path: Path) -> None:
    out = tmp_path / "study"
    command = ["study", "finite-size", "--sizes", "1.5e5", "--runs", "1", "--out", str(out)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert (out / "finite-size-study.png").read_bytes().startswith(b"\x89PNG")
    runs, tallies = pd.read_csv(out / "runs.csv"), pd.read_csv(out / "tallies.csv")
    assert set(runs["rounds"]) == {150_000}
    assert len(runs) == len(tallies) == len(RUN_METHODS)
    curves = pd.read_csv(out / "curves.csv")
    assert (curves.drop(columns=["rounds", "asymptotic"]).max(axis=1) <= curves["asymptotic"]).all()
    # A seed makes a key again: the whole folder is its owner's alone.
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 2


def test_picture_takes_equal_keys_whose_mean_rounds_past_them() -> None:
    fraction = 0.1
    assert np.mean([fraction] * 3) > fraction
    runs = pd.DataFrame({"rounds": 10**6, "method": "tan22", "key_fraction": [fraction] * 3})
    curves = pd.DataFrame({"rounds": [10**5, 10**6], "asymptotic": 0.3})
    curves[[name for name in METHODS if METHODS[name].composable]] = fraction
    axes = plot_study(FiniteSizeStudy(runs, pd.DataFrame(), curves))
    assert axes.get_xscale() == "log"


def test_bad_input_is_named(tmp_path: Path) -> None:
    scenario = load_scenario(None, {})
    with pytest.raises(InvalidArgumentError, match="sizes"):
        finite_size_study(scenario, sizes=[])
    with pytest.raises(InvalidArgumentError, match="sizes"):
        finite_size_study(scenario, sizes=[10])
    with pytest.raises(InvalidArgumentError, match="runs"):
        finite_size_study(scenario, runs=0)
    command = ["study", "finite-size", "--sizes", "many", "--out", str(tmp_path / "out")]
    assert CliRunner().invoke(app, command).exit_code == 2
