"""`certify`: a design file is proved, refused by the first number that fails, or unreadable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from postprocessing import Security, certify, write_design
from postprocessing.design.request import ExpectedValues
from postprocessing.errors import InputFileError
from postprocessing.scheme import BellScheme

FROZEN = Path(__file__).parents[2] / "reference"
OLD = sorted(
    [*(FROZEN / "frozen").glob("*.json"), *(FROZEN / "frozen_0_1_0/designs").glob("*.json")]
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    from plain_rounds import XIE_SCHEME

    scheme: BellScheme = XIE_SCHEME
    design = Security(soundness=1e-8).design(ExpectedValues(scheme, 2.7, 0.01, 1.4), 2_000_000)
    write_design(tmp_path / "design.json", design, emulated=True)
    return tmp_path / "design.json"


def change(file: Path, **values: Any) -> Path:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))
    return file


def test_a_design_that_was_written_holds(file: Path) -> None:
    certificate = certify(file)
    assert certificate.holds
    assert certificate.proof is not None
    assert certificate.claimed_bits == certificate.proof.bits > 1000
    assert certificate.soundness == pytest.approx(1e-8)
    text = " ".join(s.title + str(s.rows) + str(s.bullets) for s in certificate.present())
    for word in (
        "HOLDS",
        "0 to spare",
        "leaks at most",
        "Woodhead",
        "Tan et al.",
        "Eve's coherence",
    ):
        assert word in text
    assert json.loads(json.dumps(certificate.to_dict()))["holds"] is True


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_old_designs_are_proved_and_told_what_differs(path: Path) -> None:
    """0.1.0 took a margin for rounding off: a bit, and more for long blocks."""
    certificate = certify(path)
    length = json.loads(path.read_text())["length"]
    if length is None:
        assert certificate.refusal == "claims no key"
        return
    claimed = length["bits"]
    assert certificate.holds, certificate.refusal
    assert certificate.claimed_bits == claimed
    assert certificate.proof is not None
    if not certificate.proof.varies:
        assert 0 < certificate.proof.bits - claimed <= 2 + 1e-9 * certificate.heralded_rounds
        assert f"{certificate.proof.bits - claimed} to spare" in str(certificate.present()[0].rows)
    else:
        assert "expected: the length follows the counts" in str(certificate.present()[0].rows)


def test_more_than_is_proved_is_refused(file: Path) -> None:
    values = json.loads(file.read_text())
    bits = values["length"]["bits"]
    certificate = certify(change(file, length=values["length"] | {"bits": bits + 1}))
    assert not certificate.holds
    assert certificate.refusal == f"claims {bits + 1} bits, proved are {bits}"
    assert "REFUSED" in str(certificate.present()[0].rows)
    assert certificate.to_dict()["proof"] is None


def test_a_design_without_a_key_claims_none(file: Path) -> None:
    certificate = certify(change(file, length=None))
    assert (certificate.holds, certificate.refusal) == (False, "claims no key")
    assert certificate.claimed_bits is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', '{"a": 1, "a": 2}', "null", "\x00"])
def test_what_is_no_design_is_unreadable(text: str, tmp_path: Path) -> None:
    (tmp_path / "design.json").write_text(text)
    with pytest.raises(InputFileError, match="design must be one that diqkd design writes"):
        certify(tmp_path / "design.json")


# Of these it is known what fails.
REFUSED = [("method", "x"), ("method", None)]


@pytest.mark.parametrize("name", ["method", "epsilons", "leakage", "heralded_rounds", "length"])
@pytest.mark.parametrize("value", [None, "x", [], {}])
def test_values_of_another_type_are_told(file: Path, name: str, value: object) -> None:
    if (name, value) == ("length", None):
        return
    changed = change(file, **{name: value})
    if (name, value) in REFUSED:
        assert not certify(changed).holds
        return
    with pytest.raises(InputFileError, match="is not"):
        certify(changed)
