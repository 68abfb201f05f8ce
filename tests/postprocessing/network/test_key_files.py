"""Keys on disk: confirmed, spent once, and told apart from those that are no secret."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from postprocessing.errors import InputFileError
from postprocessing.network import authentication
from postprocessing.network.authentication import KeyPool, create_pool, create_pool_from_key
from postprocessing.network.key_files import KeyFiles
from postprocessing.network.saved_keys import key_soundness, read_key, spend_key
from postprocessing.network.spent_records import SpentRecords
from postprocessing.records import PartyRecord

KEY = bytes(range(200))
TOLD = {"method": "tan22", "soundness": 1e-10}


@pytest.fixture
def files(tmp_path):
    """Files with a confirmed key."""
    files = KeyFiles(tmp_path, "alice")
    files.write(KEY, b"session", **TOLD, confirmed=True)
    return files


def test_a_key_becomes_a_pool_once(files, tmp_path):
    assert create_pool_from_key(tmp_path / "pool", files.path) == 2
    assert (tmp_path / "pool").read_bytes()[96:] == KEY[16:144]
    with KeyPool(tmp_path / "pool", "bob") as pool:
        assert pool.take() == (0, KEY[80:112])
    assert not files.is_confirmed
    assert files.is_spent
    spent = files.path.with_name("alice.key.spent")
    assert spent.read_bytes() == KEY
    for act in (files.read, lambda: read_key(spent), lambda: spend_key(spent)):
        with pytest.raises(InputFileError, match="key must be unspent"):
            act()
    with pytest.raises(InputFileError, match="key must be a readable file"):
        create_pool_from_key(tmp_path / "other", files.path)
    with pytest.raises(InputFileError, match="without earlier output"):
        files.check_free()
    # The peer, whose own key may wait for it, is told that this one was held.
    assert files.session() == b"session"
    files.confirm()
    assert not files.is_confirmed


def test_a_pool_remembers_what_its_key_was_worth(files, tmp_path):
    """To the last bit, and after it has been used."""
    create_pool_from_key(tmp_path / "pool", files.path)
    create_pool(tmp_path / "random", 2)
    (tmp_path / "key").write_bytes(KEY)
    create_pool_from_key(tmp_path / "elsewhere", tmp_path / "key")
    for name, expected in {"pool": 1e-10, "random": 0.0, "elsewhere": None}.items():
        for _ in range(2):
            with KeyPool(tmp_path / name, "alice") as pool:
                pool.take()
                assert pool.soundness == expected


@pytest.mark.parametrize(
    "told",
    [
        {"method": "asymptotic", "soundness": None},
        {"method": "unknown", "soundness": 1e-10},
        {"design": {"method": "asymptotic"}, "epsilons": {"soundness": None}},
        {"design": {"method": "asymptotic"}, "epsilons": {"soundness": 1e-10}},
    ],
)
@pytest.mark.parametrize("name", ["alice.session.json", "alice.report.json", "report.json"])
def test_no_pool_is_made_of_a_key_that_is_not_composable(tmp_path, told, name):
    key = tmp_path / "alice.key"
    key.write_bytes(KEY)
    (tmp_path / name).write_text(json.dumps({"seed": None} | told))
    with pytest.raises(InputFileError, match=r"key must be secure at finite size, .* of method"):
        create_pool_from_key(tmp_path / "pool", key)
    assert key.exists()
    assert not (tmp_path / "pool").exists()


def test_of_several_that_tell_the_worst_counts(files, tmp_path):
    design = {"method": "tan22"}
    report = {"seed": None, "design": design, "soundness_with_authentication": 3e-10}
    (tmp_path / "alice.report.json").write_text(json.dumps(report))
    assert key_soundness(files.path) == 3e-10
    report["soundness_with_authentication"] = None
    (tmp_path / "alice.report.json").write_text(json.dumps(report))
    assert key_soundness(files.path) is None
    run = {"seed": None, "design": design, "epsilons": {"soundness": 2e-10}}
    (tmp_path / "alice.report.json").write_text(json.dumps(run))
    assert key_soundness(files.path) == 2e-10


def test_a_session_of_0_1_0_needs_its_report(files, tmp_path):
    """It does not tell the method."""
    (tmp_path / "alice.session.json").write_text(json.dumps({"session": "00", "seed": None}))
    with pytest.raises(InputFileError, match=r"alice.report.json or .* to tell its method"):
        create_pool_from_key(tmp_path / "pool", files.path)
    files.write_report({"seed": None})
    with pytest.raises(InputFileError, match=r"the design is missing in alice.report.json, as"):
        create_pool_from_key(tmp_path / "pool", files.path)
    (tmp_path / "alice.report.json").unlink()
    told = {"design": {"method": "geat"}, "soundness_with_authentication": 1e-9}
    files.write_report({"seed": None} | told)
    create_pool_from_key(tmp_path / "pool", files.path)
    with KeyPool(tmp_path / "pool", "bob") as pool:
        assert pool.soundness == 1e-9


def test_a_folder_that_may_not_be_entered_is_no_traceback(files, tmp_path, monkeypatch):
    def closed(path, **_):
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputFileError, match="key must be a readable file"):
        create_pool_from_key(tmp_path / "pool", tmp_path / "loop")
    assert not SpentRecords.beside(tmp_path / "loop", "alice").has(PartyRecord(np.zeros(9, "u1")))
    monkeypatch.setattr(Path, "stat", closed)
    with pytest.raises(InputFileError, match=r"pool must be in a folder one can enter"):
        create_pool(tmp_path / "pool", 1)
    for act in (files.read, files.session, lambda: KeyPool(tmp_path / "pool", "alice")):
        with pytest.raises(InputFileError, match=r"cannot look for .* \(Permission denied\)"):
            act()


def test_a_key_put_back_is_not_spent_again(files, tmp_path):
    create_pool_from_key(tmp_path / "pool", files.path)
    files.path.write_bytes(KEY)
    with pytest.raises(InputFileError, match=r"key must be unspent, .*alice.key.spent' exists"):
        create_pool_from_key(tmp_path / "other", files.path)


def test_a_crash_before_the_pool_loses_the_key(files, tmp_path, monkeypatch):
    """It is marked, down to the disk, before anything is written."""
    synced = []
    original = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda file: (synced.append(os.fstat(file).st_ino), original(file))
    )

    def crash(*arguments):
        assert files.is_spent
        assert not files.is_confirmed
        assert synced == [tmp_path.stat().st_ino]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(authentication, "write_output", crash)
        with pytest.raises(KeyboardInterrupt):
            create_pool_from_key(tmp_path / "pool", files.path)
    with pytest.raises(InputFileError, match="key must be"):
        create_pool_from_key(tmp_path / "pool", files.path)
    assert not (tmp_path / "pool").exists()


@pytest.mark.parametrize(
    ("name", "at"),
    [("fsync", 1), ("fsync", 2), ("fsync", 3), ("link", 1), ("mkdir", 1), ("rename", 1)],
)
def test_a_full_disk_spends_no_key(files, tmp_path, monkeypatch, name, at):
    """Whichever call for the mark or the pool finds no room."""
    original, calls = getattr(os, name), []

    def full(*arguments, **options):
        calls.append(name)
        if len(calls) == at:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, name, full)
        with pytest.raises(InputFileError, match="No space left on device"):
            create_pool_from_key(tmp_path / "pool", files.path)
    assert not (tmp_path / "pool").exists()
    assert files.read() == KEY
    create_pool_from_key(tmp_path / "pool", files.path)


def test_a_mistake_spends_no_key(files, tmp_path):
    (tmp_path / "taken").touch()
    with pytest.raises(InputFileError, match="pool must be a new file"):
        create_pool_from_key(tmp_path / "taken", files.path)
    with pytest.raises(InputFileError, match="pool must be in an existing folder"):
        create_pool_from_key(tmp_path / "none" / "pool", files.path)
    (tmp_path / "short.key").write_bytes(bytes(79))
    with pytest.raises(InputFileError, match="key must be at least 80 bytes long"):
        create_pool_from_key(tmp_path / "pool", tmp_path / "short.key")
    assert files.read() == KEY


def test_links_do_not_hide_a_key_from_being_spent(files, tmp_path):
    link = tmp_path / "link.key"
    link.hardlink_to(files.path)
    with pytest.raises(InputFileError, match=r"key must have one name, .* has hard links"):
        create_pool_from_key(tmp_path / "pool", files.path)
    link.unlink()
    link.symlink_to(files.path)
    create_pool_from_key(tmp_path / "pool", link)
    assert files.is_spent
    with pytest.raises(InputFileError, match="key must be a readable file"):
        create_pool_from_key(tmp_path / "other", link)


# Writes a key, and dies when so many of its files have their names.
CRASH = """
import os, sys
from pathlib import Path
from postprocessing.network.key_files import KeyFiles

