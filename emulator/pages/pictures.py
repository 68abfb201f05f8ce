"""Any picture by its name: results of stores beside theory, the waterfall of a run, a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.pages.saved import read_report
from emulator.papers import FIGURES
from emulator.plotting.papers import plot_figure
from emulator.plotting.results import plot_finite_size, plot_quantity, plot_rate
from emulator.plotting.sensitivity import plot_sensitivities
from emulator.plotting.series import Interval
from emulator.plotting.waterfall import plot_waterfall
from emulator.scenario.loading import load_scenario
from emulator.sweeps.results import load_results, select
from emulator.theory.sensitivity import sensitivities
from postprocessing.errors import InvalidArgumentError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

STORE_PICTURES = ("rate", "chsh", "qber", "finite-size")
WATERFALL = "waterfall"
SENSITIVITIES = "sensitivities"


def draw_picture(
    name: str,
    inputs: Sequence[Path] = (),
    *,
    over: str | None = None,
    where: Mapping[str, object] | None = None,
    interval: Interval | None = None,
) -> Axes:
    """Draw a picture by its name.

    Parameters
    ----------
    name : str
        "rate", "chsh", "qber" or "finite-size" of stores, "waterfall" of a run, "sensitivities" of
        a link, or a figure of the papers such as "xie-fig2".
    inputs : sequence of Path
        Stores, one folder of a run, or a preset or scenario file; none for a figure.
    over : str, optional
        The parameter of the horizontal axis, needed for "chsh" and "qber"; for "rate" by default
        the distance.
    where : mapping of str to object, optional
        Only runs with these values, by parameter.
    interval : {"standard error", "quantiles"}, optional
        Mean and its standard error, the default, or median and the quantiles 5 % and 95 %.

    Returns
    -------
    matplotlib Axes
        Part of a figure of its own.

    Raises
    ------
    InvalidArgumentError
        If there is no such picture, it has other inputs or options, or nothing is there to draw.
    InputFileError
        If an input cannot be read.

    Examples
    --------
    >>> draw_picture("li-fig2b").get_xscale()
    'log'
    """
    if name in STORE_PICTURES:
        return _of_stores(name, inputs, over, where or {}, interval or "standard error")
    for option, value in {"over": over, "where": where, "interval": interval}.items():
        if value:
            allowed = f"left out, except for {', '.join(STORE_PICTURES)}"
            raise InvalidArgumentError(option, value, allowed)
    if name == WATERFALL:
        return _waterfall(inputs)
    if name == SENSITIVITIES:
        return _sensitivities(inputs)
    check_picture(name)
    if inputs:
        raise InvalidArgumentError("inputs", str(inputs[0]), f"left out for {name}")
    return plot_figure(name)


def _waterfall(inputs: Sequence[Path]) -> Axes:
    """Draw the waterfall of a run."""
    if len(inputs) != 1:
        raise InvalidArgumentError("inputs", [*map(str, inputs)], "one folder of a run")
    report = read_report(inputs[0])
    if not report.waterfall[1]:
        allowed = "one whose report has the terms of a key or a design; parties of 0.1.0 wrote none"
        raise InvalidArgumentError("run", str(inputs[0]), allowed)
    return plot_waterfall(report)


def _sensitivities(inputs: Sequence[Path]) -> Axes:
    """Draw what limits a link."""
    if len(inputs) > 1:
        raise InvalidArgumentError("inputs", [*map(str, inputs)], "one preset or scenario file")
    return plot_sensitivities(sensitivities(load_scenario(str(inputs[0]) if inputs else None)))


def check_picture(name: str) -> None:
    """Refuse the name of no picture.

    Raises
    ------
    InvalidArgumentError
        If it is none.

    Examples
    --------
    >>> check_picture("xie-fig2")
    """
    names = (*FIGURES, *STORE_PICTURES, WATERFALL, SENSITIVITIES)
    if name not in names:
        raise InvalidArgumentError("figure", name, f"one of {', '.join(names)}")


def _of_stores(
    name: str,
    paths: Sequence[Path],
    over: str | None,
    where: Mapping[str, object],
    interval: Interval,
) -> Axes:
    """Draw results of stores."""
    if not paths:
        raise InvalidArgumentError("inputs", [], f"stores for {name}")
    if name in ("chsh", "qber") and over is None:
        raise InvalidArgumentError("over", None, f"given for {name}: the parameter below the axis")
    if name == "finite-size" and over is not None:
        raise InvalidArgumentError("over", over, "left out for finite-size")
    stores = _stores(paths, where)
    axis = (over or "distance_km").replace("-", "_")
    if name == "rate":
        return plot_rate(stores, over=axis, interval=interval)
    if name == "finite-size":
        return plot_finite_size(stores, interval=interval)
    return plot_quantity(stores, name, axis, interval=interval)


def _stores(paths: Sequence[Path], where: Mapping[str, object]) -> dict[str, pd.DataFrame]:
    """Load stores under the names of their files, or their paths where names are alike."""
    names = [path.stem for path in paths]
    labels = [
        str(path) if names.count(name) > 1 else name
        for path, name in zip(paths, names, strict=True)
    ]
    if len(set(labels)) < len(labels):
        raise InvalidArgumentError("inputs", labels, "different files")
    loaded = zip(labels, map(load_results, paths), strict=True)
    return {label: select(frame, where) for label, frame in loaded}
