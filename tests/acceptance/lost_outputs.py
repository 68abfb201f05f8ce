"""Every command that writes, where its text or its files cannot go: nothing made is lost.

Run: ``python tests/acceptance/lost_outputs.py [--short] [COMMAND...]`` (all commands by default).
Each runs with its standard output closed, unread, full, and of encodings that lack its signs;
without a home to keep caches in; and once for every call by which it takes room on a disk, with no
room for that call alone, and with none from there on. It must end as it does otherwise, with the
same files, or with one line that says why and no file that it has not made whole: then it must do
its work when called again. Two parties must never disagree on whether a key is confirmed. Prints
what does not hold, and exits with 1 if anything. Full disks need gcc, and are left out without.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from full_disk import OUTPUTS, Ending, Laboratory, Trial
from rich.console import Console

MAIN = [sys.executable, "-c", "from emulator.cli.app import main; main()"]
LINK = "--distance-km 20 --security asymptotic --rounds 2e4 --seed 7"
RECORDS = "out/alice.parquet out/bob.parquet"
STUDY = "study finite-size --sizes 1e5 --runs 1 --distance-km 1 --out out/study"
ONE = "--auth-key out/alice.pool --out out/alice --listen 127.0.0.1:PORT"
OTHER = "--auth-key out/bob.pool --out out/bob --connect 127.0.0.1:PORT"
GIVEN = "--design given/design.json --seed 7 --wait-s WAIT"
# Names of files that a run cut short may leave, beside those that were there: the marks of records
# that were used, the whole rows of a store, what a party tells of a session that failed, and a key
# that is marked spent, where there is no room to take the mark off.
SPENT = "alice.key.spent"
MARKS = ("distilled-records/",)
SESSION = ("",)
PARTIES = ("alice", "bob")


@dataclass(frozen=True)
class Case:
    """What is tried.

    Parameters
    ----------
    commands : tuple of str
        One command, or two that run side by side.
    begin : str
        Folder of `prepare` that ``out``, where the commands write, begins as.
    keeps : tuple of str
        What the names of files begin with that may be left without all of the others.
    """

    commands: tuple[str, ...]
    begin: str = "nothing"
    keeps: tuple[str, ...] = ()


def _case(command: str, begin: str = "nothing", keeps: tuple[str, ...] = ()) -> Case:
    return Case((command,), begin, keeps)


CASES = {
    "run": _case(f"run {LINK} --out out/keys"),
    "run-aborted": _case("run --rounds 1000 --seed 1 --out out"),
    "attack": _case("attack told-marks --rounds 2e4 --runs 10 --seed 7"),
    "design": _case(f"design {LINK} --out out/design.json"),
    "emulate-parquet": _case(f"emulate {LINK} --out out"),
    "emulate-csv": _case(f"emulate {LINK} --format csv --out out"),
    "emulate-npz": _case(f"emulate {LINK} --format npz --joint --out out"),
    "emulate-h5": _case(f"emulate {LINK} --format h5 --out out"),
    "distill": _case(f"distill {RECORDS} --design given/design.json --seed 7 --out out", "given"),
    "distill-secret": _case(f"distill {RECORDS} --design design.json --out out/k", "given", MARKS),
    "report": _case("report out", "run"),
    "report-again": _case("report run --out out/page.html", "old"),
    "sweep": _case("sweep sweep.toml --in-process --store out/store.csv", keeps=("store.csv",)),
    "sweep-on": _case(
        "sweep longer.toml --in-process --store out/store.csv", "store", ("store.csv",)
    ),
    "results-csv": _case("results store/store.csv --export out/runs.csv"),
    "results-parquet": _case("results store/store.csv --export out/runs.parquet"),
    "results-again": _case("results store/store.csv --export out/runs.csv --replace", "old"),
    "plot-png": _case("plot waterfall run --out out/w.png"),
    "plot-svg": _case("plot rate store/store.csv --out out/r.svg"),
    "plot-pdf": _case("plot xie-fig2 --out out/f.pdf"),
    "plot-again": _case("plot xie-fig2 --out out/f.pdf --replace", "old"),
    "bell": _case("bell trials.csv --out out/bell"),
    "study": _case(STUDY),
    "pool": _case("pool out/alice.pool --keys 100"),
    "pool-from-key": _case("pool out/next.pool --from-key out/alice.key", "key", (SPENT,)),
    "party": Case(
        (
            f"party alice --record out/alice.parquet {GIVEN} {ONE}",
            f"party bob --record out/bob.parquet {GIVEN} {OTHER}",
        ),
        "parties",
        SESSION,
    ),
    "party-confirm": Case(
        (
            f"party alice --confirm --wait-s WAIT {ONE}",
            f"party bob --confirm --wait-s WAIT {OTHER}",
        ),
        "unconfirmed",
        SESSION,
    ),
}
SWEEP = """\
seeds = 1
[scenario]
security = "asymptotic"
rounds = 1e4
[axes]
distance_km = """
HOMELESS = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), "/dev/null")
HOMELESS |= {"SOURCE_DATE_EPOCH": "0"}
WAIT_S, SHORT_WAIT_S = 60, 2
TEXT = (".json", ".csv", ".html", ".svg")
Files = dict[str, bytes]


def prepare(folder: Path) -> None:
    """Make what the commands read."""
    for name in ("nothing", "old", "key", "parties", "store"):
        (folder / name).mkdir()
    (folder / "sweep.toml").write_text(f"{SWEEP}[10, 20]\n")
    (folder / "longer.toml").write_text(f"{SWEEP}[10, 20, 30, 40]\n")
    (folder / "trials.csv").write_text("x,y,a,b\n" + "0,0,1,1\n0,1,1,1\n1,0,1,1\n1,1,1,-1\n" * 60)
    for name in ("page.html", "runs.csv", "f.pdf"):
        (folder / "old" / name).write_text("earlier\n")
    told = {"session": "00" * 16, "seed": None, "emulated": False, "method": "tan22"}
    told |= {"composable": True, "soundness": 1e-10}
    (folder / "key" / "alice.key").write_bytes(bytes(range(200)))
    (folder / "key" / "alice.session.json").write_text(json.dumps(told))
    _diqkd(folder, f"emulate {LINK} --out given")
    _diqkd(folder, f"run {LINK} --out run")
    _diqkd(folder, "sweep sweep.toml --in-process --store store/store.csv")
    _diqkd(folder, f"design {LINK} --out design.json")
    _diqkd(folder, "pool parties/alice.pool --keys 100")
    shutil.copy(folder / "parties/alice.pool", folder / "parties/bob.pool")
    for party in PARTIES:
        shutil.copy(folder / f"given/{party}.parquet", folder / "parties")
    _leave_unconfirmed(folder)


def _leave_unconfirmed(folder: Path) -> None:
    """Let two parties meet, and take from Alice that she has heard the last of Bob."""
    shutil.copytree(folder / "parties", folder / "out")
    words = _addressed(CASES["party"].commands, WAIT_S)
    running = [subprocess.Popen([*MAIN, *each.split()], cwd=folder, stdout=-3) for each in words]
    if any(process.wait() for process in running):
        raise SystemExit("the two parties failed")
    (folder / "out").rename(folder / "unconfirmed")
    key, report = (folder / f"unconfirmed/alice/alice.{name}" for name in ("key", "report.json"))
    key.rename(f"{key}.unconfirmed")
    report.write_text(report.read_text().replace('"key"', '"unconfirmed key"', 1))


def _diqkd(folder: Path, command: str) -> None:
    done = subprocess.run([*MAIN, *command.split()], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"diqkd {command}: {done.stderr}")


@dataclass(frozen=True)
class Result:
    """How the commands of a case have ended, and the files that there are."""

    endings: list[Ending]
    files: Files

    @property
    def codes(self) -> list[int]:
        """Exit codes."""
        return [ending.code for ending in self.endings]

    def __str__(self) -> str:
        sizes = {name: len(content) for name, content in self.files.items()}
        return f"exit {self.codes}, {sizes}, {[ending.errors for ending in self.endings]}"


class Bench:
    """Where one case is tried.

    Parameters
    ----------
    folder : Path
        Where `prepare` has been.
    laboratory : Laboratory
        Of that folder.
    name : str
        One of `CASES`.
    """

    def __init__(self, folder: Path, laboratory: Laboratory, name: str) -> None:
        self._folder, self._laboratory = folder, laboratory
        self._name, self._case = name, CASES[name]
        self._out = folder / "out"
        self.tried = 0
        self._clear()
        self._before, self._paths_before = self._files(), self._paths()
        if "party" not in name:
            laboratory.warm(self._case.commands[0])
        self.plain, again = self._try(), self._try()
        # What a file is known by: all of it, or where it tells the time its lines, or its size.
        self._mark = {
            file: bytes if content == again.files[file] else _lines if file.endswith(TEXT) else len
            for file, content in self.plain.files.items()
        }

    def faults(self, *, short: bool = False) -> Iterator[str]:
        """Yield what does not hold, each with the circumstances; nothing is right."""
        if any("Traceback" in ending.errors for ending in self.plain.endings):
            yield f"plain: {self.plain}"
        for output in ("closed", "full", "cp1252") if short else OUTPUTS:
            yield from self._without_text(output, self._try(output))
        if not short:
            yield from self._without_text("closed", self._homeless(), "no home, ")
        if not self._laboratory.has_full_disks():
            return
        for who, ending in enumerate(self.plain.endings):
            # Messages come and go as they like: some calls more or fewer.
            for at in range(1, ending.calls + 1):
                for for_good in (True,) if short else (True, False):
                    yield from self._on_a_full_disk(who, at, for_good)

    def _without_text(self, output: str, found: Result, where: str = "") -> Iterator[str]:
        """Yield what is wrong where standard output is none."""
        errors = "".join(ending.errors for ending in found.endings)
        codes = [code or (output == "full") for code in self.plain.codes]
        said = "error: cannot write to standard output" in errors
        if found.codes != codes or said != (output == "full") or "Traceback" in errors:
            yield f"{where}output {output}: {found}"
        yield from (f"{where}output {output}: {fault}" for fault in self._differences(found))

    def _on_a_full_disk(self, who: int, at: int, for_good: bool) -> Iterator[str]:
        """Yield what is wrong where one of the commands finds no room."""
        what = f"command {who}, {'from ' * for_good}write {at}"
        found = self._try(who=who, at=at, for_good=for_good)
        done = found.codes == self.plain.codes
        for ending, usual in zip(found.endings, self.plain.codes, strict=True):
            last = ending.errors.rstrip().rpartition("\n")[2]
            explained = ending.code == usual or (ending.code in (1, 2) and last[:7] == "error: ")
            if not explained or "Traceback" in ending.errors:
                yield f"{what}: {found}"
        yield from (f"{what}: {fault}" for fault in self._differences(found, whole=done))
        if len(self._case.commands) > 1:
            yield from (f"{what}: {fault}" for fault in self._disagreement())
        elif not done and self._paths() != self._paths_before and SPENT not in found.files:
            again = self._call()
            yield from (f"{what}, again: {fault}" for fault in self._differences(again))
            if again.codes != self.plain.codes:
                yield f"{what}, again: {again}"

    def _differences(self, found: Result, *, whole: bool = True) -> Iterator[str]:
        """Yield how files differ from the usual ones, or from those before where none came."""
        for name, content in found.files.items():
            usual, mark = self.plain.files.get(name), self._mark.get(name, bytes)
            # One file that takes the place of another is the one or the other.
            there = whole or name in self._before
            as_usual = there and usual is not None and mark(content) == mark(usual)
            before = content == self._before.get(name)
            if not (as_usual or before or self._is_kept(name, content)):
                yield f"{name} is not whole: {found}"
        expected = self.plain.files if whole else self._before.keys() & self.plain.files.keys()
        # Where there is no room for the mark of a record, a warning takes its place.
        if lacking := {name for name in expected - found.files.keys() if "-records/" not in name}:
            yield f"{lacking} not there: {found}"

    def _is_kept(self, name: str, content: bytes) -> bool:
        """Tell whether a file is one that a command leaves on its way, and whole in itself."""
        if not name.startswith(self._case.keeps):
            return False
        usual = self.plain.files.get(name, b"")
        match Path(name).suffix:
            case ".json":
                return isinstance(json.loads(content or b"0"), dict)
            case ".csv":
                return (usual[:9] == content[:9] and content.endswith(b"\n")) or not content
            case ".pool":
                return len(content) == len(usual)
            case ".key" | ".unconfirmed":
                return content == self.plain.files[name.removesuffix(".unconfirmed")]
        return "-records/" in name or content == self._before[name.removesuffix(".spent")]

    def _disagreement(self) -> Iterator[str]:
        """Yield what two parties do not hold in common, and cannot agree on afterwards."""
        held = [self._keys(party) for party in PARTIES]
        if any("" in keys for keys in held) and not all(held):
            yield f"a confirmed key that the other does not hold: {held}"
        if any(held):
            after = self._call(CASES["party-confirm"].commands)
            held = [self._keys(party) for party in PARTIES]
            if ("" in held[0]) != ("" in held[1]) or "Traceback" in str(after):
                yield f"a key that is not settled: {held}, {after}"

    def _keys(self, party: str) -> list[str]:
        """Return the marks of a party's keys, of a confirmed one none."""
        files = (self._out / party).glob(f"{party}.key*")
        return [file.name.removeprefix(f"{party}.key") for file in files]

    def _try(self, output: str = "kept", *, who: int = 0, **disk: Any) -> Result:
        """Run the commands on what they begin with, one of them with a disk that can be full."""
        self._clear()
        return self._call(output=output, who=who, **disk)

    def _call(
        self, commands: tuple[str, ...] = (), *, output: str = "kept", who: int = 0, **disk: Any
    ) -> Result:
        """Run commands on what is there, by default those of the case."""
        self.tried += 1
        words = _addressed(commands or self._case.commands, SHORT_WAIT_S if disk else WAIT_S)
        trials = [
            Trial(each, output, **(disk if place == who else {}))
            for place, each in enumerate(words)
        ]
        return Result(self._laboratory.run(*trials), self._files())

    def _homeless(self) -> Result:
        """Run the commands without a home and an output, from the start of the interpreter."""
        self._clear()
        self.tried += 1
        running = [
            subprocess.Popen(
                [*MAIN, *words.split()],
                cwd=self._folder,
                env={**os.environ, **HOMELESS, "PYTHONIOENCODING": "ascii"},
                stderr=subprocess.PIPE,
                preexec_fn=lambda: os.close(1),
                text=True,
            )
            for words in _addressed(self._case.commands, WAIT_S)
        ]
        errors = [process.communicate()[1] for process in running]
        endings = [Ending(p.returncode, e, 0) for p, e in zip(running, errors, strict=True)]
        return Result(endings, self._files())

    def _clear(self) -> None:
        shutil.rmtree(self._out, ignore_errors=True)
        shutil.copytree(self._folder / self._case.begin, self._out)

    def _paths(self) -> set[Path]:
        """Return whatever is there."""
        return set(self._out.rglob("*"))

    def _files(self) -> Files:
        """Return the files that there are, but for locks; marks have names without a meaning."""
        return {
            re.sub("[0-9a-f]{64}$", "mark", str(path.relative_to(self._out))): path.read_bytes()
            for path in sorted(self._out.rglob("*"))
            if path.is_file() and path.suffix != ".lock"
        }


