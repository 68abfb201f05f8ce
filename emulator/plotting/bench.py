"""Picture of a benchmark: every stage on a line, peers and a reference beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.plotting.style import COLOURS, axes_or_new, canvas_of, show_grid, single_legend_below
from emulator.speed.result import Benchmark, Measurement
from postprocessing.checks import instance_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINE_INCHES, _REST_INCHES = 0.24, 1.5
_THREADS = {"one": ("o", "blue", "one thread"), "all": ("s", "sky", "all threads")}
_PEERS = ("D", "orange", "other implementations")


def plot_benchmark(
    benchmark: Benchmark, against: Benchmark | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how fast each stage is.

    Parameters
    ----------
    benchmark : Benchmark
        What was measured.
    against : Benchmark, optional
        Another one, whose rates are drawn as strokes.
    ax : matplotlib Axes, optional
        Where to draw; by default in a figure of its own, ``axes.figure``.

    Returns
    -------
    matplotlib Axes
        Rates by the clock on a logarithmic axis.

    Examples
    --------
    >>> import diqkd
    >>> plot_benchmark(diqkd.read_benchmark()).get_xlabel()
    'million rounds or key bits a second'
    """
    instance_of("benchmark", benchmark, Benchmark)
    axes = axes_or_new(ax)
    lines = {_line(each): 0 for each in benchmark.measurements}
    places = {line: k for k, line in enumerate(lines)}
    if ax is None:
        canvas_of(axes).set_size_inches(7.2, _REST_INCHES + _LINE_INCHES * len(places))
    if against is not None:
        _draw_reference(axes, instance_of("against", against, Benchmark), places)
    for each in benchmark.measurements:
        shape, colour, label = _THREADS[each.threads] if each.by == "diqkd" else _PEERS
        axes.plot(
            each.rate_wall,
            places[_line(each)],
            linestyle="none",
            marker=shape,
            color=COLOURS[colour],
            label=label,
        )
        if each.by != "diqkd":
            # By turns above and below, since those of one line may be near each other.
            lines[_line(each)] += 1
            at = (each.rate_wall, places[_line(each)])
            offset = (0, 5) if lines[_line(each)] % 2 else (0, -11)
            axes.annotate(
                each.by, at, xytext=offset, textcoords="offset points", ha="center", fontsize=7
            )
    axes.set_yticks(list(places.values()), list(places), fontsize=8)
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel="million rounds or key bits a second")
    show_grid(axes)
    single_legend_below(axes, columns=4)
    return axes


def _line(one: Measurement) -> str:
    """Return what stands at the line of a measurement."""
    return f"{one.stage}: {one.what}"


def _draw_reference(axes: Axes, against: Benchmark, places: dict[str, int]) -> None:
    """Draw our rates there as strokes."""
    for each in against.measurements:
        if each.by == "diqkd" and _line(each) in places:
            axes.plot(
                each.rate_wall,
                places[_line(each)],
                linestyle="none",
                marker="|",
                markersize=11,
                color=COLOURS[_THREADS[each.threads][1]],
                label=f"reference, {_THREADS[each.threads][2]}",
            )
