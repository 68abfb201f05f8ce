"""What a round is worth at Eve's coherence E, in ball arithmetic: every value encloses the truth.

E is a ball, or a power series around one, which encloses derivatives over the whole ball. Where a
ball does not tell which branch of a formula holds, or a series has lost terms, `UnclearError` is
raised. All formulas and their proofs: docs/finite-size.md.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flint import arb, arb_series, ctx, fmpq

PRECISION_BITS = 192
ORDER = 3  # of a series: the value, the slope, and half of the second derivative
Number = Any  # a ball or a series


class UnclearError(Exception):
    """Raised where a ball lies on both sides of a branch, and where a series has lost terms."""


def ball(exact: Fraction | int) -> arb:
    """Return the ball around a rational number."""
    return arb(fmpq(Fraction(exact).numerator, Fraction(exact).denominator))


with ctx.workprec(PRECISION_BITS):
    LN2, LOG2_5, LOG2_33 = ball(2).log(), *(ball(k).log() / ball(2).log() for k in (5, 33))


def terms(series: arb_series) -> list[arb]:
    """Return value, slope and half the second derivative.

    Whoever lowers the `ctx.cap` of the process cuts series off, and what is cut off reads as 0.
    """
    if series.prec < ORDER:
        raise UnclearError
    return [series[i] for i in range(ORDER)]


def expm1(x: Number) -> Number:
    """Return e^x − 1, without cancellation where x is small."""
    if isinstance(x, arb):
        return x.expm1()
    return arb_series([x[0].expm1(), *terms(x.exp())[1:]], ORDER)


def is_zero(x: Number) -> bool:
    """Tell whether x is exactly 0."""
    return isinstance(x, arb) and bool(x.is_zero())


def binary_entropy(x: Number) -> Number:
    """Return h(x) = −x log2 x − (1 − x) log2(1 − x)."""
    return -sum(0 if is_zero(each) else each * each.log() for each in (x, 1 - x)) / LN2


def entropy(e: Number, noise: Fraction = Fraction(0)) -> Number:
    """Return η_q(E) = 1 − h((1 + E)/2) + h((1 + √(1 − 4q(1 − q)(1 − E²)))/2); it grows with E."""
    spread = 1 - ball(4 * noise * (1 - noise)) * (1 - e * e)
    noisy = binary_entropy((1 + spread.sqrt()) / 2) if noise else 0
    return 1 - binary_entropy((1 + e) / 2) + noisy


def weight_excess(e: Number, order: Fraction, noise: Fraction = Fraction(0)) -> Number:
    """Return q_α(E) − 1 at α = 1 + δ; it falls with E.

    q_α = 2^(1 − α)(e₊^α + e₋^α), e± = ½[(u + v) ± √((u + v)² − 16q(1 − q)uv)], u and v being
    ((1 ± E)/2)^(1/α). What is of order δ is computed as such.
    """
    delta, shrink = ball(order), ball(order / (1 + order))
    halves = (1 + e) / 2, (1 - e) / 2
    u, v = (x if is_zero(x) else x * expm1(-shrink * x.log()) for x in halves)
    excess, product = u + v, (halves[0] + u) * (halves[1] + v)
    roots = [1 + excess]
    if noise:
        share = ball(4 * noise * (1 - noise)) * product
        larger = (roots[0] + (roots[0] * roots[0] - 4 * share).sqrt()) / 2
        roots = [root for root in (larger, share / larger) if not is_zero(root)]
    change = sum((root * expm1(delta * root.log()) for root in roots), excess)
    return change * (-delta * LN2).exp() + (-delta * LN2).expm1()


def largest_chsh(e: Number, weight: arb) -> Number:
    """Return √F_β(E), half of the greatest βX + Y; it grows with E.

    F_β = β² + E² where E² ≥ 1 − β⁴, else 1 + β²(1 − √(1 − E²))²/(1 − β²); never more than
    max(1, β²) + E².
    """
    at, square = e if isinstance(e, arb) else e[0], weight * weight
    if 1 - at * at <= square * square:
        return (square + e * e).sqrt()
    if 1 - at * at >= square * square:
        gap = 1 - (1 - e * e).sqrt()
        return (1 + square * gap * gap / (1 - square)).sqrt()
    if isinstance(e, arb):
        return (square.max(arb(1)) + e * e).sqrt()
    raise UnclearError


def other_coherence(e: Number, weight: arb) -> Number:
    """Return E′(E), the least coherence of the other setting where βX + Y is 2√F_β(E); it grows.

    √(E² + β² − 1)/β where E² ≥ 1 − β⁴ and E² ≥ 1 − 1/β²; else (1 − √(1 − E²))/√(1 − β²) if β < 1
    and √(1 − (1 − E√(1 − 1/β²))²) if β > 1. Of a point, no more than that, as less is safe.
    """
    at, square = e if isinstance(e, arb) else e[0], weight * weight
    gap, other = 1 - at * at, None
    if gap <= square * square and gap <= 1 / square:
        other = (e * e + square - 1).sqrt() / weight
    elif square < 1 and gap >= square * square:
        other = (1 - (1 - e * e).sqrt()) / (1 - square).sqrt()
    elif square > 1 and gap >= 1 / square:
        rest = 1 - e * (1 - 1 / square).sqrt()
        other = (1 - rest * rest).sqrt()
    if isinstance(e, arb):
        return arb(0) if other is None else other.lower().max(arb(0))
    if other is None:
        raise UnclearError
    return other
