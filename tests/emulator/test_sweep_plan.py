"""Sweep files become tasks: axes, groups, seeds, and identities that miss nothing."""

from __future__ import annotations

import itertools

import pytest

import emulator.sweeps.task
from emulator.scenario.loading import load_scenario
from emulator.scenario.parameters import scenario_class
from emulator.schemes.registry import SCHEMES
from emulator.sweeps.plan import SweepPlan, load_plan
from emulator.sweeps.task import repeat_seed, run_task, task_identity
from postprocessing.errors import InputFileError, InvalidArgumentError


def _tasks(**parameters):
    return SweepPlan.from_parameters(parameters).tasks()


def _values(tasks, *names: str) -> list[tuple[object, ...]]:
    return [tuple(getattr(task.scenario, name) for name in names) for task in tasks]


def test_axes_are_crossed_in_order():
    tasks = _tasks(axes={"distance_km": [0, 50], "misalignment_error": [0, 0.01]})
    expected = [(0, 0), (0, 0.01), (50, 0), (50, 0.01)]
    assert _values(tasks, "distance_km", "misalignment_error") == expected
    assert {task.scenario.rounds for task in tasks} == {10**7}


def test_groups_vary_together():
    axes = {"distance_km": [0, 50], "security": ["tan22", "asymptotic"], "rounds": [1e5, 1e6]}
    tasks = _tasks(axes=axes, zip=[["distance_km", "rounds"]])
    expected = [
        (0, 10**5, "tan22"),
        (0, 10**5, "asymptotic"),
        (50, 10**6, "tan22"),
        (50, 10**6, "asymptotic"),
    ]
    assert _values(tasks, "distance_km", "rounds", "method") == expected


def test_ranges_have_the_values_one_would_write():
    linear = _tasks(axes={"misalignment_error": {"start": 0, "stop": 0.05, "points": 6}})
    assert _values(linear, "misalignment_error") == [
        (v,) for v in (0, 0.01, 0.02, 0.03, 0.04, 0.05)
    ]
    decades = {"start": 1e-9, "stop": 1e-6, "points": 4, "spacing": "log"}
    logarithmic = _tasks(axes={"dark_count_probability": decades})
    assert _values(logarithmic, "dark_count_probability") == [(1e-9,), (1e-8,), (1e-7,), (1e-6,)]
    whole = _tasks(axes={"rounds": {"start": 1e4, "stop": 1e6, "points": 5, "spacing": "log"}})
    assert _values(whole, "rounds") == [(10000,), (31623,), (100000,), (316228,), (1000000,)]


def test_alternatives_displace_the_scenario():
    assert _values(_tasks(axes={"pulses": [10**6]}), "rounds", "pulses") == [(None, 10**6)]


def test_schemes_start_from_their_own_presets():
    tasks = _tasks(scenario={"rounds": 1e5}, axes={"scheme": list(SCHEMES)})
    for task, scheme in zip(tasks, SCHEMES, strict=True):
        assert task.scenario == load_scenario(
            None, {"scheme": scheme, "rounds": 1e5, "seed": task.scenario.seed}
        )


def test_equal_tasks_count_once():
    assert len(_tasks(axes={"distance_km": [50, 50.0, "50"]}, seeds=2)) == 2


def test_repeats_have_seeds_of_their_own():
    tasks = _tasks(axes={"distance_km": [0, 50, 100]}, seeds=5)
    seeds = [seed for (seed,) in _values(tasks, "seed")]
    assert len(set(seeds)) == 15
    assert all(0 <= seed < 2**53 for seed in seeds)
    more = _tasks(axes={"misalignment_error": [0, 0.01], "distance_km": [100, 50, 0]}, seeds=6)
    assert {task.identity for task in tasks} <= {task.identity for task in more}


def test_seeds_of_ones_own():
    tasks = _tasks(axes={"distance_km": [0, 50]}, seeds=[7, 8])
    assert _values(tasks, "distance_km", "seed") == [(0, 7), (0, 8), (50, 7), (50, 8)]


