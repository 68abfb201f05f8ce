"""The leakage budget of a fixed-length design: the most that may cross the channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from pydantic import Discriminator, Tag

from postprocessing.quantiles import exceedance, upper_quantile
from postprocessing.reconciliation import (
    Ladder,
    Mode,
    RateAdaptation,
    candidates,
    disclosed_bits,
    expected_bits,
    failure_rates,
    frame_count,
    most_failures,
    planned,
    sent_bits,
    wrong_word_probability,
)
from postprocessing.round_probabilities import RoundProbabilities

# Accepted or not, verified or not: one bit each.
VERDICT_BITS = 2
# Candidates, best by expected leakage, whose quantiles are looked at.
_SHORT_LIST = 4


def _kind(value: object) -> str:
    """Tell which of both a stored value is meant to be: its faults are told by their names."""
    ladder = "rungs" in value if isinstance(value, Mapping) else isinstance(value, Ladder)
    return "ladder" if ladder else "steps"


@dataclass(frozen=True)
class LeakageBudget:
    """What a run may disclose.

    Parameters
    ----------
    mode : {"throughput", "efficiency"}
        Whether the code was chosen for speed or for little leakage.
    reconciliation : RateAdaptation or Ladder
        The code and its rates, chosen from the expected QBER.
    tag_bits : int
        Length of the verification tag.
    key_rounds, test_rounds : int
        Quantiles the budget allows for.
    frames : int
        Frames allowed for.
    failed_frames : tuple of int
        How many of them may fail the first attempt, the second and so on; those that fail the last
        are disclosed whole. Empty for a ladder, whose budget is a quantile of its whole cost.
    budget_bits : int
        Most outcome-dependent bits on the transcript: tests, syndromes, frame flags, disclosed
        frames, tag and verdicts.
    over_budget_probability : float
        Union bound on the probability that honest devices need more.
    """

    mode: Mode
    reconciliation: Annotated[
        Annotated[RateAdaptation, Tag("steps")] | Annotated[Ladder, Tag("ladder")],
        Discriminator(_kind),
    ]
    tag_bits: int
    key_rounds: int
    test_rounds: int
    frames: int
    failed_frames: tuple[int, ...]
    budget_bits: int
    over_budget_probability: float

    def least_bits(self, key_rounds: int) -> int:
        """Return what a run sends beside its tests when every frame decodes at once."""
        frames = frame_count(key_rounds, self.reconciliation)
        return frames * (self.reconciliation.syndrome_bits(0) + 1) + self.tag_bits + VERDICT_BITS


def leakage_budget(
    rounds: int,
    probabilities: RoundProbabilities,
    qber: float,
    tag_bits: int,
    completeness: float,
    modes: tuple[Mode, ...],
    leaked_per_test: int = 1,
    *,
    pays_budget: bool = True,
) -> LeakageBudget | None:
    """Fix code and leakage budget from expected values.

    The key and the test rounds are allowed their (1 − completeness/8) quantile each, and as many
    frames that fail an attempt as keep the probability of more below completeness/4 in all.

    Parameters
    ----------
    rounds : int
        Heralded rounds n.
    probabilities : RoundProbabilities
        How often a round is key or test.
    qber : float
        Expected error rate of the key rounds.
    tag_bits : int
        Length of the verification tag.
    completeness : float
        Abort probability allowed to honest devices in all.
    modes : tuple of {"throughput", "efficiency"}
        Codes to choose from: those that decode fast, those that leak little, or both.
    leaked_per_test : int, optional
        Published bits of a test that count as leaked.
    pays_budget : bool, optional
        Whether the key pays for the budget, or only for what is sent.

    Returns
    -------
    LeakageBudget or None
        The plan of the smallest budget, or of the least expected leakage; None when no code serves
        this QBER.
    """
    key_rounds = max(1, upper_quantile(rounds, probabilities.most_key, completeness / 8))
    test_rounds = upper_quantile(rounds, probabilities.most_test, completeness / 8)
    over_tests = exceedance(rounds, probabilities.most_test, test_rounds)
    plans = []
    share = completeness / 4
    ways = (
        (mode, way)
        for mode in modes
        for way in _ways(mode, key_rounds, qber, share, pays_budget=pays_budget)
    )
    for of_mode, way in ways:
        # The last frame has room for more than the quantile of the key rounds.
        frames = frame_count(key_rounds, way.reconciliation)
        most = frames * way.reconciliation.frame_bits
        over_key = exceedance(rounds, probabilities.most_key, most)
        plan = LeakageBudget(
            mode=of_mode,
            reconciliation=way.reconciliation,
            tag_bits=tag_bits,
            key_rounds=key_rounds,
            test_rounds=test_rounds,
            frames=frames,
            failed_frames=way.failed_frames,
            budget_bits=way.most_bits + test_rounds * leaked_per_test + tag_bits + VERDICT_BITS,
            over_budget_probability=over_key + over_tests + way.over_probability,
        )
        plans.append((plan.budget_bits if pays_budget else way.expected_bits, plan))
    return min(plans, key=lambda plan: plan[0], default=(0, None))[1]


@dataclass(frozen=True)
class _Way:
    """A way to reconcile, what it costs on average, and at most but with a probability."""

    reconciliation: RateAdaptation | Ladder
    failed_frames: tuple[int, ...]
    expected_bits: float
    most_bits: int
    over_probability: float


def _ways(
    mode: Mode, key_rounds: int, qber: float, probability: float, *, pays_budget: bool
) -> list[_Way]:
    """Return the codes that leak least, and in efficiency mode the ladder if there is one."""
    ways = []
    for choice in _short_list(mode, key_rounds, qber):
        frames, rates = frame_count(key_rounds, choice), failure_rates(choice, qber)
        failed = most_failures(choice, frames, qber, probability)
        over = sum(
            exceedance(frames, rate, count) for rate, count in zip(rates, failed, strict=True)
        )
        most = int(sent_bits(choice, frames, failed)) + disclosed_bits(choice, failed, key_rounds)
        ways.append(_Way(choice, failed, expected_bits(choice, key_rounds, qber), most, over))
    # The tag of the whole key comes last: a word that only meets the syndrome is an abort.
    spare = probability - wrong_word_probability(key_rounds)
    if mode == "efficiency" and spare > 0:
        ladder = planned(key_rounds, qber, 0, of_budget=spare if pays_budget else 0.0)
        if ladder is not None and not ladder.ladder.shape.has_few_rows:
            most = ladder.budget_bits(spare)
            ways.append(_Way(ladder.ladder, (), ladder.expected_bits(), most, probability))
    return ways


def _short_list(mode: Mode, key_rounds: int, qber: float) -> list[RateAdaptation]:
    """Return the codes that are expected to leak least."""
    choices = set(candidates(mode, key_rounds, qber))
    return sorted(choices, key=lambda choice: expected_bits(choice, key_rounds, qber))[:_SHORT_LIST]


def expected_leakage(
    rounds: int,
    probabilities: RoundProbabilities,
    qber: float,
    tag_bits: int,
    mode: Mode,
    leaked_per_test: int = 1,
) -> float:
    """Return a smooth estimate of the leakage budget, for optimising the settings.

    Parameters are those of `leakage_budget`. Without a code for this QBER the whole key counts as
    leaked.
    """
    per_key_round, constant = _best_rate(rounds, qber, mode)
    return (
        rounds
        * (probabilities.most_key * per_key_round + probabilities.most_test * leaked_per_test)
        + constant
        + tag_bits
        + VERDICT_BITS
    )


@lru_cache(maxsize=64)
def _best_rate(rounds: int, qber: float, mode: Mode) -> tuple[float, float]:
    """Return leaked bits per key round and the constant of disclosed frames, for typical settings.

    The code hardly depends on how many of the rounds are key rounds, so it is chosen once.
    """
    typical = RoundProbabilities(key=0.85, test=0.015)
    plan = leakage_budget(rounds, typical, qber, tag_bits=0, completeness=1e-2, modes=(mode,))
    if plan is None:
        return 1.0, 0.0
    choice = plan.reconciliation
    disclosed = 0
    if not isinstance(choice, Ladder):
        disclosed = disclosed_bits(choice, plan.failed_frames, plan.key_rounds)
    sent = plan.budget_bits - plan.test_rounds - VERDICT_BITS - disclosed
    return sent / plan.key_rounds, float(disclosed)
