"""The Bell-state scheme against density matrices on the whole Fock space of two photons."""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy.linalg import expm

from emulator.schemes.bell_state import BellState
from emulator.schemes.optics import Link

LEVELS = 3
# Axes of a state: the spins of Alice and Bob, then the light modes a_H, a_V, b_H, b_V.
SHAPE = (2, 2, LEVELS, LEVELS, LEVELS, LEVELS)
Matrix = npt.NDArray[np.float64]

ALICE_ANGLES = (0.0, math.pi / 4, -math.pi / 4)
BOB_ANGLES = (0.0, math.pi / 2)
# Clicks of (c_H, c_V, d_H, d_V).
PSI_PLUS = [(1, 1, 0, 0), (0, 0, 1, 1)]
PSI_MINUS = [(1, 0, 0, 1), (0, 1, 1, 0)]


def sources() -> Matrix:
    """Return the density matrix of (|+z⟩|H⟩ + |−z⟩|V⟩)/√2 on both sides, bra axes after ket's."""
    alice = np.zeros((2, LEVELS, LEVELS))
    alice[0, 1, 0] = alice[1, 0, 1] = 1 / math.sqrt(2)
    state = np.einsum("sij,tkl->stijkl", alice, alice)
    return np.multiply.outer(state, state)


def apply(operator: Matrix, density: Matrix, axes: tuple[int, ...]) -> Matrix:
    """Return O ρ O^T for an operator on some ket axes, given as a matrix with real entries."""
    size = len(axes)
    tensor = operator.reshape((LEVELS,) * (2 * size))
    for first in (0, len(SHAPE)):
        target = [axis + first for axis in axes]
        density = np.tensordot(tensor, density, axes=(range(size, 2 * size), target))
        density = np.moveaxis(density, range(size), target)
    return density


def lose(density: Matrix, transmittance: float, axis: int) -> Matrix:
    """Return the state after a loss channel on one mode, summed over its Kraus operators."""
    lower = np.diag(np.sqrt(np.arange(1, LEVELS)), 1)
    kept = np.diag(math.sqrt(transmittance) ** np.arange(LEVELS))
    total = np.zeros_like(density)
    for lost in range(LEVELS):
        weight = math.sqrt((1 - transmittance) ** lost / math.factorial(lost))
        kraus = weight * kept @ np.linalg.matrix_power(lower, lost)
        total += apply(kraus, density, (axis,))
    return total


def beam_splitter() -> Matrix:
    """Return the unitary with a† → (a† + b†)/√2 and b† → (a† − b†)/√2; a becomes c, b becomes d.

    Truncation is exact up to two photons in all, which are all there are.
    """
    lower = np.diag(np.sqrt(np.arange(1, LEVELS)), 1)
    rotation = expm(math.pi / 4 * (np.kron(lower, lower.T) - np.kron(lower.T, lower)))
    sign = np.kron(np.eye(LEVELS), np.diag((-1.0) ** np.arange(LEVELS)))
    return rotation @ sign


def outcomes(angles: tuple[float, ...]) -> Matrix:
    """Return the eigenvectors of cosθ σ_z + sinθ σ_x, shape (angle, outcome, 2)."""
    vectors = []
    for angle in angles:
        pauli = [[math.cos(angle), math.sin(angle)], [math.sin(angle), -math.cos(angle)]]
        _, columns = np.linalg.eigh(np.array(pauli))
        vectors.append([columns[:, 1], columns[:, 0]])
    return np.array(vectors)


def pattern_weights(dark: float) -> dict[tuple[int, ...], Matrix]:
    """Return P(clicks | photons in c_H, c_V, d_H, d_V) for every pattern of clicks."""
    silent = np.zeros(LEVELS)
    silent[0] = 1 - dark
    one = np.stack([silent, 1 - silent])
    one[1, 0] = dark
    patterns = itertools.product((0, 1), repeat=4)
    # The modes stand in the order c_H, c_V, d_H, d_V.
    return {p: np.einsum("i,j,k,l->ijkl", *(one[click] for click in p)) for p in patterns}


def brute_force(transmittance: float, dark: float) -> Matrix:
    """Return p[x, y, announcement, a, b]; announcements none, ψ+, ψ−."""
    density = sources()
    for axis in range(2, 6):
        density = lose(density, transmittance, axis)
    for modes in ((2, 4), (3, 5)):
        density = apply(beam_splitter(), density, modes)
    photons = np.einsum("stijkluvijkl->stuvijkl", density)
    announcements = np.zeros((3, *photons.shape[4:]))
    for pattern, weight in pattern_weights(dark).items():
        announcements[1 if pattern in PSI_PLUS else 2 if pattern in PSI_MINUS else 0] += weight
    light = np.einsum("stuvijkl,hijkl->hstuv", photons, announcements)
    alice, bob = outcomes(ALICE_ANGLES), outcomes(BOB_ANGLES)
    return np.einsum("xas,xau,ybt,ybv,hstuv->xyhab", alice, alice, bob, bob, light, optimize=True)


def test_the_beam_splitter_is_unitary_and_bunches() -> None:
    matrix = beam_splitter()
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(LEVELS**2), atol=1e-14)
    one_each = matrix.reshape((LEVELS,) * 4)[:, :, 1, 1]
    expected = np.zeros((LEVELS, LEVELS))
    expected[2, 0], expected[0, 2] = 1 / math.sqrt(2), -1 / math.sqrt(2)
    np.testing.assert_allclose(one_each, expected, atol=1e-14)


@pytest.mark.parametrize(
    ("distance", "efficiency", "dark"),
    [
        (0.0, 1.0, 0.0),
        (0.0, 0.8, 1e-7),
        (10.0, 0.5, 1e-2),
        (60.0, 0.9, 1e-4),
        (200.0, 0.35, 1e-5),
        (300.0, 0.8, 0.0),
        (50.0, 0.3, 0.4),
        (450.0, 0.8, 1e-3),
    ],
)
def test_matrices_agree(distance: float, efficiency: float, dark: float) -> None:
    model = BellState(Link(distance, efficiency, dark))
    expected = brute_force(efficiency * 10 ** (-distance / 100), dark)
    found = model.joint_distribution().probabilities
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-18)
