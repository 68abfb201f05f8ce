"""The picture of a finite-size study: keys of runs against each method's curve."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emulator.plotting.style import (
    COLOURS,
    LINES,
    axes_or_new,
    legend_below,
    save_axes,
    show_grid,
)
from emulator.sweeps.results import export
from emulator.sweeps.study import RUN_METHODS, FiniteSizeStudy
from postprocessing.checks import instance_of
from postprocessing.files.atomic import all_or_none
from postprocessing.security import METHODS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# One after another for the methods, and again from the first.
_COLOURS = ("blue", "sky", "purple", "green", "vermillion", "orange")
_LINES = ("solid", "dotted", "dashed", "dashdot")
_MARKERS = ("o", "^", "s", "D", "v")
# What `write_study` writes: three tables and the figure.
STUDY_FILES = ("runs.csv", "tallies.csv", "curves.csv", "finite-size-study.png")
_NOT_REVIEWED = " (not peer reviewed)"


def plot_study(study: FiniteSizeStudy, ax: Axes | None = None) -> Axes:
    """Draw key bits per heralded round over the block size.

    Parameters
    ----------
    study : FiniteSizeStudy
        What to draw.
    ax : matplotlib Axes, optional
        Where to draw; by default in a figure of its own, ``axes.figure``.

    Returns
    -------
    matplotlib Axes
        Lines: the design of each method, and the asymptotic fraction. Points: mean of the runs, an
        aborted one counting 0, with bars from the least to the greatest.

    Examples
    --------
    >>> import pandas as pd
    >>> curves = pd.DataFrame({"rounds": [10**6], "asymptotic": [0.4]})
    >>> curves = curves.assign(**dict.fromkeys(METHODS, 0.1))
    >>> runs = pd.DataFrame({"rounds": [10**6], "method": ["tan22"], "key_fraction": [0.1]})
    >>> plot_study(FiniteSizeStudy(runs, runs, curves)).get_xscale()
    'log'
    """
    instance_of("study", study, FiniteSizeStudy)
    axes = axes_or_new(ax)
    curves = study.curves
    methods = [name for name in METHODS if METHODS[name].composable and name in curves]
    colours = dict(zip(methods, cycle(_COLOURS), strict=False))
    for method, line in zip(methods, cycle(_LINES), strict=False):
        axes.plot(
            curves["rounds"],
            curves[method],
            color=COLOURS[colours[method]],
            linestyle=LINES[line],
            label=method + ("" if METHODS[method].peer_reviewed else _NOT_REVIEWED),
        )
    axes.axhline(
        float(curves["asymptotic"].iloc[0]),
        color=COLOURS["black"],
        linewidth=1,
        linestyle=LINES["long dashes"],
        label="asymptotic",
    )
    for method, marker in zip(RUN_METHODS, _MARKERS, strict=True):
        of_method = study.runs[study.runs["method"] == method]
        spread = of_method.groupby("rounds")["key_fraction"].agg(["mean", "min", "max"])
        # The mean of equal values may round past them.
        mean = spread["mean"].clip(spread["min"], spread["max"]).to_numpy()
        axes.errorbar(
            spread.index.to_numpy(),
            mean,
            yerr=np.array([mean - spread["min"].to_numpy(), spread["max"].to_numpy() - mean]),
            linestyle="none",
            marker=marker,
            markersize=5,
            capsize=2.5,
            color=COLOURS[colours[method]],
            label=f"{method}: runs, mean and range",
        )
    axes.set(
        xlabel="block size (heralded rounds)",
        ylabel="key (bit per heralded round)",
        xscale="log",
    )
    axes.set_ylim(bottom=0)
    show_grid(axes)
    legend_below(axes, columns=2)
    return axes


def write_study(study: FiniteSizeStudy, folder: Path) -> None:
    """Write the figure of a study and the data behind it, for their owner alone: `STUDY_FILES`.

    Parameters
    ----------
    study : FiniteSizeStudy
        What was found.
    folder : Path
        Where; earlier files of these names are replaced.

    Raises
    ------
    InputFileError
        If a file cannot be written.
    """
    axes = plot_study(study)
    folder.mkdir(parents=True, exist_ok=True)
    with all_or_none([folder / name for name in STUDY_FILES]):
        tables = (study.runs, study.tallies, study.curves)
        for name, frame in zip(STUDY_FILES, tables, strict=False):
            export(frame, folder / name)
        save_axes(axes, folder / STUDY_FILES[-1], private=True)