def hardlink_to(path, target, count=[0]):
    os.link(target, path)
    count[0] += 1
    if count[0] == int(sys.argv[2]):
        os._exit(1)

Path.hardlink_to = hardlink_to
told = {"method": "tan22", "soundness": 1e-10, "seed": 3}
KeyFiles(Path(sys.argv[1]), "alice").write(bytes(range(200)), b"session", confirmed=True, **told)
"""


def _crash(folder, links):
    done = subprocess.run([sys.executable, "-c", CRASH, folder, str(links)], check=False)
    assert done.returncode == 1
    assert len(list(folder.glob(".unfinished-*"))) == 1


def test_a_crash_leaves_no_key_without_its_session(tmp_path):
    """The session comes first; what is left of the key may be of a session that still runs."""
    files = KeyFiles(tmp_path, "alice")
    _crash(tmp_path, 1)
    assert (tmp_path / "alice.session.json").exists()
    assert not files.is_confirmed
    assert files.session() == b""
    (tmp_path / "alice.session.json").unlink()
    (draft,) = tmp_path.iterdir()
    files.check_free()
    assert (draft / "alice.key").read_bytes() == KEY


def test_a_crash_after_the_key_hides_nothing(tmp_path):
    """The draft that is left is a second name of the key: no reason to refuse it, and it goes."""
    _crash(tmp_path, 2)
    key = tmp_path / "alice.key"
    assert key.stat().st_nlink == 2
    with pytest.raises(InputFileError, match="key must be secret"):
        spend_key(key)
    (tmp_path / "alice.session.json").write_text(json.dumps({"session": "00", "seed": None} | TOLD))
    assert spend_key(key) == KEY
    assert KeyFiles(tmp_path, "alice").is_spent
    assert (tmp_path / "alice.key.spent").stat().st_nlink == 1


@pytest.mark.parametrize("told", [None, "[1]", "{}", '{"session": "00"}'])
@pytest.mark.parametrize("name", ["alice.key", "bob.key"])
def test_a_key_of_which_nothing_is_told_is_refused(tmp_path, name, told):
    """It may be of a seed."""
    (tmp_path / name).write_bytes(KEY)
    if told is not None:
        (tmp_path / "report.json").write_text(told)
    match = r"key must have .*\.session\.json or report\.json beside it, .* has neither"
    with pytest.raises(InputFileError, match=match):
        create_pool_from_key(tmp_path / "pool", tmp_path / name)
    # A key of somewhere else, by another name, is its owner's affair.
    (tmp_path / name).rename(tmp_path / "key")
    assert create_pool_from_key(tmp_path / "pool", tmp_path / "key") == 2


def test_a_later_confirmation_is_in_the_report(tmp_path):
    files = KeyFiles(tmp_path, "alice")
    path = tmp_path / "alice.report.json"
    more = {"key_bits": 1024, "forgery_probability": 2.0**-70}
    files.amend_report(confirmed=True, **more)
    assert not path.exists()
    told = {
        "outcome": "unconfirmed key",
        "key_length": 8000,
        "authentication_key_bits": 4864,
        "net_key_bits": 3136,
        "authentication_failure_probability": 2.0**-70,
        "soundness_with_authentication": None,
    }
    files.write_report(told)
    files.amend_report(confirmed=False, **more)
    changed = {
        "authentication_key_bits": 5888,
        "net_key_bits": 2112,
        "authentication_failure_probability": 2.0**-69,
    }
    assert json.loads(path.read_text()) == told | changed
    assert not (tmp_path / "alice.session.json").exists()
    (tmp_path / "alice.session.json").write_text(json.dumps({"seed": None} | TOLD))
    files.amend_report(confirmed=True, **more)
    assert json.loads(path.read_text())["outcome"] == "key"
    assert json.loads(path.read_text())["net_key_bits"] == 1088
    session = json.loads((tmp_path / "alice.session.json").read_text())
    assert session["soundness"] == 1e-10 + 2.0**-70
    assert path.stat().st_mode & 0o777 == 0o600
    path.unlink()
    files.write_report({"outcome": "aborted"})
    files.amend_report(confirmed=True, **more)
    assert json.loads(path.read_text()) == {"outcome": "aborted"}


@pytest.mark.parametrize("name", ["alice.session.json", "report.json"])
def test_what_a_seed_gives_is_no_secret(tmp_path, name):
    """Of a session between two parties, or of a run in one process."""
    key = tmp_path / "alice.key"
    key.write_bytes(KEY)
    (tmp_path / name).write_text(json.dumps({"seed": None}))
    assert read_key(key) == KEY
    (tmp_path / name).write_text(json.dumps({"seed": 0}))
    with pytest.raises(InputFileError, match="is reproducible from a seed: not a secret key"):
        create_pool_from_key(tmp_path / "pool", key)
    (tmp_path / name).write_text(json.dumps({"seed": None, "emulated": True}))
    with pytest.raises(InputFileError, match="is from emulated rounds: not a secret key"):
        create_pool_from_key(tmp_path / "pool", key)
    assert key.exists()


def test_the_session_tells_of_the_seed(tmp_path):
    files = KeyFiles(tmp_path, "bob")
    files.write(KEY, b"session", **TOLD, confirmed=False, seed=0)
    files.confirm()
    with pytest.raises(InputFileError, match="key must be secret"):
        files.read()


def test_a_mark_half_taken_off_is_taken_off(tmp_path):
    """A crash between the two steps leaves the key under both names."""
    files = KeyFiles(tmp_path, "alice")
    files.write(KEY, b"session", **TOLD, confirmed=False)
    files.path.hardlink_to(tmp_path / "alice.key.unconfirmed")
    files.confirm()
    assert files.read() == KEY
    assert not (tmp_path / "alice.key.unconfirmed").exists()
    assert spend_key(files.path) == KEY


@pytest.mark.parametrize("text", ["", "{}", '{"session": ""}', '{"session": "x"}', "[1]"])
def test_a_key_of_no_session_is_refused(files, tmp_path, text):
    (tmp_path / "alice.session.json").write_text(text)
    with pytest.raises(InputFileError, match="out must tell of a session"):
        files.session()


def test_only_the_report_of_a_failure_is_written_over(tmp_path):
    files = KeyFiles(tmp_path, "alice")
    for reason in ("one", "two"):
        files.check_free()
        files.write_report({"outcome": "failed", "abort_reason": reason})
    files.check_free()
    files.write_report({"outcome": "aborted"})
    assert json.loads((tmp_path / "alice.report.json").read_text()) == {"outcome": "aborted"}
    with pytest.raises(InputFileError, match="without earlier output"):
        files.check_free()
    with pytest.raises(InputFileError, match="File exists"):
        files.write_report({"outcome": "failed"})
