"""Devices that are quantum just often enough, or just as much, to look honest.

Each has the score of the honest devices on average, so that it passes the test as often, and leaves
the eavesdropper less than the honest devices do, but never less than the bound of the CHSH value.
The key must fit into what is left. Where a design weighs the two kinds of tests differently, the
devices are the best at the weighted CHSH value βX + Y.
"""

from __future__ import annotations

import math

import numpy as np

from emulator.attacks.attack import Conduct, Part, Table, Target, steady
from emulator.attacks.local import answers, best_answers, table_of
from postprocessing.security.entropy import entropy_of_coherence

# The finest change of devices in time, and the length of a memory's moods.
TURNS, MOODS = 500, 40


def quantum_share(target: Target) -> float:
    """Return which share of rounds must be ideal, the others being classical, to look honest."""
    weight = target.weight
    ideal = 2 * (weight + 1) / math.hypot(weight, 1)
    return min(max((target.design.expected_chsh - 2) / (ideal - 2), 0.0), 1.0)


def ideal_part(target: Target) -> Part:
    """Return ideal devices, of whose key bits the eavesdropper knows nothing."""
    return Part(target.heralding(quantum_table(target.weight, 1.0)), 1.0)


def classical_part(target: Target) -> Part:
    """Return classical devices, whose every answer the eavesdropper knows."""
    return Part(target.heralding(_classical_table(target)), 0.0)


def _classical_table(target: Target) -> Table:
    """Return fixed answers that make the mixture with ideal devices look honest.

    Where a design tells the two kinds of tests apart, both parts of S are those of honest devices.
    """
    known = target.design.expected_chsh_at_key_setting
    if known is None:
        return table_of(*best_answers(target)[0])
    share = quantum_share(target)
    missing = known - share * 2 * target.weight / math.hypot(target.weight, 1)
    at_key = min(max(missing / (2 * (1 - share)), 0.0), 1.0) if share < 1 else 0.5
    tables = [table_of(*given) for given in answers(target.scheme)]
    parts = [target.heralding(table).chsh_at_key_setting for table in tables]
    first, second = (tables[int(np.argmax(np.array(parts) * sign))] for sign in (1, -1))
    return at_key * first + (1 - at_key) * second


def mixture(target: Target, seed: int) -> Conduct:
    """Be ideal or classical in each round, by randomness that the eavesdropper knows."""
    share = quantum_share(target)
    ideal = quantum_table(target.weight, 1.0)
    table = share * ideal + (1 - share) * _classical_table(target)
    return steady(target.heralding(table), share, target)


def turns_classical(target: Target, seed: int) -> Conduct:
    """Be ideal at first, classical from some moment on."""
    quantum = round(TURNS * quantum_share(target))
    return _in_turns(target, [True] * quantum + [False] * (TURNS - quantum))


def moody(target: Target, seed: int) -> Conduct:
    """Be ideal or classical for long stretches, as a memory of the devices has it."""
    sequence = np.random.SeedSequence(seed, spawn_key=(0x6D6F6F64,))
    moods = np.random.default_rng(sequence).random(MOODS) < quantum_share(target)
    return _in_turns(target, moods.tolist())


def optimal_collective(target: Target, seed: int) -> Conduct:
    """Share, in each round, the state that tells the eavesdropper most at the honest score."""
    part = optimal_part(target, target.honest_weighted_chsh)
    return steady(part.devices, part.entropy, target)


def optimal_part(target: Target, weighted_chsh: float) -> Part:
    """Return devices with the state that tells the eavesdropper most at a weighted CHSH value.

    The eavesdropper purifies the mixture of Φ⁺ and Φ⁻ with weights (1 ± C)/2, of which B1 measures
    σ_z, B2 σ_x, and A1, A2 the directions (βσ_z ∓ Cσ_x)/√(β² + C²). Then βX + Y = 2√(β² + C²), and
    B1 has the entropy 1 − h((1 + C)/2), which at β = 1 no state undercuts (Acín et al., PRL 98,
    230501 (2007)).
    """
    square = weighted_chsh**2 / 4 - target.weight**2
    coherence = min(math.sqrt(max(square, 0.0)), 1.0)
    entropy = float(entropy_of_coherence(coherence))
    return Part(target.heralding(quantum_table(target.weight, coherence)), entropy)


def quantum_table(weight: float, coherence: float) -> Table:
    """Return p(a, b | x, y) of the greatest βX + Y at a coherence C; QBER 0, ideal at 1."""
    norm = math.hypot(weight, coherence)
    correlators = np.array([[norm, 0], [weight, -(coherence**2)], [weight, coherence**2]]) / norm
    product = np.array([[1, -1], [-1, 1]])
    table: Table = (1 + product * correlators[:, :, np.newaxis, np.newaxis]) / 4
    return table


def _in_turns(target: Target, quantum: list[bool]) -> Conduct:
    """Return devices that are ideal or classical part by part."""
    ideal, classical = ideal_part(target), classical_part(target)
    parts = tuple(ideal if is_quantum else classical for is_quantum in quantum)
    return Conduct(parts, target.setting_choice)
