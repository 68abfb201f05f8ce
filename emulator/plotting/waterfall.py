"""The waterfall of a run: how the entropy of its rounds becomes a key, term by term."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from emulator.plotting.style import COLOURS, axes_or_new
from postprocessing.checks import instance_of, real_number, whole_number
from postprocessing.errors import InvalidArgumentError
from postprocessing.limits import MOST_PLANNED_ROUNDS
from postprocessing.protocol.report import DistillationReport
from postprocessing.security import TERM_LABELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Room for the values beside the bars, as a part of the widest.
_ROOM = 0.32


def plot_waterfall(
    terms: Mapping[str, float] | DistillationReport,
    key_length: int | None = None,
    ax: Axes | None = None,
    *,
    title: str | None = None,
) -> Axes:
    """Draw what the entropy of a run pays for, as bars from top to bottom with their values.

    Parameters
    ----------
    terms : DistillationReport, or mapping of str to float
        A report, or contributions to the key length in bits, costs negative, as its ``key_terms``.
    key_length : int, optional
        Length of the key in bits, a whole number of bytes; by default that of the report.
    ax : matplotlib Axes, optional
        Where to draw; by default in a figure of its own, ``axes.figure``.
    title : str, optional
        What stands above; by default what the terms are.

    Returns
    -------
    matplotlib Axes
        The axes. Each bar begins where the one above ends; the last is the key.

    Raises
    ------
    InvalidArgumentError
        If there are no terms, or no key length beside them.

    Examples
    --------
    >>> axes = plot_waterfall({"entropy": 100.0, "reconciliation": -36.0}, key_length=64)
    >>> [label.get_text() for label in axes.get_yticklabels()]
    ['entropy of the rounds', 'reconciliation', 'key, whole bytes']
    """
    if isinstance(terms, DistillationReport):
        told, found = terms.waterfall
        title = told if title is None else title
        key_length = terms.key_length if key_length is None else key_length
        terms = found
    if not isinstance(terms, Mapping) or not terms or not all(isinstance(t, str) for t in terms):
        raise InvalidArgumentError("terms", terms, "those of a run with a key or a design")
    terms = {term: real_number(f"terms[{term!r}]", bits) for term, bits in terms.items()}
    key_length = whole_number("key_length", key_length, 0, MOST_PLANNED_ROUNDS)
    title = instance_of("title", "where the key went" if title is None else title, str)
    axes = axes_or_new(ax)
    bits = np.array([*terms.values(), key_length], dtype=np.float64)
    starts = np.array([0.0, *np.cumsum(bits[:-2]), 0.0])
    names = [*(TERM_LABELS.get(term, term.replace("_", " ")) for term in terms), "key, whole bytes"]
    costs = [COLOURS["blue"] if value > 0 else COLOURS["vermillion"] for value in bits[:-1]]
    places = np.arange(len(bits))
    axes.barh(places, bits, left=starts, color=[*costs, COLOURS["green"]], height=0.62)
    ends = starts + bits
    edges = np.maximum(starts, ends)
    for place, value, edge in zip(places, bits, edges, strict=True):
        text = f" {value:,.0f}" if place == places[-1] else f" {value:+,.0f}"
        axes.text(
            edge, float(place), text.replace("-", "−"), va="center", ha="left", fontsize="small"
        )
    # Each bar hangs on the one above it.
    axes.vlines(ends[:-2], places[:-2], places[1:-1], color=COLOURS["black"], linewidth=0.6)
    low, high = min(0.0, ends.min()), float(edges.max())
    axes.set_xlim(low - 0.02 * (high - low), high + _ROOM * (high - low))
    axes.set_yticks(places, names, fontsize="small")
    axes.invert_yaxis()
    axes.axvline(0, color="grey", linewidth=0.6, zorder=0.5)
    axes.set_title(title, fontsize="medium")
    axes.set(xlabel="key length (bit)", ylabel="")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}".replace("-", "−"))
    axes.locator_params(axis="x", nbins=5)
    axes.grid(visible=True, axis="x", linewidth=0.5, alpha=0.4)
    axes.set_axisbelow(True)
    return axes
