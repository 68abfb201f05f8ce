"""Two processes on loopback against one: the same keys, and how long both take.

Run: ``python tests/acceptance/two_parties.py [ROUNDS] [TIMES]`` (1e7 and 5 by default). Emulates
the rounds to files, then distils them in one process and in two, TIMES each in turn. Prints the
least wall time of each, from the start of the command to its end, and the bytes sent. Exits with 1
if the keys differ.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

COMMAND = [sys.executable, "-c", "from emulator.cli.app import main; main()"]
ADDRESS = "127.0.0.1:9017"


def _call(*arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*COMMAND, *map(str, arguments)], stdout=subprocess.DEVNULL)


def _wait(*processes: subprocess.Popen[bytes]) -> None:
    for process in processes:
        if process.wait() != 0:
            raise SystemExit(f"{process.args} failed")


def main() -> int:
    """Time both ways and compare their keys."""
    rounds = sys.argv[1] if len(sys.argv) > 1 else "1e7"
    times = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    console = Console(highlight=False)
    seconds: dict[str, list[float]] = {"one process": [], "two processes": [], "session": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = folder / "run"
        _wait(_call("emulate", "ecs-100km", "--rounds", rounds, "--seed", 7, "--out", run))
        design = ("--design", run / "design.json", "--seed", 7)
        files = {party: run / f"{party}.parquet" for party in ("alice", "bob")}
        equal = True
        for i in range(times):
            out = folder / str(i)
            # Pools of one folder remember a record: the same one again takes others.
            pools = folder / f"pools-{i}"
            pools.mkdir()
            _wait(_call("pool", pools / "alice.pool"))
            shutil.copy(pools / "alice.pool", pools / "bob.pool")
            started = time.perf_counter()
            _wait(_call("distill", *files.values(), *design, "--out", out))
            seconds["one process"].append(time.perf_counter() - started)
            started = time.perf_counter()
            parties = []
            for party, line in (("alice", "--listen"), ("bob", "--connect")):
                pool = ("--auth-key", pools / f"{party}.pool")
                own = ("--record", files[party], *pool, "--out", out / party)
                parties.append(_call("party", party, line, ADDRESS, *design, *own))
            _wait(*parties)
            seconds["two processes"].append(time.perf_counter() - started)
            report = json.loads((out / "alice" / "alice.report.json").read_text())
            seconds["session"].append(report["timings_s"]["total"])
            keys = {(out / p / f"{p}.key").read_bytes() for p in files}
            equal &= keys == {(out / "alice.key").read_bytes()}
    for label, found in seconds.items():
        console.print(f"{label}: least {min(found):.2f} s of {[round(s, 2) for s in found]}")
    console.print(f"ratio: {min(seconds['two processes']) / min(seconds['one process']):.2f}")
    console.print(f"bytes sent: {report['sent_bytes']} by Alice, {report['received_bytes']} by Bob")
    console.print(f"keys equal, and those of one process: {equal}")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
