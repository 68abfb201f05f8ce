"""Enclosures against reference rows, at the parameters of the rows."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
from claims import SECRECY, Values, claim, local

from postprocessing.certificate import UNITS_A_BIT, prove

TABLE = Path(__file__).parents[2] / "reference/weighted_chsh.csv"
QUANTILE_995 = 2.5758293035489004
# Of the sums that a length is a difference of: the rows' inputs, and values, have ten digits.
TEN_DIGITS = 5e-10


def rows(kind: str, start: str) -> list[dict[str, str]]:
    with TABLE.open(newline="") as file:
        of_kind = [row for row in csv.DictReader(file) if row["kind"] == kind]
    chosen = [r for r in of_kind if r["quantity"].startswith(start) and r["counted"] != "no"]
    assert chosen
    return chosen


def h(p: float) -> float:
    return -(p * math.log2(p) + (1 - p) * math.log2(1 - p)) if 0 < p < 1 else 0.0


def settings_of(row: dict[str, str]) -> dict[str, float]:
    return local(float(row["gamma"]), float(row["p"]), float(row["tau"]))


def leaked_of(row: dict[str, str]) -> float:
    """Return the row's expected leakage and tag."""
    gamma, p, q, error = (float(row[name]) for name in ("gamma", "p", "q", "Q"))
    key = float(row["n"]) * (1 - gamma) * (1 - p)
    return 1.1 * key * h(error + q - 2 * error * q) + 38


def renyi_values(row: dict[str, str]) -> Values:
    w = [float(row[name] or 0.8) for name in ("w1", "w2")]
    won, lost = ([float(row[f"f{kind}{end}"]) for kind in (1, 2)] for end in "wl")
    parameters = {
        "excess": float(row["delta"]),
        "win_credits": won,
        "loss_credits": lost,
        "published_wins": w,
    }
    n, noise = int(float(row["n"] or 1)), float(row["q"])
    return claim("renyi_weighted", n, settings_of(row), parameters, noise=noise)


@pytest.mark.parametrize("row", rows("renyi", "kappa"), ids=lambda row: row["value"])
def test_accumulated_entropy(row: dict[str, str]) -> None:
    proof = prove(renyi_values(row))
    assert proof.account["accumulated entropy"] == pytest.approx(float(row["value"]), rel=2e-9)


@pytest.mark.parametrize("row", rows("renyi", "expected length"), ids=lambda row: row["value"])
def test_renyi_lengths(row: dict[str, str]) -> None:
    """At expected counts, the row's leakage and its rounding."""
    proof, n = prove(renyi_values(row)), float(row["n"])
    gamma, p, tau = (float(row[name]) for name in ("gamma", "p", "tau"))
    shares = [gamma * (1 - p) * tau, gamma * p]
    wins = [float(row["w1"]), float(row["w2"])]
    counts = [n * s * each for s, w in zip(shares, wins, strict=True) for each in (w, 1 - w)]
    scores = [c * u / UNITS_A_BIT for c, u in zip(counts, proof.score_units, strict=True)]
    bits = proof.units / UNITS_A_BIT + math.fsum(scores) - leaked_of(row) - 1 - 1e-9 * n
    digits = TEN_DIGITS * math.fsum(map(abs, scores))
    assert bits == pytest.approx(float(row["value"]), rel=1e-9, abs=digits)


@pytest.mark.parametrize(
    ("method", "row"),
    [
        (method, row)
        for method, kind in (("tan22_counted", "tan22"), ("eat_rpa", "eat_rpa"))
        for row in rows(kind, "length")
    ],
    ids=lambda given: given if isinstance(given, str) else given["value"],
)
def test_lengths_with_counted_tests(method: str, row: dict[str, str]) -> None:
    """At the row's K, register, expected leakage and rounding."""
    names = ("n", "gamma", "p", "tau", "excess_x", "q")
    n, gamma, p, tau, x, noise = (float(row[name]) for name in names)
    shares = [gamma * (1 - p) * tau, gamma * p]
    wins, credits_ = ([float(row[f"{c}{k}"]) for k in (1, 2)] for c in "wk")
    mean = square = register = spread = 0.0
    for share, w, k in zip(shares, wins, credits_, strict=True):
        mean += share * (1 - w) * k
        square += share * (1 - w) * k * k
        register += share * h(w)
        spread += share * (w * math.log2(w) ** 2 + (1 - w) * math.log2(1 - w) ** 2)
    tests = n * (sum(shares) + register) + QUANTILE_995 * math.sqrt(n * spread)
    smoothing = SECRECY / (1 + x) / 2
    parameters = {
        "loss_credits": credits_,
        "most_lost": n * mean + QUANTILE_995 * math.sqrt(n * (square - mean**2)),
        "published_wins": wins,
        "most_test_bits": tests,
        "excess": x,
        "tangent": 0.5,
        "smoothing": smoothing,
        "amplification": SECRECY - 2 * smoothing,
    }
    proof = prove(claim(method, int(n), settings_of(row), parameters, noise=noise))
    low, high = proof.enclosure
    bits = (low + high) / 2 - leaked_of(row) - 1 - 2e-12 * n
    assert 0 <= high - low <= 5e-15 * n + 1e-6
    digits = TEN_DIGITS * (parameters["most_lost"] + tests)
    assert bits == pytest.approx(float(row["value"]), rel=1e-9, abs=digits)
