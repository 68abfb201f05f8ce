"""The bounds of a single round, by exact algebra and by branch and bound in ball arithmetic.

Run: ``python tests/acceptance/single_round_by_intervals.py``, half a minute. What is proved:

- S_β ≤ 2√F_β(E). On paper (docs/finite-size.md): S_β/2 is at most the root of the greatest of
  m + λ_max(D(1 − xxᵀ)D) over x = (√(E² − m), √m) with 0 ≤ m ≤ E², which is concave in m. Here:
  where it is stationary, and its value there, as identities of rational functions, which hold as
  they hold at more points than their degrees allow for otherwise.
- η_q grows and q_α falls with E: the derivatives have their sign on every cell of a cover, for the
  ranges that are printed. Beyond these, and for q_α with noise, monotony stays on paper, where it
  follows from the curvature in E² that is proved there.

Exits with 1 if an identity fails or a cell is left open.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from fractions import Fraction

from flint import arb, arb_series, ctx
from rich.console import Console

from postprocessing.certificate import balls

# Rational functions of both variables, of a lower degree than this many points a side.
POINTS = 24
MOST_CELLS = 400_000
Box = tuple[tuple[float, float], ...]


def identities() -> bool:
    """Tell whether the closed form of F_β is what is stationary, for β < 1 and β² ≤ k ≤ 1."""
    sizes = [Fraction(i, POINTS + 1) for i in range(1, POINTS + 1)]
    for beta, k in itertools.product(sizes, sizes):
        square = beta * beta
        m = (1 - k) * (1 - square * k) / (1 - square)
        trace, root = square * (k * k + m) + 1 - m, k * (1 - square) / 2
        # τ²/4 − det is root², λ_max is k, and the slope is 0.
        assert trace * trace / 4 - square * k * k == root * root
        assert trace / 2 + root == k
        assert 1 + (square - 1) * (Fraction(1, 2) + trace / (4 * root)) == 0
        assert m + k == 1 + square * (1 - k) ** 2 / (1 - square)
        # At m = E², with k² = 1 − E² < β²: the slope has the sign of β⁴ − k².
        if k < beta:
            trace, root = square + k * k, (square - k * k) / 2
            slope = 1 + (square - 1) * (Fraction(1, 2) + trace / (4 * root))
            assert slope * (square - k * k) == square * square - k * k
            assert 1 - k * k + trace / 2 + root == square + 1 - k * k
    return True


def covered(sign: Callable[[Box], arb], box: Box) -> int:
    """Return how many cells show that a function is positive; raise where one does not."""
    waiting, cells = [box], 0
    while waiting:
        cell = waiting.pop()
        cells += 1
        assert cells < MOST_CELLS, f"left open: {cell}"
        if sign(cell) > 0:
            continue
        widths = [high - low for low, high in cell]
        at = widths.index(max(widths))
        low, high = cell[at]
        for half in ((low, (low + high) / 2), ((low + high) / 2, high)):
            waiting.append((*cell[:at], half, *cell[at + 1 :]))
    return cells


def ball(ends: tuple[float, float]) -> arb:
    """Return the ball that holds an interval."""
    return arb(ends[0]).union(arb(ends[1]))


def entropy_slope(box: Box) -> arb:
    """Return dη_q/dE² times 2 ln 2: artanh(E)/E − s artanh(r)/r, r² = 1 − s(1 − E²)."""
    e, q = map(ball, box)
    share = 4 * q * (1 - q)
    root = (1 - share * (1 - e * e)).sqrt()
    return e.atanh() / e - share * root.atanh() / root


def weight_slope(box: Box) -> arb:
    """Return −dq_α/dE over δ without noise."""
    e, order = map(ball, box)
    at, shrink = arb_series([e, 1], 2), order / (1 + order)
    total = sum(x * (-shrink * x.log()).exp() for x in ((1 + at) / 2, (1 - at) / 2))
    return -((1 + order) * total.log()).exp()[1] / order


def main() -> int:
    """Prove each in turn."""
    console = Console(highlight=False)
    with ctx.workprec(balls.PRECISION_BITS):
        try:
            identities()
            console.print(f"F_β: {POINTS}² rational points, exact")
            inner = (1 / 16, 15 / 16)
            cells = covered(entropy_slope, (inner, (1 / 64, 0.4)))
            console.print(f"η_q grows, q ≥ 1/64: {cells} cells")
            cells = covered(weight_slope, (inner, (1 / 64, 1.0)))
            console.print(f"q_α falls, q = 0: {cells} cells")
        except AssertionError as error:
            console.print(f"not proved: {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
