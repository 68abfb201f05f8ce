"""The maximum of a smooth function of one or two variables, looked for on ever finer grids."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
Merit: TypeAlias = Callable[[FloatArray], FloatArray]

# Points a side of each zoom, by the number of variables: values soon differ by rounding only. From
# points a little further apart a parabola still tells the maximum.
_ZOOM_GRIDS = {1: 17, 2: 9}
_FINEST_STEP = 5e-9
_MOST_ZOOMS = 40
# Of the stencil of second differences, large enough for them to exceed rounding.
_NEWTON_STEP = 1e-4
_MOST_CLIMBS = 20
_VERTEX_STEP = 1e-5


def maximum(
    merit: Merit, low: FloatArray, high: FloatArray, grid: tuple[int, ...]
) -> tuple[FloatArray, float]:
    """Return where a function is greatest within a box, and how great it is there.

    Parameters
    ----------
    merit : callable
        Takes points of shape (n, d) and returns n values; smooth where they are above 0.
    low, high : ndarray of float64, shape (d,)
        The box.
    grid : tuple of int, length d
        Points along each variable of the first look.

    Returns
    -------
    point : ndarray of float64, shape (d,)
        To 1e-9 where the function is smooth.
    value : float
        Of `merit`, at most 1e-14 of it below that of the point.

    Examples
    --------
    >>> bump = lambda x: 1 - ((x - np.array([0.3, 0.7])) ** 2).sum(axis=1)
    >>> maximum(bump, np.zeros(2), np.ones(2), (9, 9))[0].round(8).tolist()
    [0.3, 0.7]
    """
    axes = [np.linspace(*ends) for ends in zip(low, high, grid, strict=True)]
    step = (high - low) / (np.array(grid) - 1)
    best, value = _best_of(merit, axes)
    offsets = np.linspace(-1, 1, _ZOOM_GRIDS[len(low)])
    for _ in range(_MOST_ZOOMS):
        ends = zip(best, step, low, high, strict=True)
        axes = [np.clip(at + width * offsets, least, most) for at, width, least, most in ends]
        centre, (best, value) = best, _best_of(merit, axes)
        # On the edge of the box the maximum of a ridge may still be outside it.
        if (np.abs(best - centre) < 0.99 * step).all() or len(low) == 1:
            step = step * 2 / (len(offsets) - 1)
        if step.max() < _FINEST_STEP:
            break
    if len(low) > 1:
        best, value = _climbed(merit, best, value, low, high)
    return np.clip(_vertex(merit, best), low, high), value


def _climbed(
    merit: Merit, point: FloatArray, value: float, low: FloatArray, high: FloatArray
) -> tuple[FloatArray, float]:
    """Return where Newton's steps lead from a point as long as they lead up: along any ridge."""
    shifts = _NEWTON_STEP * np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)])
    for _ in range(_MOST_CLIMBS):
        f = merit(point + shifts).reshape(3, 3)
        gradient = np.array([f[2, 1] - f[0, 1], f[1, 2] - f[1, 0]]) / 2
        mixed = (f[2, 2] - f[2, 0] - f[0, 2] + f[0, 0]) / 4
        bends = [f[2, 1] - 2 * f[1, 1] + f[0, 1], f[1, 2] - 2 * f[1, 1] + f[1, 0]]
        hessian = np.array([[bends[0], mixed], [mixed, bends[1]]])
        if f.min() <= 0 or not np.isfinite(hessian).all() or np.linalg.eigvalsh(hessian)[-1] >= 0:
            break
        move = -_NEWTON_STEP * np.linalg.solve(hessian, gradient)
        tried = np.clip(point + np.multiply.outer(0.5 ** np.arange(6), move), low, high)
        values = merit(tried)
        best = int(values.argmax())
        if not values[best] > value:
            break
        point, value = tried[best], float(values[best])
    return point, value


def _best_of(merit: Merit, axes: list[FloatArray]) -> tuple[FloatArray, float]:
    """Return the point of greatest merit of a grid, and its merit."""
    points = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=-1)
    values = merit(points)
    index = int(values.argmax())
    return points[index], float(values[index])


def _vertex(merit: Merit, point: FloatArray) -> FloatArray:
    """Return where the parabola along each variable peaks; the point where none is smooth."""
    found = point.copy()
    for axis in range(len(point)):
        shifts = np.zeros((3, len(point)))
        shifts[:, axis] = _VERTEX_STEP * np.array([-1.0, 0.0, 1.0])
        left, middle, right = merit(found + shifts)
        curvature = left - 2 * middle + right
        if min(left, middle, right) > 0 and curvature < 0:
            found[axis] += _VERTEX_STEP * np.clip((left - right) / (2 * curvature), -1.0, 1.0)
    return found
