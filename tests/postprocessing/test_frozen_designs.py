"""Designs and key lengths of 0.1.0: old files are read, and new optima are what they were."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from postprocessing.design.design import Design
from postprocessing.design.request import Security
from postprocessing.errors import InputFileError, InvalidArgumentError
from postprocessing.files.designs import read_design, write_design
from postprocessing.scheme import LocalSettings
from postprocessing.security import METHODS, Terms, key_length

FROZEN = Path(__file__).parents[1] / "reference" / "frozen"
LENGTHS = {"tan22": 225_016, "renyi": 138_640, "geat-announced": 4_632}


@pytest.fixture(params=LENGTHS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_files_of_the_first_version_give_the_same_keys(name: str, tmp_path: Path) -> None:
    design = read_design(FROZEN / f"design-{name}.json")
    assert design.key_length == LENGTHS[name]
    old = json.loads((FROZEN / f"design-{name}.json").read_text())
    assert design.entropy_per_key_round == old["entropy_per_key_round"]
    assert design.length is not None
    assert dict(design.length.terms) == old["length"]["terms"]
    write_design(tmp_path / "design.json", design)
    written = json.loads((tmp_path / "design.json").read_text())
    assert {field.name for field in dataclasses.fields(Design)} == written.keys()
    assert read_design(tmp_path / "design.json") == design


@pytest.mark.parametrize("part", ["bits", "first_excess", "excess", "win_credit", "leakage"])
def test_a_frozen_length_that_does_not_follow_is_refused(
    name: str, part: str, tmp_path: Path
) -> None:
    values = json.loads((FROZEN / f"design-{name}.json").read_text())
    for place in (values["length"], *(values["length"][key] for key in ("terms", "parameters"))):
        if part in place:
            place[part] = str(place[part])
            (tmp_path / "design.json").write_text(json.dumps(values))
            with pytest.raises(InputFileError, match=f"{part}: Input should be"):
                read_design(tmp_path / "design.json")
            place.pop(part)
    (tmp_path / "design.json").write_text(json.dumps(values | {"method": "af18"}))
    with pytest.raises(InputFileError, match="method must be one of"):
        read_design(tmp_path / "design.json")


def test_terms_of_another_method_are_refused(name: str) -> None:
    design = read_design(FROZEN / f"design-{name}.json")
    assert design.length is not None
    terms = Terms({**design.length.terms, "luck": 0.0})
    with pytest.raises(InvalidArgumentError, match="terms must be"):
        dataclasses.replace(design, length=dataclasses.replace(design.length, terms=terms))


@pytest.mark.parametrize(
    ("method", "bits"),
    [
        ("tan22", 1_305_208),
        ("geat", 1_305_104),
        ("renyi", 2_405_128),
        ("renyi_fixed", 2_132_552),
        ("asymptotic", 3_003_496),
    ],
)
def test_designs_are_those_of_the_first_version(
    honest, method: str, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the grid of their probabilities, which 0.1.0 did not have."""
    monkeypatch.setattr(LocalSettings, "on_grid", lambda settings, bits: settings)
    found = Security(method=method).design(honest, 10**7).key_length
    # A proof does without the margin for rounding, of a bit and more.
    assert found == pytest.approx(bits, rel=1e-6, abs=16)


@pytest.mark.parametrize(
    ("arguments", "bits"),
    [
        ({"n": 10**8, "chsh": 2.42, "qber": 7e-6}, 24_477_540),
        ({"method": "geat", "n": 10**8, "chsh": 2.42, "qber": 7e-6}, 24_477_432),
        ({"method": "renyi_fixed", "n": 10**8, "chsh": 2.42, "qber": 7e-6}, 28_149_180),
        ({"method": "asymptotic", "n": 10**8, "chsh": 2.42, "qber": 7e-6}, 36_704_340),
        (
            {"method": "renyi", "n": 10**6, "chsh": 2.6, "qber": 0.02, "test_probability": 0.03}
            | {"noisy_preprocessing": "optimal"},
            173_879,
        ),
    ],
)
def test_expected_lengths_are_those_of_the_first_version(arguments, bits) -> None:
    assert key_length(**arguments).bits == pytest.approx(bits, rel=1e-6)


