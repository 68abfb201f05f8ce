"""The store of a sweep: whole rows only, each task once, and no other file touched."""

from __future__ import annotations

import codecs
import csv
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from emulator.scenario.parameters import parameters_by_scheme
from emulator.sweeps import store as store_module
from emulator.sweeps.results import load_results
from emulator.sweeps.store import COLUMNS, PARAMETERS, STORE_VERSION, Store
from postprocessing.errors import InputFileError


def _row(task: str, status: str = "key", **cells):
    row = dict.fromkeys(COLUMNS)
    return {**row, "store_version": STORE_VERSION, "task": task, "status": status, **cells}


def _read(path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_columns_are_told_apart():
    assert len(set(COLUMNS)) == len(COLUMNS)
    assert list(PARAMETERS) == list(parameters_by_scheme())
    assert PARAMETERS["chsh"] == "scenario_chsh"


def test_values_round_trip(tmp_path):
    path = tmp_path / "store.csv"
    numbers = {"gain": 0.1 + 0.2, "chsh": 1 / 3, "qber": 5e-324, "rate_achieved": 1e22}
    assert Store(path).append(_row("a", reason='one "line",\nor two', seed=2**53, **numbers))
    row = _read(path)[0]
    assert {name: float(row[name]) for name in numbers} == numbers
    assert (row["reason"], row["seed"], row["plob_bound"]) == ('one "line", or two', str(2**53), "")
    assert path.read_bytes().count(b"\n") == 2


def test_a_task_has_one_row_unless_it_failed(tmp_path):
    store = Store(tmp_path / "store.csv")
    assert store.append(_row("a", "failed"))
    assert not store.append(_row("a"))
    assert store.append(_row("a"), replace_failed=True)
    assert not store.append(_row("a", "aborted"), replace_failed=True)
    assert [row["status"] for row in _read(store.path)] == ["failed", "key"]
    assert Store(store.path).statuses() == {"a": "key"}


def test_a_store_sees_the_rows_of_others(tmp_path):
    first, second = Store(tmp_path / "store.csv"), Store(tmp_path / "store.csv")
    assert first.append(_row("a"))
    assert not second.append(_row("a"))
    assert second.append(_row("b"))
    assert first.statuses() == second.statuses() == {"a": "key", "b": "key"}
    first.path.unlink()
    assert first.statuses() == {}
    assert first.append(_row("a"))
    assert len(_read(first.path)) == 1


def test_a_line_cut_at_any_byte_counts_for_nothing(tmp_path):
    path = tmp_path / "store.csv"
    Store(path).append(_row("a"))
    one = path.read_bytes()
    Store(path).append(_row("b", gain=0.5))
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        present = Store(path).statuses()
        assert present == ({"a": "key"} if length >= len(one) else {})
        assert path.read_bytes() == whole[:length]
        for row in (_row("a"), _row("b", gain=0.5)):
            Store(path).append(row)
        assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "content",
    [
        b"distance_km,chsh\n100,2.5\n",
        b"\n",
        b"PK\x03\x04",
        ",".join(COLUMNS[:-1]).encode() + b"\n",
        ",".join(COLUMNS).encode() + b"\n2,abc,key,," + b"," * (len(COLUMNS) - 4) + b"\n",
        ",".join(COLUMNS).encode() + b"\n\0\0\0\0\n",
    ],
)
def test_anything_else_is_refused_untouched(tmp_path, content):
    path = tmp_path / "store.csv"
    path.write_bytes(content)
    allowed = r"store must be a new file or a store of version 1 with its columns, got '.*'"
    with pytest.raises(InputFileError, match=allowed):
        Store(path).statuses()
    assert path.read_bytes() == content
    assert [entry.name for entry in tmp_path.iterdir()] == ["store.csv"]
    with pytest.raises(InputFileError, match=allowed):
        Store(path).append(_row("a"))
    assert path.read_bytes() == content


@pytest.mark.parametrize("line", [b"\n", b"\n\n"])
def test_empty_lines_and_a_byte_order_mark_are_skipped(tmp_path, line):
    path = tmp_path / "store.csv"
    Store(path).append(_row("a", finished_at="2026"))
    header, _, rows = path.read_bytes().partition(b"\n")
    path.write_bytes(codecs.BOM_UTF8 + header + b"\n" + line + rows + line)
    assert Store(path).append(_row("b", finished_at="2026"))
    assert Store(path).statuses() == {"a": "key", "b": "key"}
    assert load_results(path)["task"].tolist() == ["a", "b"]


@pytest.mark.parametrize("status", ["done", ""])
def test_an_unknown_status_is_refused_by_name(tmp_path, status):
    path = tmp_path / "store.csv"
    Store(path).append(_row("a", finished_at="2026"))
    path.write_bytes(path.read_bytes().replace(b"1,a,key,", f"1,a,{status},".encode()))
    for read in (Store(path).statuses, lambda: load_results(path)):
        with pytest.raises(InputFileError, match="must have the status key, aborted or failed"):
            read()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_device_is_refused_before_it_is_read():
    with pytest.raises(InputFileError, match=r"store must be .*'/dev/full' \(no regular file\)"):
        Store(Path("/dev/full")).statuses()
    with pytest.raises(InputFileError, match=r"store must be .*'/dev/full' \(no regular file\)"):
        load_results("/dev/full")


@pytest.mark.parametrize("rows", [0, 1])
def test_half_a_row_is_taken_back_where_the_disk_is_full(tmp_path, rows):
    """Whoever reads the file with something else would take it for one."""
    path = tmp_path / "store.csv"
    store = Store(path)
    for task in range(rows):
        store.append(_row(f"task {task}"))
    whole = path.read_bytes() if rows else b""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 10, limits[1]))
    try:
        with pytest.raises(InputFileError, match="store must be a file to read and append to"):
            store.append(_row("last"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == whole
    assert store.append(_row("last"))
    assert len(_read(path)) == rows + 1


def test_unusable_paths(tmp_path):
    for path in (tmp_path, tmp_path / "none" / "store.csv"):
        with pytest.raises(InputFileError, match=r"store must be a file to read and append to"):
            Store(path).statuses()


def test_processes_that_append_at_once(tmp_path):
    """Four writers of the same 200 tasks, in orders of their own: 200 whole rows."""
    code = """if True:
        import random, sys
        from pathlib import Path
        from emulator.sweeps.store import COLUMNS, Store
        store, order = Store(Path(sys.argv[1])), list(range(200))
        random.Random(sys.argv[2]).shuffle(order)
        row = dict.fromkeys(COLUMNS) | {"store_version": 1, "status": "key"}
        print(sum(store.append(row | {"task": f"{i:064}", "seed": i}) for i in order))
    """
    path = tmp_path / "store.csv"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), str(number)], stdout=subprocess.PIPE, text=True
        )
        for number in range(4)
    ]
    added = [int(writer.communicate(timeout=600)[0]) for writer in writers]
    rows = _read(path)
    assert sum(added) == len(rows) == 200
    assert sorted(int(row["task"]) for row in rows) == list(range(200))
    assert all(int(row["task"]) == int(row["seed"]) for row in rows)


def test_a_lock_that_cannot_be_had_is_found_before_any_task(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "_LOCK_TIMEOUT_S", 0.05)
    path = tmp_path / "store.csv"
    with FileLock(f"{path}.lock"), pytest.raises(InputFileError, match=r"store must be a file to"):
        Store(path).check_lock()
    assert not path.exists()
