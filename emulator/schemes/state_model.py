"""StateModel: a scheme that ends in heralded two-qubit states, which all are measured one way."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import replace
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import BeforeValidator, Field

from emulator.parameters import parameters
from emulator.schemes.base import ProtocolModel
from emulator.states.directions import (
    DIRECTIONS_FORM,
    Directions,
    Freedom,
    Pauli,
    best_directions,
    bloch_vectors,
    fit,
)
from emulator.states.distribution import JointDistribution
from emulator.states.games import ALICE_ANGLES, BOB_ANGLES, XIE_SETTINGS
from emulator.states.heralded import HeraldedStates, corrected_sum, correlations_of
from emulator.states.imperfections import Imperfections, Matrices, Table
from postprocessing.errors import InvalidArgumentError
from postprocessing.scheme import BellScheme

# Words in place of angles.
_CHOSEN = ("paper", "optimal")
_XIE = Directions(ALICE_ANGLES, BOB_ANGLES)


def _direction_text(value: object) -> str:
    """Take directions of any form for the text that says them."""
    try:
        if isinstance(value, list | tuple) and len(value) == 2:
            return str(Directions(*value))
        if isinstance(value, Directions):
            return str(value)
        if isinstance(value, str):
            return value if value in _CHOSEN else str(Directions.parse(value))
    except InvalidArgumentError as error:
        if error.argument == "directions" and not isinstance(value, str):
            raise
    raise InvalidArgumentError("directions", value, f'"paper", "optimal", or {DIRECTIONS_FORM}')


@parameters
class StateModel(ProtocolModel):
    """A scheme whose light leaves a two-qubit state behind for each of its heralds.

    Parameters
    ----------
    imperfections : Imperfections
        White noise, dephasing and readout errors of the pairs.
    directions : {"paper", "optimal"} or Directions
        Fixed directions of the scheme's paper, those of highest asymptotic key rate, or given
        ones; the last as a pair of lists of (θ, φ) or as text too, see `Directions`.

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range, or a direction of Bob allows no flip where his
        correction must be one.
    """

    imperfections: Imperfections = Field(default=Imperfections(), kw_only=True)
    directions: Annotated[
        str,
        BeforeValidator(_direction_text),
        Field(description='of measurement: "paper", "optimal", or angles'),
    ] = Field(default="paper", kw_only=True)

    later: ClassVar[frozenset[str]] = frozenset({"directions", *Imperfections.__annotations__})
    # Which settings make the key and which the CHSH game; heralds and flips are the states' own.
    settings: ClassVar[BellScheme] = XIE_SETTINGS

    def __post_init__(self) -> None:
        """Refuse a link with what means nothing to the scheme."""
        link = getattr(self, "link", None)
        for name in sorted(self.absent):
            if getattr(link, name, 0) != 0:
                allowed = f"left out for {self.name}, to which it means nothing"
                raise InvalidArgumentError(name, getattr(link, name), allowed)

    @abstractmethod
    def heralded_states(self) -> HeraldedStates:
        """Return the state of each announcement of one pulse, at the working point.

        Raises
        ------
        NoWorkingPointError
            As for `working_point`.
        """

    @property
    def paper_directions(self) -> Directions:
        """The fixed directions of the scheme's paper, at the working point."""
        return _XIE

    @property
    def worn(self) -> Imperfections:
        """The imperfections in force, a memory's dephasing included."""
        return self.imperfections

    @property
    def corrects_by_gate(self) -> bool:
        """Whether Bob makes his correction on his qubit, and not on his outcome."""
        return self.awaits_herald

    def working_point(self) -> Self:
        """Return the model with intensity and directions chosen, as a run needs it.

        Raises
        ------
        NoWorkingPointError
            If the model is to choose its own intensity and there is none to choose.
        """
        point = self.with_light()
        if point.directions != "optimal":
            return point
        return replace(point, directions=str(point.best_directions()))

    def with_light(self) -> Self:
        """Return the model with its intensity chosen; itself where there is no choice."""
        return self

    def best_directions(self, weight: float = 1.0) -> Directions:
        """Return the directions of highest asymptotic key rate for the heralded states.

        Parameters
        ----------
        weight : float
            Weight β of tests with the reference's key setting, for which the other side's answers
            are the best; keys at finite size may want another than 1.
        """
        states = self.heralded_states()
        return best_directions(
            self.correlations(states),
            self.settings.reference,
            self._freedom(states),
            self.worn.readout_contrast,
            weight,
        )

    @property
    def directions_in_force(self) -> Directions:
        """The given directions, or else the paper's."""
        given = self.directions not in _CHOSEN
        return Directions.parse(self.directions) if given else self.paper_directions

    def correlations(self, states: HeraldedStates) -> Table:
        """Return T of the corrected heralded pairs after white noise and dephasing, (3, 3)."""
        matrices = self.worn.act_on(np.stack(list(states.matrices.values())))
        return correlations_of(corrected_sum(matrices, tuple(states.corrections.values())))

    def joint_distribution(self) -> JointDistribution:
        """Return the probabilities of one pulse, at the working point.

        Raises
        ------
        NoWorkingPointError
            As for `working_point`.
        InvalidArgumentError
            If a direction of Bob allows no flip where his correction must be one.
        """
        point = self.working_point()
        states, directions = point.heralded_states(), point.directions_in_force
        if point.corrects_by_gate:
            states = states.corrected()
        point._freedom(states).check("directions", directions.bob)
        return states.measured(directions.alice, directions.bob, point.worn)

    def _freedom(self, states: HeraldedStates) -> Freedom:
        """Return which directions Bob may choose."""
        return Freedom.of(() if self.corrects_by_gate else states.corrections.values())

    def key_rates(self, matrices: Matrices, corrections: tuple[Pauli, ...]) -> Table:
        """Return how good working points are: their asymptotic key rate per pulse, if they have.

        Below 0 it is the key fraction, from −1 on, and without a CHSH violation S − 4, up to −2,
        so that a search climbs to the positive rates however few points give one.

        Parameters
        ----------
        matrices : ndarray of complex128, shape (n, herald, 4, 4)
            States of each point's heralds, before correction and imperfections.
        corrections : tuple of {"1", "x", "y", "z"}
            The heralds' corrections.
        """
        # Help and bad input do not wait for scipy.
        from postprocessing.security import unclipped_key_fraction

        total = corrected_sum(self.worn.act_on(matrices), corrections)
        gain = np.trace(total, axis1=-2, axis2=-1).real
        chsh, agreement = self.chsh_and_agreement(correlations_of(total), corrections)
        violating = np.clip(chsh, 2.0, 2 * math.sqrt(2))
        fraction = unclipped_key_fraction(violating, np.clip((1 - agreement) / 2, 0, 1))
        rate = np.where(fraction > 0, gain * fraction, fraction)
        merit: Table = np.where(chsh > 2, rate, chsh - 4)
        return merit

    def chsh_and_agreement(
        self, correlations: Table, corrections: tuple[Pauli, ...]
    ) -> tuple[Table, Table]:
        """Return S and the key pair's correlation, readout errors included, of many states.

        Parameters
        ----------
        correlations : ndarray of float64, shape (n, 3, 3)
            T of the corrected states.
        corrections : tuple of {"1", "x", "y", "z"}
            The heralds' corrections.
        """
        contrast, bob_is_reference = self.worn.readout_contrast, self.settings.reference == "bob"
        if self.directions == "optimal":
            flips = () if self.corrects_by_gate else corrections
            columns = correlations if bob_is_reference else correlations.swapaxes(-1, -2)
            best = fit(columns, Freedom.of(flips), contrast)
            return best.chsh, best.agreement
        directions = self.directions_in_force
        alice, bob = bloch_vectors(directions.alice), bloch_vectors(directions.bob)
        pairs = contrast * np.einsum("xi,...ij,yj->...xy", alice, correlations, bob)
        chsh = sum(sign * pairs[..., x, y] for x, y, sign in self.settings.chsh_signs)
        return np.asarray(chsh), pairs[..., *self.settings.key_pair]


def check_directions(model: StateModel, corrections: tuple[Pauli, ...]) -> None:
    """Refuse given directions of other numbers, or for which no flip of Bob corrects his outcome.

    Raises
    ------
    InvalidArgumentError
        If there are any.
    """
    if model.directions in _CHOSEN:
        return
    given = Directions.parse(model.directions)
    counts = len(model.settings.alice_labels), len(model.settings.bob_labels)
    if (len(given.alice), len(given.bob)) != counts:
        allowed = f"{counts[0]} directions of Alice and {counts[1]} of Bob"
        raise InvalidArgumentError("directions", model.directions, allowed)
    if not model.corrects_by_gate:
        Freedom.of(corrections).check("directions", given.bob)
