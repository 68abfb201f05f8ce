"""Pictures of results: the points are the data, the lines are the theory, everything is named."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib.colors
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from typer.testing import CliRunner

from emulator.cli.app import app
from emulator.plotting.results import plot_finite_size, plot_quantity, plot_rate
from emulator.plotting.series import MOST_SERIES, parameter_label, series_of
from emulator.plotting.style import COLOURS
from emulator.plotting.waterfall import plot_waterfall
from emulator.runner import run
from emulator.scenario.loading import load_scenario
from emulator.sweeps.results import load_results
from emulator.sweeps.store import COLUMNS, PARAMETERS, Store
from emulator.theory.curves import key_fraction, theory_line
from emulator.theory.prediction import predict
from postprocessing.design.request import Security
from postprocessing.errors import InvalidArgumentError

DOCS = Path(__file__).parents[2] / "docs"
DISTANCES, SEEDS = (50.0, 100.0, 200.0), range(4)


def _store(path: Path, **fixed: object) -> pd.DataFrame:
    """Make a store of invented results: nothing at 200 km, one abort of four at 100 km."""
    draw = np.random.default_rng(1)
    for distance in DISTANCES:
        for seed in SEEDS:
            scenario = load_scenario("ecs-100km", {"distance_km": distance, "seed": seed, **fixed})
            aborted = distance == 200 or (distance == 100 and seed == 0)
            cells = {PARAMETERS[k]: v for k, v in scenario.model_dump(mode="json").items()}
            row = dict.fromkeys(COLUMNS) | {"store_version": 1, "diqkd_version": "0", **cells}
            row |= {
                "task": f"{distance}-{seed}-{'-'.join(map(str, fixed.values()))}",
                "finished_at": f"2026-11-23T{seed}",
            }
            row |= {"status": "aborted" if aborted else "key", "gain_expected": 0.5 / distance}
            row |= {"rate_achieved": 0.0 if aborted else draw.uniform(1e-4, 1e-3)}
            row |= {"key_length": 0 if aborted else 800, "heralded_rounds": 0 if aborted else 1000}
            row |= {"chsh": None if seed == 3 else draw.uniform(2.3, 2.5), "qber": 0.01 * seed}
            Store(path).append(row)
    return load_results(path)


@pytest.fixture(scope="module")
def frame(tmp_path_factory) -> pd.DataFrame:
    return _store(tmp_path_factory.mktemp("store") / "one.csv", rounds=3_000_000)


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("store")
    return _store(folder / "two.csv", security="asymptotic", misalignment_error=0.04)


def _points(axes: Axes) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return x, y and the ends of the intervals of what was drawn with intervals."""
    drawn = []
    for container in axes.containers:
        line, _, (bars,) = container.lines
        ends = np.array([np.asarray(s)[:, 1] for s in bars.get_segments()])
        drawn.append((line.get_xdata(), line.get_ydata(), ends))
    return drawn


def _lines(axes: Axes, quantity: str) -> list:
    """Return the lines of theory of a quantity."""
    return [line for line in axes.get_lines() if line.get_gid() == quantity]


