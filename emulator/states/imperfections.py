"""What wears a heralded pair down between the herald and the printed outcomes."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import Field

from emulator.parameters import MayDrift, Probability, parameters

Matrices: TypeAlias = npt.NDArray[np.complex128]
Table: TypeAlias = npt.NDArray[np.float64]

Dephasing = Annotated[float, Field(ge=0, le=0.5)]

# Which of the four basis states ++, +−, −+, −− have Alice's, and Bob's, spin up.
_ALICE = np.array([0, 0, 1, 1])
_BOB = np.array([0, 1, 0, 1])
_IDENTITY = np.eye(4)


@parameters
class Imperfections:
    """White noise on the pair, then dephasing of each qubit, then readout errors.

    Parameters
    ----------
    white_noise_visibility : float
        v in [0, 1]: ρ becomes v ρ + (1 − v) tr(ρ) 1/4.
    dephasing_alice, dephasing_bob : float
        λ in [0, 1/2] of each side's qubit: ρ becomes (1 − λ) ρ + λ σ_z ρ σ_z.
    readout_error_alice, readout_error_bob : float
        r in [0, 1]: the probability that a side's outcome comes out inverted.

    Raises
    ------
    InvalidArgumentError
        If a number is not finite or outside its range.

    Examples
    --------
    >>> Imperfections(readout_error_alice=0.01, readout_error_bob=0.01).readout_contrast
    0.9603999999999999
    """

    white_noise_visibility: Annotated[
        Probability, Field(description="of the heralded pair"), MayDrift()
    ] = 1.0
    dephasing_alice: Annotated[
        Dephasing, Field(description="probability of a phase flip of Alice's qubit"), MayDrift()
    ] = 0.0
    dephasing_bob: Annotated[
        Dephasing, Field(description="probability of a phase flip of Bob's qubit"), MayDrift()
    ] = 0.0
    readout_error_alice: Annotated[
        Probability, Field(description="probability that Alice's outcome is inverted"), MayDrift()
    ] = 0.0
    readout_error_bob: Annotated[
        Probability, Field(description="probability that Bob's outcome is inverted"), MayDrift()
    ] = 0.0

    @property
    def readout_contrast(self) -> float:
        """(1 − 2 r_A)(1 − 2 r_B), which readout errors leave of every correlation."""
        return (1 - 2 * self.readout_error_alice) * (1 - 2 * self.readout_error_bob)

    @property
    def coherence_kept(self) -> float:
        """(1 − 2 λ_A)(1 − 2 λ_B), which dephasing leaves of correlations across the z axis."""
        return (1 - 2 * self.dephasing_alice) * (1 - 2 * self.dephasing_bob)

    def after(self, dephasing_alice: float, dephasing_bob: float) -> Self:
        """Return the imperfections with a further dephasing of both qubits, as of a memory.

        Parameters
        ----------
        dephasing_alice, dephasing_bob : float
            λ in [0, 1/2] of each side.
        """
        return replace(
            self,
            dephasing_alice=_composed(self.dephasing_alice, dephasing_alice),
            dephasing_bob=_composed(self.dephasing_bob, dephasing_bob),
        )

    def act_on(self, matrices: Matrices) -> Matrices:
        """Return states after white noise and dephasing.

        Parameters
        ----------
        matrices : ndarray of complex128, shape (..., 4, 4)
            Unnormalised states in the order ++, +−, −+, −−.
        """
        visibility = self.white_noise_visibility
        traces = np.trace(matrices, axis1=-2, axis2=-1)[..., np.newaxis, np.newaxis]
        noisy = visibility * matrices + (1 - visibility) * traces * _IDENTITY / 4
        worn: Matrices = noisy * _kept(_ALICE, self.dephasing_alice)
        worn *= _kept(_BOB, self.dephasing_bob)
        return worn

    def read_out(self, probabilities: Table) -> Table:
        """Return probabilities (..., a, b) of outcomes after the readout errors."""
        alice, bob = _confusion(self.readout_error_alice), _confusion(self.readout_error_bob)
        read: Table = alice @ probabilities @ bob
        return read


def _composed(first: float, second: float) -> float:
    """Return the λ of two dephasings: 1 − 2λ is the product of theirs."""
    return first + second - 2 * first * second


def _kept(spins: npt.NDArray[np.int64], dephasing: float) -> Table:
    """Return what is left of each matrix element, 1 − 2λ where the spin differs."""
    return np.where(spins[:, np.newaxis] == spins, 1.0, 1 - 2 * dephasing)


def _confusion(error: float) -> Table:
    return np.array([[1 - error, error], [error, 1 - error]])
