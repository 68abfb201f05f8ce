"""Random designs, extreme ones among them, and what an independent evaluation says of each."""

from __future__ import annotations

import math
import random
from typing import Any

from claims import Values, claim, local
from independent import (
    DIGITS,
    length_accumulated,
    length_at_renyi_order,
    length_with_counted_tests,
)
from mpmath import mp

from postprocessing.certificate import NotProvedError, prove

KINDS = ("renyi_weighted", "eat_rpa", "tan22")
# About as far as golden sections and doubles of the slope go.
AGREEMENT = 1e-12


def drawn(kind: str, seed: int) -> Values:
    """Return a design whose probabilities, orders and credits may be anything in range."""
    at = random.Random(f"{kind} {seed}")
    gamma, p = 10 ** at.uniform(-4, -0.05), min(10 ** at.uniform(-4, -0.3), 0.5)
    choice = local(gamma, p, at.choice([None, 1.0, 10 ** at.uniform(-4, 0)]))
    noise = at.choice([0.0, 0.0, 1e-12, 0.02, 0.2, 0.49])
    rounds = at.choice([1, 10**4, 10**6, 10**8, 10**10, 10**13])
    if kind == "tan22":
        choice.pop("coin_probability", None)
        return claim(kind, rounds, choice, _accumulation(at), noise=noise, losses=at.randrange(99))
    first = gamma * (1 - p) * choice.get("coin_probability", p / (1 - p))
    second = gamma * p
    # The weight of both kinds is β: 1 within rounding, near it, or far.
    off = at.choice([0.0, 2**-52, -(2**-52), 1e-9, -1e-9, at.uniform(-0.6, 0.6), at.uniform(-3, 3)])
    beta = math.exp(off)
    size = 10 ** at.uniform(-2, 1)
    credits_ = [size * beta / first, size / second]
    wins = [at.uniform(0.01, 0.99), at.uniform(0.01, 0.99)]
    if kind == "eat_rpa":
        free: dict[str, Any] = {
            "loss_credits": credits_,
            "most_lost": 10 ** at.uniform(0, 8),
            "published_wins": wins,
            "most_test_bits": 10 ** at.uniform(0, 8),
            "excess": 10 ** at.uniform(-8, -0.1),
            "tangent": 0.5,
        }
        return claim(kind, rounds, choice, free, noise=noise)
    delta = 10 ** at.uniform(-8, -0.02)
    most = max(credits_)
    if delta * most > 300:
        credits_ = [k * 300 / (delta * most) for k in credits_]
    lost = [-k * at.uniform(0, 1) for k in credits_]
    free = {
        "excess": delta,
        "win_credits": [low + k for low, k in zip(lost, credits_, strict=True)],
        "loss_credits": lost,
        "published_wins": wins,
    }
    return claim(kind, rounds, choice, free, noise=noise)


def _accumulation(at: random.Random) -> dict[str, Any]:
    """Return free parameters of `tan22`."""
    secrecy = 9e-11
    first, second = at.uniform(0.1, 0.4) * secrecy, at.uniform(0.001, 0.04) * secrecy
    smoothing = (first + 2 * second) * at.uniform(1.0001, 1.02)
    return {
        "tangent": at.choice([at.uniform(0.7501, 0.8535), 0.75 + 1e-9, 0.8535]),
        "first_excess": 10 ** at.uniform(-8, -0.5),
        "second_excess": 10 ** at.uniform(-7, -0.5),
        "first_smoothing": first,
        "second_smoothing": second,
        "smoothing": smoothing,
        "amplification": (secrecy - 2 * smoothing) * 0.9,
    }


def evaluate(kind: str, values: Values) -> Any:
    """Return the length by independent means; None where there is none."""
    with mp.workdps(DIGITS):
        if kind == "renyi_weighted":
            return length_at_renyi_order(values)
        if kind == "eat_rpa":
            return length_with_counted_tests(values)
        return length_accumulated(values)


def verdict(kind: str, seed: int) -> str:
    """Prove a random design; say what is wrong, or "proved", "refused" or "refused, rightly"."""
    values = drawn(kind, seed)
    try:
        proof = prove(values)
    except NotProvedError as reason:
        right = "winning" in str(reason) or "frequent" in str(reason)
        return "refused, rightly" if right else "refused"
    with mp.workdps(DIGITS):
        length, (low, high) = evaluate(kind, values), proof.enclosure
        if length is None:
            return f"{kind} {seed}: proved what does not follow"
        size = max(map(abs, (low, *proof.account.values())))
        if proof.bits > length + values["heralded_rounds"] * mp.mpf(10) ** -40:
            return f"{kind} {seed}: proved {proof.bits} bits, there are {mp.nstr(length, 25)}"
        if length - high > AGREEMENT * size + 1e-15 * values["heralded_rounds"]:
            return f"{kind} {seed}: {mp.nstr(length - high, 5)} bits fewer than there are"
    return "proved"
