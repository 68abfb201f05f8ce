"""What a proof bounds, evaluated to 60 digits by other means: matrices, maximisation, inversion."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from mpmath import mp, mpf

Real = Any
DIGITS = 60


def exact(x: float | Fraction) -> Real:
    """Return a double, or a rational number, to all digits."""
    ratio = Fraction(x)
    return mpf(ratio.numerator) / ratio.denominator


def largest_square(e: Real, beta: Real) -> Real:
    """Return F_β(E): the greatest of m + λ_max(D(1 − xxᵀ)D), x = (√(E² − m), √m), D = diag(β, 1).

    It is concave in m.
    """
    e2, b2 = e * e, beta * beta

    def value_and_slope(m: Real) -> tuple[Real, Real]:
        trace, det = b2 * (1 - e2 + m) + 1 - m, b2 * (1 - e2)
        root = mp.sqrt(max(trace * trace / 4 - det, mpf(0)))
        slope = mp.inf if not root else (b2 - 1) * (mpf(1) / 2 + trace / (4 * root))
        return m + trace / 2 + root, 1 + slope

    low, high = mpf(0), e2
    if value_and_slope(high)[1] >= 0:
        return value_and_slope(high)[0]
    for _ in range(4 * DIGITS):
        middle = (low + high) / 2
        low, high = (middle, high) if value_and_slope(middle)[1] > 0 else (low, middle)
    return value_and_slope((low + high) / 2)[0]


def other_coherence(e: Real, beta: Real) -> Real:
    """Return E′ with F_{1/β}(E′) = F_β(E)/β², by bisection; 0 if none is so small."""
    wanted = largest_square(e, beta) / (beta * beta)
    low, high = mpf(0), mpf(1)
    for _ in range(2 * DIGITS):
        middle = (low + high) / 2
        low, high = (middle, high) if largest_square(middle, 1 / beta) < wanted else (low, middle)
    return low


def closed_square(e: Real, beta: Real) -> Real:
    """Return F_β(E) in closed form."""
    b2, k = beta * beta, mp.sqrt(1 - e * e)
    return b2 + e * e if k <= b2 else 1 + b2 * (1 - k) ** 2 / (1 - b2)


def closed_other(e: Real, beta: Real) -> Real:
    """Return E′ as the inverse of F_{1/β} in closed form."""
    square = closed_square(e, beta) / (beta * beta)
    inverse = 1 / (beta * beta)
    if square <= max(mpf(1), inverse):
        return mpf(0)
    upper = mp.sqrt(square - inverse)
    if inverse >= 1 or upper * upper >= 1 - inverse**2:
        return min(upper, mpf(1))
    k = 1 - mp.sqrt((square - 1) * (1 - inverse) / inverse)
    return mp.sqrt(1 - k * k)


def _outcomes(e: Real, q: Real) -> list[Any]:
    """Return Eve's states of both noisy outcomes, not normalised, where hers commute on average."""
    a, b = mp.sqrt((1 + e) / 2), mp.sqrt((1 - e) / 2)
    pure = [mp.matrix([[a * a, s * a * b], [s * a * b, b * b]]) for s in (1, -1)]
    return [((1 - q) * pure[i] + q * pure[1 - i]) / 2 for i in (0, 1)]


def _eigenvalues(m: Any) -> list[Real]:
    half, det = (m[0, 0] + m[1, 1]) / 2, m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]
    root = mp.sqrt(max(half * half - det, mpf(0)))
    small = det / (half + root) if half + root else mpf(0)
    return [half + root, max(small, mpf(0))]


def entropy(e: Real, q: Real) -> Real:
    """Return S(AE) − S(E) in bits."""

    def of(values: list[Real]) -> Real:
        return -sum(v * mp.log(v, 2) for v in values if v > 0)

    states = _outcomes(e, q)
    return of([v for s in states for v in _eigenvalues(s)]) - of([(1 + e) / 2, (1 - e) / 2])


def weight(e: Real, delta: Real, q: Real) -> Real:
    """Return Σ Tr (ρ_E^((1 − α)/2α) ρ_a ρ_E^((1 − α)/2α))^α."""
    alpha, power = 1 + delta, -delta / (2 * (1 + delta))
    scale = [((1 + s * e) / 2) ** power if 1 + s * e > 0 else mpf(0) for s in (1, -1)]
    total = mpf(0)
    for state in _outcomes(e, q):
        m = mp.matrix(2, 2)
        for i in (0, 1):
            for j in (0, 1):
                m[i, j] = scale[i] * state[i, j] * scale[j]
        total += sum(v**alpha for v in _eigenvalues(m) if v > 0)
    return total


