"""What a key costs under a code: bits of syndromes, flags and disclosed frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from postprocessing.quantiles import upper_quantile
from postprocessing.reconciliation.codes import RateAdaptation
from postprocessing.reconciliation.frames import frame_count
from postprocessing.reconciliation.performance import failure_rates
from postprocessing.reconciliation.verification import miss_probability


def sent_bits(adaptation: RateAdaptation, frames: float, failed: Sequence[float]) -> float:
    """Return the bits of syndromes and flags.

    Parameters
    ----------
    adaptation : RateAdaptation
        The code and its rates.
    frames : float
        Frames, or how many are expected.
    failed : sequence of float
        How many of them fail each attempt.
    """
    sent = frames * (adaptation.syndrome_bits(0) + 1)
    for step in range(1, adaptation.steps):
        sent += failed[step - 1] * (adaptation.syndrome_bits(step) + 1)
    return sent


def disclosed_bits(adaptation: RateAdaptation, failed: Sequence[int], key_bits: int) -> int:
    """Return the bits of frames that fail the last attempt."""
    return min(failed[-1] * adaptation.frame_bits, key_bits)


def expected_bits(adaptation: RateAdaptation, key_bits: int, qber: float) -> float:
    """Return the expected cost of a key."""
    frames, rates = frame_count(key_bits, adaptation), failure_rates(adaptation, qber)
    failed = tuple(frames * rate for rate in rates)
    return sent_bits(adaptation, frames, failed) + failed[-1] * adaptation.frame_bits


def most_failures(
    adaptation: RateAdaptation, frames: int, qber: float, probability: float
) -> tuple[int, ...]:
    """Return how many frames fail each attempt at most, but with a probability in all."""
    rates = failure_rates(adaptation, qber)
    share = probability / len(rates)
    return tuple(upper_quantile(frames, rate, share) for rate in rates)


def budget_bits(
    adaptation: RateAdaptation, key_bits: int, qber: float, probability: float
) -> float:
    """Return the cost of a key that is exceeded with a probability at most."""
    frames = frame_count(key_bits, adaptation)
    failed = most_failures(adaptation, frames, qber, probability)
    return sent_bits(adaptation, frames, failed) + disclosed_bits(adaptation, failed, key_bits)


@dataclass(frozen=True)
class StepPlan:
    """A shipped code for a key, then one tag of it and the verdict, and what that is to cost.

    Parameters
    ----------
    adaptation : RateAdaptation
        The code and its rates.
    key_bits : int
        Length of the key.
    qber : float
        Expected error rate.
    tag_bits : int
        Length of the tag.
    """

    adaptation: RateAdaptation
    key_bits: int
    qber: float
    tag_bits: int

    @property
    def code(self) -> str:
        """Name of the code."""
        return self.adaptation.code

    def expected_bits(self) -> float:
        """Return what the key costs on average."""
        return expected_bits(self.adaptation, self.key_bits, self.qber) + self.tag_bits + 1

    def budget_bits(self, probability: float) -> int:
        """Return what the key costs at most, but with a probability."""
        most = budget_bits(self.adaptation, self.key_bits, self.qber, probability)
        return math.ceil(most) + self.tag_bits + 1

    def undetected_probability(self) -> float:
        """Return the bound on the probability that different keys pass."""
        return miss_probability(self.key_bits, self.tag_bits)
