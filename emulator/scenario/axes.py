"""Values of one parameter written as text, for curves and for drifts."""

from __future__ import annotations

from postprocessing.errors import InvalidArgumentError

_MOST_POINTS = 100_000


def parse_axis(argument: str, text: str) -> tuple[str, list[float]]:
    """Return the parameter and its values.

    Parameters
    ----------
    argument : str
        Name of the argument the text is for.
    text : str
        "NAME=START:STOP:POINTS" for even steps, with ":log" behind for even ratios, or
        "NAME=VALUE,VALUE,...".

    Returns
    -------
    name : str
        The parameter, with underscores.
    values : list of float
        Its values, at least two.

    Raises
    ------
    InvalidArgumentError
        If the text is anything else, or the values are not finite (and above 0 with ":log").

    Examples
    --------
    >>> parse_axis("over", "distance-km=0:100:3")
    ('distance_km', [0.0, 50.0, 100.0])
    """
    name, _, axis = text.partition("=")
    try:
        values = _listed(axis) if "," in axis else _spaced(axis)
    except ValueError:
        allowed = (
            f"NAME=START:STOP:POINTS with 2 to {_MOST_POINTS} points, the same with :log, or "
            "NAME=VALUE,VALUE,..."
        )
        raise InvalidArgumentError(argument, text, allowed) from None
    return name.strip().replace("-", "_"), values


def _listed(axis: str) -> list[float]:
    """Return the values of "VALUE,VALUE,..."."""
    import numpy as np

    values = [float(part) for part in axis.split(",")]
    if not np.isfinite(values).all():
        raise ValueError
    return values


def _spaced(axis: str) -> list[float]:
    """Return the values of "START:STOP:POINTS", or with ":log" behind."""
    import numpy as np

    bounds, logarithmic = axis.removesuffix(":log").split(":"), axis.endswith(":log")
    if len(bounds) != 3:
        raise ValueError
    start, stop, points = float(bounds[0]), float(bounds[1]), int(bounds[2])
    if not np.isfinite([start, stop]).all() or not 2 <= points <= _MOST_POINTS:
        raise ValueError
    if logarithmic and min(start, stop) <= 0:
        raise ValueError
    values: list[float] = (np.geomspace if logarithmic else np.linspace)(
        start, stop, points
    ).tolist()
    return values
