"""Parameters: one declaration each, the same check from Python, files and flags, plain numbers."""

from __future__ import annotations

import ast
import json
import math
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import emulator
from emulator import BellState, CavityCat, CavityLink, EntangledCoherent, Link, load_scenario, run
from emulator.cli.app import app
from emulator.scenario.parameters import scenario_class
from emulator.scenario.scenario import Scenario
from emulator.schemes.base import NoPositiveKeyRateError
from emulator.schemes.drifting import Drifting
from emulator.schemes.flat import changed, fields_of
from emulator.schemes.registry import SCHEMES
from emulator.sweeps.plan import SweepPlan
from emulator.sweeps.task import repeat_seed
from postprocessing import InvalidArgumentError, Security

WORN = {
    "white_noise_visibility",
    "dephasing_alice",
    "dephasing_bob",
    "readout_error_alice",
    "readout_error_bob",
    "directions",
    "drift",
}
CHARLIE = WORN | {
    "distance_km",
    "attenuation_db_per_km",
    "detector_efficiency",
    "dark_count_probability",
    "arm_alice_km",
    "arm_bob_km",
    "measurement",
    "coherence_time_s",
    "repetition_rate_hz",
    "settings",
}
PHASE = {"phase_offset_rad", "phase_noise_rad"}
FLAT_NAMES = {
    "ecs": CHARLIE | PHASE | {"misalignment_error", "mean_photon_number"},
    "bell_state": CHARLIE | {"mode_overlap"},
    "single_photon": CHARLIE | PHASE | {"bright_population", "mode_overlap"},
    "cavity_cat": WORN | {
        "distance_km", "attenuation_db_per_km", "interaction_efficiency", "gate_time_s",
        "down_conversion_efficiency", "up_conversion_efficiency", "detector_efficiency",
        "coherence_time_s", "loss_order", "amplitude", "entanglement_rate_hz", "placement",
        "discrimination", "travel_times", "photon_class", "settings",
    },
    "behaviour": {"table", "chsh", "qber", "herald_probability", "repetition_rate_hz"},
}  # fmt: skip


def test_flat_names_are_these():
    assert list(SCHEMES) == list(FLAT_NAMES)
    for scheme, names in FLAT_NAMES.items():
        assert set(scenario_class(scheme).model_fields) - set(Scenario.model_fields) == names


def test_every_scheme_is_registered_under_its_name():
    for scheme, owner in SCHEMES.items():
        assert owner.name == scheme
        assert owner.title
        assert load_scenario(owner.default_preset).scheme == scheme


def test_numpy_numbers_become_plain_ones():
    model = EntangledCoherent(Link(np.float64(50)), np.float32(0.5), repetition_rate_hz=np.int64(9))
    found = (model.link.distance_km, model.mean_photon_number, model.repetition_rate_hz)
    assert found == (50.0, 0.5, 9.0)
    assert {type(value) for value in found} == {float}
    assert type(CavityCat(CavityLink(5), np.int64(1)).loss_order) is int


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Link("100"), "distance_km must be finite and at least 0, got '100'"),
        (lambda: Link(True), "distance_km must be finite and at least 0, got True"),
        (
            lambda: Link(10, 1.5),
            r"detector_efficiency must be in \(0, 1\], or two such numbers, got 1.5",
        ),
        (lambda: BellState(50), "link must be an instance of Link, got 50"),
        (lambda: BellState(Link(1), np.bool_(True)), "repetition_rate_hz must be finite and above"),
        (lambda: replace(CavityCat(CavityLink(5)), travel_times=3), "travel_times must be 1 or 2"),
    ],
)
def test_a_wrong_value_is_named(make, message):
    with pytest.raises(InvalidArgumentError, match=f"^{message}"):
        make()


def test_arguments_that_do_not_fit_are_type_errors():
    with pytest.raises(TypeError, match="link"):
        EntangledCoherent()
    with pytest.raises(TypeError, match="loss"):
        Link(1, loss=3)


@pytest.mark.parametrize("value", ["1.5", "-0.1"])
def test_one_line_from_everywhere(tmp_path, value):
    line = f"misalignment_error must be in [0, 1], got {value}"
    with pytest.raises(InvalidArgumentError) as caught:
        EntangledCoherent(Link(), misalignment_error=float(value))
    assert str(caught.value) == line
    (tmp_path / "scenario.toml").write_text(f"misalignment_error = {value}\n")
    for arguments, said in (
        ([str(tmp_path / "scenario.toml")], line),
        (
            ["--misalignment-error", value],
            line.replace("misalignment_error", "--misalignment-error"),
        ),
    ):
        assert CliRunner().invoke(app, ["predict", *arguments]).stderr == f"error: {said}\n"


def test_the_method_by_either_name(tmp_path):
    (tmp_path / "scenario.toml").write_text('security = "renyi"\nrounds = 1e6\n')
    scenario = load_scenario(str(tmp_path / "scenario.toml"))
    assert scenario.method == scenario.build_security().method == "renyi"
    assert scenario.replace(security="geat").method == "geat"
    assert load_scenario(str(tmp_path / "scenario.toml"), {"method": "geat"}).method == "geat"
    tasks = SweepPlan.from_parameters({"axes": {"security": ["renyi", "geat"]}}).tasks()
    assert [task.scenario.method for task in tasks] == ["renyi", "geat"]
    for flag in ("--method", "--security"):
        arguments = ["plan", flag, "asymptotic", "--key-bits", "100"]
        assert " must be a finite-size" in CliRunner().invoke(app, arguments).stderr
    with pytest.raises(InvalidArgumentError, match=r"security must be left out where method is"):
        load_scenario(None, {"method": "geat", "security": "geat"})


