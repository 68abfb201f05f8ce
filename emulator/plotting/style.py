"""The look of every picture: colours, lines, sizes, and where a picture is saved."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from postprocessing.checks import instance_of
from postprocessing.errors import InvalidArgumentError
from postprocessing.files.atomic import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas
    from matplotlib.legend import Legend

SUFFIXES = (".png", ".svg", ".pdf")

# Okabe and Ito's colours, told apart with every kind of colour vision.
COLOURS = {
    "black": "#000000",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "orange": "#E69F00",
    "sky": "#56B4E9",
}
LINES: dict[str, tuple[int, tuple[float, ...] | None]] = {
    "solid": (0, None),
    "dashed": (0, (4, 1.6)),
    "dotted": (0, (1, 1.4)),
    "dashdot": (0, (6, 1.6, 1, 1.6)),
    "long dashes": (0, (9, 2.5)),
}
MARKERS = {"": "", "circle": "o", "square": "s", "triangle": "^", "diamond": "D"}
_LEGEND_TOP = -0.15
_SIZE_INCHES = (6.2, 3.9)
_DOTS_PER_INCH = 150


def new_axes() -> Axes:
    """Return the axes of a figure outside pyplot, which would keep it and might open a window."""
    from matplotlib.figure import Figure as Canvas

    return Canvas(figsize=_SIZE_INCHES).add_subplot()


def axes_or_new(ax: Axes | None) -> Axes:
    """Return the axes to draw on: those given, or new ones.

    Raises
    ------
    InvalidArgumentError
        If `ax` is something else.
    """
    if ax is None:
        return new_axes()
    from matplotlib.axes import Axes

    return instance_of("ax", ax, Axes)


def canvas_of(axes: Axes) -> Canvas:
    """Return the whole figure that axes belong to."""
    canvas = axes.get_figure(root=True)
    if canvas is None:
        raise InvalidArgumentError("axes", axes, "part of a figure")
    return canvas


def show_grid(axes: Axes) -> None:
    """Draw a faint grid."""
    axes.grid(visible=True, linewidth=0.5, alpha=0.4)


def legend_below(axes: Axes, columns: int, **arguments: object) -> Legend:
    """Set the legend below the axes, where it covers nothing."""
    return axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, _LEGEND_TOP),
        ncols=columns,
        fontsize="small",
        handlelength=3.2,
        **arguments,
    )


def single_legend_below(axes: Axes, columns: int) -> Legend:
    """Set the legend below the axes, each label once however many lines have it."""
    handles, labels = axes.get_legend_handles_labels()
    single = dict(zip(labels, handles, strict=True))
    return legend_below(axes, columns, handles=list(single.values()), labels=list(single))


def check_suffix(path: Path | str) -> None:
    """Refuse a file name whose suffix is no format of a picture.

    Raises
    ------
    InvalidArgumentError
        If the suffix is another than .png, .svg and .pdf.
    """
    if Path(path).suffix.lower() not in SUFFIXES:
        raise InvalidArgumentError("path", str(path), f"a file ending in {', '.join(SUFFIXES)}")


def save_axes(axes: Axes, path: Path | str, *, private: bool = False) -> None:
    """Save the figure that axes belong to, in the format of the file's suffix.

    Parameters
    ----------
    axes : matplotlib Axes
        Part of the figure.
    path : Path or str
        A file ending in .png, .svg or .pdf; an earlier one is replaced.
    private : bool
        Whether only its owner can read it, as the files that it is to lie beside.

    Raises
    ------
    InvalidArgumentError
        If the suffix is another.
    InputFileError
        If the file cannot be written.
    """
    check_suffix(path)
    # Drawn in memory first: some formats do not survive a disk that is full.
    picture = io.BytesIO()
    kind = Path(path).suffix[1:].lower()
    canvas_of(axes).savefig(picture, format=kind, dpi=_DOTS_PER_INCH, bbox_inches="tight")
    with atomic_write(Path(path), replace=True, private=private) as draft:
        draft.write_bytes(picture.getvalue())
