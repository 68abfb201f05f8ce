"""The exact secrecy distance of keys from four rounds, under the best devices with a memory.

Run: ``python tests/acceptance/secrecy_distance.py [DESIGNS] [SEED]``, minutes. Random designs of
both Rényi bounds, with varying and with fixed lengths, are put to devices that choose each round's
behaviour by everything public before it, the outcomes of tests included; the eavesdropper keeps all
of her quantum systems to the end. Dynamic programming finds the best of all such choices among some
behaviours: phase flips of every coherence, with answers for several weights of the two kinds of
tests, and fixed answers. The distance of key, seed and everything the eavesdropper has from an
ideal key is computed from the states themselves, over all Toeplitz matrices. Rounding margins are
left out. Prints the greatest distance over ε, and exits with 1 if one is above 1, or if hardly any
design came near.

The methods with counted tests have no key from so few rounds: their second-order terms need 10⁴.
"""

from __future__ import annotations

import itertools
import math
import sys
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.security import Block, Counts, RenyiParameters
from postprocessing.security.renyi import RenyiScore, amplification_cost
from postprocessing.security.renyi_pairs import RenyiPairs
from postprocessing.security.renyi_pairs_optimum import credited
from postprocessing.security.renyi_round import weight_excess
from postprocessing.security.single_round import other_coherence
from postprocessing.security.weighted_search import Place

Table = npt.NDArray[np.float64]

ROUNDS, NOISES = 4, (0.0, 0.05)
# Coherence, and X and Y of the CHSH value: fixed answers, then phase flips.
BEHAVIOURS = (
    (0.0, 2.0, 0.0),
    (0.0, 0.0, 2.0),
    *(
        (c, 2 * weight / math.hypot(weight, c), 2 * c * c / math.hypot(weight, c))
        for c, weight in ((0.4, 1.0), (0.7, 0.7), (0.7, 1.0), (0.9, 1.0), (1.0, 1.0))
    ),
)
# Of the designs, that must have a key after some runs, and of ε, that some must come to.
LEAST_KEYS, LEAST_SHARE = 0.2, 0.3


@dataclass(frozen=True)
class Drawn:
    """A random design."""

    marks: RoundProbabilities
    parameters: RenyiScore
    secrecy: float
    noise: float
    least_score: float | None

    def length(self, rounds: int, tests: Counts, key_rounds: int) -> int:
        """Return the length of the key, at most all of the key rounds."""
        score = self.parameters.score(tests)
        if self.least_score is not None:
            if score < self.least_score:
                return 0
            score = self.least_score
        entropy = rounds * self.parameters.accumulated_entropy(self.marks, self.noise)
        bits = entropy + score - amplification_cost(self.parameters.excess, self.secrecy)
        return max(0, min(math.floor(bits), key_rounds))


def draw(rng: np.random.Generator) -> Drawn:
    """Draw a design; its ε is that at which some run has just one or two bits of key."""
    test, noise = rng.uniform(0.05, 0.7), float(rng.choice(NOISES))
    key = (1 - test) * float(rng.choice([1, rng.uniform(0.5, 1)]))
    excess, tangent = float(rng.uniform(0.2, 0.99)), float(rng.uniform(0.3, 0.999))
    if rng.random() < 0.3:
        marks = RoundProbabilities(key, test)
        pairs = credited_at(Place(excess, tangent, 1.0), marks, noise)
        credits_ = pairs.win_credits[0], pairs.loss_credits[0]
        parameters: RenyiScore = RenyiParameters(excess, *credits_, 0.8)
    else:
        marks = RoundProbabilities(key, test, test_at_key_setting=test * rng.uniform(0.2, 0.8))
        place = Place(excess, tangent, float(rng.uniform(0.6, 1.6)))
        parameters = credited_at(place, marks, noise)
    entropy = ROUNDS * parameters.accumulated_entropy(marks, noise)
    won, lost, key_rounds = rng.multinomial(ROUNDS, [0.35, 0.05, 0.6]).tolist()
    at_key = int(rng.integers(won + 1)), int(rng.integers(lost + 1))
    score = parameters.score(Counts(won, lost, at_key))
    bits = int(rng.integers(1, max(2, min(key_rounds, 2) + 1)))
    cost = (entropy + score - bits + 2) / (1 + 1 / excess)
    secrecy = 2.0 ** -max(cost - 1e-9, 0.05)
    return Drawn(marks, parameters, secrecy, noise, score if rng.random() < 0.5 else None)


