"""`diqkd design`: probabilities in full, and those that a laboratory brings."""

from __future__ import annotations

import json
import re
import shlex
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emulator import load_scenario, plan
from emulator.cli.app import app
from emulator.sweeps.task import repeat_seed
from postprocessing import LocalSettings, read_design

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


@pytest.mark.parametrize("bits", [8, 20])
def test_another_grid_by_flag(tmp_path: Path, bits: int) -> None:
    text, path = _design(tmp_path, "--grid-bits", str(bits))
    choice = read_design(path).setting_choice
    assert (Fraction(choice.reference_test_probability) * 2**bits).denominator == 1
    assert (Fraction(choice.corrector_test_probability) * 2 ** (bits - 1)).denominator == 1
    # Probabilities are stored exactly, and with them all that the grid was for.
    assert "grid" not in path.read_text()
    shown = max(int(shown) for _, _, shown, _ in SETTING.findall(text))
    assert min(bits, 17) <= shown <= max(bits, 16)


def test_a_tolerance_by_flag_and_by_file(tmp_path: Path) -> None:
    plain = read_design(_design(tmp_path)[1])
    assert plain.setting_choice.setting_probability_tolerance == 0
    text, path = _design(tmp_path, "--setting-probability-tolerance", "1e-5")
    design = read_design(path)
    assert "each test setting, mark and coin may be off by 1e-05, round by round" in text
    assert design.setting_choice.setting_probability_tolerance == 1e-5
    assert 0 < design.key_length < plain.key_length
    assert design.fingerprint() != plain.fingerprint()
    scenario = tmp_path / "link.toml"
    scenario.write_text(
        'scheme = "ecs"\ndistance_km = 100\nsetting_probability_tolerance = 1e-5\ngrid_bits = 16\n'
    )
    wanted = load_scenario(str(scenario), {"rounds": 1e7})
    assert wanted.build_security().design(wanted.build_model(), 10**7) == design


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--grid-bits", "7"], "--grid-bits must be a whole number"),
        (["--grid-bits", "16.5"], "--grid-bits must be"),
        (["--setting-probability-tolerance", "0.02"], "--setting-probability-tolerance must be"),
        (
            ["--setting-probability-tolerance", "1e-5", "--method", "asymptotic"],
            "--setting-probability-tolerance must be 0 for the method 'asymptotic'",
        ),
    ],
)
@pytest.mark.parametrize("verb", ["design", "plan", "run"])
def test_both_are_refused_by_name(
    tmp_path: Path, verb: str, options: list[str], message: str
) -> None:
    own = {"design": ["--out", str(tmp_path / "d")], "plan": ["--key-bits", "1e6"], "run": []}
    command = [verb, "ecs-100km", *own[verb], *options]
    if verb != "plan":
        command += ["--rounds", "1e5"]
    result = CliRunner().invoke(app, command)
    if verb == "plan" and "asymptotic" in options:
        message = "--method must be a finite-size method"
    assert (result.exit_code, message in " ".join(result.output.split())) == (2, True)


def test_a_plan_pays_for_its_tolerance() -> None:
    fixed = {"mean_photon_number": 0.03, "repetition_rate_hz": 1e9}
    plans = [
        plan(load_scenario("ecs-100km", {**fixed, "setting_probability_tolerance": off}), seconds=1)
        for off in (0.0, 1e-4)
    ]
    assert 0 < plans[1].key_length < plans[0].key_length


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
    assert "--test-probability-bob must be given for both" in result.output


def test_seeds_of_sweeps_are_those_of_the_first_version() -> None:
    """Parameters that are new do not change them, unless they are used."""
    plain = load_scenario("trapped-ions-2022", {"noisy_preprocessing": "optimal"})
    own = plain.replace(test_probability_alice=0.1, test_probability_bob=0.1)
    assert repeat_seed(plain, 3) == 8702280456634735 != repeat_seed(own, 3)


@pytest.mark.parametrize(
    ("command", "more"),
    [
        (["design", "ecs-100km", "--rounds", "1e6"], True),
        (["run", "ecs-100km", "--rounds", "1e6", "--seed", "1"], True),
        (["plan", "ecs-100km", "--seconds", "0.09", "--repetition-rate-hz", "1e9"], True),
        (["design", "ecs-100km"], False),
    ],
)
def test_a_short_key_names_the_methods_that_give_more(
    command: list[str], more: bool, tmp_path: Path
) -> None:
    if command[0] == "design":
        command = [*command, "--out", str(tmp_path / "design.json")]
    shown = CliRunner().invoke(app, command).output
    assert ("other methods, and what their keys are worth" in shown) is more
    assert ("eat_rpa" in shown) is more


def test_the_best_protocol_of_a_block_is_told_and_taken(tmp_path: Path) -> None:
    """As flags that give the same design without any search."""
    asked = ["design", "ecs-100km", "--rounds", "1e6", "--security", "eat_rpa"]
    found = CliRunner().invoke(
        app, [*asked, "--protocol", "best", "--out", str(tmp_path / "best.json")]
    )
    assert found.exit_code == 0
    told = found.stderr.partition("most key bits per pulse for this block: ")[2].splitlines()[0]
    flags = shlex.split(told)
    assert flags[::2] == ["--mean-photon-number", "--directions"]
    again = CliRunner().invoke(app, [*asked, *flags, "--out", str(tmp_path / "again.json")])
    assert again.exit_code == 0
    designs = [json.loads((tmp_path / f"{name}.json").read_text()) for name in ("best", "again")]
    assert designs[0] == designs[1]
    plain = load_scenario("ecs-100km", {"rounds": 10**6, "security": "eat_rpa"})
    length = plain.build_security().design(plain.build_model(), 10**6).key_length
    design = read_design(tmp_path / "best.json")
    assert design.key_length > 1.05 * length
    assert isinstance(design.setting_choice, LocalSettings)
    coin = design.setting_choice.coin_probability
    assert f"alice's coin keeps a surplus round with probability {coin}" in found.stdout


def test_a_curve_has_no_best_protocol() -> None:
    command = ["predict", "ecs-100km", "--over", "distance_km=0:9:3", "--protocol", "best"]
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 2
    assert "--protocol must be paper" in refused.output
