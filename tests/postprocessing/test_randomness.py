"""Coins from byte sources."""

import secrets
from fractions import Fraction

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


class Words:
    """Bytes of given words of 64 bits."""

    def __init__(self, *words: int) -> None:
        self.left = np.array(words, "<u8").tobytes()

    def __call__(self, count: int) -> bytes:
        taken, self.left = self.left[:count], self.left[count:]
        assert len(taken) == count
        return taken


@pytest.mark.parametrize("probability", [Fraction(3, 2**16 - 3), Fraction(1, 3), Fraction(0.1)])
def test_coins_are_exact_beyond_a_word(probability):
    """Compared with the binary digits of the probability: the second word decides a tie."""
    first, rest = divmod(probability * 2**64, 1)
    second = int(rest * 2**64)
    for words, coin in (
        ((first - 1,), 1),
        ((first + 1,), 0),
        ((first, second - 1), 1 if rest else None),
        ((first, second + 1), 0),
    ):
        if coin is not None and min(words) >= 0:
            source = Words(*(words if rest else words[:1]))
            assert draw_coins(source, 1, probability).to_bits().tolist() == [coin]
            assert not source.left


def test_coins_without_further_digits_need_no_further_word():
    assert draw_coins(Words(2**63), 1, 0.5).ones == 0
    assert draw_coins(Words(2**63 - 1), 1, 0.5).ones == 1
    assert draw_coins(Words(0), 1, 0.0).ones == 0


def test_default_is_the_operating_systems_generator():
    randomness = PartyRandomness()
    assert randomness.choices is secrets.token_bytes
    assert randomness.hash_seeds is secrets.token_bytes


@pytest.mark.parametrize("given", [0, 8, 64, 10**7])
def test_a_source_that_runs_short_gives_no_coins(given):
    """What was not drawn must not be taken for coins: a key may rest on them."""
    with pytest.raises(InvalidArgumentError, match=r"^choices must be a source that gives"):
        draw_coins(lambda size: bytes(given), 100_000, 0.05)
