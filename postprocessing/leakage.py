"""The leakage budget of a fixed-length design: the most that may cross the channel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from postprocessing.quantiles import exceedance, upper_quantile
from postprocessing.reconciliation import code_family, get_code
from postprocessing.rounds import RoundProbabilities

# Accepted or not, verified or not: one bit each.
VERDICT_BITS = 2
# Codes whose frames fail more often than this are out of their range.
_MOST_FAILURES = 0.01


@dataclass(frozen=True)
class LeakagePlan:
    """What a run may disclose.

    Parameters
    ----------
    code : str
        Name of the code, chosen from the expected QBER.
    tag_bits : int
        Length of the verification tag.
    key_rounds, test_rounds : int
        Quantiles the budget allows for.
    frames, disclosed_frames : int
        Frames allowed for, and how many of them may fail and be disclosed whole.
    budget_bits : int
        Most outcome-dependent bits on the transcript: tests, syndromes, frame flags, disclosed
        frames, tag and verdicts.
    over_budget_probability : float
        Union bound on the probability that honest devices need more.
    """

    code: str
    tag_bits: int
    key_rounds: int
    test_rounds: int
    frames: int
    disclosed_frames: int
    budget_bits: int
    over_budget_probability: float


def plan_leakage(
    rounds: int,
    probabilities: RoundProbabilities,
    qber: float,
    tag_bits: int,
    completeness: float,
    leaked_per_test: int = 1,
) -> LeakagePlan | None:
    """Fix code and leakage budget from expected values.

    The key and the test rounds are allowed their (1 − completeness/8) quantile each, and as many
    failed frames as keep the probability of more below completeness/4.

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
    leaked_per_test : int, optional
        Published bits of a test that count as leaked.

    Returns
    -------
    LeakagePlan or None
        The plan of the smallest budget; None when no code serves this QBER.
    """
    if qber > 0.5:
        return None
    key_rounds = upper_quantile(rounds, probabilities.key, completeness / 8)
    test_rounds = upper_quantile(rounds, probabilities.test, completeness / 8)
    plans = []
    for code in code_family():
        failure_rate = code.frame_error_rate(qber)
        if failure_rate > _MOST_FAILURES:
            continue
        frames = -(-key_rounds // code.frame_bits)
        disclosed = upper_quantile(frames, failure_rate, completeness / 4)
        over_budget = (
            # The last frame has room for more than the quantile of the key rounds.
            exceedance(rounds, probabilities.key, frames * code.frame_bits)
            + exceedance(rounds, probabilities.test, test_rounds)
            + exceedance(frames, failure_rate, disclosed)
        )
        sent = frames * (code.syndrome_bits + 1) + min(disclosed * code.frame_bits, key_rounds)
        budget = sent + test_rounds * leaked_per_test + tag_bits + VERDICT_BITS
        plan = LeakagePlan(
            code.name, tag_bits, key_rounds, test_rounds, frames, disclosed, budget, over_budget
        )
        plans.append(plan)
    return min(plans, key=lambda plan: plan.budget_bits, default=None)


def expected_leakage(
    rounds: int,
    probabilities: RoundProbabilities,
    qber: float,
    tag_bits: int,
    leaked_per_test: int = 1,
) -> float:
    """Return a smooth estimate of the leakage budget, for optimising the settings.

    Parameters are those of `plan_leakage`. Without a code for this QBER the whole key counts as
    leaked.
    """
    per_key_round, constant = _best_rate(rounds, qber)
    return (
        rounds * (probabilities.key * per_key_round + probabilities.test * leaked_per_test)
        + constant
        + tag_bits
        + VERDICT_BITS
    )


@lru_cache(maxsize=64)
def _best_rate(rounds: int, qber: float) -> tuple[float, float]:
    """Return leaked bits per key round and the constant of disclosed frames, for typical settings.

    The code hardly depends on how many of the rounds are key rounds, so it is chosen once.
    """
    typical = RoundProbabilities(key=0.85, test=0.015)
    plan = plan_leakage(rounds, typical, qber, tag_bits=0, completeness=1e-2)
    if plan is None:
        return 1.0, 0.0
    code = get_code(plan.code)
    disclosed = min(plan.disclosed_frames * code.frame_bits, plan.key_rounds)
    return (code.syndrome_bits + 1) / code.frame_bits, float(disclosed)
