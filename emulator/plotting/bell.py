"""Pictures of a Bell test: correlators, S and wins over time, and how the p-values fall."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from emulator.plotting.style import COLOURS, LINES, axes_or_new, legend_below, show_grid
from postprocessing.bell.result import BellTest
from postprocessing.checks import instance_of, one_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = [colour for name, colour in COLOURS.items() if name != "black"]
_SHAPES = ("o", "s", "^", "D")
_LOCAL, _QUANTUM = 2.0, 2 * math.sqrt(2)


def plot_bell_test(test: BellTest, what: str = "p-values", ax: Axes | None = None) -> Axes:
    """Draw a Bell test.

    Parameters
    ----------
    test : BellTest
        What to draw.
    what : {"p-values", "chsh", "wins", "correlators"}
        How the p-values fall with the trials; S or the share of wins in each part; or the
        correlators of each herald.
    ax : matplotlib Axes, optional
        Where to draw; by default in a figure of its own, ``axes.figure``.

    Returns
    -------
    matplotlib Axes
        Points have bars of one standard error.

    Raises
    ------
    InvalidArgumentError
        If there is no such picture.

    Examples
    --------
    >>> import diqkd
    >>> bits, signs = np.ones(9, np.uint8), np.ones(9, np.int8)
    >>> test = diqkd.bell_test([diqkd.Trials(bits, bits, signs, -signs)])
    >>> plot_bell_test(test, "wins").get_ylabel()
    'share of wins'
    """
    instance_of("test", test, BellTest)
    draw = BELL_PICTURES[one_of("what", what, BELL_PICTURES)]
    axes = axes_or_new(ax)
    draw(axes, test)
    show_grid(axes)
    if axes.get_legend_handles_labels()[0]:
        legend_below(axes, columns=2)
    return axes


def _ends(test: BellTest) -> list[int]:
    """Return how many trials there were at the end of each part."""
    return list(itertools.accumulate(part.trials for part in test.over_time))


def _draw_p_values(axes: Axes, test: BellTest) -> None:
    """Draw the logarithms, which go further down than numbers do."""
    for name, line, colour, label in (
        ("log10_p_value_binomial", "solid", "blue", "binomial bound"),
        ("log10_p_value_pbr", "dashed", "vermillion", "prediction-based ratio"),
    ):
        values = [getattr(part, name) for part in test.over_time]
        axes.plot(
            [0, *_ends(test)],
            [0.0, *values],
            linestyle=LINES[line],
            color=COLOURS[colour],
            marker=".",
            label=label,
        )
    axes.set(xlabel="trials", ylabel="log10 of the p-value")


def _draw_chsh(axes: Axes, test: BellTest) -> None:
    """Draw S of each part at the middle of its trials."""
    parts = [(part.chsh, part.chsh_standard_error) for part in test.over_time]
    shown = [k for k, (chsh, _) in enumerate(parts) if chsh is not None]
    middle = np.array(_ends(test)) - np.array([part.trials for part in test.over_time]) / 2
    chsh = np.array([parts[k] for k in shown], dtype=np.float64).reshape(-1, 2)
    _points(axes, middle[shown], chsh[:, 0], chsh[:, 1], "S of a part")
    _level(axes, _LOCAL, "dashed", "local devices")
    _level(axes, _QUANTUM, "dotted", "quantum devices")
    axes.set(xlabel="trials", ylabel="CHSH value S")


def _draw_wins(axes: Axes, test: BellTest) -> None:
    """Draw the share of wins of each part at the middle of its trials."""
    trials = np.array([part.trials for part in test.over_time])
    share = np.array([part.wins for part in test.over_time]) / trials
    middle = np.array(_ends(test)) - trials / 2
    _points(axes, middle, share, np.sqrt(share * (1 - share) / trials), "wins of a part")
    _level(axes, test.local_win_probability, "dashed", "local devices")
    axes.set(xlabel="trials", ylabel="share of wins")


def _draw_correlators(axes: Axes, test: BellTest) -> None:
    """Draw each herald's correlators, those of one pair of settings side by side."""
    heralds = len(test.correlators)
    for k, (herald, values) in enumerate(test.correlators.items()):
        places = np.arange(len(values)) + (k - (heralds - 1) / 2) * 0.6 / heralds
        found = np.array([value or (np.nan, np.nan) for value in values.values()])
        _points(axes, places, found[:, 0], found[:, 1], herald, k)
    names = list(next(iter(test.correlators.values())))
    axes.set_xticks(range(len(names)), names)
    axes.axhline(0, color="grey", linewidth=0.6)
    axes.set(xlabel="settings xy", ylabel="⟨ab⟩", ylim=(-1.05, 1.05))


def _points(
    axes: Axes,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    error: npt.ArrayLike,
    label: str,
    k: int = 0,
) -> None:
    """Draw points with bars of one standard error."""
    axes.errorbar(
        x,
        y,
        yerr=error,
        linestyle="none",
        marker=_SHAPES[k % len(_SHAPES)],
        color=_COLOURS[k % len(_COLOURS)],
        markersize=5,
        capsize=2.5,
        linewidth=1.1,
        label=label,
    )


def _level(axes: Axes, value: float, line: str, label: str) -> None:
    """Draw the most that some devices reach."""
    axes.axhline(
        value, color=COLOURS["black"], linewidth=1, linestyle=LINES[line], label=f"{label}, at most"
    )


BELL_PICTURES: dict[str, Callable[[Axes, BellTest], None]] = {
    "p-values": _draw_p_values,
    "chsh": _draw_chsh,
    "wins": _draw_wins,
    "correlators": _draw_correlators,
}
