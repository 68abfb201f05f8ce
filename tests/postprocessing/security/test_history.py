"""Bounds of earlier papers beside the reference table: written here, as no key is made by them."""

from __future__ import annotations

import csv
import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.security import METHODS, Block, Terms, binary_entropy, win_probability
from postprocessing.security.entropy import entropy_of_coherence, slope_of_coherence

TABLE = Path(__file__).parents[2] / "reference" / "finite_size.csv"
COMPLETENESS = 1e-2

Row = dict[str, str]


def rows(method: str) -> list[Row]:
    with TABLE.open(newline="") as lines:
        return [row for row in csv.DictReader(lines) if row["method"] == method]


def raw_rate(row: Row) -> float:
    return float(row["raw_rate_bits_per_round"])


def name(row: Row) -> str:
    return f"n={float(row['n']):.0e},S={row['S']},Q={row['Q']}"


def af18_leakage(row: Row) -> float:
    """Return the error correction of Arnon-Friedman et al., key and test rounds, at f = 1.1."""
    n, gamma, share = int(row["n"]), float(row["gamma"]), COMPLETENESS / 2
    win = win_probability(float(row["S"]))
    limit = n * ((1 - gamma) * binary_entropy(float(row["Q"])) + gamma * binary_entropy(win))
    fluctuation = 4 * math.sqrt(n) * math.log2(2 * math.sqrt(2) + 1)
    fluctuation *= math.sqrt(2 * math.log2(8 / share**2))
    constant = math.log2(8 / share**2 + 2 / (2 - share)) - math.log2(float(row["eps_sound"]) / 4)
    return float(1.1 * limit + fluctuation + constant)


def af18(row: Row) -> float:
    """Return the bound of Arnon-Friedman et al., Nat. Commun. 9, 459 (2018), round by round.

    The soundness is split evenly into ε_s, ε_EA, ε_EC and ε_PA.
    """
    n, gamma, part = int(row["n"]), float(row["gamma"]), float(row["eps_sound"]) / 4
    root, margin = math.sqrt(n), math.sqrt(math.log(2 / COMPLETENESS) / (2 * n))
    accepted = win_probability(float(row["S"])) * gamma - margin
    deviation = math.sqrt(1 - 2 * math.log2(part / 4 * (part + part)))

    def rate(t: float) -> float:
        """Bits per round at the tangent C = tanh t."""
        c = math.tanh(t)
        tangent = 0.5 + math.sqrt(1 + c * c) / 4
        slope = float(slope_of_coherence(c)) / gamma
        height = float(entropy_of_coherence(c)) + slope * (accepted - gamma * tangent)
        return height - 2 / root * (math.log2(13) + slope) * deviation

    found = minimize_scalar(lambda t: -rate(t), bounds=(1e-3, 12.0), method="bounded")
    # 1 − √(1 − x²) without cancellation.
    share = part / 4
    smoothing = math.log2(share**2 / (1 + math.sqrt(1 - share**2)))
    second = 2 * root * math.log2(7) * deviation
    costs = 3 * smoothing - second - n * gamma - af18_leakage(row) + 2 * math.log2(part)
    return float(n * rate(float(found.x)) + costs)


@pytest.mark.parametrize("row", rows("af18"), ids=name)
def test_af18_rows(row: Row) -> None:
    rate = af18(row) / int(row["n"])
    assert rate == pytest.approx(raw_rate(row), rel=1e-3)
    if int(row["key_length_bits"]):
        assert rate == pytest.approx(raw_rate(row), rel=1e-6)


