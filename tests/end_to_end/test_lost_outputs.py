"""Text that cannot go where it should costs nothing that was made, and no traceback."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest
from full_disk import Laboratory
from lost_outputs import Bench

from emulator.cli.app import main

RUN = ("run", "--rounds", "2e4", "--distance-km", "20", "--security", "asymptotic", "--seed", "7")
ABORTED = ("run", "--rounds", "1000", "--seed", "1")
KEYS = ["alice.key", "bob.key", "report.json"]


@pytest.fixture
def call(monkeypatch, capfd):
    """Return a function that runs `diqkd` in this process, into a stream; and gives its code."""

    def run(stream: io.TextIOBase | None, *arguments: object) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["diqkd", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(SystemExit) as ending:
            main()
        monkeypatch.undo()
        return ending.value.code or 0, capfd.readouterr().err

    return run


def _unread() -> io.TextIOBase:
    """Return a pipe that nobody reads."""
    read, write = os.pipe()
    os.close(read)
    return os.fdopen(write, "w")


def test_keys_are_kept_where_the_text_finds_no_room(call, tmp_path):
    with Path("/dev/full").open("w") as full:
        code, errors = call(full, *RUN, "--out", tmp_path)
    assert code == 1
    assert errors == "error: cannot write to standard output (No space left on device)\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == KEYS


@pytest.mark.parametrize(("arguments", "expected"), [(RUN, 0), (ABORTED, 3)])
@pytest.mark.parametrize("json", [(), ("--json",)])
def test_nobody_reads_and_the_exit_code_stays(call, arguments, expected, json):
    with _unread() as pipe:
        assert call(pipe, *arguments, *json) == (expected, "")
    assert call(None, *arguments, *json) == (expected, "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_signs_that_an_encoding_lacks_are_spelt(call, encoding):
    text = io.BytesIO()
    assert call(io.TextIOWrapper(text, encoding=encoding), *RUN) == (0, "")
    shown = text.getvalue().decode(encoding)
    assert " sigma" in shown
    assert (" +- " if encoding == "ascii" else " ± ") in shown
    for words in (("run", "--help"), ("plot", "--help"), ("--help",), ("attack", "list")):
        text = io.BytesIO()
        assert call(io.TextIOWrapper(text, encoding=encoding), *words) == (0, "")
        assert "?" not in text.getvalue().decode(encoding)


@pytest.mark.parametrize("columns", ["0", "00", ""])
def test_no_width_is_no_reason_to_print_nothing(call, monkeypatch, columns):
    shown = []
    for width in (columns, "80"):
        os.environ["COLUMNS"] = width
        try:
            text = io.BytesIO()
            call(io.TextIOWrapper(text, encoding="utf-8"), *ABORTED)
        finally:
            os.environ.pop("COLUMNS", None)
        shown.append([line for line in text.getvalue().decode().splitlines() if "time" not in line])
    assert "aborted" in "".join(shown[0])
    assert shown[0] == shown[1]


def test_nothing_made_is_lost(tmp_path):
    """Short form of tests/acceptance/lost_outputs.py, for what needs nothing beforehand."""
    folder = tmp_path / "folder"
    (folder / "nothing").mkdir(parents=True)
    with Laboratory(folder, tmp_path) as laboratory:
        for name in ("run", "pool"):
            assert list(Bench(folder, laboratory, name).faults(short=True)) == []
