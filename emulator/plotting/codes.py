"""Pictures of codes: what they send for which error rate, and how often frames fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from emulator.plotting.style import (
    COLOURS,
    LINES,
    axes_or_new,
    legend_below,
    show_grid,
    single_legend_below,
)
from postprocessing.checks import instance_of, one_of
from postprocessing.errors import InvalidArgumentError
from postprocessing.reconciliation import QCLDPCCode, code_family
from postprocessing.reconciliation.performance import binary_entropy
from postprocessing.reconciliation.portraits import portrait

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_COLOURS = [colour for name, colour in COLOURS.items() if name != "black"]
_COLUMNS = ("qber", "frames", "failed")


def plot_codes(codes: Sequence[QCLDPCCode] | None = None, ax: Axes | None = None) -> Axes:
    """Draw what codes send, beside what they must.

    Parameters
    ----------
    codes : sequence of QCLDPCCode, optional
        Of `get_code`; all shipped ones by default. One's own: see `measure_code`.
    ax : matplotlib Axes, optional
        Where to draw; by default in a figure of its own, ``axes.figure``.

    Returns
    -------
    matplotlib Axes
        A line a code, from as it is to all rows split: the error rate at which half of the frames
        fail, and the bits sent a key bit over h(QBER) there, on logarithmic axes.

    Examples
    --------
    >>> plot_codes().get_ylabel()
    'f where half of the frames fail'
    """
    family = list(code_family().values()) if codes is None else codes
    if not isinstance(family, Sequence) or not family:
        raise InvalidArgumentError("codes", codes, "some codes")
    axes = axes_or_new(ax)
    kinds = list(dict.fromkeys(_kind(instance_of("codes", code, QCLDPCCode)) for code in family))
    for code in family:
        told = portrait(code)["corrected"]
        if None in (each["qber"] for each in told):
            raise InvalidArgumentError("codes", code.name, "codes of `get_code`, as they are rated")
        rates = np.array([each["qber"] for each in told])
        sent = np.array([each["leak_per_bit"] / binary_entropy(each["qber"]) for each in told])
        k = kinds.index(_kind(code))
        axes.plot(
            rates,
            sent,
            marker=".",
            markersize=4,
            color=_COLOURS[k % len(_COLOURS)],
            label=kinds[k],
        )
    axes.axhline(1, color=COLOURS["black"], linestyle=LINES["dashed"], label="Shannon's limit")
    axes.set(xscale="log", xlabel="QBER", ylabel="f where half of the frames fail")
    show_grid(axes)
    single_legend_below(axes, columns=3)
    return axes


def _kind(code: QCLDPCCode) -> str:
    """Return what the name of a code begins with."""
    return code.name.partition("-")[0].rstrip("0123456789.") + " codes"


def plot_failures(measured: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw how often frames of a code fail.

    Parameters
    ----------
    measured : pandas.DataFrame
        Of `measure_code`.
    ax : matplotlib Axes, optional
        Where to draw; by default in a figure of its own, ``axes.figure``.

    Returns
    -------
    matplotlib Axes
        Shares of failed frames with intervals of one standard error (Wilson) on a logarithmic axis,
        against the error rate.

    Examples
    --------
    >>> import pandas as pd
    >>> found = pd.DataFrame({"qber": [0.03, 0.04], "frames": [9, 9], "failed": [1, 9]})
    >>> plot_failures(found).get_xlabel()
    'QBER'
    """
    import pandas as pd

    frame = instance_of("measured", measured, pd.DataFrame)
    for name in _COLUMNS:
        one_of("measured", name, list(frame.columns))
    axes = axes_or_new(ax)
    rates, frames, failed = (frame[name].to_numpy(np.float64) for name in _COLUMNS)
    middle = (failed + 0.5) / (frames + 1)
    width = np.sqrt(failed * (frames - failed) / frames + 0.25) / (frames + 1)
    shown = failed > 0
    axes.errorbar(
        rates[shown],
        middle[shown],
        yerr=width[shown],
        marker="o",
        color=COLOURS["blue"],
        label="failed frames",
    )
    if not shown.all():
        axes.plot(
            rates[~shown],
            (middle + width)[~shown],
            linestyle="none",
            marker="v",
            color=COLOURS["vermillion"],
            label="none failed: at most about",
        )
    axes.set(yscale="log", xlabel="QBER", ylabel="share of frames that fail")
    show_grid(axes)
    legend_below(axes, columns=2)
    return axes
