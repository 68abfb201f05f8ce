"""Figure: curves and axes as plain data, before any drawing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from postprocessing.errors import InvalidArgumentError

Values = npt.NDArray[np.float64]
Side = Literal["left", "right"]
Group = Literal["", "first principles", "figure convention"]
Colour = Literal["black", "blue", "vermillion", "green", "purple", "orange", "sky"]
Line = Literal["solid", "dashed", "dotted", "dashdot", "long dashes"]
Marker = Literal["", "circle", "square", "triangle", "diamond"]


@dataclass(frozen=True)
class Axis:
    """One axis of a figure.

    Parameters
    ----------
    name : str
        Quantity and unit as a column name, such as ``distance_km``.
    label : str
        What stands at the axis, with the unit.
    scale : {"linear", "log"}
        Scale of the axis.
    limits : (float, float), optional
        Range shown; None leaves it to the data.
    """

    name: str
    label: str
    scale: Literal["linear", "log"] = "linear"
    limits: tuple[float, float] | None = None


@dataclass(frozen=True)
class Style:
    """How a curve is drawn.

    Parameters
    ----------
    colour : str
        Name of a colour of the palette.
    line : str
        Pattern of the line.
    marker : str
        Shape set on the line at wide intervals, none by default.
    width : float
        Width of the line in points.
    """

    colour: Colour = "black"
    line: Line = "solid"
    marker: Marker = ""
    width: float = 1.8


@dataclass(frozen=True, eq=False)
class Curve:
    """One curve of a figure.

    Parameters
    ----------
    label : str
        Name in the legend.
    x, y : ndarray of float64, shape (points,)
        The points; NaN in `y` where the quantity is undefined.
    axis : {"left", "right"}
        The y axis it belongs to.
    group : {"", "first principles", "figure convention"}
        Where the numbers come from, in figures that show both.
    style : Style
        How it is drawn.

    Raises
    ------
    InvalidArgumentError
        If `x` and `y` are not flat and of one length.
    """

    label: str
    x: Values
    y: Values
    axis: Side = "left"
    group: Group = ""
    style: Style = Style()

    def __post_init__(self) -> None:
        """Check the shapes."""
        shapes = (np.shape(self.x), np.shape(self.y))
        if len(shapes[0]) != 1 or shapes[0] != shapes[1]:
            raise InvalidArgumentError("curve", shapes, "two flat arrays of one length")


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure as data.

    Parameters
    ----------
    name : str
        Name of the figure, such as ``xie-fig2``.
    title : str
        What it shows.
    x_axis, y_axis : Axis
        Bottom and left axis.
    curves : tuple of Curve
        The curves, in the order of the legend.
    right_axis : Axis, optional
        Right axis, of the curves with ``axis="right"``.

    Raises
    ------
    InvalidArgumentError
        If a curve belongs to a right axis that is not there.
    """

    name: str
    title: str
    x_axis: Axis
    y_axis: Axis
    curves: tuple[Curve, ...]
    right_axis: Axis | None = None

    def __post_init__(self) -> None:
        """Check that every curve has its axis."""
        if self.right_axis is None and any(curve.axis == "right" for curve in self.curves):
            raise InvalidArgumentError("right_axis", None, "given for curves on the right axis")

    def to_frame(self) -> pd.DataFrame:
        """Return every point of every curve in long form.

        Returns
        -------
        DataFrame
            One row a point: ``figure``, ``curve``, ``group``, ``quantity`` (name of the y axis),
            the x column under its own name, ``value`` (missing where undefined).
        """
        return pd.concat([self._rows(curve) for curve in self.curves], ignore_index=True)

    def _axis_of(self, curve: Curve) -> Axis:
        """Return the y axis of a curve."""
        if curve.axis == "right" and self.right_axis is not None:
            return self.right_axis
        return self.y_axis

    def _rows(self, curve: Curve) -> pd.DataFrame:
        """Return the points of one curve."""
        return pd.DataFrame(
            {
                "figure": self.name,
                "curve": curve.label,
                "group": curve.group,
                "quantity": self._axis_of(curve).name,
                self.x_axis.name: curve.x,
                "value": curve.y,
            }
        )
