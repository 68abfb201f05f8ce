"""The greatest of a falling plus a growing function over [0, 1], proved cell by cell.

The cell with the greatest bound is halved until no bound is above a value that is reached, but by
next to nothing. Cells share their ends, so that they cover the whole range.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

from flint import arb, arb_series

from postprocessing.certificate.balls import ORDER, Number, UnclearError, terms

Function = Callable[[Number], Number]
ENOUGH = 1e-15  # in bits per round, and relative
MOST_CELLS = 20_000


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
        Bounded on the way.

    Raises
    ------
    NotProvedError
        If more than `MOST_CELLS` are needed.
    """

    def bounded(low: float, high: float) -> tuple[float, float, float, arb]:
        bound = cell(falling, growing, low, high)
        bound = bound if bound.is_finite() else arb("inf")
        return -float(bound.upper()), low, high, bound

    reached, place = arb("-inf"), 0.0
    waiting, cells = [bounded(0.0, 1.0)], 1
    while True:
        _, low, high, bound = heapq.heappop(waiting)
        for e in (low, (low + high) / 2, high):
            value = (falling(arb(e)) + growing(arb(e))).lower()
            if value > reached:
                reached, place = value, e
        if bound <= reached + ENOUGH * (1 + abs(reached)):
            # What waits may be above this one by the rounding of its place in the queue.
            highest = max((other for *_, other in waiting), default=bound, key=arb.upper)
            return reached.union(bound.upper().max(highest.upper())), place, cells
        middle, cells = (low + high) / 2, cells + 2
        need(cells < MOST_CELLS, f"the worst device is not found in {MOST_CELLS} cells")
        need(low < middle < high, "cells of the worst device are as narrow as they get")
        for half in ((low, middle), (middle, high)):
            heapq.heappush(waiting, bounded(*half))


def cell(falling: Function, growing: Function, low: float, high: float) -> arb:
    """Bound falling + growing on [low, high] from above, by the first of three ways that works.

    Where the sum grows or falls all over the cell, its value at one end; else the lesser of the
    falling part of the lower end and the growing one of the upper, and of Taylor's bound at the
    middle, f + |f′| r + max(f″/2, 0) r², r being half of the width and f″ that of the whole cell.
    """
    ends = arb(low), arb(high)
    bracket = arb(falling(ends[0]) + growing(ends[1]))
    if not (low > 0 and high < 1):
        return bracket
    span, at = ends[0].union(ends[1]), arb((low + high) / 2)
    need(span.contains(ends[0]) and span.contains(ends[1]), "a ball does not hold its cell")
    try:
        _, slope, bend = series(falling, growing, span)
        value, centre, _ = series(falling, growing, at)
    except (UnclearError, ValueError):
        return bracket
    if slope >= 0 or slope <= 0:
        end = ends[1] if slope >= 0 else ends[0]
        return arb(falling(end) + growing(end))
    reach = (ends[1] - at).max(at - ends[0])
    taylor = value + abs(centre) * reach + bend.max(arb(0)) * reach * reach
    return bracket.min(taylor) if taylor.is_finite() else bracket


def series(falling: Function, growing: Function, centre: arb) -> list[arb]:
    """Return value, slope and half the second derivative of the sum, enclosed over a ball."""
    total = falling(arb_series([centre, 1], ORDER)) + growing(arb_series([centre, 1], ORDER))
    return terms(total)
