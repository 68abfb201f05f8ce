"""The cavity scheme against density matrices of two atoms and a mode on a truncated Fock space."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from scipy.linalg import expm

from emulator.schemes.cat_code import CatCode, LossSegments, cat_performance
from emulator.schemes.cavity_cat import CavityCat, CavityLink, cat_states
from emulator.states.heralded import HeraldedStates

LEVELS = 28
ARM_LEVELS = 20
NUMBERS = np.arange(LEVELS)
ALICE_ANGLES = (0.0, math.pi / 2, 0.9)
BOB_ANGLES = (0.0, 0.6, -0.6, 2.5)

Matrix = npt.NDArray[np.complex128]
Angles = tuple[float, ...]


@dataclass(frozen=True)
class Point:
    """A code and its losses."""

    order: int
    photon_class: int
    alpha: float
    taus: tuple[float, float, float, float]
    memory: float = 1.0
    linear: bool = False

    @property
    def components(self) -> int:
        return self.order + 1

    @property
    def angle(self) -> float:
        return math.pi / self.components

    @property
    def code(self) -> CatCode:
        method = "linear_optics" if self.linear else "bound"
        return CatCode(self.order, self.photon_class, method)

    @property
    def segments(self) -> LossSegments:
        return LossSegments(*self.taus)


POINTS = [
    Point(0, 0, 0.6, (1.0, 0.7, 1.0, 0.9)),
    Point(0, 0, 1.1, (1.0, 0.5, 1.0, 1.0), memory=0.93),
    Point(0, 0, 0.9, (0.9, 0.6, 0.8, 0.7)),
    Point(0, 0, 0.4, (0.8, 1.0, 0.9, 1.0)),
    Point(0, 0, 1.3, (0.95, 0.3, 0.9, 0.5), memory=0.8),
    Point(0, 0, 0.7, (1.0, 1.0, 1.0, 1.0)),
    Point(0, 0, 0.8, (0.9, 0.6, 0.9, 0.8), linear=True),
    Point(1, 0, 0.9, (1.0, 0.8, 1.0, 1.0)),
    Point(1, 0, 1.2, (1.0, 0.5, 1.0, 0.8), memory=0.9),
    Point(1, 0, 1.0, (0.9, 0.7, 0.85, 0.9)),
    Point(1, 1, 1.0, (0.9, 0.7, 0.85, 0.9), memory=0.95),
    Point(1, 1, 1.3, (1.0, 0.6, 1.0, 0.7)),
    Point(1, 0, 1.1, (0.7, 0.9, 0.95, 1.0)),
    Point(1, 1, 0.8, (1.0, 1.0, 0.6, 0.9)),
    Point(1, 0, 1.0, (0.95, 0.7, 0.9, 0.8), linear=True),
    Point(1, 1, 1.1, (0.95, 0.6, 0.9, 0.8), linear=True),
    Point(3, 0, 1.3, (0.95, 0.8, 0.9, 0.9), memory=0.97),
    Point(3, 3, 1.2, (1.0, 0.7, 0.95, 1.0)),
    Point(3, 2, 1.25, (0.9, 0.8, 1.0, 0.9)),
]


def coherent(amplitude: complex, levels: int = LEVELS) -> Matrix:
    """Return the Fock amplitudes of a coherent state."""
    factorials = np.array([math.factorial(n) for n in range(levels)], dtype=float)
    powers = np.asarray(amplitude, dtype=complex) ** np.arange(levels)
    return math.exp(-(abs(amplitude) ** 2) / 2) * powers / np.sqrt(factorials)


def photon_class(number: int, modulus: int) -> npt.NDArray[np.float64]:
    """Return the diagonal of the projector onto n ≡ `number`."""
    return (NUMBERS % modulus == number % modulus).astype(float)


def start(point: Point) -> Matrix:
    """Return ρ[a, b, n, a', b', n'] of atoms in |+⟩ and the heralded class of a coherent state."""
    light = coherent(point.alpha) * photon_class(point.photon_class, point.components)
    light /= np.linalg.norm(light)
    ket = np.einsum("a,b,n->abn", np.full(2, 0.5**0.5), np.full(2, 0.5**0.5), light)
    return np.multiply.outer(ket, ket.conj())


def lose(rho: Matrix, tau: float) -> Matrix:
    """Apply every Kraus operator of pure loss."""
    lower = np.diag(np.sqrt(NUMBERS[1:]), 1)
    result = np.zeros_like(rho)
    kraus = np.diag(math.sqrt(tau) ** NUMBERS).astype(complex)
    for photons in range(LEVELS):
        result += np.einsum("mn,abncdp,qp->abmcdq", kraus, rho, kraus.conj(), optimize=True)
        kraus = kraus @ lower * math.sqrt((1 - tau) / (photons + 1))
    return result


def rotate(rho: Matrix, angle: float, atom: int) -> Matrix:
    """Turn the light by `angle` if the atom (0 Alice's, 1 Bob's) is in |1⟩."""
    phases = np.ones((2, 2, LEVELS), dtype=complex)
    excited = [slice(None), slice(None), slice(None)]
    excited[atom] = 1
    phases[tuple(excited)] = np.exp(1j * angle * NUMBERS)
    return rho * np.multiply.outer(phases, phases.conj())


def optimal_povm(point: Point) -> list[Matrix]:
    """Return the conclusive elements from the codewords of each class, by their dual vectors."""
    beta = point.alpha * math.sqrt(math.prod(point.taus))
    elements = [np.zeros((LEVELS, LEVELS), dtype=complex) for _ in range(2)]
    for number in range(point.components):
        chosen = photon_class(number, point.components)
        words = [coherent(beta * np.exp(1j * point.angle * j)) * chosen for j in range(2)]
        words = [word / np.linalg.norm(word) for word in words]
        overlap = np.vdot(words[0], words[1])
        for outcome, (own, other) in enumerate([words, words[::-1]]):
            dual = own - other * np.vdot(other, own)
            scale = (1 - abs(overlap)) / abs(np.vdot(dual, own)) ** 2
            elements[outcome] += scale * np.outer(dual, dual.conj())
    return elements


def mixed(oscillator: complex) -> Matrix:
    """Return the isometry [c, d, n] of a 50:50 splitter with a local oscillator at one input."""
    lower = np.diag(np.sqrt(np.arange(1, ARM_LEVELS)), 1)
    generator = np.kron(lower.T, lower) - np.kron(lower, lower.T)
    splitter = expm(math.pi / 4 * generator).reshape((ARM_LEVELS,) * 4)
    return np.einsum("cdno,o->cdn", splitter, coherent(oscillator, ARM_LEVELS))


def seen(ports: Matrix) -> Matrix:
    """Return the operator on the input light behind the outputs [c, d, n] of some clicks."""
    rows = ports.reshape(-1, ARM_LEVELS)
    return rows.conj().T @ rows


def both_click(oscillator: complex) -> Matrix:
    """Return the operator on one arm whose two detectors click."""
    return seen(mixed(oscillator)[1:, 1:])


def linear_optics_povm(point: Point) -> list[Matrix]:
    """Return the conclusive elements of local oscillators and on-off detectors."""
    beta = point.alpha * math.sqrt(math.prod(point.taus))
    if point.order == 0:
        # Outputs (±β + β)/√2 and (β ∓ β)/√2: a click in either names the state.
        ports = mixed(beta)
        return [embed(seen(ports[1:, :1])), embed(seen(ports[:1, 1:]))]
    # |n⟩ on a 50:50 splitter: √(C(n, k)/2^n) |k⟩|n − k⟩; element u is the other arm's double click.
    split = np.zeros((ARM_LEVELS, ARM_LEVELS, ARM_LEVELS))
    for n in range(ARM_LEVELS):
        for k in range(n + 1):
            split[k, n - k, n] = math.sqrt(math.comb(n, k) / 2**n)
    arm = beta / math.sqrt(2)
    first = np.einsum("kin,kl,lim->nm", split, both_click(arm), split, optimize=True)
    second = np.einsum("ikn,kl,ilm->nm", split, both_click(1j * arm), split, optimize=True)
    return [embed(second), embed(first)]


def embed(operator: Matrix) -> Matrix:
    """Return an operator on few photons in the space of all levels."""
    result = np.zeros((LEVELS, LEVELS), dtype=complex)
    result[:ARM_LEVELS, :ARM_LEVELS] = operator
    return result


def projectors(angles: Angles) -> npt.NDArray[np.float64]:
    """Return the eigenprojectors of cosθ σ_z + sinθ σ_x, shape (angle, outcome, 2, 2)."""
    paulis = [[[math.cos(t), math.sin(t)], [math.sin(t), -math.cos(t)]] for t in angles]
    observables = np.array(paulis)
    return np.stack([np.eye(2) + observables, np.eye(2) - observables], axis=1) / 2


def correction(point: Point, syndrome: int, outcome: int) -> Matrix:
    """Return what Bob does to his atom."""
    turns = syndrome if outcome else syndrome - 2 * point.photon_class
    gate = np.diag([1, np.exp(1j * point.angle * turns)])
    return np.array([[0, 1], [1, 0]]) @ gate if outcome else gate


@cache
def announced(point: Point) -> tuple[list[list[Matrix]], list[float]]:
    """Return both atoms' states [syndrome][outcome], unnormalised; and what is inconclusive."""
    rho = lose(start(point), point.taus[0])
    rho = lose(rotate(rho, point.angle, 0), point.taus[1])
    povm = linear_optics_povm(point) if point.linear else optimal_povm(point)
    damping = np.array([[1.0, point.memory], [point.memory, 1.0]])
    conclusive, inconclusive = [], []
    for syndrome in range(point.components):
        kept = photon_class(point.photon_class - syndrome, point.components)
        left = np.einsum("n,abncdp,p->abncdp", kept, rho, kept)
        left = lose(rotate(lose(left, point.taus[2]), point.angle, 1), point.taus[3])
        states = [
            np.einsum("abncdp,pn,ac->abcd", left, element, damping, optimize=True)
            for element in povm
        ]
        conclusive.append(states)
        found = sum(np.einsum("abab", atoms).real for atoms in states)
        inconclusive.append(float(np.einsum("abnabn", left).real - found))
    return conclusive, inconclusive


def brute_force(
    point: Point, alice_angles: Angles, bob_angles: Angles, *, corrected: bool
) -> npt.NDArray[np.float64]:
    """Return p[x, y, announcement, a, b], inconclusive ones spread evenly."""
    alice, bob = projectors(alice_angles), projectors(bob_angles)
    conclusive, inconclusive = announced(point)
    tables = []
    for syndrome, states in enumerate(conclusive):
        for outcome, atoms in enumerate(states):
            gate = correction(point, syndrome, outcome) if corrected else np.eye(2)
            turned = np.einsum("be,aecf,df->abcd", gate, atoms, gate.conj())
            tables.append(np.einsum("xica,yjdb,abcd->xyij", alice, bob, turned).real)
    shape = (len(alice), len(bob), 2, 2)
    return np.stack(tables + [np.full(shape, failed / 4) for failed in inconclusive], axis=2)


def flipped_back(states: HeraldedStates) -> HeraldedStates:
    """Return the states with σ_x on Bob's atom for u = 1, which his correction undid."""
    turn = np.kron(np.eye(2), [[0, 1], [1, 0]])
    raw = {
        name: turn @ state @ turn if name.endswith("u1") else state
        for name, state in states.states.items()
    }
    return HeraldedStates(raw, states.corrections)


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_matrices_agree(point: Point) -> None:
    """With Bob's correction and without."""
    performance = cat_performance(point.code, point.segments, point.alpha**2)
    for corrected in (True, False):
        found = cat_states(performance, memory_dephasing=1 - point.memory, phase_gate=corrected)
        if not corrected:
            found = flipped_back(found)
        found = found.probabilities(ALICE_ANGLES, BOB_ANGLES)
        expected = brute_force(point, ALICE_ANGLES, BOB_ANGLES, corrected=corrected)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13)
        np.testing.assert_allclose(expected.sum(axis=(2, 3, 4)), 1, rtol=1e-12)


@pytest.mark.parametrize("point", [POINTS[2], POINTS[9], POINTS[16]], ids=str)
def test_the_model_measures_where_it_says(point: Point) -> None:
    # Alice's atom waits for 2 × 5 µs.
    link = CavityLink(1, coherence_time_s=1e-4)
    point = replace(point, memory=math.exp(-0.1))
    model = CavityCat(
        link,
        loss_order=point.order,
        amplitude=point.alpha,
        segments=point.segments,
        travel_times=2,
        photon_class=point.photon_class,
    )
    theta = math.acos(2 / model.theory().chsh)
    expected = brute_force(point, (0.0, math.pi / 2), (theta, -theta, 0.0), corrected=True)
    found = model.joint_distribution().probabilities
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13)
