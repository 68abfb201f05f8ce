"""Light on truncated Fock spaces: loss by Kraus operators, beam splitters, threshold detectors.

States have two spins of index 0 for +z and 1 for −z, Alice's before Bob's.
"""

from __future__ import annotations

import itertools
import math
from functools import reduce
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Matrix: TypeAlias = npt.NDArray[np.complex128]
Reals: TypeAlias = npt.NDArray[np.float64]


def click_law(photons: int, efficiency: float, dark: float) -> tuple[float, float]:
    """Return the probabilities of no click and of a click, photon by photon detected."""
    found = [
        math.comb(photons, k) * efficiency**k * (1 - efficiency) ** (photons - k)
        for k in range(photons + 1)
    ]
    return (1 - dark) * found[0], dark * found[0] + math.fsum(found[1:])


def mean_turn(numbers: npt.NDArray[np.int64], offset: float, deviation: float) -> Matrix:
    """Return ∫ g(δ) e^(iδn) dδ over a Gaussian, by Gauss–Legendre quadrature on ± 12 σ."""
    if deviation == 0:
        return np.exp(1j * offset * numbers)
    steps, weights = np.polynomial.legendre.leggauss(400)
    phases = 12 * deviation * steps
    density = 12 * weights * np.exp(-72 * steps**2) / math.sqrt(2 * math.pi)
    turns = np.exp(1j * np.multiply.outer(numbers, offset + phases))
    found: Matrix = turns @ density
    return found


def coherent(amplitude: float, levels: int) -> Reals:
    """Return the Fock amplitudes of a coherent state."""
    factorials = np.array([math.factorial(n) for n in range(levels)], dtype=float)
    powers: Reals = amplitude ** np.arange(levels)
    return math.exp(-(amplitude**2) / 2) * powers / np.sqrt(factorials)


def one_mode_loss(transmittance: float, levels: int) -> Reals:
    """Return Σ_l K_l ⊗ K_l* of pure loss, indices (out, in, out', in')."""
    lower = np.diag(np.sqrt(np.arange(1, levels)), 1)
    kept = np.diag(math.sqrt(transmittance) ** np.arange(levels))
    total = np.zeros((levels,) * 4)
    power = np.eye(levels)
    for lost in range(levels):
        kraus = kept @ power * math.sqrt((1 - transmittance) ** lost / math.factorial(lost))
        total += np.multiply.outer(kraus, kraus)
        power = power @ lower
    return total


def half_splitter(levels: int) -> Reals:
    """Return ⟨k, l|U|m, n⟩ with a† → (c† + d†)/√2, b† → (c† − d†)/√2, for m + n < `levels`."""
    splitter = np.zeros((levels,) * 4)
    for m, n in itertools.product(range(levels), repeat=2):
        if m + n >= levels:
            continue
        # (1 + x)^m (1 − x)^n: the power of x counts the photons in d.
        factors = [np.array([1, 1])] * m + [np.array([1, -1])] * n
        coefficients = reduce(np.convolve, factors, np.array([1]))
        for photons, coefficient in enumerate(coefficients):
            rest = m + n - photons
            ratio = math.factorial(rest) * math.factorial(photons)
            ratio /= math.factorial(m) * math.factorial(n)
            splitter[rest, photons, m, n] = coefficient * math.sqrt(ratio / 2 ** (m + n))
    return splitter


class FewPhotons:
    """All states of some modes with at most two photons in all.

    Parameters
    ----------
    modes : int
        Their number.
    """

    def __init__(self, modes: int) -> None:
        self.modes = modes
        numbers = itertools.product(range(3), repeat=modes)
        self.basis = [n for n in numbers if sum(n) <= 2]
        self.numbers = np.array(self.basis)
        self.vacuum = np.eye(len(self.basis))[self.basis.index((0,) * modes)]

    def creation(self, mode: int) -> Reals:
        """Return the creation operator of a mode."""
        operator = np.zeros((len(self.basis), len(self.basis)))
        for column, numbers in enumerate(self.basis):
            raised = (*numbers[:mode], numbers[mode] + 1, *numbers[mode + 1 :])
            if raised in self.basis:
                operator[self.basis.index(raised), column] = math.sqrt(raised[mode])
        return operator

    def lose(self, density: Matrix, transmittances: list[float]) -> Matrix:
        """Return a state [spins, light, spins', light'] after pure loss of every mode."""
        for mode, transmittance in enumerate(transmittances):
            lower = self.creation(mode).T
            kept = np.diag(math.sqrt(transmittance) ** self.numbers[:, mode])
            total = np.zeros_like(density)
            for lost in range(3):
                weight = math.sqrt((1 - transmittance) ** lost / math.factorial(lost))
                kraus = weight * kept @ np.linalg.matrix_power(lower, lost)
                total += np.einsum("im,smtn,jn->sitj", kraus, density, kraus, optimize=True)
            density = total
        return density

    def lift(self, modes: Matrix | Reals) -> Matrix:
        """Return the unitary with a_i† → Σ_j u_ij a_j†."""
        raised = np.stack([self.creation(mode) for mode in range(self.modes)])
        turned = np.einsum("ij,jab->iab", modes, raised)
        columns = []
        for numbers in self.basis:
            state = self.vacuum.astype(complex)
            for mode, photons in enumerate(numbers):
                for _ in range(photons):
                    state = turned[mode] @ state
                state = state / math.sqrt(math.factorial(photons))
            columns.append(state)
        return np.stack(columns, axis=1)

    def clicks(
        self, detectors: list[list[int]], efficiencies: list[float], darks: list[float]
    ) -> dict[tuple[int, ...], Reals]:
        """Return the diagonal of the operator of every pattern of clicks.

        Each detector sees some modes and does not tell them apart.
        """
        laws = []
        for seen, efficiency, dark in zip(detectors, efficiencies, darks, strict=True):
            photons = self.numbers[:, seen].sum(axis=1)
            laws.append(np.array([click_law(int(n), efficiency, dark) for n in photons]).T)
        patterns = itertools.product((0, 1), repeat=len(detectors))
        return {
            pattern: np.prod([law[c] for law, c in zip(laws, pattern, strict=True)], axis=0)
            for pattern in patterns
        }