def _lines(content: bytes) -> tuple[int, bool]:
    return content.count(b"\n"), content.endswith(b"\n")


def _addressed(commands: Sequence[str], wait_s: int) -> list[str]:
    """Return commands with a port that is free, and the time to wait for each other."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    return [each.replace("PORT", port).replace("WAIT", str(wait_s)) for each in commands]


def main() -> int:
    """Try the commands and print their faults."""
    names = [word for word in sys.argv[1:] if word != "--short"] or [*CASES]
    failed, console = False, Console(highlight=False)
    if not Laboratory.has_full_disks():
        console.print("no gcc: no full disks")
    with tempfile.TemporaryDirectory() as given, tempfile.TemporaryDirectory() as tools:
        folder = Path(given)
        prepare(folder)
        with Laboratory(folder, Path(tools)) as laboratory:
            # What loads and compiles kernels does so once.
            laboratory.warm(f"run {LINK}")
            for name in names:
                started = time.perf_counter()
                bench = Bench(folder, laboratory, name)
                found = list(bench.faults(short="--short" in sys.argv))
                seconds = time.perf_counter() - started
                text = f"{name}: {bench.tried} calls, {len(found)} faults, {seconds:.0f} s"
                console.print("\n  ".join([text, *found]), markup=False, soft_wrap=True)
                failed |= bool(found)
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
