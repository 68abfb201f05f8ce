"""The tornado: by how much a key changes with each parameter of its link."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from emulator.plotting.style import COLOURS, legend_below, new_axes
from postprocessing.sections import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_sensitivities(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw what limits a link, the most telling parameter on top.

    Parameters
    ----------
    table : DataFrame
        Of `emulator.theory.sensitivity.sensitivities`.
    ax : matplotlib Axes, optional
        Where to draw; by default in a figure of its own, ``axes.figure``.

    Returns
    -------
    matplotlib Axes
        Two bars a parameter: the change of the key rate in per cent where the parameter is 1 %
        lower and 1 % higher, or 0.01 higher where it is 0.

    Examples
    --------
    >>> import diqkd
    >>> from emulator.theory.sensitivity import sensitivities
    >>> plot_sensitivities(sensitivities(diqkd.load_scenario("ecs-100km"))).get_xlabel()
    'change of the key rate (%)'
    """
    axes = new_axes() if ax is None else ax
    shown = table.iloc[::-1]
    rows = np.arange(len(shown))
    for side, colour in (("lower", "blue"), ("upper", "vermillion")):
        changes = 100 * shown[f"change_{side}"].fillna(0.0)
        axes.barh(rows, changes, color=COLOURS[colour], height=0.7, label=f"{side} value")
    names = [
        f"{name.replace('_', ' ')} = {number(value, 3)}" + ("  (+0.01)" if value == 0 else "")
        for name, value in zip(shown["parameter"], shown["value"], strict=True)
    ]
    axes.set_yticks(rows, names, fontsize="small")
    axes.axvline(0, color=COLOURS["black"], linewidth=0.8)
    axes.set_xscale("symlog", linthresh=0.1)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(visible=True, axis="x", linewidth=0.5, alpha=0.4)
    axes.set_xlabel("change of the key rate (%)")
    axes.set_title("What limits this link: each parameter 1 % lower or higher", fontsize="medium")
    legend_below(axes, columns=2)
    return axes