# Of version 0.1.0; a sweep that is extended keeps its seeds.
SEEDS = [
    (None, {}, 5032338248563883),
    ("ecs-drifting", {"security": "renyi"}, 5261185276446173),
    ("bell-state-50km", {"pulses": 1e6}, 7254743922777916),
    ("cavity-devices-of-today-10km", {}, 1488695547089302),
    (
        "cavity-1-loss-10km",
        {"coherence_time_s": "unlimited", "travel_times": 2, "settings": "announced",
         "security": "geat"},
        5151608617684599,
    ),
    ("trapped-ions-2022", {"noisy_preprocessing": "optimal"}, 8702280456634735),
]  # fmt: skip


@pytest.mark.parametrize(("preset", "changes", "seed"), SEEDS)
def test_repeats_keep_their_seeds(preset, changes, seed):
    assert repeat_seed(load_scenario(preset, changes), 3) == seed


@pytest.mark.parametrize("preset", ["ecs-drifting", "cavity-devices-of-today-10km"])
def test_scenarios_pass_from_process_to_process(preset):
    scenario = load_scenario(preset, {"seed": 3})
    again = pickle.loads(pickle.dumps(scenario))
    assert again == scenario
    assert again.replace(seed=4) == scenario.replace(seed=4)
    assert pickle.loads(pickle.dumps(scenario.build_model())) == scenario.build_model()


def test_json_of_an_unlimited_memory_is_null():
    values = load_scenario("cavity-1-loss-10km").model_dump(mode="json")
    assert values["coherence_time_s"] is None
    again = scenario_class("cavity_cat").from_parameters(json.loads(json.dumps(values)))
    assert again.build_model().link.coherence_time_s == math.inf


def test_a_working_point_is_concrete():
    model = EntangledCoherent(Link(100))
    point = model.working_point()
    assert point.mean_photon_number == model.intensity == point.intensity
    assert point.working_point() is point
    cavity = CavityCat(CavityLink(5), 3, entanglement_rate_hz=3000)
    concrete = cavity.working_point()
    assert (concrete.amplitude, concrete.entanglement_rate_hz) == (cavity.coherent_amplitude, None)
    assert concrete.theory() == cavity.theory()
    drifting = Drifting.along(model, "misalignment_error", [0.01])
    assert [part.mean_photon_number for part in drifting.parts] == [model.intensity] * 2
    with pytest.raises(NoPositiveKeyRateError):
        EntangledCoherent(Link(450), misalignment_error=0.05).working_point()


def test_a_run_does_not_mind_who_chose():
    model = EntangledCoherent(Link(100))
    reports = [
        run(each, heralded_rounds=10**5, seed=3, security=Security(method="asymptotic"))
        for each in (model, model.working_point())
    ]
    assert reports[0].alice_key == reports[1].alice_key
    assert reports[0].prediction == reports[1].prediction


def test_light_for_a_rate_may_be_brighter_than_one_may_ask_for():
    model = CavityCat(CavityLink(400, attenuation_db_per_km=0.2), entanglement_rate_hz=200)
    alpha = model.working_point().amplitude
    assert alpha == model.coherent_amplitude > 1e3
    assert model.joint_distribution().gain == pytest.approx(200 / model.repetition_rate_hz)


def test_a_parameter_of_the_link_changes_by_its_flat_name():
    model = EntangledCoherent(Link(100), 0.05)
    assert changed(model, "distance_km", 50) == EntangledCoherent(Link(50), 0.05)
    assert changed(model, "misalignment_error", 0.1).misalignment_error == 0.1
    assert "segments" not in fields_of(CavityCat)


def test_help_has_types_words_and_ranges():
    usage = " ".join(CliRunner().invoke(app, ["predict", "--help"]).stdout.split())
    for text in (
        "--distance-km FLOAT", "--loss-order 0|1|3", "--mean-photon-number FLOAT|optimal",
        "--photon-class INTEGER", "--table FILE", "--drift TEXT",
        "of the heralded pair; in [0, 1]", "--measurement before_herald|after_herald",
        "single_photon,",
    ):  # fmt: skip
        assert text in usage


def test_no_scheme_is_named_outside_its_own_room():
    """What a scheme is and has, its class says; only the registry has a list."""
    words = {
        (path.name, node.value)
        for path in Path(emulator.__file__).parent.rglob("*.py")
        if path.parent.name != "schemes"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in list(SCHEMES)
    }
    assert not words


@pytest.mark.parametrize("names", [("security", "method"), ("method", "security")])
def test_a_file_with_both_names_of_the_method_is_told_which_to_leave_out(names, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("".join(f'{name} = "geat"\n' for name in names), encoding="utf-8")
    with pytest.raises(InvalidArgumentError, match=r"^security must be left out where method is"):
        load_scenario(str(path))


def test_both_flags_of_the_method_are_one_too_many():
    given = ["run", "--security", "geat", "--method", "tan22"]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 2
    assert "security must be left out where method is given, got 'geat'" in result.stderr
