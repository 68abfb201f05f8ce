"""The method "asymptotic": the limit of long blocks, not secure at finite size."""

from __future__ import annotations

from postprocessing.security.asymptotic import asymptotic_bits
from postprocessing.security.block import Block
from postprocessing.security.entropy import chsh_entropy
from postprocessing.security.methods.base import Method
from postprocessing.security.methods.tan22 import METHOD as TAN22
from postprocessing.security.terms import Terms


class Asymptotic(Method[None]):
    """Lengths of the limit of long blocks: entropy less leakage, no fluctuation."""

    name = "asymptotic"
    label = "asymptotic: not secure at finite size"
    parameters = type(None)
    varies = True
    composable = False

    def optimise(self, block: Block) -> None:
        """Return None: nothing is free."""

    def terms(self, block: Block, parameters: None) -> Terms:
        """Return n η_q(w) less the leakage: every round is a key round."""
        entropy = float(chsh_entropy(block.win_probability, block.noisy_preprocessing))
        return Terms(
            {
                "entropy": block.rounds * entropy,
                "fluctuation": 0.0,
                "tests": 0.0,
                "leakage": -block.leaked_bits,
                "amplification": 0.0,
            }
        )

    def settings_rating(self, block: Block) -> float:
        """Return the length of "tan22": in the limit itself, any share of tests is too large."""
        return TAN22.settings_rating(block)

    def final_bits(self, block: Block, parameters: None, key_rounds: int) -> int:
        """Return what the formula leaves of the key rounds.

        The published tests are independent of the key rounds in this limit, and cost them nothing.
        """
        sent = int(block.leaked_bits) - int(block.tests.tests) * self.charged_per_test
        return asymptotic_bits(
            key_rounds, block.win_probability, block.noisy_preprocessing, leaked_bits=sent
        )


METHOD = Asymptotic()
