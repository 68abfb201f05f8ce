"""The documented example of a key-length method works as it stands, from another distribution."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emulator.cli.app import app
from emulator.runner import run
from emulator.scenario.loading import load_scenario
from emulator.schemes.behaviour import Behaviour
from emulator.theory.planning import plan
from postprocessing.design.request import Security
from postprocessing.errors import InvalidArgumentError
from postprocessing.files.designs import read_design, write_design
from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.security import METHODS, Block, Terms, key_length

PAGE = Path(__file__).parents[2] / "docs" / "finite-size.md"
MODEL = Behaviour.from_state(2.7, 0.005)
LABEL = "an example that proves nothing"
METADATA = "Metadata-Version: 2.1\nName: my-methods\nVersion: 1.0\n"


def forget() -> None:
    """Have the registry look again at what is installed."""
    vars(METHODS).pop("_places", None)


@pytest.fixture
def method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Install what the page says as a distribution of its own."""
    section = PAGE.read_text().split("## Add a key-length method")[1]
    ((language, code), (table, entry)) = re.findall(r"```(\w+)\n(.*?)```", section, re.DOTALL)[:2]
    assert (language, table) == ("python", "toml")
    group, line = re.fullmatch(r'\[project.entry-points."(.*)"\]\n(.*)\n', entry).groups()
    folder = tmp_path / "site"
    (folder / "my_methods-1.0.dist-info").mkdir(parents=True)
    (folder / "my_methods-1.0.dist-info" / "METADATA").write_text(METADATA)
    points = f"[{group}]\n{line}\n".replace('"', "")
    (folder / "my_methods-1.0.dist-info" / "entry_points.txt").write_text(points)
    (folder / "my_methods.py").write_text(code)
    monkeypatch.syspath_prepend(folder)
    forget()
    yield line.split()[0]
    forget()


def test_a_method_of_another_distribution_makes_keys(method: str, tmp_path: Path) -> None:
    assert list(METHODS)[-1] == method
    security = Security(soundness=1e-6, method=method)
    design = security.design(MODEL, 10**6)
    assert design.label == LABEL
    write_design(tmp_path / "design.json", design)
    again = read_design(tmp_path / "design.json")
    assert (again, again.fingerprint()) == (design, design.fingerprint())
    report = run(MODEL, heralded_rounds=10**6, security=security, seed=1)
    assert report.keys_match
    assert report.key_length == design.key_length > 0
    assert report.to_dict()["label"] == LABEL
    assert sum(report.key_terms.values()) == pytest.approx(report.key_length, abs=9)
    assert 0 < key_length(method=method, n=10**7, chsh=2.6).bits < 10**7


def test_a_method_of_another_distribution_is_planned_and_reported(
    method: str, tmp_path: Path
) -> None:
    scenario = load_scenario("trapped-ions-2022", {"security": method})
    assert plan(scenario, key_bits=10_000).key_length >= 10_000
    out = tmp_path / "run"
    options = ("--rounds", "1e6", "--security", method, "--seed", "1", "--out", str(out))
    result = CliRunner().invoke(app, ["run", "trapped-ions-2022", *options])
    assert result.exit_code == 0, result.output
    assert LABEL in " ".join(result.output.split())
    assert "statistical fluctuation" in result.output
    result = CliRunner().invoke(app, ["report", str(out), "--out", str(tmp_path / "report.html")])
    assert result.exit_code == 0, result.output
    assert LABEL in (tmp_path / "report.html").read_text()


def test_without_the_distribution_the_name_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="method must be one of tan22"):
        Security(method="at_threshold")
    with pytest.raises(InvalidArgumentError, match="method must be 'tan22'"):
        load_scenario("trapped-ions-2022", {"security": "at_threshold"})


def test_a_name_of_two_distributions_is_refused(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of two is meant must not hang on the order of folders."""
    other = tmp_path / "other" / "their_methods-1.0.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text(METADATA.replace("my-methods", "their-methods"))
    (other / "entry_points.txt").write_text(f"[diqkd.methods]\n{method} = their_methods:Another\n")
    monkeypatch.syspath_prepend(other.parent)
    forget()
    with pytest.raises(InvalidArgumentError, match="of one distribution alone"):
        Security(method=method)


def test_a_method_says_its_own_words_and_takes_the_leakage_off() -> None:
    tan22 = type(METHODS["tan22"])
    with pytest.raises(InvalidArgumentError, match="label must be Mine's own"):
        type("Mine", (tan22,), {"name": "mine"})

    def forgetful(self: Any, block: Block, parameters: Any) -> Terms:
        terms = tan22.terms(self, block, parameters)
        return Terms({name: bits for name, bits in terms.items() if name != "leakage"})

    mine = type("Mine", (tan22,), {"name": "mine", "label": "mine", "terms": forgetful})()
    marks = RoundProbabilities.announced(0.05)
    block = Block(10**7, marks, win_probability=0.83, secrecy=9e-11, leaked_bits=1e5)
    with pytest.raises(InvalidArgumentError, match="leakage must be minus the leaked bits"):
        mine.length(block)
