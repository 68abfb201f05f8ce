"""Every argument of every public name: a plain result, or an error that names the argument."""

import inspect
import itertools
import math
import os
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, is_dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import diqkd
import emulator
import postprocessing
from emulator import face
from emulator.sweeps.study import FiniteSizeStudy
from postprocessing.errors import DiqkdError, SessionError
from postprocessing.security import METHODS

LINK = diqkd.Link(distance_km=10)
MODEL = diqkd.EntangledCoherent(LINK, mean_photon_number=0.09)
SCHEME, JOINT = MODEL.bell_scheme, MODEL.joint_distribution()
ASYMPTOTIC = diqkd.Security(method="asymptotic")
DESIGN = ASYMPTOTIC.design(MODEL, 20_000)
RECORD = diqkd.PartyRecord(np.zeros(20_000, np.uint8))
BITS, SEED = np.ones(8, np.uint8), np.ones(11, np.uint8)
SIGNS = dict.fromkeys(("alice_outcomes", "bob_outcomes"), np.ones(8, np.int8))
TRIALS = diqkd.Trials(BITS, BITS, **SIGNS)
CHECKS = sparse.csr_array(np.array([[1, 1, 0, 1], [0, 1, 1, 1]], np.uint8))
SCENARIO = diqkd.load_scenario("ecs-100km", {"method": "asymptotic", "rounds": 1000, "seed": 1})
FINITE = diqkd.load_scenario("ecs-100km", {"mean_photon_number": 0.1, "repetition_rate_hz": 1e9})
LAYOUT = diqkd.Layout.of(SCHEME)
LINE = diqkd.Line(connect="127.0.0.1:1", wait_s=0.01)
PLAN = emulator.SweepPlan(scenario=SCENARIO.model_dump(exclude={"seed"}, exclude_unset=True))
CURVES = pd.DataFrame({"rounds": [10**6], "asymptotic": [0.4], **dict.fromkeys(METHODS, 0.1)})
RUNS = pd.DataFrame({"rounds": [10**6], "method": ["tan22"], "key_fraction": [0.1]})
with tempfile.TemporaryDirectory() as _folder, ThreadPoolExecutor(1) as _here:
    diqkd.sweep(PLAN, f"{_folder}/store.csv", _here)
    STORES = {"mine": diqkd.load_results(f"{_folder}/store.csv")}
# Files that are there to be read, see `folder`; and new ones, each of a name of its own.
NEW = (f"new{number}" for number in itertools.count())
PARTY = {"pool": "a.pool", "out": "."}


class New(str):
    """The end of a path where nothing is yet."""


