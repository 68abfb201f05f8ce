"""Whatever stands for an argument: a plain result, or an error that names the argument."""

import json
import math
import re
from dataclasses import astuple, is_dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import diqkd
from emulator.parameters import kinds
from emulator.schemes.flat import fields_of
from emulator.schemes.registry import SCHEMES
from postprocessing.errors import DiqkdError, InputFileError, InvalidArgumentError
from postprocessing.scheme import LocalSettings

LINK = diqkd.Link(distance_km=10)
MODEL = diqkd.EntangledCoherent(LINK, mean_photon_number=0.09)
SCHEME = MODEL.bell_scheme
ASYMPTOTIC = diqkd.Security(method="asymptotic")
DESIGN = ASYMPTOTIC.design(MODEL, 20_000)
JOINT, CHOICE = MODEL.joint_distribution(), LocalSettings(0.1, 0.1)
SAMPLER = diqkd.Sampler(JOINT, CHOICE, seed=1)
RECORD = diqkd.PartyRecord(np.zeros(10, np.uint8))
BITS = np.ones(8, np.uint8)
SCENARIO = diqkd.load_scenario("ecs-100km", {"method": "asymptotic", "rounds": 1000})

FINITE = diqkd.load_scenario("ecs-100km", {"mean_photon_number": 0.1, "repetition_rate_hz": 1e9})

# Of no use to any argument.
WRONG = [
    b"7", 1j, [], {}, [1], object(), print, np.array([1, 2]), np.array(7), np.complex64(1),
    np.datetime64("2026-01-01"), np.bytes_(b"x"),
]  # fmt: skip
NO_NUMBERS = [*WRONG, "x", "1e-10", "", True, np.True_, math.nan, -math.inf, np.float32("nan")]
NO_COUNTS = [*NO_NUMBERS, -5, 7.5, math.inf, 1e300, 10**400, np.int64(-1), 5e-324, np.float16(0.5)]
NO_SEEDS = [value for value in NO_COUNTS if type(value) not in (int, float) or value < 1]
NO_WORDS = [*WRONG, 7, True, "x", "", math.nan]
NO_OBJECTS = [*WRONG, "tan22", 7, True, math.nan]
NO_PATHS = [*WRONG, 7, True, math.nan, "a\0b"]

# Cheap calls by a number, and the argument that it stands for: any number may come.
BY_NUMBER = {
    "distance_km": lambda v: diqkd.Link(distance_km=v),
    "detector_efficiency": lambda v: diqkd.Link(detector_efficiency=v),
    "dark_count_probability": lambda v: diqkd.Link(dark_count_probability=v),
    "attenuation_db_per_km|distance_km": lambda v: diqkd.Link(attenuation_db_per_km=v),
    "mean_photon_number": lambda v: diqkd.EntangledCoherent(
        LINK, mean_photon_number=v
    ).joint_distribution(),
    "misalignment_error": lambda v: diqkd.EntangledCoherent(LINK, misalignment_error=v),
    "repetition_rate_hz": lambda v: diqkd.BellState(LINK, repetition_rate_hz=v),
    "herald_probability": lambda v: diqkd.Behaviour.from_state(2.6, herald_probability=v),
    "chsh": lambda v: diqkd.ExpectedValues(SCHEME, v, 0.01),
    "qber": lambda v: diqkd.ExpectedValues(SCHEME, 2.6, v),
    "soundness": lambda v: diqkd.Security(soundness=v),
    "completeness": lambda v: diqkd.Security(completeness=v),
    "noisy_preprocessing": lambda v: diqkd.Security(
        method="asymptotic", noisy_preprocessing=v
    ).design(diqkd.ExpectedValues(SCHEME, 2.7, 0.01), 10**6),
    "secrecy": lambda v: diqkd.EpsilonSplit(v, 1e-11),
    "correctness|epsilons": lambda v: diqkd.EpsilonSplit(1e-11, v),
    "chsh ": lambda v: diqkd.win_probability(v),
    "probability": lambda v: diqkd.binary_entropy(v),
    "chsh  ": lambda v: diqkd.key_length(method="asymptotic", n=100, chsh=v),
    "qber ": lambda v: diqkd.key_length(method="asymptotic", n=100, chsh=2.6, qber=v),
    "soundness ": lambda v: diqkd.key_length(method="asymptotic", n=100, chsh=2.6, soundness=v),
    "completeness ": lambda v: diqkd.key_length(
        method="asymptotic", n=100, chsh=2.6, completeness=v
    ),
    "leaked_bits": lambda v: diqkd.key_length(method="asymptotic", n=100, chsh=2.6, leaked_bits=v),
    "reconciliation_efficiency": lambda v: diqkd.key_length(
        method="asymptotic", n=100, chsh=2.6, reconciliation_efficiency=v
    ),
    "n": lambda v: diqkd.key_length(method="asymptotic", n=v, chsh=2.6),
    "distance_km ": lambda v: diqkd.load_scenario("ecs-100km", {"distance_km": v}).build_model(),
    "rounds|heralded_rounds": lambda v: diqkd.load_scenario("ecs-100km", {"rounds": v}),
    "pulses": lambda v: diqkd.load_scenario("ecs-100km", {"pulses": v}),
    "seed": lambda v: diqkd.load_scenario("ecs-100km", {"seed": v}),
    "seed ": lambda v: diqkd.Sampler(JOINT, CHOICE, seed=v),
    "stream": lambda v: diqkd.Sampler(JOINT, CHOICE, seed=1, stream=v),
    "output_length|seed": lambda v: diqkd.toeplitz_hash(BITS, np.ones(11, np.uint8), v),
    "threads": lambda v: diqkd.toeplitz_hash(BITS, np.ones(11, np.uint8), 4, threads=v),
}