@dataclass(frozen=True)
class Round:
    """A round whose greatest Φ a proof bounds: of von Neumann or, with δ, of Rényi entropies."""

    key: Real
    tests: tuple[Real, Real]
    gains: tuple[Real, Real]
    noise: Real
    delta: Real = 0

    @property
    def beta(self) -> Real:
        """A/B."""
        return self.gains[0] / self.gains[1]

    def value(self, e: Real, square: Any = closed_square, other: Any = closed_other) -> Real:
        """Return Φ(E) in bits, by closed forms or by others."""
        scored = 2 * self.gains[1] * mp.sqrt(square(e, self.beta))
        weights = (self.key, *self.tests)
        places = ((e, self.noise), (e, mpf(0)), (other(e, self.beta), mpf(0)))
        if not self.delta:
            return scored - sum(w * entropy(*at) for w, at in zip(weights, places, strict=True))
        scale = self.delta * mp.log(2)
        left = sum(
            w * (weight(at, self.delta, q) - 1) for w, (at, q) in zip(weights, places, strict=True)
        )
        return scored + left / scale

    def greatest(self, points: int = 40) -> Real:
        """Return the greatest value found: a grid, then golden sections at its highest points."""
        grid = sorted({mpf(0), *(1 - (1 - mpf(i) / points) ** 2 for i in range(points + 1))})
        values = [self.value(e) for e in grid]
        best = max(range(len(grid)), key=lambda i: values[i])
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
        ratio = (mp.sqrt(5) - 1) / 2
        for _ in range(90):
            left, right = high - ratio * (high - low), low + ratio * (high - low)
            low, high = (left, high) if self.value(left) < self.value(right) else (low, right)
        return max(values[best], self.value((low + high) / 2))


def third_order(x: Real, spread: Real) -> Real:
    """Return x² K of Dupuis and Fawzi, with R = 2 + spread."""
    reach = 2 + spread
    growth = 2 ** (x * reach) * mp.log(2**reach + mp.exp(2)) ** 3
    return x**2 * growth / (6 * (1 - x) ** 3 * mp.log(2))


def of_local(choice: dict[str, float]) -> tuple[Real, tuple[Real, Real]]:
    """Return the probabilities of key rounds and of tests of both kinds."""
    gamma, p = (
        exact(choice["corrector_test_probability"]),
        exact(choice["reference_test_probability"]),
    )
    coin = exact(choice["coin_probability"]) if "coin_probability" in choice else p / (1 - p)
    return (1 - gamma) * (1 - p), (gamma * (1 - p) * coin, gamma * p)


def length_at_renyi_order(values: dict[str, Any]) -> Real:
    """Return nκ − θ of `renyi_weighted`."""
    free, n = values["length"]["parameters"], values["heralded_rounds"]
    key, tests = of_local(values["setting_choice"])
    delta = exact(free["excess"])
    u, v = (
        [2 ** (delta * exact(f)) for f in free[name]] for name in ("win_credits", "loss_credits")
    )
    scale = delta * mp.log(2)
    gains = tuple(p * (a - b) / 4 / scale for p, a, b in zip(tests, u, v, strict=True))
    lowered = tuple(p * b for p, b in zip(tests, v, strict=True))
    noise = exact(values["noisy_preprocessing"])
    most = Round(key, (lowered[0], lowered[1]), (gains[0], gains[1]), noise, delta).greatest()
    rest = sum(p * (b - 1) + p * (a - b) / 2 for p, a, b in zip(tests, u, v, strict=True))
    kappa = -mp.log(1 + scale * most + rest) / scale
    secrecy = exact(values["epsilons"]["secrecy"])
    return n * kappa + (1 + 1 / delta) * mp.log(secrecy, 2) + 2


