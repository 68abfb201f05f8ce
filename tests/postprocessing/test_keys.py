"""Key files: private, whole, and never over another file."""

import errno
import os
import stat

import pytest

from postprocessing.errors import InputFileError
from postprocessing.files import atomic as keys


def test_files_are_private_and_complete(tmp_path):
    keys.write_output(tmp_path, {"alice.key": b"\x01\x02", "report.json": b"{}"})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["alice.key", "report.json"]
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (tmp_path / "alice.key").read_bytes() == b"\x01\x02"


def test_existing_files_are_kept(tmp_path):
    (tmp_path / "bob.key").write_bytes(b"old")
    with pytest.raises(InputFileError, match="out must be a folder without earlier output"):
        keys.check_output_folder(tmp_path)
    with pytest.raises(InputFileError, match="File exists"):
        keys.write_output(tmp_path, {"alice.key": b"new", "bob.key": b"new"})
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
                keys.write_output(tmp_path, {"alice.key": b"\x01", "bob.key": b"\x01"})
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
    keys.write_output(tmp_path, {"alice.session.json": b"{}", "alice.key": b"\x01"})
    names = ["alice.session.json", "folder", "alice.key", "folder"]
    assert events == ["content", "content", *names]


def test_a_file_is_replaced_whole_or_stays(tmp_path, monkeypatch):
    path = tmp_path / "alice.report.json"
    for content in (b"first", b"second"):
        keys.replace_output(path, content)
        assert path.read_bytes() == content
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def full(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputFileError, match=r"out must be a file one can write to, .*No space"):
        keys.replace_output(path, b"third")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [(path.name, b"second")]


def test_a_dangling_link_is_in_the_way(tmp_path):
    (tmp_path / "alice.key").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputFileError, match="out must be a folder without earlier output"):
        keys.check_output_folder(tmp_path)


def test_a_folder_that_cannot_hold_links_is_refused_beforehand(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(InputFileError, match="Operation not permitted"):
        keys.check_output_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder(tmp_path):
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(InputFileError, match="out must be a folder, got"):
        keys.check_output_folder(path)
