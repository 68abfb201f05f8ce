"""Random devices as an oracle: correlations, and entropies of the reference's outcomes."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.complex128]
X, Z = np.array([[0, 1], [1, 0]]), np.diag([1, -1])


def random_strategies(count: int, seed: int, noise: float) -> tuple[npt.NDArray[np.float64], ...]:
    """Return X, Y and the entropies of B1 with noise, B1 and B2 of random qubit pairs."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        rank, mixing = rng.integers(1, 5), rng.uniform(0, 1) ** 3
        ket = rng.normal(size=(4, rank)) + 1j * rng.normal(size=(4, rank))
        ket /= np.linalg.norm(ket)
        # Purified at Eve, and biased to entangled states.
        bell = np.zeros((4, rank), np.complex128)
        bell[[0, 3], 0] = math.sqrt(0.5)
        state = math.sqrt(1 - mixing) * bell + math.sqrt(mixing) * ket
        state /= np.linalg.norm(state)
        angle = rng.uniform(0, math.pi)
        b = [Z, math.cos(angle) * Z + math.sin(angle) * X]
        half, middle = rng.uniform(0, math.pi / 2), rng.normal(0, 0.3)
        a = [math.cos(t) * Z + math.sin(t) * X for t in (middle + half, middle - half)]
        found.append((state, a, b))
    return tuple(
        np.array(column) for column in zip(*(_numbers(each, noise) for each in found), strict=True)
    )


def _numbers(strategy: tuple[Matrix, list[Matrix], list[Matrix]], flip: float) -> tuple[float, ...]:
    state, (a1, a2), (b1, b2) = strategy
    rho = state @ state.conj().T
    # The reference is the first qubit.
    x = float(np.trace(rho @ np.kron(b1, a1 + a2)).real)
    y = float(np.trace(rho @ np.kron(b2, a2 - a1)).real)
    return (
        abs(x),
        abs(y),
        entropy(state, b1, flip),
        entropy(state, b1, 0.0),
        entropy(state, b2, 0.0),
    )


def entropy(state: Matrix, observable: Matrix, noise: float) -> float:
    """Return H(B ⊕ N | Eve) of a pure state of the reference, the other party and Eve."""
    parts = []
    for sign in (1, -1):
        projector = np.kron((np.eye(2) + sign * observable) / 2, np.eye(2))
        seen = projector @ state
        parts.append(seen.T @ seen.conj())
    plus, minus = parts
    flipped = [(1 - noise) * plus + noise * minus, noise * plus + (1 - noise) * minus]
    return sum(map(_von_neumann, flipped)) - _von_neumann(plus + minus)


def _von_neumann(matrix: Matrix) -> float:
    values = np.linalg.eigvalsh(matrix)
    values = values[values > 1e-15]
    return float(-(values * np.log2(values)).sum())
