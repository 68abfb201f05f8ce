"""Spin measurements in the x–z plane, and the settings of Xie et al."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from postprocessing.scheme import BellScheme

# Directions cosθ σ_z + sinθ σ_x of A0, A1, A2 and of B1, B2.
ALICE_ANGLES = (0.0, math.pi / 4, -math.pi / 4)
BOB_ANGLES = (0.0, math.pi / 2)


def xie_scheme(heralds: tuple[str, ...], flip: tuple[tuple[bool, bool], ...]) -> BellScheme:
    """Return the settings of Xie et al.: key (A0, B1), S = A1B1 − A1B2 + A2B1 + A2B2.

    Parameters
    ----------
    heralds : tuple of str
        Names of the announcements that herald a round.
    flip : tuple of (bool, bool)
        For each herald, whether Bob inverts his outcome of B1 and of B2.

    Returns
    -------
    BellScheme
        Alice's A0, A1, A2 and Bob's B1, B2.
    """
    return BellScheme(
        alice_labels=("A0", "A1", "A2"),
        bob_labels=("B1", "B2"),
        heralds=heralds,
        key_pair=(0, 0),
        chsh_signs=((1, 0, 1), (1, 1, -1), (2, 0, 1), (2, 1, 1)),
        flip=flip,
    )


def xie_probabilities(operators: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return p(announcement, a, b | x, y) of spins entangled with light, at Xie et al.'s settings.

    Each side has (|+z⟩|l₊⟩ + |−z⟩|l₋⟩)/√2 and sends the light l to Charlie.

    Parameters
    ----------
    operators : ndarray of float64, shape (announcement, s, t, u, v)
        Real part of ⟨light of (u, v)| announcement |light of (s, t)⟩, where s, u and t, v index
        Alice's and Bob's |+z⟩ and |−z⟩.

    Returns
    -------
    ndarray of float64, shape (x, y, announcement, 2, 2)
        Outcome index 0 for +1, 1 for −1.
    """
    alice, bob = projectors(ALICE_ANGLES), projectors(BOB_ANGLES)
    table = np.einsum("xasu,ybtv,hstuv->xyhab", alice, bob, operators) / 4
    # Complete destructive interference leaves zeros that rounding may take below 0.
    probabilities: npt.NDArray[np.float64] = np.maximum(table, 0.0)
    return probabilities


def projectors(angles: tuple[float, ...]) -> npt.NDArray[np.float64]:
    """Return |a⟩⟨a| of cosθ σ_z + sinθ σ_x in the z basis.

    Parameters
    ----------
    angles : tuple of float
        Angles θ in rad.

    Returns
    -------
    ndarray of float64, shape (angle, outcome, 2, 2)
        Outcome index 0 for +1, (cos θ/2, sin θ/2), and 1 for −1, (sin θ/2, −cos θ/2).
    """
    half = np.array(angles) / 2
    plus = np.stack([np.cos(half), np.sin(half)], axis=-1)
    minus = np.stack([np.sin(half), -np.cos(half)], axis=-1)
    vectors = np.stack([plus, minus], axis=1)
    operators: npt.NDArray[np.float64] = vectors[..., np.newaxis] * vectors[..., np.newaxis, :]
    return operators
