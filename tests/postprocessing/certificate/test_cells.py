"""Cells, balls and branches of a proof, each by itself: a good guess would hide what is broken."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from fractions import Fraction

import independent
import pytest
from extremes import drawn
from flint import arb, ctx
from mpmath import mp, mpf

from postprocessing.certificate import balls, lengths, prove, supremum
from postprocessing.certificate.supremum import Function, NotProvedError, cell

BETAS = (0.05, 0.4, 0.8, 1 - 2**-53, 1.0, 1 + 2**-52, 1.2, 4.0, 25.0)


@pytest.fixture(autouse=True)
def _precise() -> Iterator[None]:
    with ctx.workprec(balls.PRECISION_BITS):
        yield


def functions(seed: int) -> tuple[Function, Function]:
    """Return the falling and the growing part of a random design."""
    seen: list[tuple[Function, Function]] = []
    kind = ("renyi_weighted", "eat_rpa")[seed % 2]

    def watch(falling: Function, growing: Function) -> tuple[arb, float, int]:
        seen.append((falling, growing))
        return arb(0), 0.0, 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lengths, "supremum", watch)
        try:
            prove(drawn(kind, seed))
        except NotProvedError:
            return functions(seed + 100)
    return seen[0]


@pytest.mark.parametrize("seed", range(30))
def test_no_value_is_above_the_bound_of_its_cell(seed: int) -> None:
    falling, growing = functions(seed)
    at = random.Random(seed)
    for _ in range(30):
        low = at.choice([at.random(), 0.0, 1 - 10 ** at.uniform(-9, 0)])
        high = min(low + 10 ** at.uniform(-6, -0.3), 1.0)
        bound = cell(falling, growing, low, high).upper()
        for i in range(13):
            e = arb(min(low + (high - low) * i / 12, high))
            assert not (falling(e) + growing(e)).lower() > bound


def test_cells_use_all_three_ways() -> None:
    """A peak inside a cell that is convex on one side, slopes of either sign, and the ends."""

    def nothing(e: balls.Number) -> balls.Number:
        return 0 * e

    def check(function: Callable[[balls.Number], balls.Number], low: float, high: float) -> float:
        return float(cell(nothing, function, low, high).upper())

    assert check(lambda e: e * e, 0.2, 0.4) == pytest.approx(0.16)
    assert check(lambda e: -e * e, 0.2, 0.4) == pytest.approx(-0.04)
    # Concave: the tangent at 0.3 of 0.09 − (e − 0.35)², at either end; the bracket has less.
    assert check(lambda e: 0.09 - (e - 0.35) * (e - 0.35), 0.2, 0.4) == pytest.approx(0.0875)
    # Convex with its least inside: by Taylor 0.0025 + 0.1 · 0.1 + 0.1², by the bracket less.
    assert check(lambda e: (e - 0.25) * (e - 0.25), 0.2, 0.4) == pytest.approx(0.0225)

    def taylor(function: Callable[[balls.Number], balls.Number], low: float, high: float) -> float:
        """Bound a function whose bracket is far above."""
        parts = (lambda e: -9 * e, lambda e: function(e) + 9 * e)
        return float(cell(*parts, low, high).upper())

    assert taylor(lambda e: 0.09 - (e - 0.35) * (e - 0.35), 0.2, 0.4) == pytest.approx(0.0975)
    assert taylor(lambda e: (e - 0.25) * (e - 0.25), 0.2, 0.4) == pytest.approx(0.0225)
    assert taylor(lambda e: (e - 0.33) * (e - 0.33), 0.2, 0.4) == pytest.approx(0.0169)
    # At 0 and at 1 derivatives may be infinite.
    assert check(lambda e: e * e, 0.0, 0.4) == pytest.approx(0.16)


def test_a_bracket_takes_the_falling_part_at_the_lower_end() -> None:
    bound = cell(lambda e: -3 * e, lambda e: 2 * e + (e - 0.25) * (e - 0.25) * 40, 0.0, 0.4)
    assert float(bound.upper()) == pytest.approx(0.8 + 40 * 0.0225)


def test_a_ball_that_does_not_hold_its_cell_is_refused() -> None:
    class Half(arb):
        def union(self, other: arb) -> arb:
            return self

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(supremum, "arb", Half)
        with pytest.raises(NotProvedError, match="does not hold its cell"):
            cell(lambda e: -e, lambda e: e, 0.2, 0.4)


def test_two_peaks_that_are_equal_but_for_the_last_digits() -> None:
    """As of devices that a design makes equally bad: with violation, and without."""

    def growing(e: balls.Number) -> balls.Number:
        """Grow steeply, with waves whose tops are at 1/8 and, higher by 1e-14, at 5/8."""
        return 30 * e + (4 * arb.pi() * e).sin() * (1 + 2e-14 * e)

    bound, place, cells = supremum.supremum(lambda e: -30 * e, growing)
    assert place == pytest.approx(5 / 8, abs=1e-7)
    for i in range(4097):
        assert growing(arb(i / 4096)) - 30 * arb(i / 4096) <= bound.upper()
    assert 0 <= float(bound.upper() - 1 - 1.25e-14) < 1e-14
    assert cells < 600


def test_what_does_not_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supremum, "MOST_CELLS", 100)
    with pytest.raises(NotProvedError, match="not found in 100 cells"):
        supremum.supremum(lambda e: -e, lambda e: e)


def test_values_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(NotProvedError, match=r"as narrow as they get|not found"):
        supremum.supremum(lambda e: (0 * e - 1).log(), lambda e: e)


def test_the_place_is_where_the_greatest_value_is() -> None:
    for falling, growing, place in (
        (lambda e: -e * e, lambda e: e, 0.5),
        (lambda e: -2 * e, lambda e: e, 0),
        (lambda e: -e, lambda e: 2 * e, 1),
    ):
        enclosure, found, _ = supremum.supremum(falling, growing)
        assert found == pytest.approx(place, abs=1e-7)
        exact = falling(arb(place)) + growing(arb(place))
        assert exact.upper() <= enclosure.upper() <= exact.upper() + 3e-15


def test_too_few_digits_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    values = drawn("eat_rpa", 7)
    assert prove(values).cells > 0
    monkeypatch.setattr(supremum, "MOST_CELLS", 2000)
    monkeypatch.setattr("postprocessing.certificate.PRECISION_BITS", 53)
    with pytest.raises(NotProvedError):
        prove(values)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("noise", [0.0, 1e-12, 0.1, 0.49])
def test_points_and_series_enclose_the_truth(beta: float, noise: float) -> None:
    """Values at points to all digits, and series around balls hold values and slopes inside."""
    at, q = random.Random(f"{beta} {noise}"), Fraction(noise)
    weight, order = arb(beta), Fraction(10 ** at.uniform(-7, -0.1))

    def near(value: arb, truth: object) -> bool:
        return abs(mpf(value.mid().str(50, radius=False)) - truth) < mpf(10) ** -40

    with mp.workdps(60):
        for e in (0.0, at.random(), math.sqrt(max(1 - beta**4, 0)), 1 - 1e-9, 1.0):
            exact = mpf(e), mpf(beta)
            assert near(
                balls.largest_chsh(arb(e), weight), mp.sqrt(independent.closed_square(*exact))
            )
            other = balls.other_coherence(arb(e), weight)
            truth = independent.closed_other(*exact)
            # Next to a branch a point may take less.
            assert near(other, truth) or (other <= 0 and truth < 1e-7)
            assert near(balls.entropy(arb(e), q), independent.entropy(mpf(e), mpf(noise)))
            weight_of = independent.weight(mpf(e), independent.exact(order), mpf(noise)) - 1
            assert near(balls.weight_excess(arb(e), order, q), weight_of)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_series_hold_slopes_of_their_balls(beta: float, noise: float) -> None:
    weight, q, order = arb(beta), Fraction(noise), Fraction(1, 1000)
    for centre in (0.1, 0.5, 0.9):
        span = arb(centre - 0.01).union(arb(centre + 0.01))
        for function in (
            lambda e: balls.largest_chsh(e, weight),
            lambda e: balls.other_coherence(e, weight),
            lambda e: balls.entropy(e, q),
            lambda e: balls.weight_excess(e, order, q),
        ):
            try:
                enclosed = supremum.series(lambda e: 0 * e, function, span)
            except balls.UnclearError:
                continue
            for e in (centre - 0.01, centre, centre + 0.0099):
                inside = supremum.series(lambda e: 0 * e, function, arb(e))
                assert all(a.overlaps(b) for a, b in zip(enclosed, inside, strict=True))
                step = (function(arb(e + 1e-9)) - function(arb(e - 1e-9))) / 2e-9
                assert float(step.mid()) == pytest.approx(float(inside[1].mid()), rel=1e-5)


def test_whether_the_branch_is_clear() -> None:
    bend = math.sqrt(1 - 0.8**4)
    across = balls.arb_series([arb(bend - 0.01).union(arb(bend + 0.01)), 1], balls.ORDER)
    for function in (balls.largest_chsh, balls.other_coherence):
        with pytest.raises(balls.UnclearError):
            function(across, arb(0.8))


@pytest.mark.parametrize("beta", [0.5, 0.8, 1.0, 1.3, 4.0])
def test_unclear_points_take_what_is_safe(beta: float) -> None:
    """Where the weight is known to ten digits, a point may lie on either side of a bend."""
    weight = arb(beta, 1e-10)
    bends = [math.sqrt(max(1 - beta**4, 0)), math.sqrt(max(1 - beta**-2, 0))]
    for e in bends:
        for off in (-9e-11, 0, 9e-11):
            exact = mpf(e), mpf(beta) + off
            most = mp.sqrt(independent.closed_square(*exact))
            assert mpf(balls.largest_chsh(arb(e), weight).upper().str(40, radius=False)) >= most
            other = balls.other_coherence(arb(e), weight)
            assert mpf(other.lower().str(40, radius=False)) <= independent.closed_other(*exact)


def test_bounds_that_a_double_does_not_tell_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The greatest counts, whichever of two cells comes first in the queue."""
    little = arb(2) ** -80

    def bound_of(falling: Function, growing: Function, low: float, high: float) -> arb:
        return arb(2) if high - low == 1 else arb(1) + (little if low else 0)

    monkeypatch.setattr(supremum, "cell", bound_of)
    enclosure, _, _ = supremum.supremum(lambda e: 0 * e, lambda e: 0 * e + 1)
    assert enclosure.upper() >= 1 + little


def test_a_range_without_values_is_not_left_out() -> None:
    with pytest.raises(NotProvedError):
        supremum.supremum(lambda e: 0 * (arb(0.6) - e).sqrt() - e, lambda e: 3 * e)


@pytest.mark.parametrize("holds", [None, 1, "yes", arb("nan"), False, arb(0) < arb("nan")])
def test_nothing_but_true_holds(holds: object) -> None:
    with pytest.raises(NotProvedError, match="as said"):
        supremum.need(holds, "as said")
