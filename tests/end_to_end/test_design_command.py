"""`diqkd design`: probabilities in full, and those that a laboratory brings."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from typer.testing import CliRunner

from emulator import load_scenario
from emulator.cli.app import app
from emulator.sweeps.task import repeat_seed
from postprocessing import read_design

OPTIONS = ["ecs-100km", "--rounds", "1e7"]
SETTING = re.compile(r"(\w+) (\d+)/2\^(\d+) = ([0-9.]+)")


def _design(tmp_path: Path, *options: str) -> tuple[str, Path]:
    path = tmp_path / "design.json"
    path.unlink(missing_ok=True)
    result = CliRunner().invoke(app, ["design", *OPTIONS, *options, "--out", str(path)])
    assert result.exit_code == 0, result.output
    return result.stdout, path


def test_probabilities_are_printed_exactly(tmp_path: Path) -> None:
    """Whoever builds a generator from what is printed draws what the length is proved for."""
    text, path = _design(tmp_path)
    design, printed = read_design(path), SETTING.findall(text)
    scheme, choice = design.scheme, design.setting_choice
    law = dict(zip(scheme.alice_labels, choice.choice(scheme, "alice"), strict=True))
    law |= dict(zip(scheme.bob_labels, choice.choice(scheme, "bob"), strict=True))
    assert {label for label, *_ in printed} == law.keys()
    for label, times, bits, decimal in printed:
        exact = Fraction(float(law[label]))
        assert exact == Fraction(int(times), 2 ** int(bits)) == Fraction(Decimal(decimal))
        assert int(bits) == 16


def test_own_probabilities_say_what_they_cost(tmp_path: Path) -> None:
    best = read_design(_design(tmp_path)[1])
    own = ("--test-probability-alice", "0.125", "--test-probability-bob", "0.15625")
    text, path = _design(tmp_path, *own)
    design = read_design(path)
    assert design.setting_choice.corrector_test_probability == 0.125
    assert design.setting_choice.reference_test_probability == 0.15625
    cost = best.key_length - design.key_length
    assert f"these probabilities cost {cost:,} bits" in text
    assert cost > 0


def test_one_alone_is_refused_by_name(tmp_path: Path) -> None:
    command = ["design", *OPTIONS, "--test-probability-alice", "0.5", "--out", str(tmp_path / "d")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "test_probability_bob must be given for both" in result.output


def test_seeds_of_sweeps_are_those_of_the_first_version() -> None:
    """Parameters that are new do not change them, unless they are used."""
    plain = load_scenario("trapped-ions-2022", {"noisy_preprocessing": "optimal"})
    own = plain.replace(test_probability_alice=0.1, test_probability_bob=0.1)
    assert repeat_seed(plain, 3) == 8702280456634735 != repeat_seed(own, 3)
