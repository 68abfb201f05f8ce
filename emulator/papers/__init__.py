"""Figures of both papers and of real links: `figure_data` gives their curves as numbers.

`emulator.plotting.papers` draws them; `emulator.papers.statements` holds the papers' words.
"""

from __future__ import annotations

from emulator.papers.figure import Axis, Curve, Figure, Style
from emulator.papers.li import LI_FIGURES
from emulator.papers.links import LINK_FIGURES
from emulator.papers.xie import XIE_FIGURES
from postprocessing.checks import one_of

__all__ = ["FIGURES", "Axis", "Curve", "Figure", "Style", "figure_data"]

_BUILDERS = {**XIE_FIGURES, **LI_FIGURES, **LINK_FIGURES}

FIGURES = tuple(_BUILDERS)


def figure_data(name: str) -> Figure:
    """Return a figure of Xie et al., of Li et al. or of real links, computed from the models.

    Parameters
    ----------
    name : str
        One of `FIGURES`, such as ``"xie-fig2"``.

    Returns
    -------
    Figure
        Its axes and curves.

    Raises
    ------
    InvalidArgumentError
        If there is no such figure.

    Examples
    --------
    >>> figure_data("xie-fig3").curves[-2].label
    'PLOB bound'
    """
    return _BUILDERS[one_of("figure", name, FIGURES)]()
