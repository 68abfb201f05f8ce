"""Attacks that the security claim does not cover: each breaks an assumption."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emulator.attacks.attack import Conduct, Table, Target, steady
from emulator.attacks.local import table_of
from emulator.attacks.partly_quantum import quantum_table
from postprocessing.scheme import BellScheme, LocalSettings, Party
from postprocessing.security import win_probability


@dataclass(frozen=True)
class BiasedSettings(LocalSettings):
    """Settings as designed, but for which of its two test settings the corrector takes.

    Parameters
    ----------
    second_share : float
        Probability of the second among the corrector's test rounds, in [0, 1]; 1/2 is as designed.
    """

    second_share: float = 0.5

    def choice(self, scheme: BellScheme, party: Party) -> Table:
        """Return the probability of each setting of `party`."""
        probabilities = super().choice(scheme, party)
        if party == scheme.corrector:
            tests = list(scheme.test_settings(party))
            total = probabilities[tests].sum()
            probabilities[tests] = total * np.array([1 - self.second_share, self.second_share])
        return probabilities


def told_test_marks(target: Target, seed: int) -> Conduct:
    """Be ideal in test rounds, and take bits of Charlie's choice in key rounds.

    The correlations are those of a singlet, with the greatest score and no errors: nothing in the
    parties' hands tells it from one.
    """
    return steady(target.heralding(quantum_table(target.weight, 1.0)), 0.0, target)


def biased_settings(target: Target, seed: int) -> Conduct:
    """Answer so that only one pair of settings loses, which a bad generator chooses too rarely.

    The answers A0 = A1 = A2 = B1 = +1, B2 = −1 lose (A2, B2) alone. With A2 in a share r of Alice's
    tests the win rate is 1 − r/2, honest for r = 2(1 − w).
    """
    design = target.design
    honest = float(win_probability(design.expected_chsh))
    local = BiasedSettings(
        target.setting_choice.corrector_test_probability,
        target.setting_choice.reference_test_probability,
        second_share=2 * (1 - honest),
    )
    return steady(target.heralding(table_of((1, 1, 1), (1, -1))), 0.0, target, local)
