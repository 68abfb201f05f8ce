"""A Charlie who lies, and an eavesdropper on the fibre, in the scheme with coherent states.

All of the light is theirs: what Alice and Bob keep are two spins, whose joint behaviour without a
herald Charlie cannot change. Before any loss the light of one sender is |±√μ⟩, of overlap e^(−2μ).
"""

from __future__ import annotations

import math

import numpy as np

from emulator.attacks.attack import Conduct, Table, Target, steady
from emulator.schemes.entangled_coherent import EntangledCoherent
from emulator.states.distribution import JointDistribution
from emulator.states.games import ALICE_ANGLES, BOB_ANGLES
from emulator.states.heralded import HeraldedStates
from emulator.states.imperfections import Imperfections
from postprocessing.errors import InvalidArgumentError
from postprocessing.security import binary_entropy


def announces_at_will(target: Target, seed: int) -> Conduct:
    """Announce D1 or D2 by the toss of a coin, as often as honest; keep the light unmeasured.

    Bob's spin is entangled with his own light alone. Given all light, his B1 outcome is as unknown
    as which of two pure states of overlap e^(−2μ) was sent: 1 − h((1 − e^(−2μ))/2).
    """
    model = _coherent(target)
    overlap = _overlap(model)
    gram = np.array([[1, overlap], [overlap, 1]])
    both = np.einsum("us,vt->stuv", gram, gram)
    heralds = model.joint_distribution().gain
    shares = np.array([1 - heralds, heralds / 2, heralds / 2, 0])
    operators = shares[:, np.newaxis, np.newaxis, np.newaxis, np.newaxis] * both
    entropy = 1 - float(binary_entropy((1 - overlap) / 2))
    return steady(_devices(operators), entropy, target)


def announces_by_the_light(target: Target, seed: int) -> Conduct:
    """Discriminate both lights unambiguously; announce D1 for like ones, D2 for unlike ones.

    It succeeds with probability (1 − e^(−2μ))² (Ivanovic, Phys. Lett. A 123, 257 (1987)), and
    heralds at most as often as honest. The key has no errors and Charlie knows all of it; the spins
    are left in eigenstates of σ_z, whose CHSH value is √2.
    """
    model = _coherent(target)
    overlap = _overlap(model)
    gram = np.array([[1, overlap], [overlap, 1]])
    both = np.einsum("us,vt->stuv", gram, gram)
    success = (1 - overlap) ** 2
    announced = min(1.0, model.joint_distribution().gain / success) * success
    operators = np.zeros((len(EntangledCoherent.announcements), 2, 2, 2, 2))
    for s, t in np.ndindex(2, 2):
        operators[1 if s == t else 2, s, t, s, t] = announced
    operators[0] = both - operators[1] - operators[2]
    return steady(_devices(operators), 0.0, target)


def taps_the_fibre(target: Target, seed: int) -> Conduct:
    """Keep all light that fibres and detectors lose, and touch nothing that they deliver."""
    model = _coherent(target)
    joint = model.joint_distribution()
    return steady(joint, _entropy_given_lost_light(model, joint), target)


def _entropy_given_lost_light(model: EntangledCoherent, joint: JointDistribution) -> float:
    """Return H(B1 | herald, lost light of both arms).

    With the spins at |s⟩|t⟩ the lost light is |sβ⟩|tβ⟩, β² = (1 − η)μ. Given the herald and Bob's t
    it is a mixture over Alice's s, weighted by p(s, t | herald), which is that of the outcomes of
    A0 and B1, both σ_z.
    """
    lost = (1 - model.link.arm_transmittance) * _intensity(model)
    one = np.array([[1, math.exp(-2 * lost)], [math.exp(-2 * lost), 1]])
    # States in the order (+, +), (+, −), (−, +), (−, −) of (s, t).
    gram = np.kron(one, one)
    heralded = joint.heralded()[joint.scheme.key_pair]
    entropy = 0.0
    for weights in heralded:
        flat = weights.ravel()
        of_bit = [np.where(np.arange(4) % 2 == t, flat, 0.0) for t in (0, 1)]
        # H(t, E) − H(E), each over unnormalised states.
        entropy += sum(_entropy(bit, gram) for bit in of_bit) - _entropy(flat, gram)
    return entropy


def _entropy(weights: Table, gram: Table) -> float:
    """Return −Σ λ log2 λ over the eigenvalues of Σ weight |ψ⟩⟨ψ|, from the overlaps of the ψ."""
    values = np.linalg.eigvalsh(np.sqrt(np.outer(weights, weights)) * gram)
    positive = values[values > 0]
    return float(-(positive * np.log2(positive)).sum())


def _devices(operators: Table) -> JointDistribution:
    """Return what the two spins do under Charlie's announcements."""
    matrices = operators.reshape(-1, 4, 4) / 4
    states = dict(zip(EntangledCoherent.announcements, matrices, strict=True))
    spins = HeraldedStates(states, EntangledCoherent.corrections)
    return spins.measured(ALICE_ANGLES, BOB_ANGLES)


def _coherent(target: Target) -> EntangledCoherent:
    if not isinstance(target.model, EntangledCoherent):
        raise InvalidArgumentError("scheme", target.model.name, "ecs, whose light Charlie has")
    model = target.model
    link = model.link
    papers = (model.directions, model.imperfections) == ("paper", Imperfections())
    equal = link.is_symmetric and len(set(link.efficiencies)) == 1
    if not papers or not equal or isinstance(model.mean_photon_number, tuple):
        allowed = "of the paper's link: equal arms, detectors and light, its directions, no more"
        raise InvalidArgumentError("scheme", model.name, allowed)
    return model


def _intensity(model: EntangledCoherent) -> float:
    assert isinstance(model.intensity, float)
    return model.intensity


def _overlap(model: EntangledCoherent) -> float:
    return math.exp(-2 * _intensity(model))
