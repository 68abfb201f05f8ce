"""The greatest of a falling plus a growing function over [0, 1], proved cell by cell.

Where it lies is guessed and needs no trust: a wrong guess only makes the proof longer. Cells share
their ends, so that they cover the whole range.
"""

from __future__ import annotations

from collections.abc import Callable

from flint import arb, arb_series

from postprocessing.certificate.balls import ORDER, Number, UnclearError

Function = Callable[[Number], Number]
ENOUGH = 1e-15  # in bits per round, and relative: a bound so little above a value will do
MOST_CELLS = 20_000
_GRID, _STEPS, _HALVINGS = 48, 48, 40


class NotProvedError(Exception):
    """Raised where a claim is not proved; the message has the numbers of what fails first."""


def need(holds: object, message: str) -> None:
    """Refuse what is not certainly true: comparisons of NaN and of overlapping balls are not."""
    if holds is not True:
        raise NotProvedError(message)


def supremum(falling: Function, growing: Function) -> tuple[arb, float, int]:
    """Enclose the greatest of falling(E) + growing(E) over E in [0, 1].

    Returns
    -------
    enclosure : arb
    place : float
        E where it is nearly reached.
    cells : int
        Into which [0, 1] was cut.

    Raises
    ------
    NotProvedError
        If more than `MOST_CELLS` are needed.
    """
    place, half, bound = guess(falling, growing), 0.5, arb("inf")
    reached = falling(arb(place)) + growing(arb(place))
    enough = reached.lower() + ENOUGH * (1 + abs(reached))
    for _ in range(_HALVINGS):
        half /= 2
        low, high = max(place - half, 0.0), min(place + half, 1.0)
        bound = cell(falling, growing, low, high, place)
        if bound <= enough:
            break
    greatest, waiting, cells = bound.upper(), [(0.0, low), (high, 1.0)], 1
    while waiting:
        low, high = waiting.pop()
        middle = (low + high) / 2
        if low < high:
            cells += 1
            bound = cell(falling, growing, low, high, middle)
            if bound <= enough or not low < middle < high:
                greatest = greatest.max(bound.upper())
            else:
                waiting += [(low, middle), (middle, high)]
        need(cells < MOST_CELLS, f"the worst device is not found in {MOST_CELLS} cells")
    return reached.lower().union(greatest), place, cells


def cell(falling: Function, growing: Function, low: float, high: float, at: float) -> arb:
    """Bound falling + growing on [low, high] from above, by the first of three ways that works.

    Where the sum grows or falls all over the cell, its value at one end; where it is concave, the
    tangent at a point of the cell; else the falling part of the lower end and the growing one of
    the upper.
    """
    ends = arb(low), arb(high)
    if low > 0 and high < 1:
        span = ends[0].union(ends[1])
        need(span.contains(ends[0]) and span.contains(ends[1]), "a ball does not hold its cell")
        try:
            _, slope, bend = series(falling, growing, span)
        except (UnclearError, ValueError):
            slope = bend = arb("nan")
        if slope >= 0 or slope <= 0:
            end = ends[1] if slope >= 0 else ends[0]
            return arb(falling(end) + growing(end))
        if bend <= 0:
            value, slope, _ = series(falling, growing, arb(at))
            return value + (slope * (ends[0] - at)).max(slope * (ends[1] - at))
    return arb(falling(ends[0]) + growing(ends[1]))


def series(falling: Function, growing: Function, centre: arb) -> list[arb]:
    """Return value, slope and half the second derivative of the sum, enclosed over a ball."""
    total = falling(arb_series([centre, 1], ORDER)) + growing(arb_series([centre, 1], ORDER))
    return [total[i] for i in range(ORDER)]


def guess(falling: Function, growing: Function) -> float:
    """Return about where falling + growing is greatest: the best peak of a grid, refined."""

    def value(e: float) -> arb:
        return arb(falling(arb(e)) + growing(arb(e))).mid()

    grid = [1 - (1 - i / _GRID) ** 2 for i in range(_GRID + 1)]
    values = [value(e) for e in grid]
    ends = [arb("-inf"), *values, arb("-inf")]
    peaks = [i for i, v in enumerate(values) if v >= ends[i] and v >= ends[i + 2]]
    found = [_refined(falling, growing, *_neighbours(grid, i)) for i in peaks]
    return max((*found, *(grid[i] for i in peaks)), key=value)


def _neighbours(grid: list[float], i: int) -> tuple[float, float]:
    return grid[max(i - 1, 0)], grid[min(i + 1, _GRID)]


def _refined(falling: Function, growing: Function, low: float, high: float) -> float:
    """Return about where the slope changes its sign."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        try:
            slope = series(falling, growing, arb(middle))[1]
        except (UnclearError, ValueError):
            break
        low, high = (middle, high) if slope > 0 else (low, middle)
    return (low + high) / 2