# Dearer calls, by what none of them may take.
REFUSED = {
    "heralded_rounds": (NO_COUNTS, lambda v: diqkd.run(MODEL, heralded_rounds=v)),
    "pulses": (NO_COUNTS, lambda v: diqkd.run(MODEL, pulses=v)),
    "seed": (NO_SEEDS, lambda v: diqkd.run(MODEL, heralded_rounds=9, seed=v)),
    "threads": (NO_COUNTS, lambda v: diqkd.run(MODEL, heralded_rounds=9, threads=v)),
    "security": (NO_OBJECTS, lambda v: diqkd.run(MODEL, heralded_rounds=9, security=v)),
    "model": (NO_OBJECTS, lambda v: diqkd.run(v, heralded_rounds=9)),
    "model ": (NO_OBJECTS, diqkd.predict),
    "heralded_rounds ": (NO_COUNTS, lambda v: ASYMPTOTIC.design(MODEL, v)),
    "heralded_rounds  ": (NO_COUNTS, lambda v: diqkd.emulate(SAMPLER, heralded_rounds=v)),
    "pulses ": (NO_COUNTS, lambda v: diqkd.emulate(SAMPLER, pulses=v)),
    "schedule": (NO_OBJECTS, lambda v: diqkd.emulate(v, pulses=9)),
    "distribution": (NO_OBJECTS, lambda v: diqkd.Sampler(v, CHOICE, seed=1)),
    "setting_choice": (NO_OBJECTS, lambda v: diqkd.Sampler(JOINT, v, seed=1)),
    "scheme": (NO_OBJECTS, lambda v: diqkd.ExpectedValues(v, 2.6, 0.01)),
    "scheme ": (NO_OBJECTS, diqkd.Layout.of),
    "method": (NO_WORDS, lambda v: diqkd.Security(method=v)),
    "settings": (NO_WORDS, lambda v: diqkd.Security(settings=v)),
    "reconciliation": (NO_WORDS, lambda v: diqkd.Security(reconciliation=v)),
    "method ": (NO_WORDS, lambda v: diqkd.key_length(method=v, n=9, chsh=2.6)),
    "settings ": (NO_WORDS, lambda v: diqkd.key_length(n=9, chsh=2.6, settings=v)),
    "epsilons": (NO_OBJECTS, lambda v: diqkd.key_length(n=9, chsh=2.6, epsilons=v)),
    "counts": (NO_OBJECTS, lambda v: diqkd.key_length(n=9, counts=v)),
    "test_probability": (
        NO_NUMBERS,
        lambda v: diqkd.key_length(n=9, chsh=2.6, test_probability=v),
    ),
    "codes": ([*NO_OBJECTS, [0, 1], None], diqkd.PartyRecord),
    "settings  ": ([*NO_OBJECTS, None], lambda v: diqkd.PartyRecord.of(v, BITS, BITS)),
    "alice": ([*NO_OBJECTS, None], lambda v: diqkd.distill(v, RECORD, DESIGN)),
    "bob": ([*NO_OBJECTS, None], lambda v: diqkd.distill(RECORD, v, DESIGN)),
    "design": ([*NO_OBJECTS, None], lambda v: diqkd.distill(RECORD, RECORD, v)),
    "threads ": (NO_COUNTS, lambda v: diqkd.distill(RECORD, RECORD, DESIGN, threads=v)),
    "bits": ([*NO_OBJECTS, [1, 0], None], lambda v: diqkd.toeplitz_hash(v, BITS, 1)),
    "seed ": ([*NO_OBJECTS, [1, 0], None], lambda v: diqkd.toeplitz_hash(BITS, v, 1)),
    "scenario": ([*NO_OBJECTS, None], diqkd.run_scenario),
    "scenario ": ([*NO_OBJECTS, None], diqkd.design_for),
    "scenario  ": ([*NO_OBJECTS, None], lambda v: diqkd.emulate_to("nowhere", v)),
    "scenario   ": ([*NO_OBJECTS, None], lambda v: diqkd.plan(v, key_bits=9)),
    "scenario    ": ([*NO_OBJECTS, None], lambda v: diqkd.run_attack("told-marks", v)),
    "scenario     ": ([*NO_OBJECTS, None], diqkd.finite_size_study),
    "file_format": (NO_WORDS, lambda v: diqkd.emulate_to("nowhere", SCENARIO, file_format=v)),
    "source": (WRONG, diqkd.load_scenario),
    "overrides": ([*WRONG[:3], "x", 7], lambda v: diqkd.load_scenario(None, v)),
    "attack": (NO_WORDS, lambda v: diqkd.run_attack(v, SCENARIO)),
    "runs": (NO_COUNTS, lambda v: diqkd.run_attack("told-marks", SCENARIO, runs=v)),
    "sizes": (NO_OBJECTS, lambda v: diqkd.finite_size_study(SCENARIO, sizes=v)),
    "seed  ": (NO_SEEDS, lambda v: diqkd.finite_size_study(SCENARIO, sizes=[1000], seed=v)),
    "plan": ([*NO_OBJECTS, None], lambda v: diqkd.sweep(v, "nowhere.csv")),
    "stores": (NO_OBJECTS[:3], diqkd.plot_rate),
    "quantity": (NO_WORDS, lambda v: diqkd.plot_quantity({}, v, "distance_km")),
    "over": (NO_WORDS, lambda v: diqkd.plot_rate({}, over=v)),
    "interval": (NO_WORDS, lambda v: diqkd.plot_rate({}, interval=v)),
    "link": (NO_OBJECTS, diqkd.EntangledCoherent),
    "link ": (NO_OBJECTS, diqkd.BellState),
    "link  ": (NO_OBJECTS, diqkd.CavityCat),
    "probabilities": ([*NO_OBJECTS, None], diqkd.Behaviour),
    "key_bits": (NO_COUNTS, lambda v: diqkd.plan(FINITE, key_bits=v)),
    "seconds": (NO_NUMBERS, lambda v: diqkd.plan(FINITE, seconds=v)),
    "study": (NO_OBJECTS, diqkd.plot_study),
    "figure": (NO_WORDS, diqkd.plot_figure),
    "terms": (NO_OBJECTS, lambda v: diqkd.plot_waterfall(v, 8)),
    "key_length": (NO_SEEDS, lambda v: diqkd.plot_waterfall({"entropy": 9.0}, v)),
    "path": (NO_PATHS, lambda v: diqkd.write_design(v, DESIGN)),
    "path ": (NO_PATHS, diqkd.read_design),
    "path  ": (NO_PATHS, lambda v: diqkd.write_records(v, SCHEME, {"alice": RECORD})),
    "records": (NO_OBJECTS, lambda v: diqkd.write_records(Path("x.csv"), SCHEME, v)),
    "files": (NO_PATHS, lambda v: diqkd.read_records(v, layout=diqkd.Layout.of(SCHEME))),
    "layout": (NO_OBJECTS, lambda v: diqkd.read_records("x.csv", layout=v)),
    "layout ": (NO_PATHS, lambda v: diqkd.explore_files("x.csv", layout=v)),
    "design ": (NO_PATHS, lambda v: diqkd.distill_files("x.csv", design=v)),
    "out": (NO_PATHS, lambda v: diqkd.run_scenario(SCENARIO, out=v)),
    "run": (NO_PATHS, diqkd.read_report),
    "run ": (NO_PATHS, diqkd.write_html_report),
    "paths": (NO_PATHS, diqkd.load_results),
    "sweep": (NO_PATHS, diqkd.load_plan),
    "alice_labels": ([*NO_OBJECTS, None], lambda v: scheme_with(alice_labels=v)),
    "key_pair": ([*NO_OBJECTS, (0, "x"), (0, 7)], lambda v: scheme_with(key_pair=v)),
    "chsh_signs": ([*NO_OBJECTS, [(0, 0)]], lambda v: scheme_with(chsh_signs=v)),
    "flip": ([*NO_OBJECTS, [[1, 0]]], lambda v: scheme_with(flip=v)),
}


