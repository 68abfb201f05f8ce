"""What every protocol model offers: its settings and the joint distribution of one pulse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, runtime_checkable

from emulator.schemes.distribution import JointDistribution
from postprocessing.errors import DiqkdError, InvalidArgumentError
from postprocessing.scheme import BellScheme
from postprocessing.security import asymptotic_key_fraction
from postprocessing.security.entropy import Real


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
        return self.gain * asymptotic_key_fraction(self.chsh, self.qber)


class ProtocolModel(Protocol):
    """A scheme with all its parameters fixed."""

    @property
    def name(self) -> str:
        """Name of the scheme, for tables."""
        ...

    @property
    def plob_bound(self) -> float | None:
        """Repeaterless bound of its losses in bits per pulse; None where there is no link."""
        ...

    @property
    def repetition_rate_hz(self) -> float | None:
        """Pulses per second; None where not specified."""
        ...

    @property
    def bell_scheme(self) -> BellScheme:
        """Settings, heralds, CHSH game and flip table."""
        ...

    @property
    def intensity(self) -> float | None:
        """Mean photon number of the light of one pulse and sender; None where not chosen."""
        ...

    @property
    def coherent_amplitude(self) -> float | None:
        """α of the coherent states that the light is made of; None where there are none."""
        ...

    def joint_distribution(self) -> JointDistribution:
        """Return the probabilities of one emitted pulse.

        Raises
        ------
        NoWorkingPointError
            If the model is to choose its own intensity and there is none to choose.
        """
        ...


@runtime_checkable
class AwaitsHerald(Protocol):
    """A scheme whose settings may follow marks, as both sides measure after the herald is known."""

    @property
    def awaits_herald(self) -> bool:
        """Whether both sides still hold their systems when the herald has reached them."""
        ...


def check_settings_rule(model: ProtocolModel, rule: str) -> None:
    """Refuse announced marks for a scheme that has measured before they could be drawn.

    Raises
    ------
    InvalidArgumentError
        If the rule is "announced" and the model does not wait for the herald.
    """
    if rule == "announced" and not (isinstance(model, AwaitsHerald) and model.awaits_herald):
        allowed = "local, unless both sides wait for the herald before they measure"
        raise InvalidArgumentError("settings", rule, allowed)
