"""What every protocol model offers: its settings and the joint distribution of one pulse."""

from __future__ import annotations

from typing import Protocol

from emulator.distribution import JointDistribution
from emulator.optics import Link
from postprocessing.errors import DiqkdError
from postprocessing.rounds import BellSettings


class NoPositiveKeyRateError(DiqkdError):
    """No mean photon number gives a positive asymptotic key rate, so none is optimal."""

    def __init__(self) -> None:
        super().__init__("no positive key rate at any mean photon number")


class ProtocolModel(Protocol):
    """A scheme with all its parameters fixed."""

    @property
    def name(self) -> str:
        """Name of the scheme, for tables."""
        ...

    @property
    def link(self) -> Link:
        """Fibre and detectors."""
        ...

    @property
    def bell_settings(self) -> BellSettings:
        """Settings, heralds, CHSH game and flip table."""
        ...

    @property
    def intensity(self) -> float | None:
        """Mean photon number of each sender's pulse; None where the scheme has none."""
        ...

    def joint_distribution(self) -> JointDistribution:
        """Return the probabilities of one emitted pulse.

        Raises
        ------
        NoPositiveKeyRateError
            If the model is to choose its own intensity and none gives a positive rate.
        """
        ...
