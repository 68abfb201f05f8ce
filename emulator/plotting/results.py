"""Pictures of results: theory as lines, emulated runs as points with intervals.

Each function draws on the axes it is given, or on new ones, and returns them. A colour is a series:
runs that differ in nothing but the horizontal axis and the seed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from emulator.plotting.drawing import draw_line, draw_points, finish, show_decades
from emulator.plotting.series import Interval, Series, Stores, is_wide, series_of
from emulator.plotting.style import axes_or_new
from emulator.scenario.scenario import Scenario
from emulator.sweeps.results import column_types
from emulator.sweeps.store import PARAMETERS
from emulator.theory.curves import theory_line
from postprocessing.checks import one_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUANTITIES = {"chsh": "CHSH value S (dimensionless)", "qber": "QBER (errors per key round)"}

_POINTS = 41


def plot_rate(
    stores: Stores,
    ax: Axes | None = None,
    *,
    over: str = "distance_km",
    interval: Interval = "standard error",
) -> Axes:
    """Draw secret bits per pulse, on a log axis, against the distance or another parameter.

    Points are what the runs achieved, where an abort counts as 0: points with some aborted runs are
    hollow, and a cross at the bottom marks those of which nothing remains. Lines are the asymptotic
    rate (solid), the rate of the finite-size design (dashed; none for asymptotic keys) and the PLOB
    bound (dotted).

    Parameters
    ----------
    stores : mapping of str to DataFrame
        Tables of `emulator.sweeps.results.load_results` by label.
    ax : matplotlib Axes, optional
        Where to draw; by default in a figure of its own, ``axes.figure``.
    over : str
        The parameter of the horizontal axis.
    interval : {"standard error", "quantiles"}
        Mean and its standard error, or median and the quantiles 5 % and 95 %, over the seeds.

    Returns
    -------
    matplotlib Axes
        The axes; the legend is below them.

    Raises
    ------
    InvalidArgumentError
        If there is nothing to draw, or too much; see `emulator.plotting.series.series_of`.

    Examples
    --------
    >>> import tempfile
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> import diqkd
    >>> from emulator.sweeps.plan import SweepPlan
    >>> scenario = {"preset": "ecs-100km", "rounds": 100_000, "security": "asymptotic"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = f"{folder}/results.csv"
    ...     _ = diqkd.sweep(SweepPlan(scenario=scenario), store, ThreadPoolExecutor(1))
    ...     axes = plot_rate({"mine": diqkd.load_results(store)})
    >>> axes.get_xlabel()
    'distance (km)'
    """
    series = series_of(stores, over, "rate_achieved", interval)
    axes = axes_or_new(ax)
    axes.set_title("Secret key rate", fontsize="medium")
    axes.set(ylabel="key rate (secret bit/pulse)", yscale="log")
    lines = [_theory(s, over, finite_size=True) for s in series]
    bounds = {tuple(line["plob_bound"]) for line in lines}
    for k, (points, line) in enumerate(zip(series, lines, strict=True)):
        draw_line(axes, over, line, "rate_asymptotic", k, "solid")
        draw_line(axes, over, line, "rate_finite_size", k, "dashed")
        if len(bounds) > 1:
            draw_line(axes, over, line, "plob_bound", k, "dotted")
        draw_points(axes, points, k, with_aborts=True)
    if len(bounds) == 1:
        draw_line(axes, over, lines[0], "plob_bound", None, "dotted")
    show_decades(axes)
    kinds = {"asymptotic theory": "solid", "finite-size design": "dashed", "PLOB bound": "dotted"}
    finish(axes, over, series, kinds, interval, with_aborts=True)
    return axes


def plot_quantity(
    stores: Stores,
    quantity: str,
    over: str,
    ax: Axes | None = None,
    *,
    interval: Interval = "standard error",
) -> Axes:
    """Draw the observed CHSH value or QBER against a parameter, with the expected one as a line.

    Parameters
    ----------
    stores : mapping of str to DataFrame
        Tables of `emulator.sweeps.results.load_results` by label.
    quantity : {"chsh", "qber"}
        What to draw. Runs that did not observe it are left out.
    over : str
        The parameter of the horizontal axis.
    ax : matplotlib Axes, optional
        Where to draw; by default in a figure of its own, ``axes.figure``.
    interval : {"standard error", "quantiles"}
        Mean and its standard error, or median and the quantiles 5 % and 95 %, over the seeds.

    Returns
    -------
    matplotlib Axes
        The axes; the legend is below them.

    Raises
    ------
    InvalidArgumentError
        If the quantity is another or there is nothing to draw, or too much.

    Examples
    --------
    >>> import tempfile
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> import diqkd
    >>> from emulator.sweeps.plan import SweepPlan
    >>> scenario = {"preset": "ecs-100km", "rounds": 100_000, "security": "asymptotic"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = f"{folder}/results.csv"
    ...     _ = diqkd.sweep(SweepPlan(scenario=scenario), store, ThreadPoolExecutor(1))
    ...     axes = plot_quantity({"mine": diqkd.load_results(store)}, "chsh", "distance_km")
    >>> axes.get_xlabel()
    'distance (km)'
    """
    one_of("quantity", quantity, QUANTITIES)
    series = series_of(stores, over, quantity, interval)
    axes = axes_or_new(ax)
    axes.set_title(QUANTITIES[quantity].partition(" (")[0], fontsize="medium")
    axes.set(ylabel=QUANTITIES[quantity])
    for k, points in enumerate(series):
        draw_line(axes, over, _theory(points, over), quantity, k, "solid")
        draw_points(axes, points, k)
    finish(axes, over, series, {"theory": "solid"}, interval)
    return axes


def plot_finite_size(
    stores: Stores, ax: Axes | None = None, *, interval: Interval = "standard error"
) -> Axes:
    """Draw key bits per heralded round against the block size, on a log axis.

    Points are what the runs achieved, where an abort counts as 0: points with some aborted runs are
    hollow, crosses are points of aborted runs alone. Lines are the finite-size design (dashed; none
    for asymptotic keys) and its asymptotic limit (solid).

    Parameters
    ----------
    stores : mapping of str to DataFrame
        Tables of `emulator.sweeps.results.load_results` by label.
    ax : matplotlib Axes, optional
        Where to draw; by default in a figure of its own, ``axes.figure``.
    interval : {"standard error", "quantiles"}
        Mean and its standard error, or median and the quantiles 5 % and 95 %, over the seeds.

    Returns
    -------
    matplotlib Axes
        The axes; the legend is below them.

    Raises
    ------
    InvalidArgumentError
        If there is nothing to draw, or too much; see `emulator.plotting.series.series_of`.

    Examples
    --------
    >>> import tempfile
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> import diqkd
    >>> from emulator.sweeps.plan import SweepPlan
    >>> scenario = {"preset": "ecs-100km", "rounds": 100_000, "security": "asymptotic"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = f"{folder}/results.csv"
    ...     _ = diqkd.sweep(SweepPlan(scenario=scenario), store, ThreadPoolExecutor(1))
    ...     axes = plot_finite_size({"mine": diqkd.load_results(store)})
    >>> axes.get_xlabel()
    'block size (heralded rounds)'
    """
    series = series_of(stores, "rounds", "key_fraction", interval)
    axes = axes_or_new(ax)
    axes.set_title("Finite-size key", fontsize="medium")
    axes.set(ylabel="key (secret bit/heralded round)", xscale="log")
    for k, points in enumerate(series):
        line = _theory(points, "rounds", finite_size=True)
        line["limit"] = line["rate_asymptotic"] / line["gain"]
        draw_line(axes, "rounds", line, "limit", k, "solid")
        draw_line(axes, "rounds", line, "key_fraction", k, "dashed")
        draw_points(axes, points, k, with_aborts=True)
    kinds = {"asymptotic theory": "solid", "finite-size design": "dashed"}
    finish(axes, "rounds", series, kinds, interval, with_aborts=True)
    return axes


def _theory(points: Series, over: str, *, finite_size: bool = False) -> pd.DataFrame:
    """Return the theory of a series on a fine grid that holds its points."""
    grid = points.x
    of_run = over in Scenario.model_fields
    stepped = column_types()[PARAMETERS[over]] == "Int64"
    if len(grid) > 1 and (of_run or not stepped):
        fine = np.geomspace if is_wide(grid) else np.linspace
        between = fine(grid[0], grid[-1], _POINTS)[1:-1]
        grid = np.union1d(grid, np.round(between) if stepped else between)
    return theory_line(points.scenario, over, grid.tolist(), finite_size=finite_size)
