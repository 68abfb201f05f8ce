"""Pictures of figures: matplotlib behind two functions, imported only when one is called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emulator.papers import figure_data
from emulator.papers.figure import Axis, Curve, Figure
from emulator.plotting.style import (
    COLOURS,
    LINES,
    MARKERS,
    SUFFIXES,
    axes_or_new,
    check_suffix,
    legend_below,
    save_axes,
    show_grid,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

__all__ = ["SUFFIXES", "draw", "plot_figure", "save_figure"]

_MARKER_SPACING = 0.14
_LEGEND_COLUMNS = 4


def draw(figure: Figure, ax: Axes | None = None) -> Axes:
    """Draw a figure.

    Parameters
    ----------
    figure : Figure
        What to draw.
    ax : matplotlib Axes, optional
        Where to draw it; by default in a matplotlib figure of its own, ``axes.figure``, which no
        window holds.

    Returns
    -------
    matplotlib Axes
        The axes of the bottom and the left axis; the legend is below them.

    Examples
    --------
    >>> from emulator.papers import figure_data
    >>> draw(figure_data("li-fig2b")).get_xscale()
    'log'
    """
    axes = axes_or_new(ax)
    axes.set_title(figure.title, fontsize="medium")
    axes.set(xlabel=figure.x_axis.label, xscale=figure.x_axis.scale, xlim=figure.x_axis.limits)
    sides = {"left": axes}
    _dress(axes, figure.y_axis)
    if figure.right_axis is not None:
        sides["right"] = axes.twinx()
        _dress(sides["right"], figure.right_axis)
    lines = {curve: _draw_curve(sides[curve.axis], curve) for curve in figure.curves}
    show_grid(axes)
    _legend(axes, lines)
    return axes


def plot_figure(name: str, ax: Axes | None = None) -> Axes:
    """Draw a figure of Xie et al. or Li et al., computed from the models.

    Parameters
    ----------
    name : str
        One of `emulator.papers.FIGURES`, such as ``"xie-fig2"``.
    ax : matplotlib Axes, optional
        Where to draw it; by default in a figure of its own.

    Returns
    -------
    matplotlib Axes
        As of `draw`.

    Raises
    ------
    InvalidArgumentError
        If there is no such figure.

    Examples
    --------
    >>> plot_figure("li-fig2b").get_xscale()
    'log'
    """
    axes = axes_or_new(ax)
    return draw(figure_data(name), axes)


def save_figure(figure: Figure, path: Path | str) -> None:
    """Draw a figure into a file, in the format of its suffix.

    Parameters
    ----------
    figure : Figure
        What to draw.
    path : Path or str
        A file ending in .png, .svg or .pdf; an earlier one is replaced.

    Raises
    ------
    InvalidArgumentError
        If the suffix is another.
    InputFileError
        If the file cannot be written.
    """
    check_suffix(path)
    save_axes(draw(figure), path)


def _dress(axes: Axes, axis: Axis) -> None:
    """Label and scale a y axis."""
    axes.set(ylabel=axis.label, yscale=axis.scale, ylim=axis.limits)


def _draw_curve(axes: Axes, curve: Curve) -> Line2D:
    """Draw a curve and return its line."""
    style = curve.style
    (line,) = axes.plot(
        curve.x,
        curve.y,
        label=curve.label,
        color=COLOURS[style.colour],
        linestyle=LINES[style.line],
        linewidth=style.width,
        marker=MARKERS[style.marker],
        markevery=_MARKER_SPACING,
        markersize=4,
    )
    return line


def _legend(axes: Axes, lines: dict[Curve, Line2D]) -> None:
    """Set the legend below the axes: one column for each group of curves, under its name."""
    from matplotlib.lines import Line2D

    groups = list(dict.fromkeys(curve.group for curve in lines))
    handles: list[Line2D] = []
    for group in groups:
        if group:
            handles.append(Line2D([], [], linestyle="none", label=f"{group}:"))
        handles += [line for curve, line in lines.items() if curve.group == group]
    legend_below(axes, _LEGEND_COLUMNS if len(groups) == 1 else len(groups), handles=handles)
