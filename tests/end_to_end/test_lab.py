"""From the emulator to files to keys, in one process and in two, by the command line."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emulator.cli import app
from postprocessing import Layout, read_records
from postprocessing.files.designs import read_design, write_design

SHORT = ("--security", "asymptotic", "--rounds", "2e5", "--seed", "7")
EXAMPLE = Path(__file__).parents[2] / "docs" / "example"


def _call(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def expected_key(tmp_path_factory) -> bytes:
    """The key of the run that never touches a file of rounds."""
    out = tmp_path_factory.mktemp("run")
    assert _call("run", *SHORT, "--out", out).exit_code == 0
    return (out / "alice.key").read_bytes()


@pytest.fixture(scope="module")
def emulated(tmp_path_factory) -> Path:
    """A folder of diqkd emulate, one file a party."""
    out = tmp_path_factory.mktemp("emulated")
    result = _call("emulate", *SHORT, "--out", out)
    assert result.exit_code == 0
    assert "200,000 heralded rounds" in result.stdout
    return out


@pytest.mark.parametrize("suffix", ["parquet", "csv", "npz", "h5"])
@pytest.mark.parametrize("joint", [True, False], ids=["joint", "one a party"])
def test_files_give_the_key_of_the_run(expected_key, tmp_path, suffix, joint):
    rounds = tmp_path / "rounds"
    options = ["--joint"] if joint else []
    assert _call("emulate", *SHORT, "--out", rounds, "--format", suffix, *options).exit_code == 0
    names = ["rounds"] if joint else ["alice", "bob"]
    files = [rounds / f"{name}.{suffix}" for name in names]
    design = ("--design", rounds / "design.json", "--seed", 7)
    result = _call("distill", *files, *design, "--out", tmp_path / "keys", "--json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["outcome"] == "key"
    assert report["validation"]["warnings"] == []
    assert report["security"] == "asymptotic: not secure at finite size"
    for name in ("alice.key", "bob.key"):
        assert (tmp_path / "keys" / name).read_bytes() == expected_key
    # Nothing is ever written over.
    assert _call("emulate", *SHORT, "--out", rounds, "--format", suffix, *options).exit_code == 2
    assert _call("distill", *files, *design, "--out", tmp_path / "keys").exit_code == 2


def test_fresh_seeds_by_default(emulated, tmp_path):
    files = [emulated / "alice.parquet", emulated / "bob.parquet"]
    keys = []
    for name in ("one", "two"):
        out = tmp_path / name
        result = _call("distill", *files, "--design", emulated / "design.json", "--out", out)
        assert result.exit_code == 0
        keys.append((out / "alice.key").read_bytes())
    assert keys[0] != keys[1]


def test_without_a_design_there_is_no_key(tmp_path):
    events, layout = EXAMPLE / "events.csv", EXAMPLE / "lab.toml"
    result = _call("distill", events, "--layout", layout, "--json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert (report["outcome"], report["key_length"]) == ("exploratory, no key", 0)
    alice, _ = read_records(events, layout=Layout.read(layout))
    assert report["validation"]["rounds"] == len(alice) == 443
    assert report["validation"]["chsh"] == pytest.approx(2.5, abs=0.5)
    text = _call("distill", events, "--layout", layout).stdout
    assert text.startswith("exploratory, no key: a key needs a design made before the rounds")
    refused = _call("distill", events, "--layout", layout, "--out", tmp_path)
    assert refused.exit_code == 2
    assert "--out must be left out without --design" in refused.stderr
    assert "--layout must be given, or else --design" in _call("distill", events).stderr


def test_a_design_for_a_laboratory(tmp_path):
    """Expected values with the laboratory's settings; its few rounds are too few for it."""
    layout = ("--layout", EXAMPLE / "lab.toml")
    expected = ("--scheme", "behaviour", "--chsh", 2.6, "--qber", 0.015, "--rounds", 100_000)
    path = tmp_path / "design.json"
    method = ("--security", "asymptotic")
    result = _call("design", *expected, *method, *layout, "--out", path)
    assert result.exit_code == 0
    assert "alice draws each setting with probability: A0 0." in result.stdout
    design = read_design(path)
    assert design.settings == Layout.read(EXAMPLE / "lab.toml").bell_settings()
    assert (design.expected_chsh, design.expected_qber) == pytest.approx((2.6, 0.015))
    result = _call("distill", EXAMPLE / "events.csv", "--design", path, *layout)
    assert result.exit_code == 3
    assert "aborted: too few heralded rounds" in result.stdout
    assert _call("design", *expected, *method, "--out", path).exit_code == 2
    # Too few rounds for any key at finite size.
    result = _call("design", *expected[:-1], 1000, "--out", tmp_path / "other.json")
    assert result.exit_code == 3
    other = _call("distill", EXAMPLE / "events.csv", "--design", tmp_path / "other.json", *layout)
    assert other.exit_code == 2
    assert "--layout must be of the design's" in other.stderr


