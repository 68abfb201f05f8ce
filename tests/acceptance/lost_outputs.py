"""Every command that writes, where its text or its files cannot go: nothing made is lost.

Run: ``python tests/acceptance/lost_outputs.py [COMMAND...]`` (all by default). Each command runs
with its standard output closed, unread, full, and of encodings that lack its signs; with a disk
that is full after so many bytes of a file; and without a home to keep caches in. It must end as it
does otherwise, with the same files, or with one line that says why and none that is not whole: then
it must do its work when called again. Prints what does not hold, and exits with 1 if anything.
"""

from __future__ import annotations

import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

MAIN = [sys.executable, "-c", "from emulator.cli.app import main; main()"]
LINK = "--distance-km 20 --security asymptotic --rounds 2e4 --seed 7"
DESIGN = "given/design.json"
FILES = "given/alice.parquet given/bob.parquet"
# What each writes into the folder ``out``, by a name of its own.
COMMANDS = {
    "run": f"run {LINK} --out out",
    "distill": f"distill {FILES} --design {DESIGN} --seed 7 --out out",
    "design": f"design {LINK} --out out/design.json",
    "emulate-parquet": f"emulate {LINK} --out out",
    "emulate-csv": f"emulate {LINK} --format csv --out out",
    "emulate-npz": f"emulate {LINK} --format npz --joint --out out",
    "emulate-h5": f"emulate {LINK} --format h5 --out out",
    "report": "report run --out out/report.html",
    "sweep": "sweep sweep.toml --in-process --store out/store.csv",
    "results-csv": "results store.csv --export out/runs.csv",
    "results-parquet": "results store.csv --export out/runs.parquet",
    "plot-png": "plot waterfall run --out out/w.png",
    "plot-svg": "plot rate store.csv --out out/r.svg",
    "plot-pdf": "plot xie-fig2 --out out/f.pdf",
    "study": "study finite-size --sizes 1e5 --runs 1 --distance-km 1 --out out",
    "pool": "pool out/alice.pool --keys 100",
}
SWEEP = """\
seeds = 2
[scenario]
security = "asymptotic"
rounds = 2e4
[axes]
distance_km = [10, 20]
"""
ENCODINGS = ("ascii", "latin-1", "cp1252")
DISKS = (0, 1_000, 30_000)
HOMELESS = {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null", "XDG_CONFIG_HOME": "/dev/null"}


@dataclass(frozen=True)
class Ending:
    """How a command has ended: its code, its errors, and the sizes of its files."""

    code: int
    errors: str
    files: dict[str, int] = field(default_factory=dict)


def prepare(folder: Path) -> None:
    """Make what the commands read."""
    (folder / "sweep.toml").write_text(SWEEP)
    for command in (
        f"emulate {LINK} --out given",
        f"run {LINK} --out run",
        "sweep sweep.toml --in-process --store store.csv",
    ):
        done = subprocess.run([*MAIN, *command.split()], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"diqkd {command}: {done.stderr}")


def call(
    folder: Path,
    command: str,
    *,
    stdout: str = "kept",
    most_bytes: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Ending:
    """Run a command in a folder, its text going where it is told.

    Parameters
    ----------
    folder : Path
        Where `prepare` has been, with a folder ``out``.
    command : str
        The words after ``diqkd``.
    stdout : str
        "kept", "closed", "unread" or "full".
    most_bytes : int, optional
        Size that no file can grow beyond.
    environment : mapping of str to str, optional
        Variables beside those there are.
    """

    def begin() -> None:
        if stdout == "closed":
            os.close(1)
        if most_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    read, write = os.pipe()
    os.close(read)
    with Path("/dev/full" if stdout == "full" else os.devnull).open("w") as sink:
        done = subprocess.run(
            [*MAIN, *command.split()],
            cwd=folder,
            stdout=write if stdout == "unread" else sink,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            preexec_fn=begin,
            check=False,
        )
    os.close(write)
    files = {
        str(path.relative_to(folder / "out")): path.stat().st_size
        for path in (folder / "out").rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }
    return Ending(done.returncode, done.stderr.decode(errors="replace"), files)


def faults_of(folder: Path, name: str, *, short: bool = False) -> list[str]:
    """Return what does not hold of a command, each with the circumstances; none is right.

    Parameters
    ----------
    folder : Path
        Where `prepare` has been.
    name : str
        One of `COMMANDS`.
    short : bool
        Only one encoding and one size of the disk.
    """
    fresh = partial(_fresh, folder, COMMANDS[name])
    plain = fresh()
    if plain.code or not plain.files:
        return [f"{name}: exit {plain.code}, {plain.errors}"]
    found = [
        _differences(f"{name}, output {stdout}", plain, fresh(stdout=stdout))
        for stdout in ("closed", "unread")
    ]
    for encoding in ENCODINGS[-1:] if short else ENCODINGS:
        ending = fresh(environment={"PYTHONIOENCODING": encoding})
        found.append(_differences(f"{name}, {encoding}", plain, ending))
    full = fresh(stdout="full")
    said = full.errors.startswith("error: cannot write to standard output")
    if not said or full.errors.count("\n") > 1 or full.files.keys() != plain.files.keys():
        found.append(f"{name}, output full: exit {full.code}, {full.files}, {full.errors}")
    for size in DISKS[1:2] if short else DISKS:
        found.append(_on_a_full_disk(folder, name, size, plain))
    if not short:
        found.append(_differences(f"{name}, no home", plain, fresh(environment=HOMELESS)))
    return [fault for fault in found if fault]


def _fresh(folder: Path, command: str, **circumstances: Any) -> Ending:
    """Run a command with an empty folder to write to."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    (folder / "out").mkdir()
    return call(folder, command, **circumstances)


def _differences(what: str, plain: Ending, ending: Ending) -> str:
    """Return how an ending differs from the usual one."""
    same = ending.files.keys() == plain.files.keys() and ending.code == plain.code
    if same and "Traceback" not in ending.errors:
        return ""
    return f"{what}: exit {ending.code}, {ending.files}, {ending.errors}"


def _on_a_full_disk(folder: Path, name: str, size: int, plain: Ending) -> str:
    """Return what is wrong when files can hold only so many bytes."""
    ending = _fresh(folder, COMMANDS[name], most_bytes=size)
    what = f"{name}, disk of {size} bytes: exit {ending.code}, {ending.files}, {ending.errors}"
    if max(plain.files.values()) <= size:
        return "" if ending.code == 0 else what
    last = ending.errors.rstrip().rpartition("\n")[2]
    if ending.code not in (1, 2) or "Traceback" in ending.errors or not last.startswith("error: "):
        return what
    # A row of a store without its end counts for nothing; any other file is whole or not there.
    usual = {file: 0 if name == "sweep" else 0.9 * length for file, length in plain.files.items()}
    if any(length < usual.get(file, math.inf) for file, length in ending.files.items()):
        return f"{what}, not whole"
    again = call(folder, COMMANDS[name])
    if again.code != 0 or again.files.keys() != plain.files.keys():
        return f"{what}; called again: exit {again.code}, {again.files}, {again.errors}"
    return ""


def main() -> int:
    """Try the commands and print their faults."""
    faults, console = [], Console(highlight=False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        for command in sys.argv[1:] or COMMANDS:
            found = faults_of(folder, command)
            text = "\n  ".join([f"{command}: {len(found)} faults", *found])
            console.print(text, markup=False, soft_wrap=True)
            faults += found
    return bool(faults)


if __name__ == "__main__":
    raise SystemExit(main())
