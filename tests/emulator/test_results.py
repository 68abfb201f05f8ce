"""Stores come back as they were written; statistics are those of a literal computation."""

from __future__ import annotations

import json
import math
import random
import statistics
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from emulator.cli.app import app
from emulator.scenario.loading import load_scenario
from emulator.sweeps.results import aggregate, combine, export, load_results, scenario_of, select
from emulator.sweeps.store import COLUMNS, PARAMETERS, RESULTS, Row, Store
from postprocessing.errors import InputFileError, InvalidArgumentError


def _row(task: str, **cells: object) -> Row:
    scenario = load_scenario("ecs-100km", {"seed": 2**53 - 1}).model_dump(mode="json")
    row: Row = dict.fromkeys(COLUMNS)
    row |= {PARAMETERS[name]: value for name, value in scenario.items()}
    row |= {"store_version": 1, "task": task, "status": "key", "diqkd_version": "0.1.0"}
    row |= {"seconds": 0.1, "finished_at": "2026-11-23T12:00:00.000+00:00"}
    return row | cells


def _store(path: Path, *rows: Row) -> Path:
    for row in rows:
        assert Store(path).append(row, replace_failed=True)
    return path


def test_every_cell_comes_back(tmp_path):
    draw = random.Random(5)
    awkward = [5e-324, 1.7976931348623157e308, 0.1 + 0.2, 1 / 3, 1e-12, 2.0**-1074 * 3]
    floats = awkward + [draw.uniform(-1, 1) * 10 ** draw.randint(-30, 30) for _ in range(500)]
    rows = [
        _row(f"{k:064x}", chsh=value, qber=None, pulses=2**53, scenario_pulses=None, reason="NA")
        for k, value in enumerate(floats)
    ]
    rows.append(_row("f" * 64, status="failed", reason='a, "quoted"; reason', chsh=None))
    frame = load_results(_store(tmp_path / "store.csv", *rows))
    assert tuple(frame.columns) == COLUMNS
    for row, (_, loaded) in zip(rows, frame.iterrows(), strict=True):
        for name, value in row.items():
            # A parameter that may be a number or "optimal" is kept as text.
            expected = str(value) if isinstance(loaded[name], str) else value
            assert pd.isna(loaded[name]) if value is None else loaded[name] == expected, name
    assert frame["seed"].tolist() == [2**53 - 1] * len(rows)
    assert frame.dtypes["lost_tests"] == frame.dtypes["rounds"] == "Int64"
    assert frame.dtypes["distance_km"] == frame.dtypes["plob_bound"] == np.float64


def test_the_scenario_of_a_row(tmp_path):
    for preset in ("ecs-misaligned", "bell-state-50km", "cavity-3-loss-5km"):
        scenario = load_scenario(preset, {"seed": 3})
        cells = {PARAMETERS[k]: v for k, v in scenario.model_dump(mode="json").items()}
        row = dict.fromkeys(COLUMNS) | {"store_version": 1, "task": preset, "status": "key"}
        row |= {"diqkd_version": "0", "finished_at": "2026-11-23T12:00:00.000+00:00", **cells}
        frame = load_results(_store(tmp_path / f"{preset}.csv", row))
        assert scenario_of(dict(frame.iloc[0])) == scenario
    with pytest.raises(InvalidArgumentError, match=r"scheme must be one of ecs, .*, got 'bb84'"):
        scenario_of({"scheme": "bb84"})


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.999])
def test_an_unfinished_last_line_is_ignored(tmp_path, kept):
    path = _store(tmp_path / "store.csv", _row("a" * 64), _row("b" * 64))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]) + lines[2][: int(kept * len(lines[2]))])
    assert load_results(path)["task"].tolist() == ["a" * 64]


def test_a_store_of_a_header_has_no_rows(tmp_path):
    path = _store(tmp_path / "store.csv", _row("a" * 64))
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    frame = load_results(path)
    assert frame.empty
    assert tuple(frame.columns) == COLUMNS


