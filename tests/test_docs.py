"""README and docs do what they show: Python runs, commands exist, quick ones print it."""

from __future__ import annotations

import runpy
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser
from typer.main import get_command
from typer.testing import CliRunner

from emulator.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = get_command(app)
# What ends at once; all others are parsed as far as their verbs and options.
QUICK = (
    "predict --", "plan", "attack list", "design", "distill docs/example/", "bell docs/example/",
)  # fmt: skip
# The papers' figures and statements have tests of their own.
SLOW = {"--figure", "--statements"}
STORE = ROOT / "tests" / "reference" / "frozen_0_1_0" / "files" / "sweep" / "store.csv"
# Numbers of a run's own, on one task in place of the 64 of the page.
SWEEP = """\
scenario = {preset = "ecs-100km", rounds = 1e5, security = "asymptotic"}
"""


def _commands(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the words of each `diqkd` command, and the lines shown below it."""
    words: list[str] = []
    shown: list[str] = []
    for line in text.replace("\\\n", " ").splitlines():
        command = line.removeprefix("$ ")
        if command.startswith("diqkd "):
            if words:
                yield words, shown
            words, shown = shlex.split(command, comments=True)[1:], []
        elif line and not line.startswith("#"):
            shown.append(line)
    if words:
        yield words, shown


def _parse(words: list[str]) -> None:
    """Read a command's words as the program would, and stop before it acts."""
    command, context = COMMAND, None
    while True:
        context = command.make_context(command.name, list(words), parent=context)
        if not isinstance(command, click.Group):
            return
        _, command, words = command.resolve_command(
            context, [*context._protected_args, *context.args]
        )


def _check_commands(example: Example) -> None:
    for words, shown in _commands(example.parsed):
        try:
            _parse(words)
        except click.exceptions.Exit:
            continue
        if not " ".join(words).startswith(QUICK) or SLOW & set(words):
            continue
        result = CliRunner(env={"COLUMNS": "80"}).invoke(app, words)
        assert result.exit_code == 0, (words, result.output)
        first = [line for line in shown if line != "…"]
        printed = [line.rstrip() for line in result.output.splitlines()]
        assert printed[: len(first)] == first


PARSER = Sybil(
    parsers=[
        SkipParser(),
        PythonCodeBlockParser(),
        CodeBlockParser("sh", _check_commands),
        CodeBlockParser("console", _check_commands),
    ]
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the files that the pages speak of, in which their code runs."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / "sweep.toml").write_text(SWEEP, encoding="utf-8")
    for path in (ROOT / "docs" / "example").iterdir():
        shutil.copy(path, tmp_path)
    for name in ("a.csv", "b.csv"):
        shutil.copy(STORE, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_on_the_page_works(page, folder):
    document = PARSER.parse(page)
    document.namespace["__name__"] = "__main__"
    for example in document.examples():
        example.evaluate()


def test_every_picture_has_its_maker():
    """Pictures of reports are taken by hand, of a browser."""
    made = runpy.run_path(str(ROOT / "docs" / "make_figures.py"))
    drawn = {*made["FIGURES"], *made["RESULTS"], made["STUDY"]}
    drawn |= {made[name] for name in ("RECONCILIATION", "SIZES", "SPEED", "CODES")}
    there = {path.stem for path in (ROOT / "docs" / "figures").glob("*.png")}
    assert there == drawn | {"results-report", "results-report-aborted"}
