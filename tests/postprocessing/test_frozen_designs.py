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
from postprocessing.security import Terms, key_length

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
def test_designs_are_those_of_the_first_version(honest, method: str, bits: int) -> None:
    assert Security(method=method).design(honest, 10**7).key_length == pytest.approx(bits, rel=1e-6)


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
