"""The length of a key by each method, in ball arithmetic. Formulas: docs/finite-size.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from flint import arb, arb_series

from postprocessing.certificate.balls import (
    LN2,
    LOG2_5,
    LOG2_33,
    ORDER,
    Number,
    ball,
    entropy,
    expm1,
    largest_chsh,
    other_coherence,
    weight_excess,
)
from postprocessing.certificate.claim import HALF, ONE, Claim, count, exact
from postprocessing.certificate.supremum import Function, need, supremum

UNITS_A_BIT = 1 << 32


@dataclass(frozen=True)
class Length:
    """Contributions in bits, E of the worst device, the cells of the proof, and whole scores.

    `score_units` has what a won and a lost test of either kind add to the length, or cost where
    tests are counted, in multiples of 2⁻³² bits, rounded against the key.
    """

    account: dict[str, arb]
    worst: float
    cells: int
    score_units: tuple[int, ...] = ()
    varies: bool = False


def floor(value: arb) -> int:
    """Return the greatest whole number that is certainly no more."""
    need(value.is_finite(), f"a length is {value}")
    return int(str(value.lower().floor().unique_fmpz()))


def _smoothing(epsilon: Fraction) -> arb:
    """Return ϑ(ε) = log2(1/(1 − √(1 − ε²)))."""
    need(0 < epsilon < 1, f"a smoothing is {float(epsilon)}, not in (0, 1)")
    e = ball(epsilon)
    return ((1 + (1 - e * e).sqrt()).log() - 2 * e.log()) / LN2


def _fluctuation(variance: Number) -> Number:
    """Return V = (ln 2/2)(log2 33 + √(2 + Var f))² of Dupuis and Fawzi (2019)."""
    root = LOG2_33 + (2 + variance).sqrt()
    return LN2 / 2 * root * root


def _third_order(x: arb, spread: arb) -> arb:
    """Return x² 2^(xR) ln³(2^R + e²)/(6 (1 − x)³ ln 2), R being 2 + Max f − Min f."""
    reach = (2 + spread) * LN2
    term, rest = (reach.exp() + arb(2).exp()).log(), 1 - x
    return x * x * (x * reach).exp() * term * term * term / (6 * rest * rest * rest * LN2)


def _smoothed(claim: Claim, x: arb, smoothing: Fraction, *, announced: bool) -> arb:
    """Return (ϑ(ε′) + (1 + x) log2(1/ε_sec))/x, with announcements ϑ(ε′) + log2(1/ε_sec) more."""
    price, acceptance = _smoothing(smoothing), claim.acceptance
    return (price + (1 + x) * acceptance) / x + (price + acceptance if announced else 0)


def _hashing(claim: Claim, smoothing: Fraction) -> arb:
    """Return 2 log2(1/ε_PA) − 2, where ε_PA + 2 ε_s is no more than ε_sec."""
    amplification = claim.free("amplification", ONE)
    beyond = amplification + 2 * smoothing - claim.secrecy
    need(beyond <= 0, f"ε_PA + 2 ε_s exceeds ε_sec by {float(beyond):.3g}")
    return -2 * ball(amplification).log() / LN2 - 2


def accumulated(claim: Claim, *, announced: bool) -> Length:
    """Return the length of tan22 or geat: n [Δ w_thr − sup(Δ w + xV − H)] less what else costs.

    H = p_key η_q + p_test η and w = 1/2 + √(1 + E²)/4; where there is no violation, H = p_key h(q).
    Any slope Δ is secure.
    """
    n, x, test = claim.rounds, ball(claim.free("first_excess", ONE)), ball(sum(claim.tests))
    y, chsh = ball(claim.free("second_excess", HALF)), 8 * ball(claim.free("tangent", ONE)) - 4
    parts = ("first_smoothing", "second_smoothing", "smoothing")
    first, second, smoothing = (claim.free(name, ONE) for name in parts)
    need(y * LOG2_5 < 1, "second_excess is not below 1/log2 5")
    top, low = (2 + arb(2).sqrt()) / 4, (2 - arb(2).sqrt()) / 4
    # Within a tolerance of settings tests may be lost more often than at any win probability.
    low = low - (ball(claim.most_test) / test - 1) * (1 - low)
    need(test * (1 - low) < arb(0.5), "tests are too frequent for this proof")

    def win_at(e: Number) -> Number:
        return arb(0.5) + (1 + e * e).sqrt() / 4

    def left(e: Number) -> Number:
        return ball(claim.key) * entropy(e, claim.noise) + test * entropy(e)

    at = arb_series([(chsh * chsh / 4 - 1).sqrt().mid(), 1], ORDER)
    slope = (left(at)[1] / win_at(at)[1]).mid()
    need(slope > 0, "there is no tangent of the entropy at this win probability")

    def cost(win: Number) -> Number:
        lost = test * (1 - win)
        return x * _fluctuation(lost * (1 - lost) * (slope / test) * (slope / test))

    least, span = left(arb(0)), arb(0.75) - low
    violating, worst, cells = supremum(
        lambda e: cost(win_at(e)) - left(e), lambda e: slope * win_at(e)
    )
    other, _, more = supremum(
        lambda t: cost(low + span * t) - least, lambda t: slope * (low + span * t)
    )
    threshold = 1 - ball(count("losses", claim.values["tolerated_test_losses"])) / (n * test)
    score = slope * threshold.min(top) - violating.max(other)
    register = n * y * LOG2_5 * LOG2_5 + (_smoothing(second) + (1 + y) * claim.acceptance) / y
    account = {
        "entropy less fluctuation": n * score,
        "third order": -n * _third_order(x, slope * (1 - low)),
        "tests": -n * ball(claim.most_test),
        "smoothing": -_smoothed(claim, x, first, announced=announced),
        "test register": -register,
        "chain rules": -3 * _smoothing(smoothing - first - 2 * second),
        "leakage budget": -claim.budget,
        "hashing": -_hashing(claim, smoothing),
    }
    return Length(account, worst, cells + more)


def _slope(claim: Claim) -> Fraction:
    """Return about dH/dw at the tangent, for any tangent that is one."""
    chsh = 8 * ball(claim.free("tangent", ONE)) - 4
    e = (chsh * chsh / 4 - 1).sqrt()
    share = ball(4 * claim.noise * (1 - claim.noise))
    root = (1 - share * (1 - e * e)).sqrt()
    plain = ((1 + e) / (1 - e)).log() / e
    noisy = plain - (share * ((1 + root) / (1 - root)).log() / root if claim.noise else 0)
    slope = (ball(claim.key) * noisy + ball(sum(claim.tests)) * plain) * chsh / LN2
    need(slope > 0, "there is no tangent of the entropy at this win probability")
    return exact("slope", float(slope.mid()))


def counted(claim: Claim, hashing: Callable[[Claim, arb], dict[str, arb]]) -> Length:
    """Return the length of a method with counted tests: n I − K less what else costs.

    I = ½ Σ P k s − x(V − V′v + V′m²) − sup[2B √F_{A/B}(E) − p_key η_q(E) − P₁ η(E) − P₂ η(E′)] with
    s = 1 − x V′ (k − 2m), A and B being P k s/4, and mean m and variance v of losses at any w̃.
    """
    n, x = claim.rounds, ball(claim.free("excess", ONE))
    taken, costs = claim.pair("loss_credits"), _publishing_costs(claim.pair("published_wins"))
    need(min(taken) > 0, "loss_credits are not positive")
    kinds = list(zip(claim.tests, taken, claim.pair("published_wins"), strict=True))
    mean = ball(sum(p * k * (1 - w) for p, k, w in kinds))
    variance = ball(sum(p * k * k * (1 - w) for p, k, w in kinds)) - mean * mean
    root = (2 + variance).sqrt()
    bend = LN2 / 2 * (LOG2_33 + root) / root
    shares = [1 - x * bend * (ball(k) - 2 * mean) for k in taken]
    need(all(share > 0 for share in shares), "fluctuation leaves nothing for winning: s_y ≤ 0")
    gains = [ball(p * k) * s for (p, k, _), s in zip(kinds, shares, strict=True)]
    one, two = (ball(p * k) for p, k, _ in kinds)
    key, (first, second), weight = ball(claim.key), map(ball, claim.tests), gains[0] / gains[1]

    def falling(e: Number) -> Number:
        other = second * entropy(other_coherence(e, weight))
        return -(key * entropy(e, claim.noise) + first * entropy(e) + other)

    most, worst, cells = supremum(falling, _scored(gains))
    cost = x * (_fluctuation(variance) - bend * variance + bend * mean * mean)
    account = {
        "entropy less fluctuation": n * (sum(gains) / 2 - cost - most),
        "tolerated losses": -ball(_allowed(claim, "most_lost")),
        "third order": -n * _third_order(x, (one + two + (one * one + two * two).sqrt()) / 2),
        "tests": -ball(_allowed(claim, "most_test_bits")),
        **hashing(claim, x),
        "leakage budget": -claim.budget,
    }
    return Length(account, worst, cells, tuple(-floor(-UNITS_A_BIT * cost) for cost in costs))


def _allowed(claim: Claim, name: str) -> Fraction:
    """Return the most of what a run allows."""
    most = claim.free(name)
    need(most >= 0, f"{name} is {float(most)}, below 0")
    return most


def _publishing_costs(wins: Sequence[Fraction]) -> list[arb]:
    """Return 1 + log2(1/w̃) and 1 + log2(1/(1 − w̃)) of both kinds."""
    need(all(0 < win < 1 for win in wins), "published_wins are not in (0, 1)")
    return [1 - ball(share).log() / LN2 for win in wins for share in (win, 1 - win)]


def _scored(gains: Sequence[arb]) -> Function:
    """Return 2B √F_{A/B}, A and B being a quarter of the gains."""
    return lambda e: gains[1] / 2 * largest_chsh(e, gains[0] / gains[1])


def smoothed(claim: Claim, x: arb, *, announced: bool) -> dict[str, arb]:
    """Return the costs of one smoothing and of hashing."""
    smoothing = claim.free("smoothing", ONE)
    cost = _smoothed(claim, x, smoothing, announced=announced)
    return {"smoothing": -cost, "hashing": -_hashing(claim, smoothing)}


def at_renyi_order(claim: Claim, x: arb) -> dict[str, arb]:
    """Return the cost of hashing at the order of the rounds: ((1 + 2x)/x) log2(1/ε) − 2."""
    return {"hashing": 2 - (1 / x + 2) * claim.acceptance}


def renyi(claim: Claim, *, varies: bool, weighted: bool) -> Length:
    """Return the length of a Rényi method: nκ, and the score that the run adds or has to reach.

    κ = −(1/δ) log2 G, G = p_disc + ½ Σ P(u − l) + sup[p_key q_α(E; q) + P₁ l₁ q_α(E; 0) +
    P₂ l₂ q_α(E′; 0) + 2b √F_{a/b}(E)], u and l being 2^(δf) of a won and a lost test, a and b
    P(u − l)/4. In bits, less 1 and over δ ln 2, all of it is of the size of κ.
    """
    order, ends = claim.free("excess", ONE), ("win_credit", "loss_credit", "published_win")
    won, lost, wins = (
        claim.pair(name + "s") if weighted else (claim.free(name), claim.free(name))
        for name in ends
    )
    need(all(f > g for f, g in zip(won, lost, strict=True)), "a loss has no less credit than a win")
    delta = ball(order) * LN2
    kinds = list(zip(map(ball, claim.tests), won, lost, strict=True))
    lowered = [p * (delta * ball(g)).exp() for p, _, g in kinds]
    gains = [
        p * expm1(delta * ball(f - g)) / delta for p, (_, f, g) in zip(lowered, kinds, strict=True)
    ]
    weight = gains[0] / gains[1]

    def falling(e: Number) -> Number:
        other = lowered[1] * weight_excess(other_coherence(e, weight), order)
        noisy = ball(claim.key) * weight_excess(e, order, claim.noise)
        return (noisy + lowered[0] * weight_excess(e, order) + other) / delta

    most, worst, cells = supremum(falling, _scored(gains))
    # With a tolerance of settings, tests beyond the least weigh no more than a won one.
    beyond = (ball(claim.most_test) - ball(sum(claim.tests))) * expm1(delta * ball(won[0]))
    rest = sum((p * expm1(delta * ball(g)) for p, _, g in kinds), beyond.max(arb(0))) / delta
    account = {
        "accumulated entropy": -claim.rounds
        * (1 + delta * (most + rest + sum(gains) / 2)).log()
        / delta,
        "hashing": 2 - (1 / ball(order) + 1) * claim.acceptance,
    }
    if not varies:
        account["least score"] = ball(exact("least_score", claim.values["least_score"]))
        account["leakage budget"] = -claim.budget
    added = [ball(f) for both in zip(won, lost, strict=True) for f in both]
    scores = (f - c for f, c in zip(added, _publishing_costs(wins), strict=True))
    units = tuple(floor(UNITS_A_BIT * score) for score in scores)
    return Length(account, worst, cells, units, varies)