def _named(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def _legend_is_below(axes: Axes) -> None:
    axes.get_figure().draw_without_rendering()
    box = axes.get_legend().get_window_extent()
    assert box.y1 < axes.xaxis.get_label().get_window_extent().y0


@pytest.fixture(scope="module")
def rate_axes(frame) -> Axes:
    return plot_rate({"a": frame})


def test_rate_points_are_the_mean_over_seeds(frame, rate_axes):
    axes = rate_axes
    assert axes.get_yscale() == "log"
    assert axes.get_xlabel() == "distance (km)"
    assert axes.get_ylabel() == "key rate (secret bit/pulse)"
    full, hollow = _points(axes)
    rates = {d: g["rate_achieved"].to_numpy() for d, g in frame.groupby("distance_km")}
    for (x, y, ends), distance in ((full, 50), (hollow, 100)):
        assert x.tolist() == [distance]
        mean, error = rates[distance].mean(), rates[distance].std(ddof=1) / 2
        assert y == pytest.approx([mean], rel=1e-14)
        assert ends[0] == pytest.approx([mean - error, mean + error], rel=1e-12)
    faces = [container.lines[0].get_markerfacecolor() for container in axes.containers]
    assert faces == [COLOURS["blue"], "none"]
    (cross,) = [line for line in axes.get_lines() if line.get_marker() == "x"]
    assert cross.get_xdata().tolist() == [200]
    assert {"some runs aborted", "no key: all runs aborted"} < set(_named(axes))
    _legend_is_below(axes)


def test_rate_lines_are_the_theory(rate_axes):
    names = ("rate_asymptotic", "rate_finite_size", "plob_bound")
    lines = [line for name in names for line in _lines(rate_axes, name)]
    asymptotic, finite_size, dotted = lines
    for distance in DISTANCES:
        scenario = load_scenario("ecs-100km", {"distance_km": distance, "rounds": 3e6})
        model = scenario.build_model()
        theory = predict(model)
        design = Security().design(model, 3_000_000)
        rate = design.key_length / 3_000_000 * theory.gain
        expected = (theory.key_rate_per_pulse, rate, theory.plob_bound)
        for line, value in zip(lines, expected, strict=True):
            place = line.get_xdata().tolist().index(distance)
            assert line.get_ydata()[place] == pytest.approx(value, rel=1e-9)
    assert asymptotic.get_color() == finite_size.get_color() == COLOURS["blue"]
    assert dotted.get_color() == COLOURS["black"]


def test_several_stores_and_series_are_told_apart(frame, other):
    axes = plot_rate({"tan": frame, "asymptotic": other}, interval="quantiles")
    assert _named(axes)[:3] == ["tan", "asymptotic", "emulated: median, 5 % to 95 %"]
    assert len(_lines(axes, "rate_asymptotic")) == 2
    assert len(_lines(axes, "rate_finite_size")) == 1
    assert len(_lines(axes, "plob_bound")) == 1
    both = pd.concat([frame, other], ignore_index=True)
    labels = {points.label for points in series_of({"a": both}, "distance_km", "chsh")}
    assert labels == {
        "misalignment error 0, block size 3e+06, tan22",
        "misalignment error 0.04, block size 1e+07, asymptotic",
    }
    first, _ = _points(axes)[:2]
    rates = frame[frame["distance_km"] == 50]["rate_achieved"]
    assert first[1] == pytest.approx([rates.quantile(0.5)], rel=1e-14)
    assert first[2][0] == pytest.approx(rates.quantile([0.05, 0.95]).to_numpy(), rel=1e-12)
    # Colours apart also without colour: each series has its own marker.
    assert len({c.lines[0].get_marker() for c in axes.containers}) == 2


@pytest.mark.parametrize("quantity", ["chsh", "qber"])
def test_a_quantity_against_a_parameter(frame, quantity):
    axes = plot_quantity({"a": frame}, quantity, "distance_km")
    labels = {"chsh": "CHSH value S (dimensionless)", "qber": "QBER (errors per key round)"}
    assert axes.get_ylabel() == labels[quantity]
    ((x, y, ends),) = _points(axes)
    groups = frame.groupby("distance_km")[quantity]
    assert x.tolist() == list(DISTANCES)
    assert y == pytest.approx(groups.mean().to_numpy(), rel=1e-14)
    assert (ends[:, 1] - ends[:, 0]) / 2 == pytest.approx(groups.sem().to_numpy(), rel=1e-9)
    (line,) = _lines(axes, quantity)
    for distance, value in zip(line.get_xdata()[::13], line.get_ydata()[::13], strict=True):
        model = load_scenario("ecs-100km", {"distance_km": distance}).build_model()
        assert value == getattr(predict(model), quantity)
    assert "some runs aborted" not in _named(axes)
    _legend_is_below(axes)


def test_a_single_value_is_a_point_and_a_dash(frame):
    axes = plot_quantity({"a": frame[frame["distance_km"] == 50]}, "qber", "rounds")
    assert axes.get_xlabel() == "block size (heralded rounds)"
    assert [line.get_marker() for line in _lines(axes, "qber")] == ["_"]
    one = frame[(frame["distance_km"] == 50) & (frame["seed"] == 1)]
    (point,) = series_of({"a": one}, "rounds", "qber")
    assert np.isnan([point.low[0], point.high[0]]).all()


def test_finite_size(tmp_path):
    for rounds in (1_000_000, 10_000_000):
        frame = _store(tmp_path / "blocks.csv", rounds=rounds)
    frame = frame[frame["distance_km"] == 50]
    axes = plot_finite_size({"a": frame})
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "block size (heralded rounds)"
    assert axes.get_ylabel() == "key (secret bit/heralded round)"
    ((x, y, _),) = _points(axes)
    assert (x.tolist(), y.tolist()) == ([1e6, 1e7], [0.8, 0.8])
    model = load_scenario("ecs-100km", {"distance_km": 50}).build_model()
    (limit,), (design,) = _lines(axes, "limit"), _lines(axes, "key_fraction")
    theory = predict(model)
    assert limit.get_ydata() == pytest.approx(theory.key_rate_per_pulse / theory.gain, rel=1e-9)
    assert design.get_ydata()[0] == 0
    assert design.get_ydata()[-1] == Security().design(model, 10**7).key_length / 1e7
    _legend_is_below(axes)


def test_one_block_size_is_points_between_marks_of_theory(tmp_path):
    """A line of one point would be no line at all."""
    frame = _store(tmp_path / "block.csv", rounds=10_000_000)
    axes = plot_finite_size({"a": frame[frame["distance_km"] == 50]})
    ((x, y, _),) = _points(axes)
    assert (x.tolist(), y.tolist()) == ([1e7], [0.8])
    for name in ("limit", "key_fraction"):
        (mark,) = _lines(axes, name)
        assert (list(mark.get_xdata()), mark.get_marker()) == ([1e7], "_")
        assert 0 < mark.get_ydata()[0] < 1


def test_runs_of_so_many_pulses_stand_where_their_rounds_are_expected(tmp_path):
    """At a whole number, as the theory that is drawn beside them wants."""
    frame = _store(tmp_path / "pulses.csv", pulses=10**9 + 100)
    stores = {"a": frame[frame["distance_km"] == 100]}
    (points, *_) = series_of(stores, "rounds", "key_fraction")
    assert points.x.tolist() == [5_000_000]
    assert points.y.tolist() == [pytest.approx(0.6)]
    assert (points.runs.tolist(), points.aborted.tolist()) == ([4], [1])
    (line, *_) = _lines(plot_finite_size(stores), "key_fraction")
    assert list(line.get_xdata()) == [5_000_000]


def test_the_finite_size_theory_is_that_of_a_run():
    for change in ({"pulses": 4e8}, {"rounds": 3e6}, {"rounds": 1e5}):
        scenario = load_scenario("ecs-100km", change)
        model = scenario.build_model()
        report = run(model, **scenario.stopping_rule(), seed=1)
        rate = key_fraction(scenario, model) * report.prediction.gain
        assert rate == pytest.approx(report.rates_per_pulse["finite_size"], rel=1e-12)
    hopeless = load_scenario("ecs-100km", {"distance_km": 470, "rounds": 1e7})
    assert key_fraction(hopeless, hopeless.build_model()) == 0
    line = theory_line(hopeless, "rounds", [1e6, 1e7], finite_size=True)
    assert line["rate_asymptotic"].tolist() == [0, 0] or line["rate_asymptotic"].isna().all()


def test_theory_over_a_chsh_value_keeps_the_qber():
    scenario = load_scenario(None, {"scheme": "behaviour", "chsh": 2.6, "qber": 0.01})
    line = theory_line(scenario, "chsh", [2.5, 2.7])
    assert line["chsh"].tolist() == pytest.approx([2.5, 2.7])
    assert line["qber"].tolist() == pytest.approx([0.01, 0.01])


def test_it_draws_where_it_is_told(other):
    panels = Canvas().subplots(2, 2).flatten()
    terms = {"entropy": 10.0, "leakage": -1.0}
    assert plot_rate({"a": other}, panels[0]) is panels[0]
    assert plot_quantity({"a": other}, "chsh", "distance_km", panels[1]) is panels[1]
    assert plot_finite_size({"a": other}, panels[2]) is panels[2]
    assert plot_waterfall(terms, 8, panels[3]) is panels[3]


def test_bars_of_the_waterfall_hang_on_each_other():
    terms = {"entropy": 1000.0, "tests": -300.5, "leakage": -240.25, "own_term": -3.0}
    axes = plot_waterfall(terms, 456)
    bars = axes.patches
    assert [bar.get_width() for bar in bars] == [*terms.values(), 456]
    ends = [bar.get_x() + bar.get_width() for bar in bars]
    assert [bar.get_x() for bar in bars] == [0, *ends[:-2], 0]
    assert axes.get_xlabel() == "key length (bit)"
    texts = [text.get_text().strip() for text in axes.texts]
    assert texts == ["+1,000", "−300", "−240", "−3", "456"]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "entropy of the rounds",
        "test outcomes",
        "leakage budget",
        "own term",
        "key, whole bytes",
    ]
    axes.get_figure().draw_without_rendering()
    for text in axes.texts:
        assert text.get_window_extent().x1 < axes.get_window_extent().x1
    with pytest.raises(InvalidArgumentError, match=r"terms must be those of a run with a key"):
        plot_waterfall({}, 0)