OTHER_VALUES = {
    "ecs": {
        "rounds": 10**6, "method": "asymptotic", "soundness": 1e-9, "completeness": 0.1,
        "noisy_preprocessing": 0.01, "reconciliation": "efficiency",
        "seed": 2, "distance_km": 101, "attenuation_db_per_km": 0.21, "detector_efficiency": 0.81,
        "dark_count_probability": 2e-7, "repetition_rate_hz": 1.0, "misalignment_error": 1e-12,
        "mean_photon_number": 0.1, "pulses": 10,
        "drift": "misalignment_error=0:0.01:3",
        "grid_bits": 20, "setting_probability_tolerance": 1e-5,
        "test_probability_alice": 0.1, "test_probability_bob": 0.2,
        "white_noise_visibility": 0.99, "dephasing_alice": 0.01, "dephasing_bob": 0.01,
        "readout_error_alice": 0.01, "readout_error_bob": 0.01, "directions": "optimal",
        "measurement": "after_herald", "phase_offset_rad": 0.1, "phase_noise_rad": 0.1,
        "arm_alice_km": 30.0, "arm_bob_km": 110.0,
    },
    "single_photon": {"bright_population": 0.1, "mode_overlap": 0.9},
    "cavity_cat": {
        "interaction_efficiency": 0.5, "down_conversion_efficiency": 0.5,
        "up_conversion_efficiency": 0.5, "coherence_time_s": 1.0, "gate_time_s": 1e-9,
        "loss_order": 3, "amplitude": 1.5, "entanglement_rate_hz": 3.0, "placement": "lumped",
        "discrimination": "linear_optics", "travel_times": 2, "photon_class": 1,
        "settings": "announced",
    },
    "behaviour": {"chsh": 2.6, "qber": 0.01, "herald_probability": 0.5},
}  # fmt: skip


@pytest.mark.parametrize(
    ("scheme", "name"), [(scheme, name) for scheme in OTHER_VALUES for name in OTHER_VALUES[scheme]]
)
def test_every_parameter_is_part_of_the_identity(scheme, name):
    base = load_scenario(None, {"scheme": scheme, "seed": 1})
    changed = base.replace(**{name: OTHER_VALUES[scheme][name]})
    assert task_identity(changed) != task_identity(base)
    assert (repeat_seed(changed, 0) == repeat_seed(base, 0)) == (name == "seed")


def test_no_parameter_is_left_out_of_the_test_above():
    tested = {name for values in OTHER_VALUES.values() for name in values} | {"scheme", "table"}
    assert tested == {name for scheme in SCHEMES for name in scenario_class(scheme).model_fields}


def test_identity_depends_on_values_alone():
    parameters = {"distance_km": 50, "rounds": 1e6, "misalignment_error": 0, "seed": 3}
    scenarios = [
        load_scenario(None, dict(order)) for order in itertools.permutations(parameters.items())
    ]
    scenarios.append(load_scenario(None, {name: str(v) for name, v in parameters.items()}))
    scenarios.append(scenarios[0].replace(detector_efficiency=0.8))
    assert len({task_identity(scenario) for scenario in scenarios}) == 1


def test_identity_depends_on_versions(monkeypatch):
    scenario = load_scenario(None, {"seed": 1})
    before, seed = task_identity(scenario), repeat_seed(scenario, 0)
    for name in ("diqkd", "store", "numpy", "scipy", "numba"):
        others = {**emulator.sweeps.task._versions(), name: "0.0"}
        with monkeypatch.context() as patch:
            patch.setattr(emulator.sweeps.task, "_versions", lambda others=others: others)
            assert task_identity(scenario) != before
            assert repeat_seed(scenario, 0) == seed


def test_identity_depends_on_what_files_hold(tmp_path):
    """Not on where they lie; and a worker that finds other contents refuses the task."""
    for name, text in (("a.csv", "1"), ("b.csv", "1"), ("c.csv", "2")):
        (tmp_path / name).write_text(text)
    sweep_file = tmp_path / "sweep.toml"
    sweep_file.write_text(
        '[scenario]\nscheme = "behaviour"\nrounds = 1e5\n'
        '[axes]\ntable = ["a.csv", "b.csv", "c.csv"]\n'
    )
    tasks = load_plan(sweep_file).tasks()
    assert [task.scenario.table for task in tasks] == [tmp_path / "b.csv", tmp_path / "c.csv"]
    (tmp_path / "b.csv").write_text("3")
    row = run_task(tasks[0])
    assert row["status"] == "failed"
    assert row["reason"] == "the versions or files of this worker differ from those of the plan"
    (tmp_path / "c.csv").unlink()
    with pytest.raises(InputFileError, match=r"table must be a readable file, got '.*c.csv'"):
        load_plan(sweep_file).tasks()


