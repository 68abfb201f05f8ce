"""From the emulator to files to keys, in one process and in two, by the command line."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emulator.cli.app import app
from postprocessing import Layout, read_records
from postprocessing.files.designs import is_emulated, read_design, write_design

SHORT = ("--security", "asymptotic", "--rounds", "2e5", "--seed", "7")
EXAMPLE = Path(__file__).parents[2] / "docs" / "example"


def _call(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def _text(table: str) -> str:
    """Return the text of a table whose cells are broken into lines."""
    return re.sub(r"[│\s]+", " ", table)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """The folder of the run that never touches a file of rounds."""
    out = tmp_path_factory.mktemp("run")
    assert _call("run", *SHORT, "--out", out).exit_code == 0
    return out


@pytest.fixture(scope="module")
def expected_key(run) -> bytes:
    """The key of that run."""
    return (run / "alice.key").read_bytes()


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
    assert report["label"] == "asymptotic: not secure at finite size"
    for name in ("alice.key", "bob.key"):
        assert (tmp_path / "keys" / name).read_bytes() == expected_key
    # Nothing is ever written over.
    assert _call("emulate", *SHORT, "--out", rounds, "--format", suffix, *options).exit_code == 2
    assert _call("distill", *files, *design, "--out", tmp_path / "keys").exit_code == 2


@pytest.mark.parametrize(
    ("security", "rule"),
    [
        (("tan22", "2e6"), r"at most [\d,]+ lost tests"),
        (("renyi", "3e5"), "the length follows from the tests won and lost"),
        (("renyi_fixed", "6e5"), r"a score of at least -?[\d,]+ bits"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_decides_is_said_of_each_method(tmp_path, security, rule):
    """No threshold of lost tests is told where the design has none."""
    options = ("--security", security[0], "--rounds", security[1], "--soundness", "1e-6")
    rounds = tmp_path / "rounds"
    assert _call("emulate", *options, "--seed", 7, "--out", rounds).exit_code == 0
    files = [rounds / "alice.parquet", rounds / "bob.parquet"]
    result = _call("distill", *files, "--design", rounds / "design.json")
    assert result.exit_code == 0, result.stderr
    cells = [tuple(map(str.strip, line.split("│")[1:-1])) for line in result.stdout.splitlines()]
    told = dict(pair for pair in cells if len(pair) == 2)
    assert re.fullmatch(r"[\d,]+ of [\d,]+", told["tests lost"])
    assert re.fullmatch(rule, told["acceptance"])
    assert "for your eyes only" in result.stdout
    designed = _call("design", *options, "--out", tmp_path / "design.json").stdout
    assert re.search(rf"heralded rounds, {rule}\n", designed)


def test_a_report_has_the_assumptions_of_its_marks(tmp_path):
    """Announced marks take other things for granted than local settings."""
    link = ("--scheme", "cavity_cat", "--distance-km", 1, "--loss-order", 1, "--travel-times", 2)
    options = ("--settings", "announced", "--security", "geat", "--soundness", "1e-6")
    rounds = tmp_path / "rounds"
    result = _call("emulate", *link, *options, "--rounds", "1e6", "--seed", 5, "--out", rounds)
    assert result.exit_code == 0, result.stderr
    files = [rounds / "alice.parquet", rounds / "bob.parquet"]
    result = _call("distill", *files, "--design", rounds / "design.json", "--json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert any("from mark to outcome" in text for text in report["assumptions"])
    assert "for your eyes only" in report["private"]


def test_fresh_seeds_by_default(emulated, tmp_path):
    files = [emulated / "alice.parquet", emulated / "bob.parquet"]
    keys = []
    for name in ("one", "two"):
        out = tmp_path / name
        result = _call("distill", *files, "--design", emulated / "design.json", "--out", out)
        assert result.exit_code == 0
        keys.append((out / "alice.key").read_bytes())
    assert keys[0] != keys[1]


def test_a_block_that_is_distilled_again_is_warned_of(emulated, tmp_path):
    """Where its keys may be secret, under any name; the mark is its owner's alone."""
    plain = tmp_path / "plain.json"
    write_design(plain, read_design(emulated / "design.json"))
    files = [tmp_path / "alice.parquet", tmp_path / "bob.parquet"]
    for file in files:
        shutil.copy(emulated / file.name, file)
    marks = tmp_path / "distilled-records"
    warned = []
    for more in (
        ("--design", emulated / "design.json", "--out", tmp_path / "emulated"),
        ("--design", plain, "--out", tmp_path / "seeded", "--seed", 1),
        ("--design", plain),
        ("--design", plain, "--out", tmp_path / "one"),
        ("--design", plain, "--out", tmp_path / "two"),
    ):
        assert marks.exists() == ("two" in str(more[-1]))
        assert _call("distill", *files, *more).exit_code == 0
        report = Path(more[3], "report.json") if len(more) > 2 else None
        warned.append(json.loads(report.read_text())["warning"] if report else None)
    assert warned[2:4] == [None, None]
    assert warned[4].startswith("this block was distilled before: use the keys of one run")
    assert {path.stat().st_mode & 0o077 for path in (marks, *marks.iterdir())} == {0}
    # Where no mark can be left, the keys are there all the same.
    shutil.rmtree(marks)
    marks.touch()
    unmarked = _call("distill", *files, "--design", plain, "--out", tmp_path / "three", "--json")
    assert unmarked.exit_code == 0
    assert "this block is not marked as distilled" in json.loads(unmarked.stdout)["warning"]
    assert (tmp_path / "three" / "alice.key").exists()