def test_what_cannot_be_drawn(frame):
    failed = frame.assign(status="failed")
    many = pd.concat([frame.assign(soundness=10.0**-k) for k in range(1, MOST_SERIES + 2)])
    for call, message in {
        lambda: plot_rate({}): r"stores must be of runs with numbers for distance_km",
        lambda: plot_rate({"a": failed}): r"stores must be of runs with numbers",
        lambda: plot_rate({"a": frame}, over="seed"): r"over must be a parameter with numbers",
        lambda: plot_rate({"a": frame}, over="mean_photon_number"): r"stores must be of runs with",
        lambda: plot_quantity({"a": frame}, "gain", "rounds"): r"quantity must be one of chsh",
        lambda: plot_quantity({"a": frame}, "chsh", "x"): r"over must be a parameter with numbers",
        lambda: plot_rate({"a": many}): r"at most 12 series \(choose with --where of .*soundness",
        lambda: plot_rate({"a": frame}, interval="some"): r"interval must be one of standard error",
    }.items():
        with pytest.raises(InvalidArgumentError, match=message):
            call()


def test_every_label_has_a_unit():
    assert parameter_label("attenuation_db_per_km") == "attenuation (dB/km)"
    assert parameter_label("coherence_time_s") == "coherence time (s)"
    for name in PARAMETERS:
        assert parameter_label(name).endswith(")")
    assert all(matplotlib.colors.is_color_like(colour) for colour in COLOURS.values())


