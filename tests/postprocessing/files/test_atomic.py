"""Files that are written: private, whole, and never over another unless told so."""

import errno
import os
import stat
import subprocess
import sys

import pytest

from postprocessing.errors import InputFileError
from postprocessing.files import atomic


def test_files_are_private_and_complete(tmp_path):
    atomic.write_output(tmp_path, {"alice.key": b"\x01\x02", "report.json": b"{}"})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["alice.key", "report.json"]
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (tmp_path / "alice.key").read_bytes() == b"\x01\x02"


def test_existing_files_are_kept(tmp_path):
    (tmp_path / "bob.key").write_bytes(b"old")
    with pytest.raises(InputFileError, match="out must be a folder without earlier output"):
        atomic.check_output_folder(tmp_path)
    with pytest.raises(InputFileError, match=r"must be a new file, .*/bob\.key is there"):
        atomic.write_output(tmp_path, {"alice.key": b"new", "bob.key": b"new"})
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("bob.key", b"old")]


def test_interrupt_leaves_no_file(tmp_path, monkeypatch):
    """An interrupt on the way to the disk, or between the two keys, leaves the folder empty."""
    calls = {"fsync": 0, "link": 0}

    def interrupt(name, at):
        original = getattr(os, name)

        def call(*arguments, **options):
            calls[name] += 1
            if calls[name] == at:
                raise KeyboardInterrupt
            return original(*arguments, **options)

        return call

    for name, at in (("fsync", 2), ("link", 2)):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, interrupt(name, at))
            with pytest.raises(KeyboardInterrupt):
                atomic.write_output(tmp_path, {"alice.key": b"\x01", "bob.key": b"\x01"})
        assert calls[name] == at
        assert list(tmp_path.iterdir()) == []


def test_each_file_is_on_the_disk_before_the_next(tmp_path, monkeypatch):
    """Its content, then its name; only then the name of the next."""
    events = []
    link, sync = os.link, os.fsync

    def record_link(source, target, **options):
        link(source, target, **options)
        events.append(target.name)

    def record_sync(file):
        sync(file)
        events.append("folder" if os.fstat(file).st_ino == tmp_path.stat().st_ino else "content")

    monkeypatch.setattr(os, "link", record_link)
    monkeypatch.setattr(os, "fsync", record_sync)
    atomic.write_output(tmp_path, {"alice.session.json": b"{}", "alice.key": b"\x01"})
    names = ["alice.session.json", "folder", "alice.key", "folder"]
    assert events == ["content", "content", *names]


def test_a_file_is_replaced_whole_or_stays(tmp_path, monkeypatch):
    path = tmp_path / "alice.report.json"
    for content in (b"first", b"second"):
        atomic.replace_output(path, content)
        assert path.read_bytes() == content
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def full(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputFileError, match=r"cannot write '.*No space"):
        atomic.replace_output(path, b"third")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [(path.name, b"second")]


def test_a_dangling_link_is_in_the_way(tmp_path):
    (tmp_path / "alice.key").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputFileError, match="out must be a folder without earlier output"):
        atomic.check_output_folder(tmp_path)


def test_a_folder_that_cannot_hold_links_is_refused_beforehand(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(InputFileError, match="Operation not permitted"):
        atomic.check_output_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder(tmp_path):
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(InputFileError, match="out must be a folder, got"):
        atomic.check_output_folder(path)


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize(("private", "mode"), [(True, 0o600), (False, 0o644)])
def test_a_file_appears_when_it_is_complete(tmp_path, replace, private, mode):
    path, umask = tmp_path / "rounds.csv", os.umask(0o022)
    try:
        with atomic.atomic_write(path, replace=replace, private=private) as draft:
            draft.write_bytes(b"a,b\n")
            assert draft.name == path.name
            assert not path.exists()
    finally:
        os.umask(umask)
    assert path.read_bytes() == b"a,b\n"
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert list(tmp_path.iterdir()) == [path]


def _write(path, content, *, replace):
    """Write a file, or fail half way where there is nothing to write."""
    with atomic.atomic_write(path, replace=replace) as draft:
        draft.write_bytes(content or b"half")
        if not content:
            raise ZeroDivisionError


@pytest.mark.parametrize("replace", [False, True])
def test_a_writer_that_fails_changes_nothing(tmp_path, replace):
    path = tmp_path / "rounds.csv"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError):
        _write(path, b"", replace=replace)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [(path.name, b"old")]


def test_files_that_belong_together_come_together(tmp_path):

    def write(*names):
        with atomic.all_or_none([tmp_path / name for name in names]):
            for name in names:
                _write(tmp_path / name, b"new", replace=False)

    (tmp_path / "design.json").write_bytes(b"old")
    with pytest.raises(InputFileError, match="out must be a new file"):
        write("alice.csv", "bob.csv", "design.json")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("design.json", b"old")]


def test_only_what_may_be_replaced_is(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"old")
    with pytest.raises(InputFileError, match="out must be a new file, got"):
        _write(path, b"new", replace=False)
    assert path.read_bytes() == b"old"
    _write(path, b"new", replace=True)
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("suffix", ["parquet", "csv", "npz", "h5"])
def test_a_full_disk_leaves_no_record(tmp_path, suffix):
    """In a process of its own: the HDF5 library crashes at its end when a write has failed."""
    code = """
import resource, sys
from pathlib import Path
import numpy as np
from postprocessing.errors import InputFileError
from postprocessing.files.formats import ROWS, write_columns

resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
column = np.random.default_rng(0).integers(0, 4, ROWS, dtype=np.int8)
blocks = lambda names: ({name: column for name in names} for _ in range(3))
try:
    write_columns(Path(sys.argv[1]), ["a", "b"], 3 * ROWS, blocks)
except InputFileError as error:
    print(error)
"""
    path = tmp_path / f"rounds.{suffix}"
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.startswith(f"cannot write {str(path)!r}")
    assert "too large" in done.stdout
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("replace", [False, True])
def test_a_file_stays_only_if_its_folder_is_on_the_disk(tmp_path, monkeypatch, replace):
    def fail(folder):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(atomic, "sync_folder", fail)
    place = atomic.atomic_write(tmp_path / "a", replace=replace)
    with pytest.raises(InputFileError, match="cannot write"), place as draft:
        draft.write_bytes(b"secret")
    assert list(tmp_path.iterdir()) == []


def test_a_draft_that_others_can_read_is_no_private_file(tmp_path):
    """A library may remove the draft and make it anew, under the umask."""

    def write() -> None:
        with atomic.atomic_write(tmp_path / "a") as draft:
            draft.unlink()
            draft.write_bytes(b"secret")
            draft.chmod(0o644)

    with pytest.raises(InputFileError, match="alone"):
        write()
    assert list(tmp_path.iterdir()) == []
