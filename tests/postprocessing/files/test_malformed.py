"""Malformed files end in a clear error: those made so, and those damaged at random."""

from __future__ import annotations

import random

import h5py
import malformed
import numpy as np
import pytest
from plain_rounds import XIE_SCHEME as SCHEME

from postprocessing.errors import InputFileError
from postprocessing.files import records as reader
from postprocessing.files.layout import Layout
from postprocessing.files.records import read_records, write_records
from postprocessing.files.validation import validate
from postprocessing.records import PartyRecord

FORMATS = ("parquet", "csv", "npz", "h5")
ROUNDS = 60
LAYOUT = Layout.of(SCHEME)


@pytest.fixture(scope="module")
def records():
    """Return arbitrary rounds of the ECS settings; every value comes up."""
    chance = np.random.default_rng(6)
    heralds = chance.integers(0, 2, ROUNDS, np.uint8)
    return {
        party: PartyRecord.of(
            chance.integers(0, most, ROUNDS, np.uint8),
            chance.integers(0, 2, ROUNDS, np.uint8),
            heralds,
        )
        for party, most in (("alice", 3), ("bob", 2))
    }


def _faulty_files(suffix, records, folder):
    """Return everything that is wrong with a format."""
    columns = malformed.columns_of(records)
    whole = {kind: malformed.written(kind, columns, folder) for kind in FORMATS}
    yield from malformed.wrong_values(suffix, columns, folder)
    yield from malformed.wrong_columns(suffix, columns, folder)
    yield from malformed.wrong_types(suffix, columns, folder)
    yield from malformed.wrong_containers(suffix, whole)
    if suffix == "npz":
        yield from malformed.wrong_archives(columns)
    if suffix == "h5":
        yield from malformed.wrong_trees(columns, folder)


def _refusal(path) -> str:
    """Return why a file is refused, nothing if it is not."""
    try:
        read_records(path, layout=LAYOUT)
    except InputFileError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("suffix", FORMATS)
def test_files_made_malformed_end_in_a_clear_error(suffix, records, tmp_path):
    """Hundreds a format: each refused by name, with what is allowed, and nothing unpickled."""
    path = tmp_path / f"faulty.{suffix}"
    sound = malformed.written(suffix, malformed.columns_of(records), tmp_path)
    path.write_bytes(sound)
    found = read_records(path, layout=LAYOUT)
    for one, record in zip(found, records.values(), strict=True):
        assert np.array_equal(one.codes, record.codes)
    labels = []
    for label, content in _faulty_files(suffix, records, tmp_path):
        assert content != sound, label
        path.write_bytes(content)
        labels.append(label)
        reason = _refusal(path)
        assert str(path) in reason, label
        assert " must " in reason, label
        assert reason.isprintable(), label
    assert len(labels) >= 300
    assert malformed.UNPICKLED == []


def test_a_file_that_claims_too_much(tmp_path, monkeypatch):
    """A few kilobytes may stand for any number of rounds: the reader stops at what it can hold."""
    monkeypatch.setattr(reader, "MOST_ROUNDS", 3_000_000)
    path = tmp_path / "bomb.h5"
    with h5py.File(path, "w") as file:
        for name, _ in malformed.columns_of({"alice": _nothing(), "bob": _nothing()}):
            file.create_dataset(name, (10**12,), np.int8, chunks=(1 << 20,), fillvalue=1)
    assert path.stat().st_size < 20_000
    with pytest.raises(InputFileError, match="must hold at most 3000000 heralded rounds"):
        read_records(path, layout=LAYOUT)
    with h5py.File(path, "w") as file:
        for name, _ in malformed.columns_of({"alice": _nothing(), "bob": _nothing()}):
            file.create_dataset(name, (10**12,), np.int8, chunks=(1 << 29,))
    with pytest.raises(InputFileError, match="chunks of more than 268435456 bytes"):
        read_records(path, layout=LAYOUT)


def _nothing() -> PartyRecord:
    return PartyRecord(np.empty(0, np.uint8))


def test_columns_outside_the_layout_may_hold_anything(records, tmp_path):
    """Not even their type must stay the same along a long CSV file."""
    path = tmp_path / "notes.csv"
    columns = malformed.columns_of(records)
    rows = 400_000
    notes = ["1"] * (rows - 1) + ["the end"]
    longer = [(name, (values * rows)[:rows]) for name, values in columns]
    path.write_bytes(malformed.written("csv", [("note", notes), *longer], tmp_path))
    assert path.stat().st_size > 1 << 22
    alice, _ = read_records(path, layout=LAYOUT)
    assert len(alice) == rows


def _damaged(content: bytes, chance: random.Random) -> bytes:
    """Return a file's bytes damaged in some way."""
    damaged = bytearray(content)
    kind = chance.randrange(5)
    if kind == 0:
        return bytes(damaged[: chance.randrange(len(damaged))])
    if kind == 1:
        start = chance.randrange(len(damaged))
        return bytes(damaged[:start] + damaged[start + chance.randrange(1, 200) :])
    if kind == 2:
        return chance.randbytes(chance.randrange(400))
    for _ in range(1 if kind == 3 else 60):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


@pytest.mark.parametrize("suffix", FORMATS)
def test_files_damaged_at_random(suffix, records, tmp_path):
    """200 files a format: refused by name, or rounds as valid as any.

    Only checksums find damage that makes other valid rounds. CSV files have none; those of the
    others leave out parts of their heads.
    """
    whole = tmp_path / f"rounds.{suffix}"
    write_records(whole, SCHEME, records)
    chance, unnoticed = random.Random(suffix), 0
    path = tmp_path / f"damaged.{suffix}"
    for _ in range(200):
        path.write_bytes(_damaged(whole.read_bytes(), chance))
        reason = _refusal(path)
        assert not reason or str(path) in reason
        if reason:
            continue
        alice, bob = read_records(path, layout=LAYOUT)
        alice.check(SCHEME, "alice")
        bob.check(SCHEME, "bob")
        assert alice.same_heralds(bob)
        assert validate(alice, bob, SCHEME).rounds == len(alice)
        read = (alice.codes, bob.codes)
        kept = (record.codes for record in records.values())
        unnoticed += not all(map(np.array_equal, read, kept))
    assert unnoticed <= 5 or suffix == "csv"