def test_a_record_that_others_can_read_is_refused(emulated, tmp_path):
    """Nobody is met, and nothing is spent."""
    assert _call("pool", tmp_path / "alice.pool", "--keys", 100).exit_code == 0
    record = tmp_path / "alice.parquet"
    shutil.copy(emulated / "alice.parquet", record)
    record.chmod(0o640)
    line = ("--connect", "127.0.0.1:9", "--wait-s", 0.1, "--auth-key", tmp_path / "alice.pool")
    files = ("--record", record, "--design", emulated / "design.json", "--out", tmp_path / "out")
    refused = _call("party", "alice", *line, *files)
    assert refused.exit_code == 2
    assert "record must be its owner's alone (0600)" in refused.stderr
    assert "has mode 0640: chmod 600" in refused.stderr
    record.chmod(0o600)
    assert "nobody listens" in _call("party", "alice", *line, *files).stderr


def test_without_a_design_there_is_no_key(tmp_path):
    events, layout = EXAMPLE / "events.csv", EXAMPLE / "lab.toml"
    result = _call("distill", events, "--layout", layout, "--json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert (report["outcome"], report["key_length"]) == ("exploratory, no key", 0)
    alice, _ = read_records(events, layout=Layout.read(layout))
    assert report["validation"]["rounds"] == len(alice) == 447
    # Of 25 outcomes one is missing and counts as −1: S = 2.6 (24/25)² + 2/25².
    assert abs(report["validation"]["chsh"] - 2.4) < 4 * report["validation"]["chsh_error"]
    text = _call("distill", events, "--layout", layout).stdout
    assert text.startswith("exploratory, no key: a key needs a design made before the rounds")
    refused = _call("distill", events, "--layout", layout, "--out", tmp_path)
    assert refused.exit_code == 2
    assert "out must be left out without --design" in refused.stderr
    assert "layout must be given where there is no design" in _call("distill", events).stderr


def test_the_example_is_what_its_script_makes(tmp_path):
    path = tmp_path / "events.csv"
    subprocess.run([sys.executable, EXAMPLE / "make.py", path], check=True)
    assert path.read_bytes() == (EXAMPLE / "events.csv").read_bytes()


def test_a_design_for_a_laboratory(tmp_path):
    """Expected values with the laboratory's settings; its few rounds are too few for it."""
    layout = ("--layout", EXAMPLE / "lab.toml")
    expected = ("--scheme", "behaviour", "--chsh", 2.6, "--qber", 0.015, "--rounds", 100_000)
    path = tmp_path / "design.json"
    method = ("--security", "asymptotic")
    result = _call("design", *expected, *method, *layout, "--out", path)
    assert result.exit_code == 0
    assert re.search(
        r"alice draws each setting with probability: \w+ \d+/2\^16 = 0\.", result.stdout
    )
    design = read_design(path)
    assert design.scheme == Layout.read(EXAMPLE / "lab.toml").bell_scheme()
    assert (design.expected_chsh, design.expected_qber) == pytest.approx((2.6, 0.015))
    result = _call("distill", EXAMPLE / "events.csv", "--design", path, *layout)
    assert result.exit_code == 3
    assert "aborted: too few heralded rounds (447 of 100,000)" in _text(result.stdout)
    result = _call("design", *expected, *method, "--out", path)
    assert result.exit_code == 2
    assert f"out must be a new file, {path} is there" in result.stderr
    # Too few rounds for any key at finite size.
    result = _call("design", *expected[:-1], 1000, "--out", tmp_path / "other.json")
    assert result.exit_code == 3
    other = _call("distill", EXAMPLE / "events.csv", "--design", tmp_path / "other.json", *layout)
    assert other.exit_code == 2
    assert "layout must be of the design's" in other.stderr


@pytest.mark.parametrize(
    ("pattern", "new", "match"),
    [
        ('"heralded_rounds": 200000', '"heralded_rounds": "2e5"', "heralded_rounds: Input should"),
        (r'"tag_bits": \d+', '"tag_bits": 7', "tag_bits must be at least"),
        (
            '"heralded_rounds": ',
            f'"heralded_rounds": {"9" * 400}',
            "heralded_rounds must be a whole number in",
        ),
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
        start = [sys.executable, "-c", "from emulator.cli.app import main; main()"]
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


def test_two_processes_make_the_key_of_the_run(emulated, run, expected_key, tmp_path):
    assert _call("pool", tmp_path / "alice.pool", "--keys", 100).exit_code == 0
    shutil.copy(tmp_path / "alice.pool", tmp_path / "bob.pool")
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
        assert (report["seed"], report["warning"]) == (
            7,
            "reproducible from a seed: not a secret key",
        )
    # What anybody can compute again authenticates nobody.
    for key in (tmp_path / "bob" / "bob.key", run / "bob.key"):
        refused = _call("pool", tmp_path / "next.pool", "--from-key", key)
        assert refused.exit_code == 2
        assert "is reproducible from a seed: not a secret key" in refused.stderr
    # A record makes one key, wherever that goes, whatever its file is called, under any pool.
    shutil.copy(emulated / "alice.parquet", tmp_path / "renamed.parquet")
    assert _call("pool", tmp_path / "other.pool").exit_code == 0
    line = ("--listen", f"127.0.0.1:{_free_port()}", "--wait-s", 0.1, "--out", tmp_path / "again")
    again = ("--record", tmp_path / "renamed.parquet", "--design", emulated / "design.json")
    for pool in ("alice.pool", "other.pool"):
        refused = _call("party", "alice", *line, *again, "--auth-key", tmp_path / pool)
        assert refused.exit_code == 2
        assert "record must be fresh: an earlier session has used its rounds" in refused.stderr


def test_a_key_becomes_the_next_pool_once(emulated, tmp_path):
    """Of rounds that pass for those of a laboratory."""
    write_design(tmp_path / "design.json", read_design(emulated / "design.json"))
    assert _call("pool", tmp_path / "alice.pool", "--keys", 100).exit_code == 0
    shutil.copy(tmp_path / "alice.pool", tmp_path / "bob.pool")
    record = f"{emulated}/{{party}}.parquet"
    for done in _parties(
        tmp_path, "--record", record, "--design", tmp_path / "design.json"
    ).values():
        assert done.returncode == 0, done.stderr
        assert "not a secret key" not in done.stdout
    reports = {party: tmp_path / party / f"{party}.report.json" for party in ("alice", "bob")}
    before = {party: json.loads(path.read_text()) for party, path in reports.items()}
    key = tmp_path / "bob" / "bob.key"
    content = key.read_bytes()
    refused = _call("pool", tmp_path / "next.pool", "--from-key", key)
    assert refused.exit_code == 2
    assert "key must be secure at finite size" in refused.stderr
    # As of a design that proves it.
    for path, told in {
        key.with_name("bob.session.json"): {"method": "tan22", "soundness": 1e-6},
        reports["bob"]: {"design": {"method": "tan22"}, "soundness_with_authentication": 2e-6},
    }.items():
        path.write_text(json.dumps(json.loads(path.read_text()) | told))
    before["bob"] = json.loads(reports["bob"].read_text())
    made = _call("pool", tmp_path / "next.pool", "--from-key", key)
    assert made.exit_code == 0
    assert "add the soundness of its key, 2e-06, to theirs" in made.stderr
    assert "'The devices are not used again for another key.'" in made.stderr
    pool = (tmp_path / "next.pool").read_bytes()
    assert pool[96:] == content[16 : 16 + (len(content) - 16) // 64 * 64]
    assert not key.exists()
    for gone in (key, key.with_name("bob.key.spent")):
        refused = _call("pool", tmp_path / "third.pool", "--from-key", gone)
        assert refused.exit_code == 2
        assert re.search("key must be (unspent|a readable file)", refused.stderr)
    # The other party may still ask whether the key was held.
    for done in _parties(tmp_path, "--confirm").values():
        assert done.returncode == 0, done.stderr
        assert "confirmed, both parties hold it" in done.stdout
    # What that cost is in the reports: three greetings, and two words that the key is held.
    for party, path in reports.items():
        report, earlier = json.loads(path.read_text()), before[party]
        risk = "authentication_failure_probability"
        assert report.pop(risk) > earlier.pop(risk) + 6e-23
        more = {"authentication_key_bits": 5 * 256, "net_key_bits": -5 * 256}
        if party == "bob":
            assert report.pop("soundness_with_authentication") >= 2e-6
            del earlier["soundness_with_authentication"]
        assert report == earlier | {name: earlier[name] + bits for name, bits in more.items()}


def test_keys_of_emulated_rounds_are_no_secret(emulated, tmp_path):
    """Whoever distils them, with fresh coins and hash seeds; and the design is the same."""
    plain = read_design(emulated / "design.json")
    write_design(tmp_path / "plain.json", plain)
    assert is_emulated(emulated / "design.json")
    assert not is_emulated(tmp_path / "plain.json")
    assert read_design(tmp_path / "plain.json").fingerprint() == plain.fingerprint()
    warning = "from emulated rounds: not a secret key"
    assert _call("pool", tmp_path / "alice.pool", "--keys", 100).exit_code == 0
    shutil.copy(tmp_path / "alice.pool", tmp_path / "bob.pool")
    record = f"{emulated}/{{party}}.parquet"
    design = ("--design", emulated / "design.json")
    for party, done in _parties(tmp_path, "--record", record, *design).items():
        assert done.returncode == 0, done.stderr
        assert warning in done.stdout
        report = json.loads((tmp_path / party / f"{party}.report.json").read_text())
        assert (report["seed"], report["warning"]) == (None, warning)
    files = (emulated / "alice.parquet", emulated / "bob.parquet")
    result = _call("distill", *files, *design, "--out", tmp_path / "both")
    assert warning in result.stdout
    assert json.loads((tmp_path / "both" / "report.json").read_text())["warning"] == warning
    for key in (tmp_path / "alice" / "alice.key", tmp_path / "both" / "alice.key"):
        refused = _call("pool", tmp_path / "next.pool", "--from-key", key)
        assert refused.exit_code == 2
        assert f"is {warning}" in refused.stderr


def test_a_failed_session_is_reported_and_in_nobodys_way(emulated, tmp_path):
    """Pools that differ: Alice turns Bob away and waits on; Bob tells of a failure."""
    for party in ("alice", "bob"):
        assert _call("pool", tmp_path / f"{party}.pool", "--keys", 100).exit_code == 0
    task = ("--record", f"{emulated}/{{party}}.parquet", "--design", emulated / "design.json")
    done = _parties(tmp_path, *task, "--wait-s", 5)
    for party in done:
        assert done[party].returncode == 1
    assert "turned away: the peer must have a copy of the same pool" in done["alice"].stderr
    assert "the other party has not connected within 5 s" in done["alice"].stderr
    assert not (tmp_path / "alice" / "alice.report.json").exists()
    report = json.loads((tmp_path / "bob" / "bob.report.json").read_text())
    assert report["outcome"] == "failed"
    # Whether Bob was writing when Alice hung up is up to the machine.
    ended = ("the peer has ended the connection", "the connection is lost (")
    assert report["abort_reason"].startswith(ended)
    assert report["record_spent"] is False
    assert (report["key_length"], report["authentication_key_bits"]) == (0, 256)
    # The same folders and the same records, with pools that agree.
    for party in ("alice", "bob"):
        (tmp_path / f"{party}.pool").unlink()
    assert _call("pool", tmp_path / "alice.pool", "--keys", 100).exit_code == 0
    shutil.copy(tmp_path / "alice.pool", tmp_path / "bob.pool")
    for party, process in _parties(tmp_path, *task).items():
        assert process.returncode == 0, process.stderr
        report = json.loads((tmp_path / party / f"{party}.report.json").read_text())
        assert (report["outcome"], report["record_spent"]) == ("key", True)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((), "options must be one of --listen and --connect"),
        (("--listen", "here"), "listen must be HOST:PORT with a port"),
        (("--connect", "h:70000"), "connect must be HOST:PORT with a port"),
        (("--listen", "127.0.0.1:1"), "options must be --record and --design, or else --confirm"),
        (
            ("--listen", "h:1", "--confirm", "--record", "r"),
            "record must be left out with --confirm",
        ),
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
    for option, match in (
        ("--listen", "has not connected within"),
        ("--connect", "nobody listens"),
    ):
        result = _call("party", "alice", option, f"127.0.0.1:{port}", *line, *task)
        assert result.exit_code == 1
        assert match in result.stderr
    # Fewer rounds than designed are no reason to call.
    longer = tmp_path / "longer.json"
    assert _call("design", *SHORT[:2], "--rounds", "3e5", "--out", longer).exit_code == 0
    task = ("--record", emulated / "alice.parquet", "--design", longer)
    call = ("party", "alice", "--listen", f"127.0.0.1:{port}", *line, *task)
    result = _call(*call)
    assert result.exit_code == 3
    assert "aborted: too few heralded rounds (200,000 of 300,000)" in _text(result.stdout)
    told = json.loads(_call(*call, "--json").stdout)
    assert (told["outcome"], told["abort_reason"]) == ("aborted", "too few heralded rounds")
    assert not told["record_spent"]
    # There was no session: nothing to keep, and nothing is marked.
    assert list((tmp_path / "out").iterdir()) == []
    assert not (tmp_path / "alice.spent-records").exists()
