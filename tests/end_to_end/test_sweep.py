"""Sweeps as their users meet them: killed and resumed, on every executor, with failing tasks."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from emulator import load_plan, load_scenario, run, sweep
from emulator.cli.app import app
from emulator.sweeps.executors import local_processes
from emulator.sweeps.store import COLUMNS, TIMINGS
from postprocessing.errors import DiqkdError, InvalidArgumentError

DIQKD = Path(sys.executable).parent / "diqkd"
# Far beyond what anything here takes on a busy machine: what takes longer hangs.
HANG_S = 600.0
TASKS = 100
# Every status: 20 keys, 30 aborts, and 50 failures out of the range of the model.
SWEEP = """
seeds = 10
zip = [["distance_km", "pulses"]]

[scenario]
preset = "ecs-100km"
security = "asymptotic"
completeness = 1e-6
mean_photon_number = 0.05

[axes]
distance_km = [0, 50, 200, 0, 100]
pulses = [10, 20, 10, 3e5, 2e6]
misalignment_error = [0, 2]
"""


def _call(*arguments: object):
    return CliRunner().invoke(app, ["sweep", *map(str, arguments)])


def _rows(path: Path) -> pd.DataFrame:
    """Return the rows of a store as text, sorted and without timings."""
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert tuple(rows.columns) == COLUMNS
    return rows.drop(columns=list(TIMINGS)).sort_values("task", ignore_index=True)


@pytest.fixture(scope="module")
def sweep_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("sweep") / "sweep.toml"
    path.write_text(SWEEP)
    return path


@pytest.fixture(scope="module")
def uninterrupted(sweep_file) -> Path:
    """Return the store of the sweep in one process."""
    store = sweep_file.with_name("uninterrupted.csv")
    with ThreadPoolExecutor(1) as executor:
        summary = sweep(load_plan(sweep_file), store, executor)
    assert (summary.tasks, summary.finished, summary.remaining) == (TASKS, TASKS, 0)
    return store


def test_the_sweep_has_every_status(uninterrupted):
    rows = _rows(uninterrupted)
    assert rows["task"].is_unique
    assert rows.groupby(["status", "reason"]).size().to_dict() == {
        ("aborted", "too few heralded rounds"): 30,
        ("failed", "misalignment_error must be in [0, 1], got 2.0"): 50,
        ("key", ""): 20,
    }
    for text in rows.loc[rows["status"] == "key", "key_sha256"]:
        assert re.fullmatch("[0-9a-f]{64}", text)


def test_a_row_is_its_run(uninterrupted):
    """A row of the store, run by itself on all threads, is the same run."""
    rows = _rows(uninterrupted)
    row = rows[(rows["status"] == "key") & (rows["distance_km"] == "100.0")].iloc[0]
    names = (
        "distance_km", "misalignment_error", "mean_photon_number", "seed", "security",
        "completeness",
    )  # fmt: skip
    flags = [text for name in names for text in (f"--{name.replace('_', '-')}", row[name])]
    flags += ["--pulses", row["scenario_pulses"]]
    report = json.loads(CliRunner().invoke(app, ["run", *flags, "--json"]).stdout)
    found = (
        report["key_sha256"], report["pulses"], report["chsh"]["estimate"],
        report["qber"]["estimate"], report["leaked_bits"], report["rates_per_pulse"]["achieved"],
        report["design"]["predicted_abort_probability"],
    )  # fmt: skip
    names = (
        "key_sha256", "pulses", "chsh", "qber", "leaked_bits", "rate_achieved",
        "predicted_abort_probability",
    )  # fmt: skip
    assert tuple(map(str, found)) == tuple(row[name] for name in names)


def test_killed_three_times_and_resumed(sweep_file, uninterrupted, tmp_path):
    """On processes of its own, then twice in one process; whatever is left is done at last."""
    store = tmp_path / "killed.csv"
    command = [DIQKD, "sweep", sweep_file, "--store", store, "--json"]
    moments = random.Random(8)
    present = 0
    for where in (["--workers", "2"], ["--in-process"], ["--in-process"]):
        wanted = min(present + moments.randrange(1, 30), 80)
        with subprocess.Popen(command + where, stdout=subprocess.PIPE, text=True) as process:
            while present < wanted:
                assert process.stdout.readline()
                present += 1
            time.sleep(moments.uniform(0, 0.01))
            process.kill()
        assert process.returncode == -signal.SIGKILL
        present = store.read_bytes().count(b"\n") - 1
        assert wanted <= present < TASKS
    assert _call(sweep_file, "--store", store, "--in-process").exit_code == 1
    pd.testing.assert_frame_equal(_rows(store), _rows(uninterrupted))


def test_a_rerun_adds_nothing(sweep_file, uninterrupted):
    before = uninterrupted.read_bytes()
    result = _call(sweep_file, "--store", uninterrupted, "--in-process")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{uninterrupted}: {TASKS} of {TASKS} tasks, 0 of them new",
        "20 with a key, 30 aborted, 50 failed",
    ]
    assert result.stderr.startswith("error: 50 tasks failed")
    assert uninterrupted.read_bytes() == before


def test_dask_gives_the_same_rows(sweep_file, uninterrupted, tmp_path):
    from distributed import LocalCluster

    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**options) as cluster:
        address = cluster.scheduler_address
        result = _call(sweep_file, "--store", tmp_path / "store.csv", "--dask", address, "--json")
    assert result.exit_code == 1
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert all(tuple(line) == COLUMNS for line in lines)
    rows = _rows(tmp_path / "store.csv")
    assert sorted(line["task"] for line in lines) == rows["task"].tolist()
    pd.testing.assert_frame_equal(rows, _rows(uninterrupted))


def test_two_sweeps_at_once_into_one_store(sweep_file, uninterrupted, tmp_path):
    store = tmp_path / "shared.csv"
    command = [DIQKD, "sweep", sweep_file, "--store", store, "--in-process", "--json"]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=HANG_S)[0] for process in processes]
    tasks = [json.loads(line)["task"] for output in outputs for line in output.splitlines()]
    assert sorted(tasks) == _rows(store)["task"].tolist()
    pd.testing.assert_frame_equal(_rows(store), _rows(uninterrupted))


SMALL = """
[scenario]
preset = "ecs-100km"
rounds = 2e4
security = "asymptotic"
mean_photon_number = 0.05
[axes]
"""


def _small(folder: Path, axes: str, first: str = "") -> Path:
    path = folder / "sweep.toml"
    path.write_text(f"{first}\n{SMALL}{axes}\n")
    return path


def test_failures_are_retried_on_request(tmp_path):
    path, store = _small(tmp_path, "misalignment_error = [0, 2]"), tmp_path / "store.csv"
    assert _call(path, "--store", store, "--in-process").exit_code == 1
    again = _call(path, "--store", store, "--in-process", "--retry-failed")
    assert again.exit_code == 1
    assert f"{store}: 2 of 2 tasks, 1 of them new" in again.stdout
    rows = pd.read_csv(store)
    assert rows["status"].tolist() == ["key", "failed", "failed"]
    assert rows["task"].nunique() == 2


def test_a_failure_that_passes(tmp_path, monkeypatch):
    import emulator.runner

    plan, store = load_plan(_small(tmp_path, "distance_km = [0, 50]")), tmp_path / "store.csv"
    seen = []
    with monkeypatch.context() as patch, ThreadPoolExecutor(1) as executor:
        patch.setattr(emulator.runner, "run", lambda *_, **__: 1 / 0)
        first = sweep(plan, store, executor, on_row=lambda row, _: seen.append(row["reason"]))
    assert (first.failed, seen) == (2, ["ZeroDivisionError: division by zero"] * 2)
    with ThreadPoolExecutor(1) as executor:
        assert sweep(plan, store, executor).finished == 0
        second = sweep(plan, store, executor, retry_failed=True)
    assert (second.key, second.failed, second.finished) == (2, 0, 2)
    assert pd.read_csv(store)["status"].tolist() == ["failed"] * 2 + ["key"] * 2


def test_a_worker_that_dies_loses_nothing(sweep_file, uninterrupted, tmp_path):
    """Its tasks run again, and the store is that of an undisturbed sweep."""
    store = tmp_path / "store.csv"
    code = """if True:
        import multiprocessing, os, signal, sys
        from emulator import load_plan, load_scenario, run, sweep
        def kill(row, summary):
            if summary.finished == 30:
                os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
        if __name__ == "__main__":
            sweep(load_plan(sys.argv[1]), sys.argv[2], on_row=kill)
    """
    command = [sys.executable, "-c", code, sweep_file, store]
    subprocess.run(command, check=True)
    pd.testing.assert_frame_equal(_rows(store), _rows(uninterrupted))


def test_a_task_that_takes_its_process_down_fails_alone(tmp_path):
    """One task of six kills whatever process it runs in: it fails, the others have rows."""
    script, store = tmp_path / "killer.py", tmp_path / "store.csv"
    script.write_text("""if True:
        import os, pathlib, signal, sys
        from emulator import SweepPlan
        from emulator.sweeps import sweeper, task
        honest = task.run_task
        def run_task(one):
            if one.scenario.distance_km == 40:
                os.kill(os.getpid(), signal.SIGKILL)
            return honest(one)
        sweeper.run_task = run_task
        if __name__ == "__main__":
            plan = {
                "scenario": {"preset": "ecs-100km", "pulses": 10},
                "axes": {"distance_km": [0, 20, 40, 60, 80, 100]},
            }
            summary = sweeper.SweepRun(SweepPlan.from_parameters(plan), pathlib.Path(sys.argv[1]))
            print(summary.run_on_processes(2).failed)
    """)
    result = subprocess.run(
        [sys.executable, script, store], capture_output=True, text=True, check=True
    )
    rows = _rows(store).set_index("distance_km")
    assert result.stdout == "1\n"
    assert rows["status"].to_dict() == {
        f"{distance}.0": "failed" if distance == 40 else "aborted" for distance in range(0, 120, 20)
    }
    assert rows.loc["40.0", "reason"] == "its process died (killed, or out of memory?)"


def test_workers_that_are_gone_end_the_sweep(sweep_file, uninterrupted, tmp_path):
    """An executor of the caller's is not replaced: the sweep says what is left, for the next."""
    store = tmp_path / "store.csv"
    with local_processes(2) as executor:
        processes = list(executor._processes.values())

        def kill(row, summary):
            if summary.finished == 10:
                processes[0].kill()

        with pytest.raises(DiqkdError, match=r"the workers are gone .*: (\d+) tasks are left"):
            sweep(load_plan(sweep_file), store, executor, on_row=kill)
    known, rows = _rows(uninterrupted), _rows(store)
    assert 10 <= len(rows) < TASKS
    of_them = known[known["task"].isin(rows["task"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows, of_them)
    with local_processes(2) as executor:
        sweep(load_plan(sweep_file), store, executor)
    pd.testing.assert_frame_equal(_rows(store), known)


def test_an_error_of_the_caller_ends_the_sweep_at_once(sweep_file, tmp_path):
    def refuse(row, summary):
        raise RuntimeError("enough")

    with ThreadPoolExecutor(1) as executor, pytest.raises(RuntimeError, match=r"enough"):
        sweep(load_plan(sweep_file), tmp_path / "store.csv", executor, on_row=refuse)
    assert len(_rows(tmp_path / "store.csv")) == 1


def test_a_number_of_threads_is_checked():
    scenario = load_scenario("ecs-100km")
    with pytest.raises(InvalidArgumentError, match=r"threads must be a whole number in .*, got 0"):
        run(scenario.build_model(), heralded_rounds=10, threads=0)


def test_interrupt_keeps_what_is_finished(sweep_file, tmp_path):
    """Ctrl-C, which all processes of a terminal receive."""
    store = tmp_path / "store.csv"
    command = [DIQKD, "sweep", sweep_file, "--store", store, "--workers", "2"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        while not store.exists():
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=HANG_S)
    assert process.returncode == 130
    present = len(_rows(store))
    assert f"{store}: {present} of {TASKS} tasks, {present} of them new" in output
    assert errors.splitlines() == [
        "interrupted: waiting for the tasks that run; a second Ctrl-C leaves at once",
        f"interrupted: {TASKS - present} tasks remain, run again to continue",
    ]


@pytest.mark.parametrize(
    ("axes", "options", "line"),
    [
        (
            "distance = [1]",
            [],
            r"axis must be one of distance_km, .*, got 'distance'; did you mean 'distance_km'\?",
        ),
        ("distance_km = ", [], r"sweep must be valid TOML, '.*' is not: .*"),
        ("distance_km = [0]", ["--workers", "0"], r"--workers must be a whole number in .*, got 0"),
        (
            "distance_km = [0]",
            ["--workers", "2", "--in-process"],
            r"options must be one of --workers, --in-process and --dask, got .*",
        ),
        (
            "distance_km = [0]",
            ["--dask", "tcp://127.0.0.1:9"],
            r"--dask must be the address of a Dask scheduler that answers within 5 s, got .*",
        ),
        (
            "distance_km = [0]",
            ["--dask", "cluster"],
            r"--dask must be of the form tcp://host:port .*, got 'cluster'",
        ),
    ],
)
def test_bad_input_gets_one_clear_line_and_leaves_the_store(tmp_path, axes, options, line):
    store = tmp_path / "store.csv"
    old = f"{','.join(COLUMNS)}\n1,abc,key,".encode()
    store.write_bytes(old)
    result = _call(_small(tmp_path, axes), "--store", store, *options)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert re.fullmatch(f"error: {line}\n", result.stderr)
    assert store.read_bytes() == old
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store.csv", "sweep.toml"]


@pytest.mark.parametrize("changed", ["store_version,", "qber_expected,", "seconds,"])
def test_a_store_of_another_version_is_refused(tmp_path, changed):
    store = tmp_path / "store.csv"
    header = ",".join(COLUMNS).replace(changed, f"other_{changed}")
    store.write_text(f"{header}\n")
    result = _call(_small(tmp_path, "distance_km = [0]"), "--store", store)
    assert result.exit_code == 2
    assert re.fullmatch(r"error: --store must be a new file or a store of .*\n", result.stderr)
    assert store.read_text() == f"{header}\n"
