"""Series of results: the runs that differ in nothing but one parameter and the seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from emulator.scenario.scenario import Scenario
from emulator.sweeps.results import distinct_runs, scenario_of, varying_parameters
from emulator.sweeps.store import PARAMETERS
from postprocessing.checks import instance_of, one_of
from postprocessing.errors import InvalidArgumentError

Interval = Literal["standard error", "quantiles"]
Values = npt.NDArray[np.float64]
Stores = Mapping[str, pd.DataFrame]

MOST_SERIES = 12
_QUANTILES = (0.05, 0.5, 0.95)
_UNITS = {"_db_per_km": "dB/km", "_km": "km", "_hz": "Hz", "_s": "s"}
_STOPPING = ("rounds", "pulses")
_WIDE = 100


@dataclass(frozen=True, eq=False)
class Series:
    """Points of one colour.

    Parameters
    ----------
    label : str
        What tells it from the other series; empty for an only one.
    scenario : Scenario
        That of one of its runs.
    x : ndarray of float64, shape (points,)
        Values of the parameter, ascending.
    y, low, high : ndarray of float64, shape (points,)
        The quantity over the seeds: mean and mean ∓ standard error (NaN for a single run), or
        median and the quantiles 5 % and 95 %.
    runs, aborted : ndarray of int64, shape (points,)
        Number of finished runs, and of those without a key.
    """

    label: str
    scenario: Scenario
    x: Values
    y: Values
    low: Values
    high: Values
    runs: npt.NDArray[np.int64]
    aborted: npt.NDArray[np.int64]


def series_of(
    stores: Stores, over: str, quantity: str, interval: Interval = "standard error"
) -> list[Series]:
    """Divide stores into series and take statistics over the seeds.

    Parameters
    ----------
    stores : mapping of str to DataFrame
        Tables of `emulator.sweeps.results.load_results` by label. Failed tasks are left out.
    over : str
        The parameter of the horizontal axis; runs where it is no number are left out. With
        ``rounds`` the runs that stop after a number of pulses count with the heralded rounds that
        are expected of them.
    quantity : str
        A result, or ``key_fraction``: key bits per heralded round.
    interval : {"standard error", "quantiles"}
        What the intervals are.

    Returns
    -------
    list of Series
        In the order of the stores.

    Raises
    ------
    InvalidArgumentError
        If the parameter is unknown or not numeric, or there are no runs or more series than
        `MOST_SERIES`.
    """
    instance_of("stores", stores, Mapping)
    for label, frame in stores.items():
        instance_of(f"stores[{label!r}]", frame, pd.DataFrame)
    if not isinstance(over, str) or over not in PARAMETERS or over in ("seed", "scheme"):
        named = (name for name in PARAMETERS if name not in ("seed", "scheme"))
        allowed = f"a parameter with numbers, one of {', '.join(named)}"
        raise InvalidArgumentError("over", over, allowed)
    one_of("interval", interval, get_args(Interval))
    found = []
    for label, every in stores.items():
        frame = distinct_runs(every)
        runs = _finished(frame, over)
        for parts, group in _groups(runs, over):
            name = ", ".join([*([label] if len(stores) > 1 else []), *parts])
            found.append(_series(name, group, quantity, interval))
    if not found:
        raise InvalidArgumentError("stores", list(stores), f"of runs with numbers for {over}")
    if len(found) > MOST_SERIES:
        names = sorted({column for f in stores.values() for column in varying_parameters(f)})
        allowed = f"at most {MOST_SERIES} series (choose with --where of {', '.join(names)})"
        raise InvalidArgumentError("stores", f"{len(found)} series", allowed)
    return found


def is_wide(x: Values) -> bool:
    """Tell whether values, ascending, span so much that a log axis suits them."""
    return bool(x[0] > 0 and x[-1] >= _WIDE * x[0])


def parameter_label(name: str) -> str:
    """Return the label of a parameter's axis, with its unit."""
    if name == "rounds":
        return "block size (heralded rounds)"
    if name == "pulses":
        return "emitted pulses (number)"
    for suffix, unit in _UNITS.items():
        if name.endswith(suffix):
            return f"{name.removesuffix(suffix).replace('_', ' ')} ({unit})"
    return f"{name.replace('_', ' ')} (dimensionless)"


def _finished(frame: pd.DataFrame, over: str) -> pd.DataFrame:
    """Return the runs that ended, with the columns ``x`` and ``key_fraction``."""
    runs = frame[frame["status"].isin(["key", "aborted"])].copy()
    x = pd.to_numeric(runs[PARAMETERS[over]], errors="coerce").astype(np.float64)
    if over == "rounds":
        expected = runs[PARAMETERS["pulses"]].astype(np.float64) * runs["gain_expected"]
        # A number of rounds, as the theory beside them asks for.
        x = x.fillna(expected.round().clip(lower=1))
    key, rounds = (runs[name].astype(np.float64) for name in ("key_length", "heralded_rounds"))
    runs["x"] = x
    # Runs that stop before the quantum phase have made no key of no rounds.
    runs["key_fraction"] = (key / rounds).where(rounds > 0, 0.0)
    return runs[x.notna()]


def _groups(runs: pd.DataFrame, over: str) -> Iterator[tuple[list[str], pd.DataFrame]]:
    """Divide runs by what varies beside the horizontal axis; yield the values as text."""
    axis = _STOPPING if over == "rounds" else (over,)
    left = [c for c in varying_parameters(runs) if c not in {PARAMETERS[name] for name in axis}]
    if not left:
        if len(runs):
            yield [], runs
        return
    for values, group in runs.groupby(left, dropna=False):
        yield [_part(name, value) for name, value in zip(left, values, strict=True)], group


def _part(column: str, value: Any) -> str:
    """Return the value of a parameter as it stands in a legend."""
    if column in ("scheme", "security"):
        return str(value)
    if column == "files_sha256":
        return "-" if pd.isna(value) else f"file {str(value)[:8]}"
    shown = "-" if pd.isna(value) else value if isinstance(value, str) else f"{value:.6g}"
    text, _, unit = parameter_label(column.removeprefix("scenario_")).partition(" (")
    unit = unit.removesuffix(")")
    return f"{text} {shown}" + (f" {unit}" if unit in _UNITS.values() else "")


def _series(label: str, group: pd.DataFrame, quantity: str, interval: Interval) -> Series:
    """Take the statistics of one series."""
    points = group.groupby("x")[quantity]
    if interval == "quantiles":
        low, y, high = (points.quantile(quantile) for quantile in _QUANTILES)
    else:
        y, error = points.mean(), points.sem()
        low, high = y - error, y + error
    aborted = (group["status"] == "aborted").groupby(group["x"]).sum()
    counts = (points.size(), aborted)
    return Series(
        label,
        scenario_of(dict(zip(group.columns, group.iloc[0], strict=True))),
        y.index.to_numpy(dtype=np.float64),
        *(values.to_numpy(dtype=np.float64) for values in (y, low, high)),
        *(count.to_numpy(dtype=np.int64) for count in counts),
    )