def scheme_with(**changes):
    """Return a Bell scheme with some of its fields changed."""
    fields = {
        "alice_labels": ("A0", "A1", "A2"),
        "bob_labels": ("B1", "B2"),
        "heralds": ("D1",),
        "key_pair": (0, 0),
        "chsh_signs": ((1, 0, 1), (1, 1, -1), (2, 0, 1), (2, 1, 1)),
        "flip": ((False, False),),
    }
    return diqkd.BellScheme(**{**fields, **changes})


def values_in(result):
    """Yield the numbers and words that a result is made of."""
    if is_dataclass(result):
        result = astuple(result)
    if isinstance(result, tuple):
        for part in result:
            yield from values_in(part)
    elif isinstance(result, bool | int | float | str | np.generic):
        yield result


def named(argument):
    """Return the pattern of a message that begins with an argument of one of some names."""
    return f"^({argument.strip()})\\b"


numbers = st.one_of(
    st.floats(),
    st.sampled_from([5e-324, 1e-320, 1e-308, 1e308, -0.0, math.nan, math.inf, 10**400, None]),
    st.sampled_from(NO_NUMBERS),
    st.floats(width=16).map(np.float16),
    st.floats(width=32).map(np.float32),
    st.integers(-9, 9),
    st.integers(0, 127).map(np.int8),
    st.integers(0, 2**63).map(np.uint64),
)


