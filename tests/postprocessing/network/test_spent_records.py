"""Records that have been used: known again, whatever their file is called."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import threading

import numpy as np
import pytest

from postprocessing.errors import InputFileError
from postprocessing.network.spent_records import SpentRecords
from postprocessing.records import PartyRecord


def _record(seed: int, rounds: int = 5000) -> PartyRecord:
    chance = np.random.default_rng(seed)
    columns = (chance.integers(0, values, rounds, np.uint8) for values in (3, 2, 2))
    return PartyRecord.of(*columns)


@pytest.fixture
def spent(tmp_path):
    return SpentRecords(tmp_path / "marks")


def test_a_record_is_spent_once(spent):
    record = _record(1)
    spent.check_fresh(record)
    assert not spent.has(record)
    spent.spend(record)
    assert spent.has(record)
    for again in (spent.check_fresh, spent.spend):
        with pytest.raises(InputFileError, match="record must be fresh: an earlier session has"):
            again(record)
    spent.spend(_record(2))


def test_blocks_that_begin_with_the_same_rounds_are_the_same(spent):
    """A longer or a shorter design takes more or fewer rounds from the first on."""
    spent.spend(_record(1).first(3000))
    assert spent.has(_record(1))
    assert spent.has(_record(1).first(2000))


@pytest.mark.parametrize("bit", [0, 1, 3])
def test_one_other_round_makes_another_record(spent, bit):
    """Outcome, setting and herald all count."""
    record = _record(1)
    spent.spend(record)
    codes = record.codes.copy()
    codes[700] ^= 1 << bit
    assert not spent.has(PartyRecord(codes))


def test_of_many_at_once_only_one_spends(spent):
    found = []
    start = threading.Barrier(8)

    def spend():
        start.wait()
        try:
            spent.spend(_record(1))
            found.append("spent")
        except InputFileError:
            found.append("refused")

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["refused"] * 7 + ["spent"]


def test_marks_reach_the_disk_and_are_private(spent, tmp_path, monkeypatch):
    """The mark, its folder, and the folder's folder, before the record may be told of."""
    synced = []
    original = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda file: (synced.append(os.fstat(file).st_ino), original(file))
    )
    spent.spend(_record(1))
    folder = tmp_path / "marks"
    secret, mark = folder / "secret", *(path for path in folder.iterdir() if path.name != "secret")
    assert {path.stat().st_ino for path in (secret, mark, folder, tmp_path)} <= set(synced)
    assert synced.index(secret.stat().st_ino) < synced.index(mark.stat().st_ino)
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert synced[-1] == folder.stat().st_ino
    assert stat.S_IMODE(mark.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_marks_tell_nothing_of_the_outcomes(tmp_path):
    """Their names depend on a secret that differs from folder to folder."""
    record = _record(1)
    names = []
    for name in ("one", "two"):
        spent = SpentRecords(tmp_path / name)
        spent.spend(record)
        names += [path.name for path in (tmp_path / name).iterdir() if path.name != "secret"]
        with pytest.raises(InputFileError) as refusal:
            spent.check_fresh(record)
        assert names[-1] not in str(refusal.value)
    plain = hashlib.sha256(record.codes[:1024].tobytes()).hexdigest()
    assert len({*names, plain}) == 3


@pytest.mark.parametrize("change", ["lost", "cut short"])
def test_marks_without_their_secret_pass_nothing(spent, tmp_path, change):
    """Nobody can tell any more which records are spent."""
    spent.spend(_record(1))
    secret = tmp_path / "marks" / "secret"
    if change == "lost":
        secret.unlink()
    else:
        secret.write_bytes(bytes(31))
    for act in (spent.has, spent.check_fresh, spent.spend):
        with pytest.raises(InputFileError, match=r"record must be known as fresh, .*secret'"):
            act(_record(2))


def test_what_cannot_be_marked_is_refused(spent, monkeypatch):
    def full(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputFileError, match=r"record must be marked spent, .* \(No space left"):
        spent.spend(_record(1))


def test_marks_are_beside_the_pool_itself(tmp_path):
    """Not beside a link to it; and those of the two parties are apart."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "some.pool").touch()
    (tmp_path / "link.pool").symlink_to(tmp_path / "real" / "some.pool")
    SpentRecords.beside(tmp_path / "link.pool", "alice").spend(_record(1))
    assert (tmp_path / "real" / "alice.spent-records").is_dir()
    assert SpentRecords.beside(tmp_path / "real" / "other.pool", "alice").has(_record(1))
    assert not SpentRecords.beside(tmp_path / "real" / "some.pool", "bob").has(_record(1))
