"""HeraldedStates: what a scheme hands on, and the one way from there to probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self, get_args

import numpy as np

from emulator.states.directions import (
    PAULIS,
    Angles,
    Directions,
    Pauli,
    angles_of,
    bloch_vectors,
    flip_of,
    projectors,
)
from emulator.states.distribution import JointDistribution
from emulator.states.games import settings_of
from emulator.states.imperfections import Imperfections, Matrices, Table
from postprocessing.checks import instance_of
from postprocessing.errors import InvalidArgumentError

# Of rounding, relative to the trace; a state of a formula is positive to a few of these.
_TOLERANCE = 1e-10
# Of a sum of probabilities.
_ROUNDING = 1e-12
_NOTHING = "none"


@dataclass(frozen=True, eq=False)
class HeraldedStates:
    """The unnormalised two-qubit state of each announcement.

    Parameters
    ----------
    states : mapping of str to array_like of complex, shape (4, 4)
        ρ of each announcement, over (Alice, Bob) in the z basis in the order ++, +−, −+, −−; its
        trace is the announcement's probability. What the traces lack to 1 belongs to "none", an
        announcement whose qubits nobody uses.
    corrections : mapping of str to {"1", "x", "y", "z"}
        The heralds in order, each with its frame correction: the Pauli that on Bob's side turns
        its state into the one that all heralds share.

    Raises
    ------
    InvalidArgumentError
        If a state is no positive Hermitian matrix, the traces exceed 1, or a herald has no state.

    Examples
    --------
    A Bell state, φ⁺, every second pulse:

    >>> pair = np.outer([1, 0, 0, 1], [1, 0, 0, 1]) / 2
    >>> states = HeraldedStates({"yes": pair / 2}, {"yes": "1"})
    >>> states.measured([0, 0.785398, -0.785398], [0, 1.570796]).qber
    0.0
    """

    states: Mapping[str, Any]
    corrections: Mapping[str, Pauli]
    _table: Matrices = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the states and keep copies that nobody can change."""
        instance_of("states", self.states, Mapping)
        instance_of("corrections", self.corrections, Mapping)
        if not self.states:
            raise InvalidArgumentError("states", self.states, "of at least one announcement")
        named = {str(name): _checked(str(name), state) for name, state in self.states.items()}
        _check_corrections(self.corrections, named)
        rest = 1 - float(sum(np.trace(state).real for state in named.values()))
        if rest < -_ROUNDING:
            raise InvalidArgumentError("states", 1 - rest, "of traces whose sum is at most 1")
        if rest > _ROUNDING and _NOTHING in named:
            raise InvalidArgumentError("states", 1 - rest, "of traces whose sum is 1")
        if rest > _ROUNDING:
            named = {_NOTHING: rest * np.eye(4, dtype=np.complex128) / 4, **named}
        table = np.stack(list(named.values()))
        table.setflags(write=False)
        object.__setattr__(self, "states", dict(zip(named, table, strict=True)))
        object.__setattr__(self, "corrections", dict(self.corrections))
        object.__setattr__(self, "_table", table)

    def __repr__(self) -> str:
        """Return the heralds with their probabilities."""
        shares = (f"{name} {np.trace(rho).real:.6g}" for name, rho in self.matrices.items())
        return f"HeraldedStates({', '.join(shares)})"

    @property
    def heralds(self) -> tuple[str, ...]:
        """The announcements that start a round."""
        return tuple(self.corrections)

    @property
    def announcements(self) -> tuple[str, ...]:
        """Every announcement, the heralds among them."""
        return tuple(self.states)

    @property
    def matrices(self) -> dict[str, Matrices]:
        """The unnormalised state of each herald, before any correction."""
        return {herald: self.states[herald] for herald in self.heralds}

    @property
    def gain(self) -> float:
        """Probability that a pulse is heralded."""
        return float(sum(np.trace(rho).real for rho in self.matrices.values()))

    @property
    def correlations(self) -> Table:
        """T_ij = ⟨σ_i ⊗ σ_j⟩ of corrected heralded pairs, i, j = x, y, z; shape (3, 3)."""
        matrices = np.stack(list(self.matrices.values()))
        return correlations_of(corrected_sum(matrices, tuple(self.corrections.values())))

    def corrected(self) -> Self:
        """Return the states after Bob's correction as a gate on his qubit."""
        paulis = {herald: np.kron(np.eye(2), PAULIS[p]) for herald, p in self.corrections.items()}
        states = {
            name: paulis[name] @ rho @ paulis[name] if name in paulis else rho
            for name, rho in self.states.items()
        }
        return type(self)(states, dict.fromkeys(self.corrections, "1"))

    def probabilities(
        self, directions_alice: Any, directions_bob: Any, imperfections: Imperfections | None = None
    ) -> Table:
        """Return p(announcement, a, b | x, y) for any number of directions.

        Parameters
        ----------
        directions_alice, directions_bob : sequence of (float, float) or of float
            (θ, φ) of each setting in rad: cosθ σ_z + sinθ (cosφ σ_x + sinφ σ_y). A number alone
            is θ, with φ = 0.
        imperfections : Imperfections, optional
            None by default.

        Returns
        -------
        ndarray of float64, shape (x, y, announcement, 2, 2)
            Announcements in the order of `announcements`; outcome index 0 for +1 and 1 for −1,
            before any flip.

        Raises
        ------
        InvalidArgumentError
            If a direction is no pair of finite numbers.
        """
        worn = Imperfections() if imperfections is None else imperfections
        instance_of("imperfections", worn, Imperfections)
        alice = projectors(angles_of("directions_alice", directions_alice))
        bob = projectors(angles_of("directions_bob", directions_bob))
        states = worn.act_on(self._table).reshape(-1, 2, 2, 2, 2)
        found = np.einsum("xaus,ybvt,hstuv->xyhab", alice, bob, states).real
        # Complete destructive interference leaves zeros that rounding may take below 0.
        return worn.read_out(np.maximum(found, 0.0))

    def measured(
        self, directions_alice: Any, directions_bob: Any, imperfections: Imperfections | None = None
    ) -> JointDistribution:
        """Return the joint distribution of pairs measured as they were heralded.

        Bob's correction is a flip of his outcomes wherever a flip can do it, that is for a
        direction along or across the axis of the herald's Pauli; elsewhere nothing is flipped.
        Where he applies it as a gate, it is ``states.corrected().measured(...)``.

        Parameters
        ----------
        directions_alice, directions_bob, imperfections
            As for `probabilities`; 3 directions of Alice and 2 of Bob are A0, A1, A2 and B1, B2
            of Xie et al., 2 and 3 are A0, A1 and B0, B1, B2 of Li et al.

        Raises
        ------
        InvalidArgumentError
            If a direction is no pair of finite numbers, or their numbers are others.
        """
        alice = angles_of("directions_alice", directions_alice)
        bob = angles_of("directions_bob", directions_bob)
        settings = settings_of(Directions(alice, bob))
        scheme = replace(settings, heralds=self.heralds, flip=self.flips(bob))
        table = self.probabilities(alice, bob, imperfections)
        return JointDistribution(scheme, self.announcements, table)

    def flips(self, directions_bob: Angles) -> tuple[tuple[bool, ...], ...]:
        """Return for each herald and direction of Bob whether he inverts his outcome."""
        vectors = bloch_vectors(directions_bob)
        return tuple(
            tuple(flip_of(pauli, vector) is True for vector in vectors)
            for pauli in self.corrections.values()
        )