def test_scenario_files_lie_beside_the_sweep(tmp_path):
    (tmp_path / "link.toml").write_text("distance_km = 3\nrounds = 5\n")
    for text in ('scenario = "link.toml"', '[scenario]\npreset = "link.toml"\nrounds = 5'):
        (tmp_path / "sweep.toml").write_text(text)
        (task,) = load_plan(tmp_path / "sweep.toml").tasks()
        assert (task.scenario.distance_km, task.scenario.rounds) == (3, 5)


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        ({"axis": {}}, r"name must be one of scenario, axes, zip, seeds, got 'axis'"),
        ({"scenario": 3}, r"scenario must be a name or a table, got 3"),
        ({"scenario": "ecs"}, r"scenario must be a path ending in .toml or one of .*, got 'ecs'"),
        ({"scenario": {"preset": 3}}, r"preset must be a name, got 3"),
        ({"scenario": {"alpha": 3}}, r"parameter must be one of the scheme 'ecs': .* got 'alpha'"),
        ({"scenario": {"seed": 3}}, r"seed must be left to the seeds of the sweep, got 3"),
        ({"axes": {"distance": [1]}}, r"axis must be one of distance_km, .*, got 'distance'"),
        ({"axes": {"seed": [1]}}, r"axis must be one of distance_km, .*, got 'seed'"),
        (
            {"axes": {"loss_order": [1]}},
            r"loss_order must be left out for ecs, to which it means nothing, got 1",
        ),
        ({"axes": {"distance_km": []}}, r"axes.distance_km must be .* at least 1 item.*, got \[\]"),
        ({"axes": {"distance_km": 5}}, r"axes.distance_km must be a list, or a table of .*, got 5"),
        ({"axes": {"distance_km": ["far"]}}, r"distance_km must be a valid number.*, got 'far'"),
        ({"axes": {"rounds": [1.5]}}, r"rounds must be a valid integer.*, got 1.5"),
        (
            {"axes": {"distance_km": {"start": 0, "stop": 9, "points": 1}}},
            r"axes.distance_km.points must be greater than or equal to 2, got 1",
        ),
        (
            {"axes": {"distance_km": {"start": 0, "stop": 9, "points": 3, "step": 1}}},
            r"name must be one of start, stop, points, spacing, got 'axes.distance_km.step'",
        ),
        (
            {"axes": {"distance_km": {"start": 0, "stop": 9, "points": 3, "spacing": "log"}}},
            r"axes.distance_km must be above 0 with spacing log, got \(0.0, 9.0\)",
        ),
        (
            {"axes": {"distance_km": {"start": 0, "stop": 9, "points": 3, "spacing": "even"}}},
            r"axes.distance_km.spacing must be 'linear' or 'log', got 'even'",
        ),
        ({"zip": [["distance_km"]]}, r"zip must be groups of axes, each axis once at most, got"),
        (
            {"axes": {"distance_km": [1, 2], "rounds": [9]}, "zip": [["distance_km", "rounds"]]},
            r"zip must be groups of axes of equal lengths, got {'distance_km': 2, 'rounds': 1}",
        ),
        (
            {"axes": {"distance_km": [1]}, "zip": [["distance_km"], ["distance_km"]]},
            r"zip must be groups of axes, each axis once at most",
        ),
        ({"axes": {"rounds": [5], "pulses": [5]}}, r"rounds must be given, or else pulses"),
        ({"axes": {"scheme": [1]}}, r"scheme must be one of ecs, .*, got 1"),
        ({"scenario": "ecs-100km", "axes": {"scheme": ["bell_state"]}}, r"scheme must be that of"),
        ({"seeds": 0}, r"seeds must be greater than or equal to 1, got 0"),
        ({"seeds": []}, r"seeds must be of at least 1 item, got \[\]"),
        ({"seeds": [-1]}, r"seeds.0 must be greater than or equal to 0, got -1"),
        ({"seeds": "five"}, r"seeds must be a number or a list of numbers, got 'five'"),
        ({"seeds": True}, r"seeds must be a number or a list of numbers, got True"),
        ({"seeds": [True]}, r"seeds.0 must be a valid integer, got True"),
        (
            {"seeds": 11, "axes": {"distance_km": {"start": 0, "stop": 9, "points": 100_000}}},
            r"axes must be of at most 1000000 tasks, got '1100000 tasks'",
        ),
    ],
)
def test_broken_plans_get_one_clear_line(parameters, line):
    with pytest.raises(InvalidArgumentError, match=line) as caught:
        SweepPlan.from_parameters(parameters).tasks()
    assert "\n" not in str(caught.value)


def test_unreadable_sweep_files(tmp_path):
    with pytest.raises(InputFileError, match=r"sweep must be a readable TOML file, got 'no.toml'"):
        load_plan("no.toml")
    (tmp_path / "sweep.toml").write_text("seeds = ")
    with pytest.raises(InputFileError, match=r"sweep must be valid TOML, '.*' is not"):
        load_plan(tmp_path / "sweep.toml")