def _file(path: Path, change: dict[str, object], *place: str) -> Path:
    """Write a design of 0.1.0 with something changed."""
    values = json.loads((FROZEN / "design-tan22.json").read_text())
    inner = values
    for name in place:
        inner = inner[name]
    inner.update(change)
    (path / "design.json").write_text(json.dumps(values))
    return path / "design.json"


@pytest.mark.parametrize(
    "place",
    [
        (),
        ("settings",),
        ("local_settings",),
        ("leakage",),
        ("leakage", "reconciliation"),
        ("epsilons",),
        ("length",),
        ("length", "parameters"),
    ],
)
def test_a_misspelt_field_is_refused_by_name(place: tuple[str, ...], tmp_path: Path) -> None:
    """Ignored, `noisy_preprocesing` would mean q = 0."""
    path = _file(tmp_path, {"noisy_preprocesing": 0.1}, *place)
    with pytest.raises(InputFileError, match=r"must be among .* got 'noisy_preprocesing'"):
        read_design(path)


def test_a_field_under_both_its_names_is_refused(tmp_path: Path) -> None:
    values = json.loads((FROZEN / "design-tan22.json").read_text())
    path = _file(tmp_path, {"scheme": values["settings"]})
    with pytest.raises(InputFileError, match="design must be one with each field once"):
        read_design(path)


@pytest.mark.parametrize("bits", [1, 63, 65, 3_156_927])
def test_frames_that_are_no_whole_words_are_refused(bits: int, tmp_path: Path) -> None:
    """They would divide by zero when the tests are public already."""
    path = _file(tmp_path, {"frame_bits": bits}, "leakage", "reconciliation")
    with pytest.raises(InputFileError, match="frame_bits must be a multiple of 64"):
        read_design(path)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"expected_qber": 0.51}, "expected_qber must be at most 1/2"),
        ({"expected_qber": 1.0}, "expected_qber must be at most 1/2"),
        ({"entropy_per_key_round": 1}, "entropy_per_key_round must be"),
        ({"entropy_per_key_round": "1"}, "entropy_per_key_round must be"),
        ({"entropy_per_key_round": None}, "entropy_per_key_round must be"),
        ({"epsilons": {"secrecy": 0.9, "correctness": 0.1}}, "epsilons must be"),
        ({"epsilons": {"secrecy": 0.0, "correctness": 1e-12}}, "secrecy must be in"),
        ({"epsilons": {"secrecy": 1e-10, "correctness": 1.0}}, "correctness must be in"),
    ],
)
def test_designs_that_say_more_than_they_can_are_refused(
    change: dict[str, object], match: str, tmp_path: Path
) -> None:
    with pytest.raises(InputFileError, match=match):
        read_design(_file(tmp_path, change))


@pytest.mark.parametrize("qber", [0.5, 0.51, 1.0])
@pytest.mark.parametrize("method", METHODS)
def test_devices_of_any_qber_have_a_design(method: str, qber: float, honest) -> None:
    """Without a code and a key, but not without a word."""
    devices = dataclasses.replace(honest, qber=qber)
    for noise in (0.0, 0.1):
        design = Security(method=method, noisy_preprocessing=noise).design(devices, 10**6)
        assert (design.leakage, design.key_length) == (None, 0)


def test_the_entropy_of_an_asymptotic_key_is_that_of_its_chsh_value(honest) -> None:
    """S = 2 gives nothing, whatever a file says."""
    design = Security(method="asymptotic").design(honest, 10**7)
    local = dataclasses.replace(design, expected_chsh=0.0)
    assert local.entropy_per_key_round == local.key_length == 0


def test_a_length_without_its_leakage_is_refused_by_name(tmp_path: Path) -> None:
    values = json.loads((FROZEN / "design-renyi.json").read_text())
    del values["length"]["terms"]["leakage"]
    (tmp_path / "design.json").write_text(json.dumps(values))
    with pytest.raises(InputFileError, match="terms must be"):
        read_design(tmp_path / "design.json")
