"""Heralded DIQKD by two-photon interference, the rival scheme in Xie et al."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any, ClassVar, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from emulator.schemes.base import ProtocolModel, Theory
from emulator.schemes.distribution import JointDistribution
from emulator.schemes.optics import Link
from emulator.schemes.parameters import RepetitionRate, parameters
from emulator.schemes.spin import xie_probabilities, xie_scheme
from postprocessing.scheme import BellScheme

FloatArray: TypeAlias = npt.NDArray[np.float64]
FloatOrArray: TypeAlias = float | FloatArray

SCHEME = xie_scheme(heralds=("psi+", "psi-"), flip=((True, True), (True, False)))
ANNOUNCEMENTS = ("none", "psi+", "psi-")

# Charlie's detectors c_H, c_V, d_H, d_V, and which pairs of clicks announce what.
_DETECTORS = range(4)
_ANNOUNCED_BY: dict[tuple[int, ...], str] = {
    (0, 1): "psi+",
    (2, 3): "psi+",
    (0, 3): "psi-",
    (1, 2): "psi-",
}

# Amplitudes of one photon H or V at each detector, shape (polarisation, detector): the beam
# splitter takes Alice's light to (c + d)/√2 and Bob's to (c − d)/√2.
_ALICE_PHOTON = np.array([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0]]) / math.sqrt(2)
_BOB_PHOTON = np.array([[1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, -1.0]]) / math.sqrt(2)


@parameters
class BellState(ProtocolModel):
    """Alice and Bob each entangle a qubit with one photon, (|+z⟩|H⟩ + |−z⟩|V⟩)/√2.

    Charlie interferes the two photons and separates their polarisations. Clicks in two detectors
    of different polarisation, and no others, herald: in the same output port ψ+, in both ψ−.

    Parameters
    ----------
    link : Link
        Fibre and detectors.
    repetition_rate_hz : float, optional
        Pulses per second, above 0, for rates per second.

    Raises
    ------
    InvalidArgumentError
        If a number is not finite or outside its range.

    Examples
    --------
    >>> model = BellState(Link(distance_km=100))
    >>> round(model.joint_distribution().chsh, 4)
    2.8284
    """

    link: Link
    repetition_rate_hz: RepetitionRate = None

    name: ClassVar[str] = "bell_state"
    title: ClassVar[str] = "Bell states"
    default_preset: ClassVar[str | None] = "bell-state-50km"
    bell_scheme: ClassVar[BellScheme] = SCHEME

    def joint_distribution(self) -> JointDistribution:
        """Return the exact probabilities of one pulse.

        Returns
        -------
        JointDistribution
            Announcements "none", for any other pattern of clicks, "psi+" and "psi-".
        """
        light = _light_by_detectors(self.link.arm_transmittance)
        clicks = _announcement_probabilities(self.link.dark_count_probability)
        operators = np.einsum("hn,nstuv->hstuv", clicks, light)
        return JointDistribution(SCHEME, ANNOUNCEMENTS, xie_probabilities(operators))

    def theory(self) -> Theory[float]:
        """Return gain, CHSH value and QBER by the closed forms.

        Returns
        -------
        Theory
            The numbers of `joint_distribution`, without its table.
        """
        return bell_state_theory(self.link.arm_transmittance, self.link.dark_count_probability)


@overload
def bell_state_theory(arm_transmittance: float, dark_count_probability: float) -> Theory[float]: ...


@overload
def bell_state_theory(
    arm_transmittance: FloatOrArray, dark_count_probability: FloatOrArray
) -> Theory[Any]: ...


def bell_state_theory(
    arm_transmittance: FloatOrArray, dark_count_probability: FloatOrArray
) -> Theory[Any]:
    """Return gain, CHSH value and QBER by the closed forms (Xie et al., caption of Fig. 2).

    Parameters
    ----------
    arm_transmittance : float or ndarray
        η in (0, 1], detector included.
    dark_count_probability : float or ndarray
        p_d in [0, 1).

    Returns
    -------
    Theory
        Of floats for floats, else of arrays of the shape that the arguments broadcast to.

    Examples
    --------
    >>> bell_state_theory(np.array([0.8, 0.08]), 1e-7).gain.round(8).tolist()
    [0.32000006, 0.00320003]
    """
    eta, dark = arm_transmittance, dark_count_probability
    # The paper's denominators are twice this sum of positive terms; its QBER, as printed a
    # difference from 1/2, is the wrong half of the dark counts' part.
    either = eta**2 / 2 + eta * (4 - 3 * eta) * dark + 4 * (1 - eta) ** 2 * dark**2
    wrong = eta * (2 - eta) * dark + 2 * (1 - eta) ** 2 * dark**2
    return Theory(
        gain=(1 - dark) ** 2 * either,
        chsh=math.sqrt(2) * eta**2 * (1 - dark) / either,
        qber=wrong / either,
    )


def _light_by_detectors(transmittance: float) -> FloatArray:
    """Return ⟨light of (u, v)| photons in certain detectors |light of (s, t)⟩.

    Shape (set of detectors, s, t, u, v), the sets those of `_lit_sets`. What is lost tells the
    environment whose photon it was and its polarisation, so the numbers of photons that arrive add
    up incoherently.
    """
    same = np.eye(2)
    one, none = transmittance * (1 - transmittance), (1 - transmittance) ** 2
    light = [none * np.einsum("su,tv->stuv", same, same)]
    for j in _DETECTORS:
        alice, bob = _ALICE_PHOTON[:, j], _BOB_PHOTON[:, j]
        # Two photons in one mode: the creation operator twice makes √2 of the normalised state.
        both = math.sqrt(2) * np.outer(alice, bob)
        single = np.einsum("s,u,tv->stuv", alice, alice, same)
        single += np.einsum("su,t,v->stuv", same, bob, bob)
        light.append(transmittance**2 * np.einsum("st,uv->stuv", both, both) + one * single)
    for j, k in combinations(_DETECTORS, 2):
        both = np.outer(_ALICE_PHOTON[:, j], _BOB_PHOTON[:, k])
        both += np.outer(_ALICE_PHOTON[:, k], _BOB_PHOTON[:, j])
        light.append(transmittance**2 * np.einsum("st,uv->stuv", both, both))
    return np.stack(light)


def _announcement_probabilities(dark_count_probability: float) -> FloatArray:
    """Return P(announcement | detectors with photons), shape (announcement, set of detectors)."""
    probabilities = np.zeros((len(ANNOUNCEMENTS), len(_lit_sets())))
    patterns = [pattern for size in range(5) for pattern in combinations(_DETECTORS, size)]
    for clicks in patterns:
        announcement = ANNOUNCEMENTS.index(_ANNOUNCED_BY.get(clicks, "none"))
        for index, lit in enumerate(_lit_sets()):
            if set(lit) <= set(clicks):
                dark, silent = len(clicks) - len(lit), len(_DETECTORS) - len(clicks)
                probability = dark_count_probability**dark * (1 - dark_count_probability) ** silent
                probabilities[announcement, index] += probability
    return probabilities


def _lit_sets() -> list[tuple[int, ...]]:
    """Return the sets of detectors that two photons can reach, the smaller first."""
    return [lit for size in range(3) for lit in combinations(_DETECTORS, size)]