@pytest.mark.parametrize(
    ("pattern", "new", "match"),
    [
        ('"heralded_rounds": 200000', '"heralded_rounds": "2e5"', "heralded_rounds: Input should"),
        (r'"tag_bits": \d+', '"tag_bits": 7', "tag_bits must be at least"),
        ("{", "", "is not: Invalid JSON"),
        ('"secrecy"', '"secret"', "epsilons"),
    ],
)
def test_a_design_that_was_tampered_with_is_refused(emulated, tmp_path, pattern, new, match):
    path = tmp_path / "design.json"
    text, times = re.subn(pattern, new, (emulated / "design.json").read_text(), count=1)
    assert times == 1
    path.write_text(text)
    files = (emulated / "alice.parquet", emulated / "bob.parquet")
    result = _call("distill", *files, "--design", path)
    assert result.exit_code == 2
    assert match in result.stderr


def test_a_design_is_the_same_after_its_file(emulated, tmp_path):
    design = read_design(emulated / "design.json")
    write_design(tmp_path / "again.json", design)
    again = read_design(tmp_path / "again.json")
    assert again == design
    assert again.fingerprint() == design.fingerprint()


def test_halves_of_other_rounds_are_refused(emulated, tmp_path):
    assert _call("emulate", *SHORT[:-1], "8", "--out", tmp_path / "other").exit_code == 0
    files = (emulated / "alice.parquet", tmp_path / "other" / "bob.parquet")
    result = _call("distill", *files, "--design", emulated / "design.json")
    assert result.exit_code == 2
    assert "the files must hold the same heralds" in result.stderr


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def _parties(folder: Path, *options: object) -> dict[str, subprocess.CompletedProcess[str]]:
    """Run both parties as two processes on loopback."""
    port = _free_port()
    processes = {}
    for party, line in (("alice", "--listen"), ("bob", "--connect")):
        fixed = ("--auth-key", folder / f"{party}.pool", "--out", folder / party)
        own = [str(option).format(party=party) for option in (*fixed, *options)]
        start = [sys.executable, "-c", "from emulator.cli import main; main()"]
        processes[party] = subprocess.Popen(
            [*start, "party", party, line, f"127.0.0.1:{port}", *own],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    return {
        party: subprocess.CompletedProcess(party, process.wait(), *process.communicate())
        for party, process in processes.items()
    }


def test_two_processes_make_the_key_of_the_run(emulated, expected_key, tmp_path):
    assert _call("pool", tmp_path / "alice.pool", "--keys", 100).exit_code == 0
    (tmp_path / "bob.pool").write_bytes((tmp_path / "alice.pool").read_bytes())
    record = f"{emulated}/{{party}}.parquet"
    options = ("--record", record, "--design", emulated / "design.json", "--seed", 7, "--json")
    for party, done in _parties(tmp_path, *options).items():
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert report["outcome"] == "key"
        assert report["net_key_bits"] == 8 * len(expected_key) - report["authentication_key_bits"]
        assert report["sent_bytes"] > 50_000
        assert (tmp_path / party / f"{party}.key").read_bytes() == expected_key
        assert json.loads((tmp_path / party / f"{party}.report.json").read_text()) == report
    # The key fills the next pool.
    spent = _call("pool", tmp_path / "next.pool", "--from-key", tmp_path / "bob" / "bob.key")
    assert spent.exit_code == 0
    content = (tmp_path / "next.pool").read_bytes()
    assert content[64:].startswith(expected_key[: len(expected_key) // 64 * 64])
    for done in _parties(tmp_path, "--confirm").values():
        assert done.returncode == 0, done.stderr
        assert "confirmed, both parties hold it" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((), "options must be one of listen and connect"),
        (("--listen", "here"), "--listen must be HOST:PORT with a port"),
        (("--connect", "h:70000"), "--connect must be HOST:PORT with a port"),
        (("--listen", "127.0.0.1:1"), "options must be both given, or else --confirm"),
        (("--listen", "h:1", "--confirm", "--record", "r"), "--record must be left out with"),
        (("--listen", "h:1", "--confirm"), "auth-key must be a pool of keys"),
    ],
)
def test_bad_input_to_a_party(tmp_path, arguments, match):
    fixed = ("--auth-key", tmp_path / "pool", "--out", tmp_path / "out")
    result = _call("party", "alice", *fixed, *arguments)
    assert result.exit_code == 2
    assert match in result.stderr


def test_nobody_comes(emulated, tmp_path):
    assert _call("pool", tmp_path / "pool").exit_code == 0
    line = ("--wait-s", 0.1, "--auth-key", tmp_path / "pool", "--out", tmp_path / "out")
    task = ("--record", emulated / "alice.parquet", "--design", emulated / "design.json")
    port = _free_port()
    for option, match in (("--listen", "nobody connected within"), ("--connect", "nobody listens")):
        result = _call("party", "alice", option, f"127.0.0.1:{port}", *line, *task)
        assert result.exit_code == 1
        assert match in result.stderr
    # Fewer rounds than designed are no reason to call.
    longer = tmp_path / "longer.json"
    assert _call("design", *SHORT[:2], "--rounds", "3e5", "--out", longer).exit_code == 0
    task = ("--record", emulated / "alice.parquet", "--design", longer)
    result = _call("party", "alice", "--listen", f"127.0.0.1:{port}", *line, *task)
    assert result.exit_code == 3
    assert "aborted: too few heralded rounds" in result.stdout