@pytest.mark.parametrize("argument", BY_NUMBER)
@given(value=numbers)
@settings(max_examples=40)
@pytest.mark.filterwarnings("error")
def test_any_number_gives_plain_results_or_is_refused_by_name(argument, value):
    try:
        result = BY_NUMBER[argument](value)
    except (InvalidArgumentError, InputFileError) as error:
        if not re.match(named(argument), str(error)):
            raise
        return
    for part in values_in(result):
        assert type(part) in (bool, int, float, str)


PARAMETERS = [
    (name, parameter)
    for name, scheme in SCHEMES.items()
    for parameter, field in fields_of(scheme).items()
    if kinds(field) & {int, float}
]


@given(place=st.sampled_from(PARAMETERS), value=numbers)
@example(place=("cavity_cat", "white_noise_visibility"), value=0.0)
@settings(max_examples=200)
@pytest.mark.filterwarnings("error")
def test_any_number_of_a_scenario_gives_probabilities_or_an_error_of_ours(place, value):
    scheme, parameter = place
    given = {"chsh": 2.6} if scheme == "behaviour" else {}
    try:
        model = diqkd.load_scenario(
            None, {"scheme": scheme, **given, parameter: value}
        ).build_model()
        joint = model.joint_distribution()
    except (InvalidArgumentError, DiqkdError):
        return
    assert 0 < joint.gain <= 1


