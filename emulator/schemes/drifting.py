"""Devices that drift: a run in parts of equally many pulses, each with a model of its own."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from emulator.parameters import Light
from emulator.schemes.base import NoWorkingPointError, ProtocolModel
from emulator.schemes.flat import changed
from emulator.states.distribution import JointDistribution
from postprocessing.errors import InvalidArgumentError
from postprocessing.scheme import BellScheme

# Each has a sampler of its own.
MOST_PARTS = 1000


@dataclass(frozen=True)
class Drifting(ProtocolModel):
    """A scheme whose parameters change from one part of a run to the next.

    Every part lasts equally many pulses. Averages over the run, and with them prediction and
    design, are those of the average pulse: parts that herald more often weigh more. The design's
    bound on honest aborts takes all pulses alike; a run that stops after a number of pulses leaves
    the last few heralded rounds unused, so devices that get better all the time abort a little
    more often. Security does not rest on any of this.

    Parameters
    ----------
    parts : tuple of ProtocolModel
        The model of each part, in order, all of the same settings and announcements.

    Raises
    ------
    InvalidArgumentError
        If there is no part.
    """

    parts: tuple[ProtocolModel, ...]

    def __post_init__(self) -> None:
        """Check that there is a run, and take its name from the parts."""
        if not self.parts:
            raise InvalidArgumentError("parts", self.parts, "at least one model")
        if len(self.parts) > MOST_PARTS:
            raise InvalidArgumentError("parts", len(self.parts), f"at most {MOST_PARTS} models")
        object.__setattr__(self, "name", self.parts[0].name)

    @classmethod
    def along(cls, start: ProtocolModel, name: str, values: Iterable[float]) -> Self:
        """Return a model of which one parameter drifts on from its start through some values.

        What is chosen for the start, such as an intensity, is kept: nobody adjusts it on the way.

        Parameters
        ----------
        start : ProtocolModel
            The first part.
        name : str
            Flat name of the parameter.
        values : iterable of float
            Its values in the other parts.

        Raises
        ------
        InvalidArgumentError
            If a value is impossible.
        """
        # Where there is none, the run is to say so.
        with suppress(NoWorkingPointError):
            start = start.working_point()
        return cls((start, *(changed(start, name, value) for value in values)))

    def working_point(self) -> Self:
        """Return the parts with their intensities chosen.

        Raises
        ------
        NoWorkingPointError
            If a part is to choose its own intensity and there is none to choose.
        """
        return type(self)(tuple(part.working_point() for part in self.parts))

    @property
    def bell_scheme(self) -> BellScheme:
        """Settings of the scheme."""
        return self.parts[0].bell_scheme

    @property
    def intensity(self) -> Light | None:
        """Mean photon number at the start."""
        return self.parts[0].intensity

    @property
    def coherent_amplitude(self) -> Light | None:
        """Amplitude of the light at the start."""
        return self.parts[0].coherent_amplitude

    @property
    def plob_bound(self) -> float | None:
        """Repeaterless bound of the average pulse; None where a part has none."""
        bounds = [part.plob_bound for part in self.parts]
        known = [bound for bound in bounds if bound is not None]
        return float(np.mean(known)) if len(known) == len(bounds) else None

    @property
    def repetition_rate_hz(self) -> float | None:
        """Pulses per second at the start."""
        return self.parts[0].repetition_rate_hz

    @cached_property
    def distributions(self) -> tuple[JointDistribution, ...]:
        """The joint distribution of each part.

        Raises
        ------
        NoWorkingPointError
            If a part is to choose its own intensity and there is none to choose.
        InvalidArgumentError
            If the parts differ in their settings or announcements.
        """
        found = tuple(part.joint_distribution() for part in self.parts)
        for distribution in found[1:]:
            kinds = (distribution.scheme, distribution.announcements)
            if kinds != (found[0].scheme, found[0].announcements):
                allowed = "models of the same settings and announcements"
                raise InvalidArgumentError("parts", kinds, allowed)
        return found

    def joint_distribution(self) -> JointDistribution:
        """Return the probabilities of the average pulse.

        Raises
        ------
        NoWorkingPointError, InvalidArgumentError
            As for `distributions`.
        """
        first = self.distributions[0]
        tables = np.stack([distribution.probabilities for distribution in self.distributions])
        return JointDistribution(first.scheme, first.announcements, tables.mean(axis=0))


def distributions_of(model: ProtocolModel) -> tuple[JointDistribution, ...]:
    """Return the joint distributions of a model's parts, one for a model that does not drift."""
    return model.distributions if isinstance(model, Drifting) else (model.joint_distribution(),)


def start_of(model: ProtocolModel) -> ProtocolModel:
    """Return the model of the first part, or the one that does not drift."""
    return model.parts[0] if isinstance(model, Drifting) else model
