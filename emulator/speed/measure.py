"""bench(): the stages measured one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import date
from statistics import quantiles
from typing import Any

from emulator.speed.cases import Case, Prepared, forget, own_cases
from emulator.speed.machine import this_machine
from emulator.speed.peers import peer_cases
from emulator.speed.result import Benchmark, Measurement
from emulator.speed.timing import timed
from postprocessing.checks import callback, flag, one_of, real_number, thread_count
from postprocessing.errors import InvalidArgumentError

ProgressCallback = Callable[[str, float | None], None]

# Of frames by themselves: enough for a quantile, if that does not take too long.
_MOST_FRAMES, _PATIENCE = 300, 5
STAGES = tuple(dict.fromkeys(case.stage for case in own_cases()))


def bench(
    stages: Sequence[str] | None = None,
    *,
    seconds: float = 1.0,
    peers: bool = True,
    threads: int | None = None,
    on_progress: ProgressCallback | None = None,
) -> Benchmark:
    """Measure how fast this machine is, stage by stage.

    Parameters
    ----------
    stages : sequence of str, optional
        Of "sampling", "sifting", "encoding", "decoding", "sifted keys", "verification",
        "amplification" and "whole runs"; all by default.
    seconds : float, optional
        How long each case is called again and again, in (0, 3600]; at least three times. All of
        them take about two minutes at 1 s.
    peers : bool, optional
        Whether to measure other implementations too, those that are installed.
    threads : int, optional
        What "all" threads are, in [1, 1000]; by default one a processor.
    on_progress : callable, optional
        Called with the case and the finished fraction.

    Returns
    -------
    Benchmark
        Rates, latencies and memory; a wrong result is told in its line.

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range.

    Examples
    --------
    >>> found = bench(["verification"], seconds=0.01, peers=False)
    >>> [(one.what, one.is_right) for one in found.measurements]
    [('tag of 64 bits', True)]
    """
    wanted = STAGES if stages is None else stages
    if not isinstance(wanted, Sequence) or isinstance(wanted, str | bytes):
        raise InvalidArgumentError("stages", stages, f"some of {', '.join(STAGES)}")
    # A stage that is named twice is measured once.
    chosen = dict.fromkeys(one_of("stages", stage, STAGES) for stage in wanted)
    seconds = real_number("seconds", seconds, "in (0, 3600]", within=lambda s: 0 < s <= 3600)
    threads, on_progress = thread_count(threads), callback("on_progress", on_progress)
    cases = own_cases() + (peer_cases() if flag("peers", peers) else [])
    cases = [case for stage in chosen for case in cases if case.stage == stage]
    found = []
    try:
        for done, case in enumerate(cases):
            if on_progress is not None:
                on_progress(f"{case.stage}: {case.what}, {case.by}", done / len(cases))
            found.append(_measured(case, threads, seconds))
    finally:
        forget()
    return Benchmark(this_machine(), date.today().isoformat(), tuple(found))


def _measured(case: Case, threads: int, seconds: float) -> Measurement:
    """Measure one case; what is slow and not ours is called once more only."""
    ours = case.by == "diqkd"
    ready = case.prepare(threads if case.threads == "all" else 1)
    timing = timed(ready.work, seconds, *(() if ours else (1,)))
    latencies = _latencies(ready, seconds) if case.threads == "one" else {}
    return Measurement(
        stage=case.stage,
        what=case.what,
        by=case.by,
        threads=case.threads,
        unit=case.unit,
        amount=ready.amount,
        calls=timing.calls,
        rate_wall=ready.amount / timing.wall_s / 1e6,
        rate_cpu=ready.amount / timing.cpu_s / 1e6,
        first_s=timing.first_s,
        is_right=ready.is_right(timing.result),
        added_mib=timing.added_mib,
        efficiency=ready.efficiency and ready.efficiency(timing.result),
        **latencies,
    )


def _latencies(ready: Prepared, seconds: float) -> dict[str, Any]:
    """Return the median and the 99 % quantile of the time of a frame by itself."""
    if ready.frame is None:
        return {}
    times: list[float] = []
    while len(times) < 2 or (len(times) < _MOST_FRAMES and sum(times) < _PATIENCE * seconds):
        started = time.perf_counter()
        ready.frame(len(times) % ready.frames)
        times.append(1e3 * (time.perf_counter() - started))
    cuts = quantiles(times, n=100, method="inclusive")
    return {"frame_p50_ms": cuts[49], "frame_p99_ms": cuts[98], "frames_timed": len(times)}
