"""The strokes that pictures of results are made of: lines, points, crosses and their legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emulator.plotting.series import Interval, Series, is_wide, parameter_label
from emulator.plotting.style import COLOURS, LINES, MARKERS, legend_below, show_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

_PALETTE = [colour for name, colour in COLOURS.items() if name != "black"]
_SHAPES = [marker for marker in MARKERS.values() if marker]
_POINTS = {
    "standard error": "emulated: mean ± standard error",
    "quantiles": "emulated: median, 5 % to 95 %",
}
# Height, as a part of the axes, of the crosses below a log axis.
_BOTTOM = 0.03


def draw_line(
    axes: Axes, over: str, theory: pd.DataFrame, column: str, k: int | None, line: str
) -> None:
    """Draw a column of theory in the colour of series k, or in black; zeros of a log axis end it.

    A line of one point is a dash. The column is the line's group identity (``gid``).
    """
    y = theory[column].to_numpy(dtype=np.float64)
    if axes.get_yscale() == "log":
        y = np.where(y > 0, y, np.nan)
    if np.isnan(y).all():
        return
    axes.plot(
        theory[over],
        y,
        color=COLOURS["black"] if k is None else _colour(k),
        linestyle=LINES[line],
        linewidth=1.6,
        marker="_" if len(y) == 1 else "",
        markersize=16,
        gid=column,
    )


def draw_points(axes: Axes, points: Series, k: int, *, with_aborts: bool = False) -> None:
    """Draw the points of series k with their intervals.

    With aborts, points with aborted runs are hollow, and a cross stands where no key is left: at
    the bottom of a log axis, else at 0.
    """
    keyless = (points.aborted == points.runs) | (points.y == 0)
    log = axes.get_yscale() == "log"
    if with_aborts:
        height = np.full(int(keyless.sum()), _BOTTOM if log else 0.0)
        place: dict[str, Any] = {"transform": axes.get_xaxis_transform()} if log else {}
        axes.plot(points.x[keyless], height, "x", color=_colour(k), clip_on=False, **place)
        shown = np.isfinite(points.y) & ~keyless
        partly = shown & (points.aborted > 0)
    else:
        shown = np.isfinite(points.y)
        partly = np.zeros_like(shown)
    for chosen, face in ((shown & ~partly, _colour(k)), (partly, "none")):
        if not chosen.any():
            continue
        y, low, high = (values[chosen] for values in (points.y, points.low, points.high))
        # Below a log axis an interval has no end: it is drawn down to a hundredth of its point.
        ends = np.where(low <= 0, y / 100, low) if log else low
        axes.errorbar(
            points.x[chosen],
            y,
            yerr=np.array([y - ends, high - y]),
            linestyle="none",
            marker=_shape(k),
            markersize=5,
            color=_colour(k),
            markerfacecolor=face,
            capsize=2.5,
            linewidth=1.1,
        )


def show_decades(axes: Axes) -> None:
    """Let a log axis show whole decades, with room for the crosses at the bottom."""
    low, high = axes.get_ylim()
    axes.set_ylim(10 ** np.floor(np.log10(low)), 10 ** np.ceil(np.log10(high)))


def finish(
    axes: Axes,
    over: str,
    series: Sequence[Series],
    lines: Mapping[str, str],
    interval: Interval,
    *,
    with_aborts: bool = False,
) -> None:
    """Label the horizontal axis and set the legend: the series, then the kinds of marks."""
    x = np.unique(np.concatenate([points.x for points in series]))
    scale = "log" if is_wide(x) or over in ("rounds", "pulses") else "linear"
    axes.set(xlabel=parameter_label(over), xscale=scale)
    show_grid(axes)
    handles = [
        _handle(points.label, _colour(k), marker=_shape(k))
        for k, points in enumerate(series)
        if points.label
    ]
    handles.append(_handle(_POINTS[interval], COLOURS["black"], marker="o"))
    handles += [_handle(name, COLOURS["black"], line=line) for name, line in lines.items()]
    if with_aborts and any(points.aborted.any() for points in series):
        handles.append(_handle("some runs aborted", COLOURS["black"], marker="o", hollow=True))
        handles.append(_handle("no key: all runs aborted", COLOURS["black"], marker="x"))
    legend_below(axes, columns=2, handles=handles)


def _handle(
    label: str, colour: str, *, marker: str = "", line: str = "", hollow: bool = False
) -> Line2D:
    """Return an entry of the legend."""
    from matplotlib.lines import Line2D

    style: Any = LINES[line] if line else "none"
    face = "none" if hollow else colour
    return Line2D(
        [], [], color=colour, marker=marker, markerfacecolor=face, linestyle=style, label=label
    )


def _colour(k: int) -> str:
    """Return the colour of series k."""
    return _PALETTE[k % len(_PALETTE)]


def _shape(k: int) -> str:
    """Return the marker of series k, another one where colours repeat."""
    return _SHAPES[(k + k // len(_PALETTE)) % len(_SHAPES)]
