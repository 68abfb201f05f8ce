"""Rounds of honest devices drawn with numpy alone, and seeded parties: no emulator is needed.

The devices have uniform marginals. Their key bits differ with probability QBER and each CHSH input
has correlator ± S/4, after Bob's flips, under heralds of equal probability.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from postprocessing.design.design import Design
from postprocessing.design.request import ExpectedValues
from postprocessing.protocol.distillation import DistillationReport, distill
from postprocessing.protocol.randomness import PartyRandomness
from postprocessing.records import PartyRecord
from postprocessing.scheme import BellScheme, Party, SettingChoice

# Bob is the reference of the first, Alice that of the second.
XIE_SCHEME = BellScheme(
    alice_labels=("A0", "A1", "A2"),
    bob_labels=("B1", "B2"),
    heralds=("D1", "D2"),
    key_pair=(0, 0),
    chsh_signs=((1, 0, 1), (1, 1, -1), (2, 0, 1), (2, 1, 1)),
    flip=((False, False), (True, False)),
)
LI_SCHEME = BellScheme(
    alice_labels=("A0", "A1"),
    bob_labels=("B0", "B1", "B2"),
    heralds=("herald",),
    key_pair=(0, 2),
    chsh_signs=((0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, -1)),
    flip=((False, False, False),),
)
# A key from few rounds.
STRONG = ExpectedValues(XIE_SCHEME, chsh=2.7, qber=1e-3)


@dataclass(frozen=True)
class Rounds:
    """Both halves of some rounds."""

    alice: PartyRecord
    bob: PartyRecord

    def __len__(self) -> int:
        """Return the number of rounds."""
        return len(self.alice)


def draw_rounds(
    devices: ExpectedValues, setting_choice: SettingChoice, rounds: int, seed: int
) -> Rounds:
    """Draw heralded rounds of honest devices under a choice of settings."""
    chance = np.random.default_rng(seed)
    scheme = devices.scheme
    law = setting_choice.pair_law(scheme)
    pairs = chance.choice(law.size, rounds, p=law.ravel()).astype(np.uint8)
    x, y = np.divmod(pairs, np.uint8(law.shape[1]))
    heralds = chance.integers(0, len(scheme.heralds), rounds, np.uint8)
    a = chance.integers(0, 2, rounds, np.uint8)
    differ = chance.random(rounds) < (1 - _correlators(devices)[x, y]) / 2
    b = a ^ differ ^ np.array(scheme.flip)[heralds, y]
    return Rounds(PartyRecord.of(x, a, heralds), PartyRecord.of(y, b, heralds))


def seeded_randomness(party: Party, seed: int) -> PartyRandomness:
    """Return a party's coins and hash seeds, out of a seed."""
    sequence = np.random.SeedSequence([seed, ("alice", "bob").index(party)])
    choices, hash_seeds = (np.random.default_rng(child).bytes for child in sequence.spawn(2))
    return PartyRandomness(choices, hash_seeds, seed)


def distill_seeded(rounds: Rounds, design: Design, seed: int) -> DistillationReport:
    """Distill with the coins and hash seeds of a seed."""
    return distill(
        rounds.alice,
        rounds.bob,
        design,
        alice_randomness=seeded_randomness("alice", seed),
        bob_randomness=seeded_randomness("bob", seed),
    )


def _correlators(devices: ExpectedValues) -> npt.NDArray[np.float64]:
    """Return ⟨A_x B_y⟩ after Bob's flip, 0 for the pairs without a use."""
    scheme = devices.scheme
    correlators = np.zeros((len(scheme.alice_labels), len(scheme.bob_labels)))
    correlators[scheme.key_pair] = 1 - 2 * devices.qber
    for x, y, sign in scheme.chsh_signs:
        correlators[x, y] = sign * devices.chsh / 4
    return correlators