def corrected_sum(matrices: Matrices, paulis: tuple[Pauli, ...]) -> Matrices:
    """Return the sum of the corrected states of all heralds.

    Parameters
    ----------
    matrices : ndarray of complex128, shape (..., herald, 4, 4)
        Their states.
    paulis : tuple of {"1", "x", "y", "z"}
        Their corrections on Bob's side.

    Returns
    -------
    ndarray of complex128, shape (..., 4, 4)
        Unnormalised.
    """
    gates = np.stack([np.kron(np.eye(2), PAULIS[pauli]) for pauli in paulis])
    total: Matrices = (gates @ matrices @ gates).sum(axis=-3)
    return total


def correlations_of(state: Matrices) -> Table:
    """Return T_ij = tr(ρ σ_i ⊗ σ_j)/tr ρ, shape (..., 3, 3), of states of shape (..., 4, 4)."""
    spins = np.stack([PAULIS["x"], PAULIS["y"], PAULIS["z"]])
    blocks = state.reshape(*state.shape[:-2], 2, 2, 2, 2)
    sums = np.einsum("ius,jvt,...stuv->...ij", spins, spins, blocks).real
    traces = np.trace(state, axis1=-2, axis2=-1).real
    traces = traces[..., np.newaxis, np.newaxis]
    # Of nothing at all, nothing is known.
    correlations: Table = np.divide(sums, traces, out=np.zeros_like(sums), where=traces > 0)
    return correlations


def _checked(name: str, state: Any) -> Matrices:
    """Return a state as a matrix of its own, after a check that it is one."""
    argument = f"states[{name!r}]"
    try:
        matrix = np.array(state, dtype=np.complex128)
    except (TypeError, ValueError):
        raise InvalidArgumentError(argument, state, "a matrix of numbers") from None
    if matrix.shape != (4, 4):
        raise InvalidArgumentError(argument, matrix.shape, "a matrix of shape (4, 4)")
    if not np.isfinite(matrix).all():
        raise InvalidArgumentError(argument, state, "finite")
    scale = _TOLERANCE * max(float(np.abs(np.trace(matrix))), 1e-300)
    if np.abs(matrix - matrix.conj().T).max() > scale:
        raise InvalidArgumentError(argument, state, "Hermitian")
    least = float(np.linalg.eigvalsh(matrix).min())
    if least < -scale:
        raise InvalidArgumentError(argument, f"an eigenvalue of {least:.3g}", "positive")
    return matrix


def _check_corrections(corrections: Mapping[str, Pauli], states: Mapping[str, Matrices]) -> None:
    """Check that there are heralds, all with a state and a Pauli."""
    if not corrections:
        raise InvalidArgumentError("corrections", corrections, "of at least one herald")
    for herald, pauli in corrections.items():
        if herald not in states:
            allowed = f"of announcements with a state: {', '.join(states)}"
            raise InvalidArgumentError("corrections", herald, allowed)
        if not isinstance(pauli, str) or pauli not in get_args(Pauli):
            raise InvalidArgumentError(f"corrections[{herald!r}]", pauli, '"1", "x", "y" or "z"')