def length_with_counted_tests(values: dict[str, Any]) -> Real | None:
    """Return the length of `eat_rpa`; None where winning a test does not count."""
    free, n = values["length"]["parameters"], values["heralded_rounds"]
    key, tests = of_local(values["setting_choice"])
    x, k, w = (
        exact(free["excess"]),
        *([exact(v) for v in free[name]] for name in ("loss_credits", "published_wins")),
    )
    losses = [p * (1 - each) for p, each in zip(tests, w, strict=True)]
    m = sum(p * c for p, c in zip(losses, k, strict=True))
    v = sum(p * c * c for p, c in zip(losses, k, strict=True)) - m * m
    root, log33 = mp.sqrt(2 + v), mp.log(33, 2)
    slope = mp.log(2) / 2 * (log33 + root) / root
    s = [1 - x * slope * (c - 2 * m) for c in k]
    if min(s) <= 0:
        return None
    gains = tuple(p * c * share / 4 for p, c, share in zip(tests, k, s, strict=True))
    noise = exact(values["noisy_preprocessing"])
    most = Round(key, tests, (gains[0], gains[1]), noise).greatest()
    cost = mp.log(2) / 2 * (log33 + root) ** 2 - slope * v + slope * m * m
    sizes = [p * c for p, c in zip(tests, k, strict=True)]
    spread = sum(sizes) / 2 + mp.sqrt(sum(size**2 for size in sizes)) / 2
    secrecy = exact(values["epsilons"]["secrecy"])
    return (
        n * (2 * sum(gains) - x * cost - most)
        - exact(free["most_lost"])
        - n * third_order(x, spread)
        - exact(free["most_test_bits"])
        + (1 / x + 2) * mp.log(secrecy, 2)
        + 2
        - values["leakage"]["budget_bits"]
    )


def length_accumulated(values: dict[str, Any], *, announced: bool = False) -> Real:
    """Return the length of `tan22` or `geat`, with H − g − xV at every w of devices."""
    free, n = values["length"]["parameters"], values["heralded_rounds"]
    key, tests = of_local(values["setting_choice"])
    test, noise = sum(tests), exact(values["noisy_preprocessing"])
    x, y = exact(free["first_excess"]), exact(free["second_excess"])
    tangent = exact(free["tangent"])

    def bits(win: Real) -> Real:
        chsh = 8 * win - 4
        e = mp.sqrt(max(chsh * chsh / 4 - 1, mpf(0))) if win > mpf(3) / 4 else mpf(0)
        return key * entropy(e, noise) + test * entropy(e, mpf(0))

    # A proof may take any slope: this is the tangent's to the digits of a double.
    slope = mpf(float(mp.diff(bits, tangent)))

    def left(win: Real) -> Real:
        lost = test * (1 - win)
        variance = lost * (1 - lost) * (slope / test) ** 2
        cost = mp.log(2) / 2 * (mp.log(33, 2) + mp.sqrt(2 + variance)) ** 2
        return bits(win) - slope * win - x * cost

    low, high = (2 - mp.sqrt(2)) / 4, (2 + mp.sqrt(2)) / 4
    grid = [low + (high - low) * i / 60 for i in range(61)]
    best = min(range(61), key=lambda i: left(grid[i]))
    a, b, ratio = grid[max(best - 1, 0)], grid[min(best + 1, 60)], (mp.sqrt(5) - 1) / 2
    for _ in range(90):
        c, d = b - ratio * (b - a), a + ratio * (b - a)
        a, b = (c, b) if left(c) > left(d) else (a, d)
    least = min(left(grid[best]), left((a + b) / 2), left(mpf(3) / 4))
    secrecy = exact(values["epsilons"]["secrecy"])
    first, second, total, hashing = (
        exact(free[name])
        for name in ("first_smoothing", "second_smoothing", "smoothing", "amplification")
    )

    def price(epsilon: Real) -> Real:
        return -mp.log(1 - mp.sqrt(1 - epsilon**2), 2)

    ea = -mp.log(secrecy, 2)
    threshold = min(1 - mpf(values["tolerated_test_losses"]) / (n * test), high)
    return (
        n * (slope * threshold + least)
        - n * third_order(x, slope * (1 - low))
        - n * test
        - (price(first) + (1 + x) * ea) / x
        - (price(first) + ea if announced else 0)
        - n * y * mp.log(5, 2) ** 2
        - (price(second) + (1 + y) * ea) / y
        - 3 * price(total - first - 2 * second)
        + 2 * mp.log(hashing, 2)
        + 2
        - values["leakage"]["budget_bits"]
    )
