"""What every scheme offers: its settings and the joint distribution of one pulse."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt

from emulator.parameters import Light
from emulator.schemes.optics import Link
from postprocessing.errors import DiqkdError, InvalidArgumentError
from postprocessing.scheme import BellScheme

if TYPE_CHECKING:
    from emulator.states.distribution import JointDistribution

Real = TypeVar("Real", float, npt.NDArray[np.float64])


class NoWorkingPointError(DiqkdError):
    """A model that is to choose its own intensity finds none; the reason is its text."""


class NoPositiveKeyRateError(NoWorkingPointError):
    """No intensity gives a positive asymptotic key rate, so none is optimal."""

    def __init__(self) -> None:
        super().__init__("no positive key rate at any mean photon number")


@dataclass(frozen=True)
class Theory(Generic[Real]):
    """The closed forms of a scheme, at one point or on an array of points.

    Parameters
    ----------
    gain : float or ndarray
        Probability that a pulse is heralded.
    chsh : float or ndarray
        S of heralded pulses.
    qber : float or ndarray
        Error rate of the raw key.
    """

    gain: Real
    chsh: Real
    qber: Real

    @property
    def key_rate_per_pulse(self) -> Real:
        """Asymptotic secret bits per pulse, at least 0 (Xie et al., Eq. (1))."""
        # Help and bad input do not wait for scipy.
        from postprocessing.security import asymptotic_key_fraction

        return self.gain * asymptotic_key_fraction(self.chsh, self.qber)


class Scheme(ABC):
    """What is registered as a scheme: its parameters, fields of a class made by `parameters`.

    Most schemes are models themselves; some make one of their parameters.
    """

    # The name that it is registered under, and what its flags stand under.
    name: ClassVar[str]
    title: ClassVar[str]
    # What a run starts from when no scenario is named.
    default_preset: ClassVar[str | None] = None
    # The parameter that sets the brightness of the light, where there is a choice.
    intensity_parameter: ClassVar[str | None] = None
    # Parameters that, given on top of a scenario, take the place of others.
    displaced: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    # Parameters that it did not have in version 0.1.0, on whose seeds of repeats others rest.
    later: ClassVar[frozenset[str]] = frozenset()
    # Parameters of its link that mean nothing to the scheme.
    absent: ClassVar[frozenset[str]] = frozenset()
    # Whether both sides can measure after the herald, so that settings may be announced.
    may_await_herald: ClassVar[bool] = False

    @abstractmethod
    def model(self) -> ProtocolModel:
        """Return the model that the parameters describe.

        Raises
        ------
        InvalidArgumentError
            If the parameters contradict one another.
        """


class ProtocolModel(Scheme):
    """A scheme with its parameters: physics in, the joint distribution of one pulse out."""

    def model(self) -> ProtocolModel:
        """Return the model itself."""
        return self

    @property
    def bell_scheme(self) -> BellScheme:
        """Settings, heralds, CHSH game and flip table; raises as `working_point`."""
        return self.joint_distribution().scheme

    @abstractmethod
    def joint_distribution(self) -> JointDistribution:
        """Return the probabilities of one emitted pulse, at the working point.

        Raises
        ------
        NoWorkingPointError
            As for `working_point`.
        """

    def theory(self) -> Theory[float]:
        """Return gain, CHSH value and QBER of one pulse.

        Raises
        ------
        NoWorkingPointError
            As for `working_point`.
        """
        joint = self.joint_distribution()
        return Theory(gain=joint.gain, chsh=joint.chsh, qber=joint.qber)

    def working_point(self) -> Self:
        """Return the model with everything chosen that was left to choose, as a run needs it.

        Raises
        ------
        NoWorkingPointError
            If the model is to choose its own intensity and there is none to choose.
        """
        return self

    @property
    def plob_bound(self) -> float | None:
        """Repeaterless bound of the link in bits per pulse; None where there is no link."""
        link = getattr(self, "link", None)
        return link.plob_bound if isinstance(link, Link) else None

    @property
    def repetition_rate_hz(self) -> float | None:
        """Pulses per second; None where not specified."""
        return None

    @property
    def intensity(self) -> Light | None:
        """Mean photon number of the light of one pulse and sender; None where not chosen."""
        return None

    @property
    def coherent_amplitude(self) -> Light | None:
        """α of the coherent states that the light is made of; None where there are none."""
        return None

    @property
    def awaits_herald(self) -> bool:
        """Whether both sides still hold their systems when the herald has reached them."""
        return False


def check_settings_rule(model: ProtocolModel, rule: str) -> None:
    """Refuse announced marks for a scheme that has measured before they could be drawn.

    Raises
    ------
    InvalidArgumentError
        If the rule is "announced" and the model does not wait for the herald.
    """
    if rule == "announced" and not model.awaits_herald:
        allowed = "local, unless both sides wait for the herald before they measure"
        raise InvalidArgumentError("settings", rule, allowed)