def test_the_newest_row_of_a_task_counts(tmp_path):
    late, early = "2026-11-23T13:00:00.000+00:00", "2026-11-23T11:00:00.000+00:00"
    failed = _row("a" * 64, status="failed", finished_at=late)
    retried = _row("a" * 64, status="key", finished_at=early)
    # In one store the order counts, whatever the clocks say; between stores the time.
    one = _store(tmp_path / "one.csv", failed, _row("b" * 64), retried)
    assert load_results(one)["status"].tolist() == ["key", "key"]
    two = _store(tmp_path / "two.csv", _row("a" * 64, status="aborted", finished_at=late))
    for paths in ((one, two), (two, one)):
        frame = load_results(*paths)
        assert sorted(frame["task"]) == ["a" * 64, "b" * 64]
        assert frame.set_index("task")["status"]["a" * 64] == "aborted"
    pd.testing.assert_frame_equal(
        combine([load_results(one), load_results(one)]), load_results(one)
    )


def test_a_later_failure_does_not_hide_a_key(tmp_path):
    early, late = "2026-11-23T12:00:00.000+00:00", "2026-11-24T12:00:00.000+00:00"
    key = _store(tmp_path / "key.csv", _row("a" * 64, status="key", finished_at=early))
    failed = _store(tmp_path / "failed.csv", _row("a" * 64, status="failed", finished_at=late))
    assert load_results(key, failed)["status"].tolist() == ["key"]


def test_files_of_other_contents_are_other_parameters(tmp_path):
    rows = [
        _row(digest * 64, status="key", table="t.csv", files_sha256=digest * 64)
        for digest in ("a", "b")
    ]
    table = aggregate(load_results(_store(tmp_path / "one.csv", *rows)))
    assert table["count"].tolist() == [1, 1]


def test_an_export_is_private(tmp_path):
    export(pd.DataFrame({"seed": [1]}), tmp_path / "table.csv")
    assert (tmp_path / "table.csv").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data.replace(b"\n1,", b"\n2,"), r"store must be of version 1.*version 2"),
        (
            lambda data: data.replace(b",chsh,", b",bell,"),
            r"store must have the columns of version 1, .*others",
        ),
        (lambda data: b"x,y\n1,2\n", r"store must be the results of a sweep, '.*' is not"),
        (lambda data: b"", r"store must be the results of a sweep"),
        (lambda data: b"\x89PNG\r\n\xff\xfe\n", r"store must be the results of a sweep"),
        (lambda data: data + b"1,c,key\n", r"cannot be read \(.* Expected \d+ columns, got 3"),
        (lambda data: data + data.split(b"\n")[1].replace(b"1,", b"2,", 1) + b"\n", r"every row"),
        (lambda data: data.replace(b"100.0", b"far", 1), r"has a row that cannot be read"),
        (lambda data: data.replace(b",key,,", b",\xff,,", 1), r"has a row that cannot be read"),
        (lambda data: data + b"1," * 99 + b"\n", r"has a row that cannot be read"),
    ],
)
def test_other_files_are_refused(tmp_path, damage, message):
    path = _store(tmp_path / "store.csv", _row("a" * 64))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputFileError, match=message) as error:
        load_results(path)
    assert "\n" not in str(error.value)
    result = CliRunner().invoke(app, ["results", str(path)])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


def test_unreadable_files_are_errors_of_input(tmp_path):
    for path in (tmp_path, tmp_path / "missing.csv"):
        with pytest.raises(InputFileError, match=r"store must be a readable file"):
            load_results(path)
    with pytest.raises(InvalidArgumentError, match=r"paths must be at least one store"):
        load_results()


@pytest.fixture
def frame(tmp_path) -> pd.DataFrame:
    draw = random.Random(7)
    rows = []
    for distance in (100.0, 50.0):
        for k in range(7):
            status = ("key", "aborted", "failed")[0 if k < 4 else 1 if k < 6 else 2]
            rate = {"key": draw.random(), "aborted": 0.0, "failed": None}[status]
            cells = {"rate_achieved": rate, "chsh": rate and 2 + rate}
            rows.append(
                _row(f"{distance}{k}", status=status, distance_km=distance, seed=k, **cells)
            )
    return load_results(_store(tmp_path / "store.csv", *rows))


def test_aggregate_is_the_literal_computation(frame):
    table = aggregate(frame, values=["rate_achieved"], quantiles=[0.25, 0.5])
    assert table["distance_km"].tolist() == [50.0, 100.0]
    for _, row in table.iterrows():
        rates = sorted(frame[frame["distance_km"] == row["distance_km"]]["rate_achieved"].dropna())
        assert (row["count"], row["keys"], row["aborted"], row["failed"]) == (6, 4, 2, 1)
        assert row["rate_achieved_count"] == 6
        assert math.isclose(row["rate_achieved_mean"], statistics.fmean(rates), rel_tol=1e-14)
        error = statistics.stdev(rates) / math.sqrt(6)
        assert math.isclose(row["rate_achieved_standard_error"], error, rel_tol=1e-13)
        # The quantile p of n values lies (n − 1) p steps above the least.
        assert math.isclose(row["rate_achieved_q0.25"], rates[1] + (rates[2] - rates[1]) / 4)
        assert math.isclose(row["rate_achieved_q0.5"], (rates[2] + rates[3]) / 2)