@pytest.mark.parametrize("argument", REFUSED)
def test_what_is_of_no_use_is_refused_by_name(argument, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wrong, call = REFUSED[argument]
    for value in wrong:
        with pytest.raises((InvalidArgumentError, InputFileError), match=named(argument)):
            call(value)


@pytest.mark.parametrize(
    ("scalar", "number"),
    [
        (np.float16(0.1), float(np.float16(0.1))),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.float64(0.1), 0.1),
        (np.longdouble("0.1"), 0.1),
    ],
)
def test_numbers_of_numpy_are_taken_as_they_are_and_computed_in_double(scalar, number):
    assert diqkd.Link(distance_km=scalar) == diqkd.Link(distance_km=number)
    assert diqkd.predict(diqkd.EntangledCoherent(LINK, scalar)) == diqkd.predict(
        diqkd.EntangledCoherent(LINK, number)
    )
    assert diqkd.binary_entropy(scalar) == diqkd.binary_entropy(number)
    assert diqkd.win_probability(scalar) == diqkd.win_probability(number)
    expected = diqkd.ExpectedValues(SCHEME, np.float32(2.6), scalar)
    design = diqkd.Security(np.float64(1e-10), scalar, "asymptotic").design(
        expected, np.int32(10**6)
    )
    json.dumps(design.to_dict())
    plain = diqkd.ExpectedValues(SCHEME, float(np.float32(2.6)), number)
    assert design == diqkd.Security(1e-10, number, "asymptotic").design(plain, 10**6)


@pytest.mark.parametrize("kind", [np.int64, np.uint32, np.float64, float])
def test_whole_numbers_of_any_kind_are_counts(kind):
    report = diqkd.run(
        MODEL, heralded_rounds=kind(20_000), security=ASYMPTOTIC, seed=kind(7), threads=kind(1)
    )
    assert report.to_dict()["seed"] == 7
    json.dumps(report.to_dict())
    assert diqkd.emulate(SAMPLER, pulses=kind(1000)) is not None
    json.dumps(scheme_with(key_pair=(kind(0), kind(0))).key_pair)


def test_a_sweep_holds_one_task_of_either_zero():
    from emulator.sweeps.plan import SweepPlan

    plan = SweepPlan(scenario={"preset": "ecs-100km"}, axes={"misalignment_error": [0.0, -0.0]})
    assert len(plan.tasks()) == 1


def test_numbers_of_numpy_in_a_sweep_are_plain_and_no_seeds_are_refused():
    from emulator.sweeps.plan import SweepPlan

    given = {"axes": {"distance_km": [np.float16(50), 50]}, "seeds": np.int64(2)}
    plan = SweepPlan.from_parameters(given)
    assert [task.scenario.distance_km for task in plan.tasks()] == [50.0, 50.0]
    with pytest.raises(InvalidArgumentError, match="seeds must be"):
        SweepPlan.from_parameters({"seeds": []})


def test_the_waterfall_of_a_report_is_drawn_from_the_report_itself():
    report = diqkd.run(MODEL, heralded_rounds=20_000, security=ASYMPTOTIC, seed=7)
    bars = [label.get_text() for label in diqkd.plot_waterfall(report).get_yticklabels()]
    title, terms = report.waterfall
    assert diqkd.plot_waterfall(report).get_title() == title
    assert len(bars) == len(terms) + 1


@pytest.mark.parametrize("number", ["1e999", "-1e999", "Infinity", "NaN"])
def test_a_design_file_with_an_infinite_number_is_no_design(number, tmp_path):
    design = diqkd.Security().design(MODEL, 10**7)
    diqkd.write_design(tmp_path / "design.json", design)
    values = json.loads((tmp_path / "design.json").read_text(encoding="utf-8"))
    values["length"]["terms"]["entropy"] = "HERE"
    text = json.dumps(values).replace('"HERE"', number)
    (tmp_path / "infinite.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputFileError, match="design must be one that diqkd design writes"):
        diqkd.read_design(tmp_path / "infinite.json")


def test_a_layout_built_directly_is_checked_as_one_that_is_read():
    layout = diqkd.Layout.of(SCHEME)
    parts = {name: getattr(layout, name) for name in diqkd.Layout.model_fields}
    assert diqkd.Layout(**parts) == layout
    same = layout.alice.model_copy(update={"outcome_column": layout.alice.setting_column})
    with pytest.raises(InvalidArgumentError, match=r"^columns must be different names"):
        diqkd.Layout(**{**parts, "alice": same})
