"""What an attack is: devices in the place of the honest ones, and what they leave unknown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emulator.schemes.base import ProtocolModel
from emulator.states.distribution import JointDistribution
from emulator.states.games import XIE_SETTINGS
from postprocessing.design.design import Design
from postprocessing.errors import InvalidArgumentError
from postprocessing.scheme import BellScheme, LocalSettings

Table = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Part:
    """Devices, for a part of the run.

    Parameters
    ----------
    devices : JointDistribution
        What they do in each round.
    entropy : float
        Entropy of the reference's outcome of a key round, given everything the eavesdropper has, in
        [0, 1] bits.
    """

    devices: JointDistribution
    entropy: float


@dataclass(frozen=True)
class Score:
    """What devices that share their memory have seen of the CHSH game, before any coin is drawn.

    Parameters
    ----------
    progress : float
        Share of the heralded rounds that are over, in [0, 1).
    lost : float
        What the lost tests weigh that these rounds are expected to make, given their settings and
        outcomes.
    """

    progress: float
    lost: float


def _as_planned(planned: Part, score: Score) -> Part:
    return planned


@dataclass(frozen=True, eq=False)
class Conduct:
    """What the devices do in a whole run.

    Parameters
    ----------
    parts : tuple of Part
        Consecutive parts of equally many pulses.
    setting_choice : LocalSettings
        How the laboratories choose their settings.
    adapted : callable, optional
        ``adapted(planned, score)`` returns the part that devices with a memory play in the place of
        a planned one; it heralds as often.
    """

    parts: tuple[Part, ...]
    setting_choice: LocalSettings
    adapted: Callable[[Part, Score], Part] = _as_planned


@dataclass(frozen=True, eq=False)
class Target:
    """What is attacked: honest devices, and the design made for them.

    Parameters
    ----------
    model : ProtocolModel
        The honest scheme.
    design : Design
        The design in force.

    Raises
    ------
    InvalidArgumentError
        If the scheme has other settings than those of Xie et al., or they are not chosen locally.
    """

    model: ProtocolModel
    design: Design

    def __post_init__(self) -> None:
        """Check the settings."""
        given, known = self.design.scheme, XIE_SETTINGS
        if (given.key_pair, given.chsh_signs) != (known.key_pair, known.chsh_signs):
            allowed = "a scheme with the settings of Xie et al."
            raise InvalidArgumentError("scheme", self.model.name, allowed)
        if not isinstance(self.design.setting_choice, LocalSettings):
            raise InvalidArgumentError("settings", "announced", "local")

    @property
    def setting_choice(self) -> LocalSettings:
        """How each side chooses its settings under the design."""
        assert isinstance(self.design.setting_choice, LocalSettings)
        return self.design.setting_choice

    @property
    def loss_limit(self) -> tuple[tuple[float, float], float]:
        """What a lost test weighs, where Bob had his key setting and elsewhere, and the most."""
        return self.design.loss_limit

    @property
    def weight(self) -> float:
        """β, by which the part of S from Bob's key setting counts more than the rest: βX + Y."""
        (first, second), _ = self.loss_limit
        at_key, others = self.setting_choice.round_probabilities.kinds
        return at_key * first / (others * second)

    def weighted_chsh(self, chsh: float, at_key_setting: float) -> float:
        """Return βX + Y of devices with S = X + Y."""
        return self.weight * at_key_setting + chsh - at_key_setting

    @property
    def honest_weighted_chsh(self) -> float:
        """Return βX + Y of the honest devices."""
        chsh, known = self.design.expected_chsh, self.design.expected_chsh_at_key_setting
        return self.weighted_chsh(chsh, chsh / 2 if known is None else known)

    @property
    def scheme(self) -> BellScheme:
        """Settings of the scheme."""
        return self.design.scheme

    def heralding(self, outcomes: Table) -> JointDistribution:
        """Return devices that herald as often as the honest ones, and answer by a table.

        Parameters
        ----------
        outcomes : ndarray of float64, shape (x, y, 2, 2)
            p(a, b | x, y) after Bob's flip, index 0 for +1 and 1 for −1.
        """
        joint = self.model.joint_distribution()
        table = np.zeros_like(joint.probabilities)
        herald = joint.scheme.heralds[0]
        heralded, silent = joint.announcements.index(herald), joint.announcements.index("none")
        flips = np.array(joint.scheme.flip[0])[np.newaxis, :, np.newaxis, np.newaxis]
        raw = np.where(flips, outcomes[..., ::-1], outcomes)
        table[:, :, heralded] = joint.gain * raw
        table[:, :, silent] = (1 - joint.gain) / 4
        return JointDistribution(joint.scheme, joint.announcements, table)


@dataclass(frozen=True)
class Attack:
    """An attack on a target.

    Parameters
    ----------
    name : str
        For the command line.
    summary : str
        What is done.
    entropy : str
        What the eavesdropper cannot know, and why.
    broken_assumption : str or None
        The assumption of the security claim that does not hold; None if all hold.
    conduct : callable
        ``conduct(target, seed)`` returns what the devices do.
    """

    name: str
    summary: str
    entropy: str
    broken_assumption: str | None
    conduct: Callable[[Target, int], Conduct]

    def expected(self, target: Target, seed: int = 0) -> tuple[float, float]:
        """Return the average CHSH value and QBER of heralded rounds, settings as designed."""
        parts = self.conduct(target, seed).parts
        chsh = np.mean([part.devices.chsh for part in parts])
        return float(chsh), float(np.mean([part.devices.qber for part in parts]))


def steady(
    devices: JointDistribution, entropy: float, target: Target, local: LocalSettings | None = None
) -> Conduct:
    """Return a conduct that never changes."""
    return Conduct((Part(devices, entropy),), local or target.setting_choice)