def test_aggregate_groups_as_told(frame):
    whole = aggregate(frame.drop(index=range(1, 14)), by=[], values=["chsh"])
    assert whole[["count", "chsh_count"]].to_numpy().tolist() == [[1, 1]]
    assert math.isnan(whole["chsh_standard_error"][0])
    assert len(aggregate(frame, by=["seed"])) == 7
    # A missing parameter is a group too.
    assert aggregate(frame, by=["coherence-time-s", "distance_km"])["count"].tolist() == [6, 6]
    for call, message in {
        lambda: aggregate(frame, by=["colour"]): r"column must be a parameter or a result: .*chsh",
        lambda: aggregate(frame, values=["security"]): r"values must be a column of numbers",
        lambda: aggregate(frame, quantiles=[1.5]): r"quantiles must be in \[0, 1\], got 1.5",
    }.items():
        with pytest.raises(InvalidArgumentError, match=message):
            call()


def test_select(frame):
    assert len(select(frame, {"distance-km": "5e1", "status": "key"})) == 4
    assert len(select(frame, {"mean_photon_number": "optimal"})) == 14
    with pytest.raises(InvalidArgumentError, match=r"conditions must be met by at least one row"):
        select(frame, {"distance_km": "51"})


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_export_keeps_everything(frame, tmp_path, suffix):
    path = tmp_path / f"copy{suffix}"
    export(frame, path)
    copy = load_results(path) if suffix == ".csv" else pd.read_parquet(path)
    pd.testing.assert_frame_equal(copy, frame, check_exact=True)


def test_export_refuses_what_it_cannot_write(frame, tmp_path):
    with pytest.raises(InvalidArgumentError, match=r"a file ending in \.parquet or \.csv"):
        export(frame, tmp_path / "copy.xlsx")
    for name in ("missing/copy.csv", "missing/copy.parquet"):
        with pytest.raises(InputFileError, match=r"cannot write '.*missing"):
            export(frame, tmp_path / name)


def test_the_command_prints_and_exports(frame, tmp_path):
    store = str(tmp_path / "store.csv")
    before = Path(store).read_bytes()
    copy = tmp_path / "copy.parquet"
    result = CliRunner().invoke(
        app, ["results", store, "--json", "--value", "rate_achieved", "--export", str(copy)]
    )
    assert result.exit_code == 0
    table = aggregate(frame, values=["rate_achieved"], quantiles=())
    records = json.loads(result.stdout)
    assert [r["rate_achieved_mean"] for r in records] == table["rate_achieved_mean"].tolist()
    assert len(pd.read_parquet(copy)) == 14
    again = ["results", store, "--export", str(copy), "--replace"]
    assert CliRunner().invoke(app, again).exit_code == 0
    for arguments in (
        ["--export", str(copy)],
        ["--export", store],
        ["--export", store, "--replace"],
        ["--by", "colour"],
        ["--where", "distance_km"],
        ["--quantile", "2"],
        ["--json", "--csv"],
    ):
        refused = CliRunner().invoke(app, ["results", store, *arguments])
        assert refused.exit_code == 2
        assert refused.stderr.startswith("error: ")
        assert refused.stderr.count("\n") == 1
    assert Path(store).read_bytes() == before


def test_parameters_and_results_have_columns_of_their_own():
    assert len(set(COLUMNS)) == len(COLUMNS)
    assert not set(PARAMETERS.values()) & set(RESULTS)


def test_a_seed_run_again_by_another_version_is_no_other_seed(tmp_path):
    late = "2026-11-24T13:00:00.000+00:00"
    rows = [_row(f"{k:064x}", seed=k, key_length=100) for k in range(3)]
    again = [
        _row(f"{k + 9:064x}", seed=k, key_length=200, diqkd_version="9.9.9", finished_at=late)
        for k in range(3)
    ]
    points = aggregate(
        load_results(_store(tmp_path / "store.csv", *rows, *again)), values=["key_length"]
    )
    assert points["count"].tolist() == [3]
    assert points["key_length_mean"].tolist() == [200]