def fields_of(value):
    """Return what a dataclass is made of."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


class BegunError(Exception):
    """Work has begun: whatever is wrong with an argument has been said."""


def begin(*told):
    raise BegunError


# A call of each public name that takes no time; its other arguments have their defaults.
CALLS = {
    "Link": {},
    "EntangledCoherent": {"link": LINK},
    "BellState": {"link": LINK},
    "SinglePhoton": {"link": LINK},
    "Imperfections": {},
    "Directions": {"alice": (0, 1, 2), "bob": (0, 1)},
    "HeraldedStates": {"states": {"yes": np.eye(4) / 4}, "corrections": {"yes": "1"}},
    "CavityCat": {"link": diqkd.CavityLink()},
    "CavityLink": {},
    "Behaviour": {"probabilities": diqkd.Behaviour.from_state(2.6).probabilities},
    "load_scenario": {},
    "predict": {"model": MODEL},
    "plan": {"scenario": FINITE, "seconds": 1e-3},
    "Security": {},
    "Security.design": {
        "self": diqkd.Security(method="asymptotic"),
        "expected": MODEL,
        "heralded_rounds": 1000,
    },
    "EpsilonSplit": {"secrecy": 1e-11, "correctness": 1e-11},
    "ExpectedValues": {"scheme": SCHEME, "chsh": 2.6, "qber": 0.01},
    "BellScheme": fields_of(SCHEME),
    "Design": fields_of(DESIGN),
    "design_for": {"scenario": SCENARIO},
    "read_design": {"path": "design.json"},
    "certify": {"path": "design.json"},
    "write_design": {"path": New(".json"), "design": DESIGN},
    "key_length": {"method": "asymptotic", "n": 100, "chsh": 2.6},
    "win_probability": {"chsh": 2.6},
    "binary_entropy": {"probability": 0.1},
    "Sampler": {"distribution": JOINT, "setting_choice": DESIGN.setting_choice, "seed": 1},
    "emulate": {"schedule": diqkd.Sampler(JOINT, DESIGN.setting_choice, seed=1), "pulses": 9},
    "emulate_to": {"folder": New(), "scenario": SCENARIO},
    "PartyRecord": {"codes": BITS},
    "PartyRecord.of": {"settings": BITS, "outcomes": BITS, "heralds": BITS},
    "Layout": {name: getattr(LAYOUT, name) for name in diqkd.Layout.model_fields},
    "Layout.of": {"scheme": SCHEME},
    "read_records": {"paths": "rounds.csv", "layout": LAYOUT},
    "write_records": {"path": New(".csv"), "scheme": SCHEME, "records": {"alice": RECORD}},
    "run": {"model": MODEL, "heralded_rounds": 9},
    "run_scenario": {"scenario": SCENARIO},
    "distill": {"alice": RECORD, "bob": RECORD, "design": DESIGN},
    "distill_files": {"files": "rounds.csv", "design": "design.json"},
    "explore_files": {"files": "rounds.csv", "layout": LAYOUT},
    "reconcile": {"reference_bits": BITS, "corrector_bits": BITS, "qber": 0.02},
    "get_code": {"name": "array-64-4x61"},
    "bring_code": {"matrix": CHECKS},
    "measure_code": {"code": diqkd.bring_code(CHECKS), "qbers": [0.1], "frames": 1},
    "read_alist": {"path": "code.alist"},
    "write_alist": {"path": New(".alist"), "matrix": sparse.csr_array(np.eye(2, dtype=np.uint8))},
    "amplify": {"bits": BITS, "length": 4},
    "toeplitz_hash": {"bits": BITS, "seed": SEED, "output_length": 4},
    "Trials": {**dict.fromkeys(("alice_settings", "bob_settings"), BITS), **SIGNS},
    "read_plain_trials": {"path": "trials.csv"},
    "read_trials": {"paths": "rounds.csv", "layout": LAYOUT},
    "game_of": {"layout": LAYOUT},
    "Game": {},
    "Game.of": {"texts": ["+++-"]},
    "bell_test": {"blocks": [TRIALS]},
    "plot_bell_test": {"test": diqkd.bell_test([TRIALS])},
    "create_pool": {"path": New(".pool"), "keys": 1},
    "Line": {"connect": "127.0.0.1:1"},
    "run_party": {"party": "alice", "line": LINE, "record": "a.npz", "design": "d.json", **PARTY},
    "confirm_key": {"party": "alice", "line": LINE, **PARTY},
    "read_report": {"source": "report.json"},
    "write_html_report": {"source": "report.json"},
    "plot_waterfall": {"terms": {"entropy": 9.0}, "key_length": 8},
    "run_attack": {"name": "told-marks", "scenario": SCENARIO, "runs": 0},
    "load_plan": {"path": "sweep.toml"},
    "sweep": {"plan": PLAN, "store": New(".csv"), "executor": ThreadPoolExecutor(1)},
    "load_results": {"paths": "store.csv"},
    "finite_size_study": {"scenario": FINITE, "on_progress": begin},
    "bench": {"stages": (), "on_progress": begin},
    "read_benchmark": {},
    "plot_benchmark": {"benchmark": diqkd.read_benchmark()},
    "plot_rate": {"stores": STORES},
    "plot_quantity": {"stores": STORES, "quantity": "chsh", "over": "distance_km"},
    "plot_finite_size": {"stores": STORES},
    "plot_study": {"study": FiniteSizeStudy(RUNS, RUNS, CURVES)},
    "plot_figure": {"name": "li-fig2b"},
    "plot_codes": {"codes": [diqkd.get_code("fast0.04-512-53x200")]},
    "plot_failures": {"measured": pd.DataFrame({"qber": [0.1], "frames": [9], "failed": [1]})},
    # Of the two packages, and not on the front door.
    "LocalSettings": {"corrector_test_probability": 0.1, "reference_test_probability": 0.1},
    "PartyRandomness": {},
    "SweepPlan": {},
    "Scenario": {"scheme": "ecs"},
    "JointDistribution": fields_of(JOINT),
}
# What the calls above return or raise, and nobody calls.
RESULTS = {
    "AmplifiedKey", "AttackReport", "BellTest", "Benchmark", "Certificate", "DiqkdError",
    "DistillationReport", "EmulatedFiles", "EmulatedRounds", "Exploration", "InputFileError",
    "InvalidArgumentError", "LabReport", "LinkPlan", "Prediction", "ProtocolError",
    "ReconciledKey", "RunReport",
}  # fmt: skip
# What else is given, or left out, where an argument takes the place of another.
BESIDE = {
    "plan.key_bits": {"seconds": None},
    "Security.test_probability_alice": {"test_probability_bob": 0.1},
    "Security.test_probability_bob": {"test_probability_alice": 0.1},
    "key_length.counts": {"chsh": None},
    "emulate.heralded_rounds": {"pulses": None},
    "run.pulses": {"heralded_rounds": None},
    "Line.listen": {"connect": None},
    "finite_size_study.on_progress": {"sizes": [1000], "runs": 1, "draws": 2},
}
# Other names that an argument goes by in messages: what the command calls it, or what it must fit.
ALIASES = {
    "Link.attenuation_db_per_km": ("distance_km",),
    "CavityLink.distance_km": ("gate_time_s",),
    "CavityLink.attenuation_db_per_km": ("distance_km",),
    "load_scenario.source": ("scenario",),
    "load_scenario.overrides": ("parameter",),
    "plan.seconds": ("key_bits",),
    "Security.test_probability_alice": ("test_probability_bob",),
    "Security.test_probability_bob": ("test_probability_alice",),
    "EpsilonSplit.secrecy": ("epsilons",),
    "EpsilonSplit.correctness": ("epsilons",),
    "BellScheme.key_pair": ("chsh_signs, key_pair",),
    "Design.heralded_rounds": ("tolerated_test_losses",),
    "Layout.heralds": ("flip",),
    "read_design.path": ("design",),
    "certify.path": ("design",),
    "write_design.path": ("out",),
    "key_length.counts": ("chsh",),
    "emulate.pulses": ("heralded_rounds",),
    "emulate_to.folder": ("out",),
    "run.pulses": ("heralded_rounds",),
    "amplify.length": ("seed",),
    "get_code.name": ("code",),
    "read_alist.path": ("alist",),
    "write_alist.path": ("out",),
    "toeplitz_hash.output_length": ("seed",),
    "read_records.paths": ("files", "a file of rounds"),
    "write_records.path": ("a file of rounds",),
    "distill_files.files": ("a file of rounds",),
    "explore_files.files": ("a file of rounds",),
    "read_plain_trials.path": ("a file of rounds",),
    "read_trials.paths": ("files", "a file of rounds"),
    "game_of.texts": ("game",),
    "Game.of.texts": ("game",),
    "create_pool.path": ("pool",),
    "Line.listen": ("options",),
    "Line.connect": ("options",),
    "run_party.pool": ("auth-key",),
    "run_party.record": ("a file of rounds",),
    "confirm_key.pool": ("auth-key",),
    "read_report.source": ("run", "report"),
    "write_html_report.source": ("run", "report"),
    "write_html_report.path": ("out",),
    "run_attack.name": ("attack",),
    "load_plan.path": ("sweep",),
    "load_results.paths": ("store",),
    "read_benchmark.path": ("benchmark",),
    "plot_figure.name": ("figure",),
}

HOSTILE = [
    None, True, False, np.True_, "", "x", "1e-10", "7", b"7", np.str_("x"), np.bytes_(b"x"), 1j,
    np.complex64(1), Decimal("0.1"), Fraction(1, 3), [], [1], (), {}, {"x": 1}, set(), object(),
    begin, RECORD, LINK, np.array(7), np.array(0.5, np.float16), np.array([1, 2]),
    np.array([["x"]]), np.array(None), np.datetime64("2026-01-01"), 0, -1, -5, 7, 7.5, 0.0, -0.0,
    5e-324, 1e-320, 1e308, -1e308, math.nan, math.inf, -math.inf, 10**400, -(10**400), 2**64,
    np.int8(1), np.int64(-1), np.uint64(2**63), np.float16(0.1), np.float16("nan"),
    np.float32("inf"), np.float32(1e-45), np.longdouble("0.1"), np.longdouble("1e400"),
    pd.NA, pd.NaT, pd.Timestamp(0), "a\0b", "\ud800", [None], [[1]], (1, 2), {1: 2},
]  # fmt: skip
numbers = st.one_of(
    st.floats(-1, 1),
    st.floats(min_value=1e18),
    st.floats(-1, 1, width=16).map(np.float16),
    st.floats(width=32, min_value=2.0**60).map(np.float32),
    st.integers(-9, 9),
    st.integers(-9, 9).map(np.int16),
    st.integers(min_value=10**18),
)


def public(name):
    """Return what a name, or that of a method behind it, stands for."""
    owner, _, method = name.partition(".")
    home = next(home for home in (diqkd, emulator, postprocessing) if owner in dir(home))
    found = getattr(home, owner)
    return getattr(found, method) if method else found


def parameters(name):
    """Return the parameters that a public name takes."""
    made = public(name)
    known = getattr(made, "model_fields", None) or inspect.signature(made).parameters
    return [parameter for parameter in known if parameter != "self"]


PLACES = [f"{name}.{parameter}" for name in CALLS for parameter in parameters(name)]
# A whole run or a search each time is too much for more than the values above.
QUICK = [place for place in PLACES if not place.startswith(("plan.", "run."))]


def call(place, value):
    """Call a public name with a value in the place of an argument."""
    name, _, argument = place.rpartition(".")
    arguments = {**CALLS[name], **BESIDE.get(place, {}), argument: value}
    for other, content in arguments.items():
        if isinstance(content, New):
            arguments[other] = next(NEW) + content
    made, several = public(name), ()
    for parameter in inspect.signature(made).parameters.values():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            several = (arguments.pop(parameter.name),)
    return made(*several, **arguments)


def check_plain(value):
    """Check that whatever a result is made of is plain, and of double precision."""
    if isinstance(value, np.ndarray):
        assert value.dtype.kind in "biufU"
        assert value.dtype not in (np.float16, np.longdouble)
    elif is_dataclass(value) and not isinstance(value, type):
        check_plain(fields_of(value))
    elif isinstance(value, Mapping):
        check_plain([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple | set):
        for part in value:
            check_plain(part)
    else:
        assert not isinstance(value, np.generic | Decimal | Fraction)
    if isinstance(value, diqkd.Design):
        assert len(value.fingerprint()) == 64


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory):
    """Be where the files are that the calls read, and where others may be left."""
    before, here = Path.cwd(), tmp_path_factory.mktemp("arguments")
    os.chdir(here)
    diqkd.run_scenario(SCENARIO, out=here)
    diqkd.emulate_to(here / "rounds", SCENARIO, file_format="csv", joint=True)
    (here / "rounds" / "rounds.csv").rename("rounds.csv")
    (here / "rounds" / "design.json").rename("design.json")
    diqkd.write_design("d.json", DESIGN)
    diqkd.write_records("a.npz", SCHEME, {"alice": RECORD})
    diqkd.create_pool("a.pool", keys=9)
    diqkd.write_alist("code.alist", sparse.csr_array(np.eye(2, dtype=np.uint8)))
    (here / "sweep.toml").write_text("seeds = 1\n", encoding="utf-8")
    STORES["mine"].to_csv("store.csv", index=False)
    yield
    os.chdir(before)


def test_every_public_name_is_called():
    exported = {*face.__all__, *emulator.__all__, *postprocessing.__all__}
    called = {name.partition(".")[0] for name in CALLS}
    assert called | RESULTS == exported
    assert not called & RESULTS


def check(place, value):
    """Check that a value gives a plain result, or is refused by the name of the argument."""
    names = (place.rpartition(".")[2], *ALIASES.get(place, ()))
    told = ""
    try:
        check_plain(call(place, value))
    except BegunError:
        pass
    except SessionError as error:
        # Nobody is there to speak to; whatever else is wrong is said before.
        told, names = str(error), ("nobody listens",)
    except DiqkdError as error:
        told = str(error)
    assert not told or told.startswith(names)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.filterwarnings("error")
def test_any_value_gives_a_plain_result_or_is_refused_by_name(place):
    for value in HOSTILE:
        check(place, value)


@pytest.mark.parametrize("place", QUICK)
@given(value=numbers)
@settings(max_examples=20)
@pytest.mark.filterwarnings("error")
def test_any_number_gives_a_plain_result_or_is_refused_by_name(place, value):
    check(place, value)
