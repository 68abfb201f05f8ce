"""Sifting and the CHSH tally, against a round-by-round reading of the rules."""

import numpy as np
import pytest

from emulator.protocols.entangled_coherent import SETTINGS
from postprocessing.estimation import GameTally, tally_tests
from postprocessing.rounds import PartyRecord
from postprocessing.sifting import DISCARD, KEY, TEST, classify, sifted_outcomes, thin


def _random_rounds(n=5000):
    rng = np.random.default_rng(2)
    return rng.integers(0, 3, n, np.uint8), rng.integers(0, 2, n, np.uint8), rng


def test_kinds_of_round():
    x, y, rng = _random_rounds()
    kinds, surplus = classify(SETTINGS, x, y)
    coins = rng.integers(0, 2, len(surplus), np.uint8)
    thinned = thin(kinds, surplus, coins)
    toss = iter(coins)
    for round_x, round_y, kind in zip(x, y, thinned, strict=True):
        label = (f"A{round_x}", f"B{round_y + 1}")
        if label == ("A0", "B1"):
            assert kind == KEY
        elif label in {("A1", "B2"), ("A2", "B2")}:
            assert kind == TEST
        elif label == ("A0", "B2"):
            assert kind == DISCARD
        else:
            assert kind == (TEST if next(toss) else DISCARD)
    assert next(toss, None) is None


def test_only_bob_flips_and_only_b1_on_d2():
    _, y, rng = _random_rounds()
    outcomes, heralds = (rng.integers(0, 2, len(y), np.uint8) for _ in range(2))
    record = PartyRecord(y, outcomes, heralds)
    flipped = sifted_outcomes(SETTINGS, "bob", record) != outcomes
    np.testing.assert_array_equal(flipped, (heralds == 1) & (y == 0))
    np.testing.assert_array_equal(sifted_outcomes(SETTINGS, "alice", record), outcomes)


def test_tally_agrees_with_correlators():
    """With equally many rounds an input, 8w − 4 is the signed sum of the correlators."""
    rng = np.random.default_rng(3)
    inputs = np.tile(np.array([(sx, sy) for sx, sy, _ in SETTINGS.chsh_signs], np.uint8), (1000, 1))
    x, y = inputs.T
    a, b = (rng.integers(0, 2, len(x), np.uint8) for _ in range(2))
    tally = tally_tests(SETTINGS, x, y, a, b)
    product = (1 - 2.0 * a) * (1 - 2.0 * b)
    correlators = {
        (sx, sy): product[(x == sx) & (y == sy)].mean() for sx, sy, _ in SETTINGS.chsh_signs
    }
    chsh = sum(sign * correlators[sx, sy] for sx, sy, sign in SETTINGS.chsh_signs)
    assert tally.chsh == pytest.approx(chsh, abs=1e-12)


def test_tally_without_rounds_has_no_estimate():
    assert GameTally(0, 0).chsh is None
