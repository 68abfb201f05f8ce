"""Devices that are quantum just often enough, or just as much, to look honest.

Each has the CHSH value of the honest devices on average, so that it passes the test as often, and
leaves the eavesdropper less than the honest devices do, but never less than the bound of the CHSH
value. The key must fit into what is left.
"""

from __future__ import annotations

import math

import numpy as np

from emulator.attacks.attack import Conduct, Part, Table, Target, steady
from emulator.attacks.local import answers, table_of
from emulator.schemes.behaviour import Behaviour
from postprocessing.security import asymptotic_key_fraction

_TSIRELSON_BOUND = 2 * math.sqrt(2)
# The finest change of devices in time, and the length of a memory's moods.
TURNS, MOODS = 500, 40


def quantum_share(target: Target) -> float:
    """Return which share of rounds must be ideal, the others being classical, to look honest."""
    chsh = target.design.expected_chsh
    return min(max((chsh - 2) / (_TSIRELSON_BOUND - 2), 0.0), 1.0)


def ideal_table() -> Table:
    """Return p(a, b | x, y) of the singlet: S = 2√2, QBER 0."""
    return Behaviour.from_state(_TSIRELSON_BOUND, 0.0).probabilities


def ideal_part(target: Target) -> Part:
    """Return ideal devices, of whose key bits the eavesdropper knows nothing."""
    return Part(target.heralding(ideal_table()), 1.0)


def classical_part(target: Target) -> Part:
    """Return classical devices, whose every answer the eavesdropper knows."""
    return Part(target.heralding(_classical_table(target)), 0.0)


def _classical_table(target: Target) -> Table:
    return table_of(*answers(target.scheme)[0])


def mixture(target: Target, seed: int) -> Conduct:
    """Be ideal or classical in each round, by randomness that the eavesdropper knows."""
    share = quantum_share(target)
    table = share * ideal_table() + (1 - share) * _classical_table(target)
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
    """Share, in each round, the state that tells the eavesdropper most at the honest S."""
    part = optimal_part(target, target.design.expected_chsh)
    return steady(part.devices, part.entropy, target)


def optimal_part(target: Target, chsh: float) -> Part:
    """Return devices with the state that tells the eavesdropper most at a CHSH value.

    The eavesdropper purifies the mixture of Φ⁺ and Φ⁻ with weights (1 ± C)/2, C = √(S²/4 − 1), of
    which B1 measures σ_z, B2 σ_x, and A1, A2 the directions (σ_z ∓ C σ_x)/√(1 + C²). Then
    S = 2√(1 + C²), and B1 has the entropy 1 − h((1 + C)/2), which no state undercuts (Acín et al.,
    PRL 98, 230501 (2007)).
    """
    chsh = min(max(chsh, 2.0), _TSIRELSON_BOUND)
    coherence = math.sqrt(max(chsh**2 / 4 - 1, 0.0))
    norm = math.hypot(1, coherence)
    correlators = np.array([[1, 0], [1, -(coherence**2)], [1, coherence**2]])
    correlators[1:] /= norm
    product = np.array([[1, -1], [-1, 1]])
    table = (1 + product * correlators[:, :, np.newaxis, np.newaxis]) / 4
    # Without errors the key fraction is the entropy.
    return Part(target.heralding(table), float(asymptotic_key_fraction(chsh, 0.0)))


def _in_turns(target: Target, quantum: list[bool]) -> Conduct:
    """Return devices that are ideal or classical part by part."""
    ideal, classical = ideal_part(target), classical_part(target)
    parts = tuple(ideal if is_quantum else classical for is_quantum in quantum)
    return Conduct(parts, target.setting_choice)
