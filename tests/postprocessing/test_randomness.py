"""Coins from byte sources."""

import secrets

import numpy as np
import pytest
from scipy import stats

from postprocessing.errors import InvalidArgumentError
from postprocessing.protocol.randomness import PartyRandomness, draw_coins


@pytest.mark.parametrize("probability", [0.1, 0.5, 1.0])
def test_coins_have_their_probability(probability):
    """Binomial test at a false-alarm probability of 1e-6, over more than one chunk."""
    source = np.random.default_rng(1).bytes
    coins = draw_coins(source, 1_500_000, probability)
    assert stats.binomtest(coins.ones, len(coins), probability).pvalue > 1e-6


def test_default_is_the_operating_systems_generator():
    randomness = PartyRandomness()
    assert randomness.choices is secrets.token_bytes
    assert randomness.hash_seeds is secrets.token_bytes


@pytest.mark.parametrize("given", [0, 8, 64, 10**7])
def test_a_source_that_runs_short_gives_no_coins(given):
    """What was not drawn must not be taken for coins: a key may rest on them."""
    with pytest.raises(InvalidArgumentError, match=r"^choices must be a source that gives"):
        draw_coins(lambda size: bytes(given), 100_000, 0.05)
