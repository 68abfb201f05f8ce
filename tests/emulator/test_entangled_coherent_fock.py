"""The entangled-coherent-state scheme against matrices on a truncated Fock space."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy.linalg import expm

from emulator.schemes import EntangledCoherent
from emulator.schemes.optics import Link

LEVELS = 9
State = npt.NDArray[np.complex128]

ALICE_ANGLES = (0.0, math.pi / 4, -math.pi / 4)
BOB_ANGLES = (0.0, math.pi / 2)


def coherent(amplitude: float) -> npt.NDArray[np.float64]:
    """Return the Fock amplitudes of a coherent state."""
    factorials = np.array([math.factorial(n) for n in range(LEVELS)], dtype=float)
    return math.exp(-(amplitude**2) / 2) * amplitude ** np.arange(LEVELS) / np.sqrt(factorials)


def beam_splitter(angle: float) -> State:
    """Return exp[θ(a†b − b†a)], amplitudes (α, β) → (α cosθ + β sinθ, β cosθ − α sinθ)."""
    lower = np.diag(np.sqrt(np.arange(1, LEVELS)), 1)
    generator = np.kron(lower.T, lower) - np.kron(lower, lower.T)
    return expm(angle * generator).reshape((LEVELS,) * 4)


def source(intensity: float, transmittance: float, phase: float) -> State:
    """Return the state [qubit, light after fibre and drift, light lost] of one sender."""
    amplitude = math.sqrt(intensity)
    sent = np.stack([coherent(amplitude), coherent(-amplitude)]) / math.sqrt(2)
    vacuum = np.eye(LEVELS)[0]
    fibre = beam_splitter(-math.acos(math.sqrt(transmittance)))
    arrived = np.einsum("mlno,qn,o->qml", fibre, sent, vacuum)
    drift = np.exp(1j * phase * np.arange(LEVELS))
    return arrived * drift[np.newaxis, :, np.newaxis]


def outcomes(angles: tuple[float, ...]) -> npt.NDArray[np.float64]:
    """Return the eigenvectors of cosθ σ_z + sinθ σ_x, shape (angle, outcome, 2)."""
    vectors = []
    for angle in angles:
        pauli = [[math.cos(angle), math.sin(angle)], [math.sin(angle), -math.cos(angle)]]
        _, columns = np.linalg.eigh(np.array(pauli))
        vectors.append([columns[:, 1], columns[:, 0]])
    return np.array(vectors)


def brute_force(
    intensity: float, transmittance: float, dark: float, drift: float
) -> npt.NDArray[np.float64]:
    """Return p[x, y, announcement, a, b] by matrices; announcements none, D1, D2, both."""
    alice = source(intensity, transmittance, -drift / 2)
    bob = source(intensity, transmittance, drift / 2)
    # Charlie: (α, β) → ((α + β)/√2, (α − β)/√2), the sign of the second port taken by a phase.
    sign = (-1.0) ** np.arange(LEVELS)
    charlie = beam_splitter(math.pi / 4) * sign[np.newaxis, :, np.newaxis, np.newaxis]
    light = np.einsum("cdmn,qml->cdqnl", charlie, alice)
    state = np.einsum("cdqnl,rnk->cdqlrk", light, bob)
    silent = np.zeros(LEVELS)
    silent[0] = 1 - dark
    detectors = np.stack([silent, 1 - silent])
    weights = np.einsum("ec,fd->efcd", detectors, detectors)
    projected = np.einsum(
        "xaq,ybr,cdqlrk->xyabcdlk",
        outcomes(ALICE_ANGLES),
        outcomes(BOB_ANGLES),
        state,
        optimize=True,
    )
    photons = (np.abs(projected) ** 2).sum(axis=(6, 7))
    table = np.einsum("efcd,xyabcd->xyfeab", weights, photons)
    return table.reshape(3, 2, 4, 2, 2)


@pytest.mark.parametrize(
    ("intensity", "efficiency", "distance", "dark", "misalignment"),
    [
        (0.03, 0.8, 0.0, 1e-3, 0.0),
        (0.05, 0.5, 10.0, 1e-2, 0.07),
        (0.02, 1.0, 0.0, 0.0, 0.2),
        (0.04, 0.9, 60.0, 1e-4, 0.6),
    ],
)
def test_matrices_agree(
    intensity: float, efficiency: float, distance: float, dark: float, misalignment: float
) -> None:
    link = Link(distance, efficiency, dark)
    model = EntangledCoherent(link, intensity, misalignment)
    transmittance = efficiency * 10 ** (-distance / 100)
    expected = brute_force(intensity, transmittance, dark, math.acos(1 - 2 * misalignment))
    found = model.joint_distribution().probabilities
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13)
