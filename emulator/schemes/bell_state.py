"""Heralded DIQKD by two-photon interference, the rival scheme in Xie et al."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from emulator.parameters import MayDrift, Probability, RepetitionRate, parameters
from emulator.schemes.midway import MidwayModel
from emulator.schemes.optics import PHASES
from emulator.schemes.state_model import check_directions
from emulator.states.directions import Pauli
from emulator.states.heralded import HeraldedStates
from emulator.states.imperfections import Table
from emulator.states.light import click_probability, silence_probability

ANNOUNCEMENTS = ("none", "psi+", "psi-")
CORRECTIONS: Mapping[str, Pauli] = {"psi+": "y", "psi-": "x"}

# Charlie's detectors c_H, c_V, d_H, d_V: the port of each, and which pairs of clicks announce what.
_PORTS = (0, 0, 1, 1)
_ANNOUNCED_BY: dict[tuple[int, ...], str] = {
    (0, 1): "psi+",
    (2, 3): "psi+",
    (0, 3): "psi-",
    (1, 2): "psi-",
}


@parameters
class BellState(MidwayModel):
    """Alice and Bob each entangle a qubit with one photon, (|+z⟩|H⟩ + |−z⟩|V⟩)/√2.

    Charlie interferes the two photons and separates their polarisations. Clicks in two detectors
    of different polarisation, and no others, herald: in the same output port ψ+, in both ψ−.

    Parameters
    ----------
    link : Link
        Fibre and detectors, two of them behind each output port; no phase matters.
    repetition_rate_hz : float, optional
        Pulses per second, above 0, for rates per second.
    mode_overlap : float
        V = ⟨mode of Alice|mode of Bob⟩ in [0, 1], an amplitude: the photons interfere by V².
    imperfections, directions, measurement, coherence_time_s
        As for every scheme with Charlie: what wears the qubits down and how they are measured.

    Raises
    ------
    InvalidArgumentError
        If a number is not finite or outside its range, the link has a phase, or a direction of
        Bob allows no flip where his correction must be one.

    Examples
    --------
    >>> from emulator.schemes.optics import Link
    >>> model = BellState(Link(distance_km=100))
    >>> round(model.joint_distribution().chsh, 4)
    2.8284
    """

    repetition_rate_hz: RepetitionRate = None
    mode_overlap: Annotated[
        Probability, Field(description="amplitude overlap of both senders' photons"), MayDrift()
    ] = 1.0

    name: ClassVar[str] = "bell_state"
    title: ClassVar[str] = "Bell states"
    default_preset: ClassVar[str | None] = "bell-state-50km"
    absent: ClassVar[frozenset[str]] = PHASES

    def __post_init__(self) -> None:
        """Check what depends on more than one parameter."""
        super().__post_init__()
        check_directions(self, tuple(CORRECTIONS.values()))

    def heralded_states(self) -> HeraldedStates:
        """Return the states of one pulse's announcements.

        What is lost in the fibres tells the environment whose photon it was and its polarisation,
        so the numbers of photons that arrive add up incoherently.

        Returns
        -------
        HeraldedStates
            Announcements "none", for any other pattern of clicks, "psi+" and "psi-".
        """
        t_a, t_b = self.link.arm_transmittances
        # One photon, H or V, comes out of either port.
        single = [self._mean([(c,), (d,)]) for c, d in ((0, 2), (1, 3))]
        bunched, split = (1 + self.mode_overlap**2) / 2, (1 - self.mode_overlap**2) / 2
        same = [
            bunched * self._mean([(c, c), (d, d)]) + split * self._given((c, d))
            for c, d in ((0, 2), (1, 3))
        ]
        together, apart = self._mean([(0, 1), (2, 3)]), self._mean([(0, 3), (1, 2)])
        states = np.zeros((len(ANNOUNCEMENTS), 4, 4), dtype=np.complex128)
        for k, (s, t) in enumerate(itertools.product((0, 1), (0, 1))):
            both = same[s] if s == t else (together + apart) / 2
            states[:, k, k] = t_a * t_b * both + (1 - t_a) * (1 - t_b) * self._given(())
            states[:, k, k] += t_a * (1 - t_b) * single[s] + (1 - t_a) * t_b * single[t]
        coherence = t_a * t_b * self.mode_overlap**2 * (together - apart) / 2
        states[:, 1, 2] = states[:, 2, 1] = coherence
        return HeraldedStates(dict(zip(ANNOUNCEMENTS, states / 4, strict=True)), CORRECTIONS)

    def _mean(self, patterns: list[tuple[int, ...]]) -> Table:
        """Return P(announcement) averaged over sets of photons, all as likely."""
        return np.asarray(np.mean([self._given(pattern) for pattern in patterns], axis=0))

    def _given(self, photons: tuple[int, ...]) -> Table:
        """Return P(announcement) for photons at certain detectors."""
        laws = [
            (silence_probability(n, eta, dark), click_probability(n, eta, dark))
            for n, eta, dark in (
                (photons.count(j), self.link.efficiencies[port], self.link.dark_counts[port])
                for j, port in enumerate(_PORTS)
            )
        ]
        found = np.zeros(len(ANNOUNCEMENTS))
        for clicks in itertools.product((0, 1), repeat=len(_PORTS)):
            lit = tuple(j for j, click in enumerate(clicks) if click)
            announcement = ANNOUNCEMENTS.index(_ANNOUNCED_BY.get(lit, "none"))
            found[announcement] += np.prod([law[c] for law, c in zip(laws, clicks, strict=True)])
        return found
