"""Time and memory of calls."""

from __future__ import annotations

import ctypes
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LEAST_REPEATS = 3
_CLEAR_PEAK = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Timing:
    """Calls of one function.

    Parameters
    ----------
    first_s : float
        Time of the first call, in which kernels are compiled or loaded and codes grown.
    wall_s, cpu_s : float
        Medians of the other calls: by the clock, and of all threads together.
    calls : int
        How many these were.
    added_mib : float or None
        Most memory that these took beside what the process held before; None where the system does
        not tell.
    result : Any
        What the first call returned.
    """

    first_s: float
    wall_s: float
    cpu_s: float
    calls: int
    added_mib: float | None
    result: Any


def timed(work: Callable[[], Any], seconds: float, least: int = LEAST_REPEATS) -> Timing:
    """Call a function once, then again and again for some time.

    Parameters
    ----------
    work : callable
        The function.
    seconds : float
        For how long, though no less than `least` times.
    least : int
        Fewest calls that count.
    """
    started = time.perf_counter()
    result = work()
    first = time.perf_counter() - started
    wall: list[float] = []
    cpu: list[float] = []
    before = _memory_mib("VmRSS") if _clear_peak() else None
    while len(wall) < least or sum(wall) < seconds:
        began, began_cpu = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - began_cpu)
    peak = _memory_mib("VmHWM")
    added = max(0.0, peak - before) if peak is not None and before is not None else None
    middle = statistics.median(wall), statistics.median(cpu)
    return Timing(first, *middle, len(wall), added, result)


def _clear_peak() -> bool:
    """Have the system count the most memory anew; tell whether it does."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        # What was freed before is given back, so that it does not count as held.
        trim(0)
    try:
        _CLEAR_PEAK.write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _memory_mib(what: str) -> float | None:
    """Return what Linux tells of the memory of this process."""
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    kib = (line.split()[1] for line in lines if line.startswith(what))
    return next((int(each) / 1024 for each in kib), None)
