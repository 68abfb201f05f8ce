"""Classical devices: every local strategy, and mixtures of them that the eavesdropper knows.

A strategy fixes an answer to each setting beforehand, so whoever chose it knows the key. Of the
four pairs of the CHSH game a strategy wins at most three: S ≤ 2, a win rate of 3/4, whatever the
QBER (Clauser et al., PRL 23, 880 (1969)). Mixing, memory and abundant shared randomness do not help
in the average, and as the marks of the tests are drawn afterwards, neither does choosing when.
"""

from __future__ import annotations

import itertools

import numpy as np

from emulator.attacks.attack import Conduct, Table, Target, steady
from postprocessing.scheme import BellScheme


def answers(scheme: BellScheme) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return all pairs of answers ±1 to Alice's and to Bob's settings that reach S = 2, QBER 0."""
    best = []
    sizes = (len(scheme.alice_labels), len(scheme.bob_labels))
    for alice in itertools.product((1, -1), repeat=sizes[0]):
        for bob in itertools.product((1, -1), repeat=sizes[1]):
            chsh = sum(sign * alice[x] * bob[y] for x, y, sign in scheme.chsh_signs)
            if chsh == 2 and alice[scheme.key_pair[0]] == bob[scheme.key_pair[1]]:
                best.append((alice, bob))
    return best


def best_answers(target: Target) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return those of them with the greatest weighted CHSH value of a design."""

    def value(given: tuple[tuple[int, ...], tuple[int, ...]]) -> float:
        devices = target.heralding(table_of(*given))
        return target.weighted_chsh(devices.chsh, devices.chsh_at_key_setting)

    known = [(value(given), given) for given in answers(target.scheme)]
    most = max(each for each, _ in known)
    return [given for each, given in known if each > most - 1e-9]


def table_of(alice: tuple[int, ...], bob: tuple[int, ...]) -> Table:
    """Return p(a, b | x, y) of fixed answers."""
    table = np.zeros((len(alice), len(bob), 2, 2))
    for (x, a), (y, b) in itertools.product(enumerate(alice), enumerate(bob)):
        table[x, y, (1 - a) // 2, (1 - b) // 2] = 1
    return table


def fixed_answers(target: Target, seed: int) -> Conduct:
    """Answer always the same."""
    return steady(target.heralding(table_of(*best_answers(target)[0])), 0.0, target)


def mixed_answers(target: Target, seed: int) -> Conduct:
    """Follow one of all the best strategies in each round, which the eavesdropper knows."""
    tables = [table_of(alice, bob) for alice, bob in best_answers(target)]
    return steady(target.heralding(np.mean(tables, axis=0)), 0.0, target)


def answers_at_honest_qber(target: Target, seed: int) -> Conduct:
    """Mix in wrong key bits as often as honest devices have them."""
    qber = target.design.expected_qber
    tables = []
    for alice, bob in best_answers(target):
        key = target.scheme.key_pair[0]
        flipped = tuple(-a if x == key else a for x, a in enumerate(alice))
        tables.append((1 - qber) * table_of(alice, bob) + qber * table_of(flipped, bob))
    return steady(target.heralding(np.mean(tables, axis=0)), 0.0, target)