def credited_at(place: Place, marks: RoundProbabilities, noise: float) -> RenyiPairs:
    """Return the credits by which the worst device gains nothing, whatever a round turns out to be.

    For these the bound is tightest.
    """
    root = math.hypot(place.weight, place.tangent)
    first, second = 0.5 + place.weight / (2 * root), 0.5 + place.tangent**2 / (2 * root)
    win = (first + second) / 2
    block = Block(ROUNDS, marks, win, 0.5, 0.0, noisy_preprocessing=noise)
    pairs = credited(replace(block, win_probability_at_key_setting=first), place)
    other = float(other_coherence(place.weight, place.tangent))
    seen = 1 + weight_excess(np.array([place.tangent, other]), pairs.excess, 0.0)
    key = 1 + float(weight_excess(np.array([place.tangent]), pairs.excess, noise)[0])
    level = (1 - marks.keep + marks.key * key) / (1 - marks.test)
    spreads = np.array(pairs.win_credits) - np.array(pairs.loss_credits)
    ratios = 2 ** (pairs.excess * spreads)
    lost = np.log2(level / ((ratios - 1) * np.array([first, second]) + seen)) / pairs.excess
    won = lost + spreads
    return replace(pairs, win_credits=(won[0], won[1]), loss_credits=(lost[0], lost[1]))


@cache
def distance(coherences: tuple[float, ...], bits: int, noise: float) -> float:
    """Return the secrecy distance of so many bits from key rounds of these coherences."""
    count = len(coherences)
    states = [_seen(c, noise) for c in coherences]
    strings = list(itertools.product((0, 1), repeat=count))
    products = []
    for string in strings:
        product = np.eye(1)
        for bit, pair in zip(string, states, strict=True):
            product = np.kron(product, pair[bit])
        products.append(product / len(strings))
    all_states = np.array(products)
    mean = all_states.sum(axis=0) / 2**bits
    total, seeds = 0.0, list(itertools.product((0, 1), repeat=count + bits - 1))
    for seed in seeds:
        matrix = np.array([[seed[i - j + count - 1] for j in range(count)] for i in range(bits)])
        hashed = (np.array(strings) @ matrix.T % 2) @ (1 << np.arange(bits))
        keys = np.zeros((2**bits, *mean.shape))
        np.add.at(keys, hashed, all_states)
        total += float(np.abs(np.linalg.eigvalsh(keys - mean)).sum()) / 2
    return total / len(seeds)


def _seen(c: float, noise: float) -> tuple[Table, Table]:
    """Return the eavesdropper's states after both outcomes: pure ones of overlap C, then noise."""
    plus, minus = math.sqrt((1 + c) / 2), math.sqrt((1 - c) / 2)
    pure = [np.outer(v, v) for v in (np.array([plus, minus]), np.array([plus, -minus]))]
    return (
        (1 - noise) * pure[0] + noise * pure[1],
        (1 - noise) * pure[1] + noise * pure[0],
    )


def greatest_distance(design: Drawn) -> float:
    """Return the secrecy distance of the best devices: the most over choices in each round."""
    first, second = design.marks.kinds

    @cache
    def most(tests: tuple[int, int, int, int], keys: tuple[float, ...], left: int) -> float:
        won_1, lost_1, won_2, lost_2 = tests
        if not left:
            counts = Counts(won_1 + won_2, lost_1 + lost_2, (won_1, lost_1))
            bits = design.length(ROUNDS, counts, len(keys))
            return distance(keys, bits, design.noise) if bits else 0.0
        discarded = most(tests, keys, left - 1)
        after = [
            most((*tests[:i], tests[i] + 1, *tests[i + 1 :]), keys, left - 1) for i in range(4)
        ]
        best = 0.0
        for c, x, y in BEHAVIOURS:
            wins = 0.5 + x / 4, 0.5 + y / 4
            value = design.marks.key * most(tests, (*keys, c), left - 1)
            value += (1 - design.marks.keep) * discarded
            value += first * (wins[0] * after[0] + (1 - wins[0]) * after[1])
            value += second * (wins[1] * after[2] + (1 - wins[1]) * after[3])
            best = max(best, value)
        return best

    return most((0, 0, 0, 0), (), ROUNDS)


def main() -> int:
    """Print the greatest distance of many designs."""
    arguments = [int(argument) for argument in sys.argv[1:]]
    designs, seed = (*arguments, *(1000, 1)[len(arguments) :])
    rng = np.random.default_rng(seed)
    shares = []
    for _ in track(range(designs), console=Console(stderr=True), transient=True):
        design = draw(rng)
        shares.append(greatest_distance(design) / design.secrecy)
    with_key = sum(share > 0 for share in shares)
    Console(width=150).print(
        f"{designs} designs of {ROUNDS} rounds, {with_key} with keys after some runs: distance at "
        f"most {max(shares):.3f} ε, median of those {np.median([s for s in shares if s]):.3f} ε"
    )
    return (
        0
        if max(shares) <= 1 and with_key >= LEAST_KEYS * designs and max(shares) > LEAST_SHARE
        else 1
    )


if __name__ == "__main__":
    sys.exit(main())
