"""Sweeps: speed-up on two processes, what a task costs beyond its run, loading many rows."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from rich.console import Console
from sizes import repeats, size

from emulator import SweepPlan, load_scenario, run, sweep
from emulator.sweeps.executors import local_processes
from emulator.sweeps.results import load_results
from emulator.sweeps.store import COLUMNS, PARAMETERS
from emulator.sweeps.task import SweepTask, failed_row
from postprocessing import Security

LONG = {
    "preset": "ecs-misaligned",
    "rounds": size(40_000_000, 1_000_000),
    "mean_photon_number": 0.08,
}
SHORT = {
    "preset": "ecs-100km",
    "rounds": size(2_000_000, 200_000),
    "mean_photon_number": 0.08,
    "security": "asymptotic",
}
ROWS = size(100_000, 1000)


def _say(text: str) -> None:
    Console().print(f"\n{text}")


def _warmed(workers: int):
    """Return processes that have imported and compiled what runs need."""
    processes = local_processes(workers)
    plan = SweepPlan.from_parameters({"scenario": SHORT, "seeds": 2 * workers})
    for task in plan.tasks():
        processes.submit(run, task.scenario.build_model(), heralded_rounds=2_000_000, threads=1)
    return processes


@pytest.mark.benchmark(group="sweeps")
def test_speed_up_of_two_processes(benchmark, tmp_path):
    """A compute-bound sweep of 16 tasks, three times on one process and on two."""
    plan = SweepPlan.from_parameters({"scenario": LONG, "seeds": size(16, 2)})
    seconds = {1: [], 2: []}

    def both():
        for workers in seconds:
            with _warmed(workers) as processes:
                processes.submit(time.time).result()
                started = time.perf_counter()
                sweep(plan, tmp_path / f"{workers}-{len(seconds[workers])}.csv", processes)
                seconds[workers].append(time.perf_counter() - started)

    benchmark.pedantic(both, rounds=repeats(3))
    ratios = sorted(one / two for one, two in zip(seconds[1], seconds[2], strict=True))
    middle = ratios[len(ratios) // 2]
    _say(f"speed-up with 2 processes: {middle:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


@pytest.mark.benchmark(group="sweeps")
def test_overhead_of_a_task(benchmark, tmp_path):
    """200 short tasks in one process, beside the same runs by themselves."""
    plan = SweepPlan.from_parameters({"scenario": {**SHORT, "rounds": 1e5}, "seeds": size(200, 4)})
    scenarios = [task.scenario for task in plan.tasks()]

    asymptotic = Security(method="asymptotic")

    def alone():
        for scenario in scenarios:
            model, seed = scenario.build_model(), scenario.seed
            run(model, heralded_rounds=10**5, security=asymptotic, seed=seed, threads=1)

    alone()
    started = time.perf_counter()
    alone()
    by_themselves = time.perf_counter() - started
    stores = iter(range(100))

    def swept():
        with ThreadPoolExecutor(1) as executor:
            sweep(plan, tmp_path / f"{next(stores)}.csv", executor)

    benchmark.pedantic(swept, rounds=repeats(5))
    overhead = (benchmark.stats.stats.median - by_themselves) / len(scenarios)
    _say(f"overhead of a task: {1e3 * overhead:.2f} ms")


@pytest.mark.benchmark(group="sweeps")
def test_loading_rows(benchmark, tmp_path):
    """A store of 1e5 rows into a data frame."""
    scenario = load_scenario("ecs-100km", {"seed": 1})
    row = failed_row(SweepTask.of(scenario), RuntimeError("none"))
    path = tmp_path / "store.csv"
    with path.open("w") as store:
        store.write(",".join(COLUMNS) + "\n")
        for number in range(ROWS):
            row |= {"task": f"{number:064x}", PARAMETERS["seed"]: number}
            store.write(",".join("" if row[c] is None else str(row[c]) for c in COLUMNS) + "\n")
    frame = benchmark.pedantic(load_results, (path,), rounds=5, warmup_rounds=repeats(1))
    assert len(frame) == ROWS
    _say(f"{ROWS} rows loaded in {benchmark.stats.stats.median:.2f} s")