def _plot(*arguments: str):
    return CliRunner().invoke(app, ["plot", *arguments])


def test_the_command_draws_every_kind(tmp_path):
    store = str(tmp_path / "one.csv")
    _store(Path(store), security="asymptotic")
    folder = tmp_path / "run"
    result = CliRunner().invoke(
        app,
        ["run", "--rounds", "2e5", "--security", "asymptotic", "--seed", "7", "--out", str(folder)],
    )
    assert result.exit_code == 0
    for k, arguments in enumerate(
        [
            ["rate", store],
            ["chsh", store, "--over", "distance-km", "--quantiles"],
            ["qber", store, "--over", "rounds", "--where", "distance_km=50"],
            ["finite-size", store, "--where", "distance_km=50"],
            ["waterfall", str(folder)],
        ]
    ):
        out = tmp_path / f"{k}.png"
        result = _plot(*arguments, "--out", str(out))
        assert (result.exit_code, result.stdout.strip()) == (0, str(out)), result.stderr
        assert out.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["rates"],
            "link-arms, rate, chsh, qber, finite-size, waterfall, sensitivities, got 'rates'",
        ),
        (["rate"], "inputs must be stores for rate"),
        (["rate", "missing.csv"], "store must be a readable file"),
        (["chsh", "missing.csv"], "over must be given for chsh"),
        (["finite-size", "a.csv", "--over", "rounds"], "over must be left out for finite-size"),
        (["rate", "a.csv", "a.csv"], "inputs must be different files"),
        (["rate", "a.csv", "--where", "=3"], "where must be NAME=VALUE"),
        (["rate", "a.csv", "--out", "x.gif"], "path must be a file ending in .png, .svg, .pdf"),
        (["waterfall"], "inputs must be one folder of a run"),
        (["waterfall", "missing"], "run must be a folder with a report.json, "),
        (["waterfall", "missing", "--over", "rounds"], "over must be left out, except for rate"),
        (["xie-fig2", "a.csv"], "inputs must be left out for xie-fig2"),
        (["xie-fig2", "--quantiles"], "interval must be left out"),
    ],
)
def test_wrong_input_is_one_line(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = _plot(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_run_without_terms_has_no_waterfall(tmp_path):
    result = CliRunner().invoke(app, ["run", "--distance-km", "470", "--out", str(tmp_path)])
    assert result.exit_code == 3
    assert json.loads((tmp_path / "report.json").read_text())["key_terms"] == {}
    result = _plot("waterfall", str(tmp_path), "--out", str(tmp_path / "w.png"))
    assert result.exit_code == 2
    assert "run must be one whose report has the terms of a key or a design" in result.stderr


def test_the_documentation_shows_every_kind():
    text = (DOCS / "results.md").read_text(encoding="utf-8")
    for name in ("rate", "chsh", "qber", "finite-size", "waterfall", "report", "report-aborted"):
        assert f"](figures/results-{name}.png)" in text
        assert (DOCS / "figures" / f"results-{name}.png").stat().st_size < 150_000
