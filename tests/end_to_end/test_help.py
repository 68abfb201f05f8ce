"""What the command says of itself: help, examples, version, completion, and "did you mean"."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emulator.cli.app import app
from emulator.cli.verbs import VERBS
from postprocessing.registry import METHODS

VERB_PATHS = [*((name,) for name in VERBS), ("study", "finite-size")]
PANELS = ["start here", "theory", "runs", "laboratory", "two parties", "many runs", "pictures"]


def _call(*arguments: str):
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "80"})


def _words(text: str) -> str:
    """Return a text without frames and line ends."""
    return " ".join(re.sub("[│─╭╮╰╯]", " ", text).split())


def test_version():
    result = _call("--version")
    assert (result.exit_code, result.stdout) == (0, f"diqkd {version('diqkd')}\n")


def test_the_bare_command_lists_its_verbs_uncut():
    bare = _call()
    assert (bare.exit_code, bare.stdout) == (0, _call("-h").stdout)
    assert re.findall("╭─ ([a-z ]+) ─", bare.stdout)[:-1] == PANELS
    for name, verb in VERBS.items():
        assert f"{name} {verb.summary}" in _words(bare.stdout)


@pytest.mark.parametrize("verb", VERB_PATHS, ids=" ".join)
def test_help_of_a_verb(verb):
    """Two examples that use what there is, exit codes, and no name cut short."""
    result = _call(*verb, "-h")
    assert (result.exit_code, result.stdout) == (0, _call(*verb, "--help").stdout)
    described = VERBS[verb[0]].verbs[verb[1]] if len(verb) > 1 else VERBS[verb[0]]
    assert described.summary in _words(result.stdout)
    assert len(described.examples) == 2
    options = set(re.findall(r"--[a-z-]+", result.stdout.partition("Examples:")[0]))
    for example in described.examples:
        assert f"\n  diqkd {example}\n" in result.stdout
        if verb != ("study",):
            assert set(re.findall(r"--[a-z-]+", example)) <= options
    assert "Exit codes: 0 done, 2 bad input, 3 the protocol aborted, 1 failure." in result.stdout
    assert not re.search(r"--[a-z-]*…", result.stdout)


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["pridect"], "Did you mean 'predict'?"),
        (["predict", "--distnce-km", "3"], "--distance-km"),
        (["predict", "ecs-100k"], "did you mean 'ecs-100km'?"),
        (["predict", "--scheme", "esc"], "did you mean 'ecs'?"),
        (["predict", "--over", "distance=0:1:2"], "did you mean 'distance_km'?"),
        (["plot", "xie-fg2"], "did you mean 'xie-fig2'?"),
        (["attack", "told-mark"], "did you mean 'told-marks'?"),
    ],
)
def test_did_you_mean(arguments, meant):
    result = _call(*arguments)
    assert result.exit_code == 2
    assert meant in result.stderr


def test_completion_knows_verbs_and_options():
    start = [sys.executable, "-c", "from emulator.cli.app import app; app(prog_name='diqkd')"]
    for words, wanted in (("diqkd pre", "predict"), ("diqkd run --distance", "--distance-km")):
        shell = {"_DIQKD_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "2"}
        if wanted == "predict":
            shell["COMP_CWORD"] = "1"
        done = subprocess.run(start, env=shell, capture_output=True, text=True, check=False)
        assert wanted in done.stdout.split()


def test_the_files_of_the_commands_are_short():
    folder = Path(sys.modules["emulator.cli.app"].__file__ or "").parent
    for verb in VERBS:
        assert len((folder / f"{verb}.py").read_text(encoding="utf-8").splitlines()) <= 80


def test_the_flag_of_the_method_lists_the_methods():
    shown = _words(_call("run", "-h").stdout)
    assert f"renyi ones are not peer reviewed: {', '.join(METHODS)}" in shown


@pytest.mark.parametrize("flag", ["--method=geat", "--security=geat", "--rounds=9", "--pulses=9"])
def test_a_study_has_no_flags_that_it_makes_no_use_of(flag):
    result = _call("study", "finite-size", "--out", "nowhere", flag)
    assert result.exit_code == 2
    assert f"No such option: {flag.partition('=')[0]}" in result.stderr