def af18_block(row: Row) -> float:
    """Return the bits of the bound of 2018 on blocks of up to ⌈1/γ⌉ rounds, its slope rounded up.

    The rounded slope makes a sawtooth of it, hence the dense grid of tangents.
    """
    n, gamma, soundness = int(row["n"]), float(row["gamma"]), float(row["eps_sound"])
    win, part, size = win_probability(float(row["S"])), soundness / 4, math.ceil(1 / gamma)
    tested = 1 - (1 - gamma) ** size
    mean = tested / gamma
    blocks = n / mean
    accepted = win * tested - math.sqrt(math.log(2 / 1e-2) / (2 * blocks))
    deviation = math.sqrt(1 - 2 * math.log2(part / 4 * 2 * part))
    c = np.tanh(np.linspace(1e-3, 6, 60_001))
    tangent = 0.5 + np.sqrt(1 + c**2) / 4
    slope = mean * slope_of_coherence(c) / tested
    dimension = 1 + size * math.log2(6)
    rates = mean * entropy_of_coherence(c) + slope * (accepted - tested * tangent)
    rates -= 2 / math.sqrt(blocks) * (dimension + np.ceil(slope)) * deviation
    leak = af18_leakage(row)
    smoothing = -3 * math.log2(2 / (part / 4) ** 2)
    second = 2 * math.sqrt(blocks) * math.log2(7) * deviation
    return float(blocks * (rates.max() - 1) - leak + smoothing - second + 2 * math.log2(part))


@pytest.mark.parametrize("row", rows("af18_block"), ids=name)
def test_af18_block_rows(row: Row) -> None:
    rate = af18_block(row) / int(row["n"])
    if int(row["key_length_bits"]):
        assert rate == pytest.approx(raw_rate(row), rel=1e-3)
    else:
        # Without a key the table is up to a few teeth of the saw below the best tangent.
        assert raw_rate(row) * 1.0001 <= rate < raw_rate(row) + 0.01


def oxford() -> tuple[Terms, float]:
    """Nadlinger et al., Nature 607, 682 (2022): threshold 3 standard deviations of lost tests.

    Their extractor is Trevisan's, which costs 5 log2(1/ε_PA) + 264 bits and 4 log2 of the length:
    ε_PA has five halves of its share under two-universal hashing.
    """
    n, gamma, win = 1_500_000, 13 / 256, float(win_probability(2.64))
    lose = gamma * (1 - win)
    block = Block(
        rounds=n,
        probabilities=RoundProbabilities.announced(gamma),
        win_probability=win,
        secrecy=1e-10,
        leaked_bits=296_517,
        tolerated_losses=n * lose + 3 * math.sqrt(n * lose * (1 - lose)),
    )
    hashed: Any = METHODS["tan22"].optimise(block)
    amplification = 2.5 * hashed.amplification
    shrunk = (block.secrecy - amplification) / (block.secrecy - hashed.amplification)
    shrunk *= 1 - 1e-12
    split = dataclasses.replace(
        hashed,
        amplification=amplification,
        first_smoothing=hashed.first_smoothing * shrunk,
        second_smoothing=hashed.second_smoothing * shrunk,
        smoothing=hashed.smoothing * shrunk,
    )
    cost = {"amplification": 5 * math.log2(amplification) - 264}
    terms = Terms({**METHODS["tan22"].terms(block, split), **cost})
    return terms, brentq(lambda bits: bits + 4 * math.log2(bits) - terms.total, 1.0, terms.total)


def test_oxford_length() -> None:
    bits = math.floor(oxford()[1])
    assert abs(bits - 95_884) <= 1
    (row,) = rows("tan22_oxford_variant")
    assert abs(bits - int(row["key_length_bits"])) <= 1


def test_oxford_terms() -> None:
    terms, length = oxford()
    worked = {
        "entropy": 866_424,
        "infimum": -167_660,
        "remainder": -44,
        "tests": -76_172,
        "first_smoothing": -169_569,
        "second_smoothing": -59_769,
        "chain_rules": -264,
        "leakage": -296_517,
        "amplification": -215 - 264,
        "rounding": -1,
    }
    # The optimum is flat: bits move between the first five terms at no loss of the sum.
    for term, bits in worked.items():
        assert terms[term] == pytest.approx(bits, abs=12), term
    assert terms.total - length == pytest.approx(66, abs=1)
