"""Commands whose text has nowhere to go, or whose disk is full at any chosen one of their writes.

`Laboratory` compiles full_disk.c, which stands between a process and its C library, and starts a
process under it that has imported everything. For every trial that process makes a copy of itself:
hundreds of trials take no longer than their work.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import io
import json
import mmap
import os
import pkgutil
import shutil
import subprocess
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

SOURCE = Path(__file__).with_suffix(".c")
ENCODINGS = ("ascii", "latin-1", "cp1252")
OUTPUTS = ("closed", "unread", "full", *ENCODINGS)
_LOST_AT_EXIT = 120


@dataclass(frozen=True)
class Trial:
    """A command and what it meets.

    Parameters
    ----------
    words : str
        What follows ``diqkd``.
    output : str
        "kept", or one of `OUTPUTS`: what becomes of its standard output.
    at : int
        Which call that takes room on the disk finds none, from 1; 0 for none of them.
    for_good : bool
        Whether all that follow find none either.
    """

    words: str
    output: str = "kept"
    at: int = 0
    for_good: bool = False


@dataclass(frozen=True)
class Ending:
    """How a trial has ended: exit code (negative by a signal), errors, calls that took room."""

    code: int
    errors: str
    calls: int


class Laboratory:
    """A folder whose disk can be full; leaving the context ends the process that tries.

    Parameters
    ----------
    folder : Path
        The folder, in which the commands run.
    tools : Path
        Where the compiled library goes; outside of the folder.
    """

    def __init__(self, folder: Path, tools: Path) -> None:
        # Pictures say when they were drawn.
        environment = {**os.environ, "SOURCE_DATE_EPOCH": "0"}
        if self.has_full_disks():
            library = tools / "full_disk.so"
            flags = ["-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
            subprocess.run(["gcc", *flags], check=True)
            environment |= {"LD_PRELOAD": str(library), "FULL_DISK": str(folder.resolve())}
        self._server = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @staticmethod
    def has_full_disks() -> bool:
        """Tell whether there is a compiler, and an operating system that preloads."""
        return shutil.which("gcc") is not None and sys.platform == "linux"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()

    def warm(self, words: str) -> None:
        """Run a command in the process itself, to spare its copies some work."""
        self._ask({"warm": words})

    def run(self, *trials: Trial) -> list[Ending]:
        """Run trials side by side and wait for all."""
        found = self._ask({"trials": [vars(trial) for trial in trials]})
        return [Ending(**ending) for ending in found]

    def _ask(self, question: dict[str, Any]) -> Any:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(question) + "\n")
        self._server.stdin.flush()
        return json.loads(self._server.stdout.readline())


def _serve() -> None:
    """Answer the questions of a `Laboratory`, one a line."""
    answers, asked = os.fdopen(os.dup(1), "w"), os.fdopen(os.dup(0))
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    _import_all()
    for line in asked:
        question = json.loads(line)
        if "warm" in question:
            found: Any = _call(question["warm"])
            # Copies share what there is; what they leave behind themselves is soon found.
            gc.collect()
            gc.freeze()
        else:
            copies = [_start(Trial(**trial)) for trial in question["trials"]]
            found = [_ending(*copy) for copy in copies]
        answers.write(json.dumps(found) + "\n")
        answers.flush()


def _start(trial: Trial) -> tuple[int, int, mmap.mmap]:
    """Let a copy of this process run a command; return it, its errors and its count."""
    memory, errors = mmap.mmap(-1, 8), os.memfd_create("errors")
    child = os.fork()
    if child == 0:
        os.dup2(errors, 2)
        _redirect(trial.output)
        library: Any = ctypes.CDLL(None)
        if hasattr(library, "full_disk_arm"):
            library.full_disk_arm.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p]
            place = ctypes.addressof(ctypes.c_long.from_buffer(memory))
            library.full_disk_arm(trial.at, trial.for_good, place)
        code = _call(trial.words)
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except OSError:
            code = _LOST_AT_EXIT
        # What ends with a process, but without taking apart all that was imported.
        gc.collect()
        atexit._run_exitfuncs()
        library.exit(code)
    return child, errors, memory


def _ending(child: int, errors: int, memory: mmap.mmap) -> dict[str, object]:
    """Wait for a copy; return what an `Ending` is made of."""
    _, status = os.waitpid(child, 0)
    os.lseek(errors, 0, os.SEEK_SET)
    with os.fdopen(errors, errors="replace") as text:
        code, calls = os.waitstatus_to_exitcode(status), ctypes.c_long.from_buffer(memory).value
        return {"code": code, "errors": text.read(), "calls": calls}


def _redirect(output: str) -> None:
    """Give this process the standard output that the interpreter would have made at its start."""
    if output == "closed":
        os.close(1)
        sys.stdout = None
        return
    if output == "full":
        os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
    elif output == "unread":
        read, write = os.pipe()
        os.dup2(write, 1)
        os.close(read)
        os.close(write)
    encoding = output if output in ENCODINGS else "utf-8"
    sys.stdout = io.TextIOWrapper(open(1, "wb", closefd=False), encoding=encoding)  # noqa: SIM115


def _call(words: str) -> int:
    """Run a command in this process; return its exit code."""
    from emulator.cli.app import main

    sys.argv = ["diqkd", *words.split()]
    try:
        main()
    except SystemExit as ending:
        return int(ending.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _import_all() -> None:
    """Import what commands import when they need it; let a study be made once."""
    for name in ("emulator", "postprocessing"):
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            importlib.import_module(module.name)
    for name in ("agg", "pdf", "svg"):
        importlib.import_module(f"matplotlib.backends.backend_{name}")
    study: Any = importlib.import_module("emulator.sweeps.study")
    make, made = study.finite_size_study, []

    def once(*arguments: Any, **options: Any) -> Any:
        if not made:
            made.append(make(*arguments, **options))
        return made[0]

    # What is tried is how it is written.
    study.finite_size_study = once


if __name__ == "__main__":
    _serve()
