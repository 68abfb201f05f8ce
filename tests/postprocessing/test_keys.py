"""Key files: private, whole, and never over another file."""

import os
import stat

import pytest

from postprocessing import keys
from postprocessing.errors import InputFileError


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
    with pytest.raises(InputFileError, match=r"out must not hold bob\.key yet"):
        keys.write_output(tmp_path, {"bob.key": b"new"})
    assert (tmp_path / "bob.key").read_bytes() == b"old"


def test_interrupt_leaves_no_file(tmp_path, monkeypatch):
    """An interrupt while a key is on its way to the disk leaves the folder empty."""

    def interrupt(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        keys.write_output(tmp_path, {"alice.key": b"\x01"})
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder(tmp_path):
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(InputFileError, match="out must be a folder, got"):
        keys.check_output_folder(path)
