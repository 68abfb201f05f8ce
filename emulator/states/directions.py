"""Measurement directions on the Bloch sphere: given ones, and those that fit a state best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from postprocessing.checks import plain, real_number
from postprocessing.errors import InvalidArgumentError

Pauli = Literal["1", "x", "y", "z"]
Angles: TypeAlias = tuple[tuple[float, float], ...]
Table: TypeAlias = npt.NDArray[np.float64]
Matrices: TypeAlias = npt.NDArray[np.complex128]

PAULIS: dict[str, Matrices] = {
    "1": np.eye(2, dtype=np.complex128),
    "x": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "y": np.array([[0, -1j], [1j, 0]], dtype=np.complex128),
    "z": np.array([[1, 0], [0, -1]], dtype=np.complex128),
}
_AXES = {"x": 0, "y": 1, "z": 2}

# A direction this close, in rad, to an axis or its plane is taken to lie in it: nobody sets angles
# better. What the flip then does wrong is in the joint distribution.
_ALIGNED = 1e-3
DIRECTIONS_FORM = 'θ or θ:φ in rad for each setting, Alice\'s first: "0, 0.785, -0.785; 0, 1.571"'


@dataclass(frozen=True, init=False)
class Directions:
    """The measurement directions of both sides.

    Parameters
    ----------
    alice, bob : sequence of (float, float) or of float
        (θ, φ) in rad of each setting: cosθ σ_z + sinθ (cosφ σ_x + sinφ σ_y); a number alone is θ.

    Raises
    ------
    InvalidArgumentError
        If a direction is no pair of finite numbers.

    Examples
    --------
    >>> str(Directions(alice=(0, 0.75, -0.75), bob=(0, (1.5, 0.25))))
    '0.0, 0.75, -0.75; 0.0, 1.5:0.25'
    """

    alice: Angles
    bob: Angles

    def __init__(self, alice: Any, bob: Any) -> None:
        object.__setattr__(self, "alice", angles_of("alice", alice))
        object.__setattr__(self, "bob", angles_of("bob", bob))

    @classmethod
    def parse(cls, text: str) -> Directions:
        """Return the directions that a text lists; see the class for its form.

        Raises
        ------
        InvalidArgumentError
            If the text has another form.
        """
        sides = [side.split(",") for side in text.split(";")]
        try:
            alice, bob = ([[float(part) for part in s.split(":")] for s in side] for side in sides)
            return cls(*(tuple(map(_pair, side)) for side in (alice, bob)))
        except (ValueError, TypeError, InvalidArgumentError):
            raise InvalidArgumentError("directions", text, DIRECTIONS_FORM) from None

    def __str__(self) -> str:
        """Return the text that `parse` takes for these directions."""
        return "; ".join(
            ", ".join(repr(theta) if phi == 0 else f"{theta!r}:{phi!r}" for theta, phi in side)
            for side in (self.alice, self.bob)
        )


def angles_of(argument: str, given: Any) -> Angles:
    """Return directions as pairs (θ, φ) of plain numbers.

    Raises
    ------
    InvalidArgumentError
        If one is no pair of finite numbers, nor a number alone.
    """
    given = given.tolist() if isinstance(given, np.ndarray) else given
    if not isinstance(given, list | tuple):
        raise InvalidArgumentError(argument, given, "a list of (θ, φ) in rad")
    pairs = []
    for direction in given:
        both = direction.tolist() if isinstance(direction, np.ndarray) else direction
        parts = [*both] if isinstance(both, list | tuple) else [both, 0.0]
        if len(parts) != 2:
            raise InvalidArgumentError(argument, direction, "(θ, φ) in rad")
        pairs.append(_pair([real_number(argument, plain(part), "finite") for part in parts]))
    if not pairs:
        raise InvalidArgumentError(argument, given, "at least one direction")
    return tuple(pairs)


def _pair(parts: Sequence[float]) -> tuple[float, float]:
    """Return θ with φ, 0 where it is left out."""
    theta, phi = parts if len(parts) == 2 else (*parts, 0.0)
    return theta, phi


def projectors(angles: Angles) -> Matrices:
    """Return the projectors on both outcomes of each direction.

    Parameters
    ----------
    angles : tuple of (float, float)
        (θ, φ) in rad.

    Returns
    -------
    ndarray of complex128, shape (direction, outcome, 2, 2)
        Outcome index 0 for +1, the state (cos θ/2, e^(iφ) sin θ/2), and 1 for −1.
    """
    half, turn = np.array([theta for theta, _ in angles]) / 2, np.array([phi for _, phi in angles])
    phase = np.exp(1j * turn)
    plus = np.stack([np.cos(half), phase * np.sin(half)], axis=-1)
    minus = np.stack([np.sin(half), -phase * np.cos(half)], axis=-1)
    vectors = np.stack([plus, minus], axis=1)
    operators: Matrices = vectors[..., :, np.newaxis] * vectors[..., np.newaxis, :].conj()
    return operators


def bloch_vectors(angles: Angles) -> Table:
    """Return the unit vectors (x, y, z) of directions, shape (direction, 3)."""
    theta, phi = np.array(angles).T
    across = np.sin(theta)
    return np.stack([across * np.cos(phi), across * np.sin(phi), np.cos(theta)], axis=-1)


def flip_of(pauli: Pauli, vector: Table) -> bool | None:
    """Return whether a flip of the outcome does what the Pauli would do before the measurement.

    Returns
    -------
    bool or None
        False where the outcome stays (σ n σ = n), True where it turns over (σ n σ = −n), None for
        a direction that is neither along nor across the Pauli's axis.
    """
    if pauli == "1":
        return False
    along = vector[_AXES[pauli]]
    if math.sqrt(max(1 - along**2, 0.0)) < _ALIGNED:
        return False
    across = np.delete(vector, _AXES[pauli])
    if np.hypot(*across) < _ALIGNED:
        return False
    return True if abs(along) < _ALIGNED else None


@dataclass(frozen=True)
class Freedom:
    """Which directions Bob may choose, by the corrections that he must make as flips.

    Parameters
    ----------
    axes : frozenset of {"x", "y", "z"}
        Axes of the Paulis that are to be flips; none where he corrects by a gate.
    """

    axes: frozenset[Pauli]

    @classmethod
    def of(cls, corrections: Iterable[Pauli]) -> Freedom:
        """Return what corrections by flips leave free."""
        return cls(frozenset(pauli for pauli in corrections if pauli != "1"))

    def check(self, argument: str, angles: Angles) -> None:
        """Refuse directions for which no flip makes the correction.

        Raises
        ------
        InvalidArgumentError
            If a direction is neither along nor across one of the axes.
        """
        for pair, vector in zip(angles, bloch_vectors(angles), strict=True):
            for axis in sorted(self.axes):
                if flip_of(axis, vector) is None:
                    allowed = (
                        f"along {axis} or across it, where a flip of Bob's outcome makes the "
                        "correction, unless he measures after the herald"
                    )
                    raise InvalidArgumentError(argument, pair, allowed)

    def bases(self, correlations: Table) -> Table:
        """Return orthonormal triples of allowed directions among which the best pair is.

        Parameters
        ----------
        correlations : ndarray of float64, shape (..., 3, 3)
            T of the side that is free, columns the side that chooses.

        Returns
        -------
        ndarray of float64, shape (..., triple, 3, 3)
            Columns are directions: the axes, and the singular vectors where they are allowed.
        """
        axes = np.broadcast_to(np.eye(3), correlations.shape)
        if len(self.axes) > 1:
            return axes[..., np.newaxis, :, :]
        if not self.axes:
            singular = np.swapaxes(np.linalg.svd(correlations)[2], -1, -2)
        else:
            axis = _AXES[next(iter(self.axes))]
            plane = [other for other in range(3) if other != axis]
            turned = np.swapaxes(np.linalg.svd(correlations[..., plane])[2], -1, -2)
            singular = axes.copy()
            rows, columns = np.ix_(plane, plane)
            singular[..., rows, columns] = turned
        return np.stack([axes, singular], axis=-3)


@dataclass(frozen=True, eq=False)
class Fit:
    """The best pair of directions of the side whose two settings play the CHSH game.

    Parameters
    ----------
    chsh : ndarray of float64, shape (...)
        S with the best directions of the other side.
    agreement : ndarray of float64, shape (...)
        Correlation of the key pair; QBER = (1 − agreement)/2.
    first, second : ndarray of float64, shape (..., 3)
        The key's direction and the other one.
    """

    chsh: Table
    agreement: Table
    first: Table
    second: Table


def fit(correlations: Table, freedom: Freedom, contrast: float = 1.0) -> Fit:
    """Return the directions that make most key of a state.

    With T of singular values t₁ ≥ t₂ ≥ t₃, no directions have S above 2√(t₁² + t₂²) (Horodecki,
    Phys. Lett. A 200, 340 (1995)) nor a key correlation above t₁, and the first two singular
    vectors reach both at once. Where flips leave only some directions free, the best pair of an
    axis and the singular vectors of the plane across it is taken; every scheme here conserves a
    parity or a number that makes these the singular vectors of the whole.

    Parameters
    ----------
    correlations : ndarray of float64, shape (..., 3, 3)
        T with columns for the side of the two CHSH settings, rows for the other.
    freedom : Freedom
        Directions that the side of the columns may choose.
    contrast : float
        Readout errors' factor on every correlation.

    Returns
    -------
    Fit
        Arrays of the leading shape.
    """
    bases = freedom.bases(correlations)
    images = correlations[..., np.newaxis, :, :] @ bases
    pairs = [(i, j) for i in range(3) for j in range(3) if i != j]
    firsts, seconds = ([pair[side] for pair in pairs] for side in (0, 1))
    key, other = images[..., firsts], images[..., seconds]
    sums, differences = np.linalg.norm(key + other, axis=-2), np.linalg.norm(key - other, axis=-2)
    # Readouts that mostly invert are good ones: the other side turns its directions round.
    chsh: Table = abs(contrast) * (sums + differences)
    agreement = abs(contrast) * np.linalg.norm(key, axis=-2)
    flat = (*chsh.shape[:-2], -1)
    best = _best(chsh.reshape(flat), agreement.reshape(flat))[..., np.newaxis]

    def taken(values: Table) -> Table:
        found: Table = np.take_along_axis(values.reshape(flat), best, axis=-1)[..., 0]
        return found

    def direction(indices: list[int]) -> Table:
        columns = np.moveaxis(bases[..., indices], -2, 0)
        return np.stack([taken(column) for column in columns], axis=-1)

    return Fit(taken(chsh), taken(agreement), direction(firsts), direction(seconds))


def _best(chsh: Table, agreement: Table) -> npt.NDArray[np.intp]:
    """Return the best candidates: most key, without a key most S; of equal ones least errors.

    What differs by rounding only is equal, and the first is taken.
    """
    # Help and bad input do not wait for scipy.
    from postprocessing.security import unclipped_key_fraction

    # Rounding may take ideal states a little beyond what quantum mechanics allows.
    chsh = np.minimum(chsh, 2 * math.sqrt(2))
    fraction = unclipped_key_fraction(np.maximum(chsh, 2.0), np.clip((1 - agreement) / 2, 0, 0.5))
    merit = np.round(np.where(chsh > 2, fraction, chsh - 4), 12)
    equal = merit == merit.max(axis=-1, keepdims=True)
    best: npt.NDArray[np.intp] = np.where(equal, np.round(agreement, 12), -np.inf).argmax(axis=-1)
    return best


def best_directions(
    correlations: Table,
    reference: Literal["alice", "bob"],
    freedom: Freedom,
    contrast: float = 1.0,
    weight: float = 1.0,
) -> Directions:
    """Return the directions that make most key of a state, for both sides.

    For another weight β than 1 the other side's two answers are those of the greatest βX + Y, where
    S = X + Y and X is the part of tests with the reference's key setting.

    Parameters
    ----------
    correlations : ndarray of float64, shape (3, 3)
        T of the corrected state, rows Alice, columns Bob.
    reference : {"alice", "bob"}
        The side whose key setting takes part in the CHSH game.
    freedom : Freedom
        Directions that Bob may choose.
    contrast : float
        Readout errors' factor on every correlation.
    weight : float
        β > 0.

    Returns
    -------
    Directions
        A0, A1, A2 and B1, B2 where Bob is the reference, else A0, A1 and B0, B1, B2.
    """
    turned = -1.0 if contrast < 0 else 1.0
    if reference == "bob":
        found = fit(correlations, freedom, contrast)
        key, other = correlations @ found.first, correlations @ found.second
        heavy = weight * key
        answers = (turned * key, turned * (heavy - other), turned * (heavy + other))
        return Directions(_angles(answers), _angles((found.first, found.second)))
    found = fit(correlations.T, Freedom(frozenset()), contrast)
    key, other = correlations.T @ found.first, correlations.T @ found.second
    heavy = weight * key
    answers = (turned * (heavy + other), turned * (heavy - other), turned * key)
    return Directions(_angles((found.first, found.second)), _angles(answers))


def _angles(vectors: Iterable[Table]) -> Angles:
    """Return (θ, φ) of vectors of any length; in the x–z plane φ is 0 and θ has a sign."""
    found = []
    for x, y, z in vectors:
        if abs(y) <= 1e-15 * math.hypot(x, z):
            found.append((math.atan2(x, z) + 0.0, 0.0))
        else:
            found.append((math.atan2(math.hypot(x, y), z), math.atan2(y, x)))
    return tuple(found)
