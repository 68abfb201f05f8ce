"""What `reconcile` sends for sifted keys of 1e4 to 1e6 bits, and how often more than its budget.

For every length and error rate keys are drawn afresh and reconciled, all that is sent counted; once
by what is cheapest on average, once by what has the least budget. Beside it what was planned: the
mean, the budget that is exceeded once in 400 times, and how likely so many keys beyond it are.

Run as ``python tests/acceptance/sifted_keys_table.py [--keys 1000 300 300 30]``: JSON lines.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import numpy as np
from scipy.stats import binom

from postprocessing.reconciliation import reconcile
from postprocessing.reconciliation.ladder import LadderPlan
from postprocessing.reconciliation.ladder import planned as on_ladder
from postprocessing.reconciliation.performance import binary_entropy

LENGTHS = (10_000, 30_000, 100_000, 1_000_000)
QBERS = (0.0144, 0.036, 0.078)
BUDGET_PROBABILITY = 2.5e-3


def planned(length: int, qber: float, optimise: str) -> LadderPlan:
    """Return the ladder that `reconcile` takes."""
    least = BUDGET_PROBABILITY if optimise == "budget" else 0.0
    plan = on_ladder(length, qber, 50, of_budget=least)
    if plan is None:
        raise RuntimeError("no ladder")
    return plan


def measured(length: int, qber: float, optimise: str, keys: int, seed: int) -> dict[str, object]:
    """Reconcile keys; return what they cost."""
    generator = np.random.default_rng([seed, length, round(1e6 * qber)])
    entropy, sent, seconds, attempts = length * binary_entropy(qber), [], [], []
    disclosed = 0
    started = time.process_time()
    for _ in range(keys):
        reference = generator.integers(0, 2, length, dtype=np.uint8)
        received = reference ^ (generator.random(length) < qber).astype(np.uint8)
        found = reconcile(reference, received, qber=qber, optimise=optimise, threads=1)
        if not (found.verified and np.array_equal(found.corrected_bits, reference)):
            raise RuntimeError(f"keys differ: {found}")
        sent.append(found.leaked_bits)
        seconds.append(found.seconds)
        attempts.append(found.attempts)
        disclosed += found.disclosed_frames
    beyond = int((np.array(sent) > found.budget_bits).sum())
    return {
        "length": length,
        "qber": qber,
        "optimise": optimise,
        "keys": keys,
        "code": found.code,
        "planned_mean": round(planned(length, qber, optimise).expected_bits() / entropy, 4),
        "mean": round(float(np.mean(sent)) / entropy, 4),
        "error": round(float(np.std(sent)) / entropy / keys**0.5, 4),
        "budget": round(found.budget_bits / entropy, 4),
        "beyond_budget": beyond,
        "p_of_so_many": float(binom.sf(beyond - 1, keys, BUDGET_PROBABILITY)),
        "disclosed": disclosed,
        "attempts": round(float(np.mean(attempts)), 2),
        "seconds_median": round(float(np.median(seconds)), 3),
        "cpu_seconds": round(time.process_time() - started, 1),
    }


def main() -> None:
    """Print a row for every length, error rate and aim."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--keys", nargs=4, type=int, default=(1000, 300, 300, 30))
    parser.add_argument("--qbers", nargs="+", type=float, default=QBERS)
    parser.add_argument("--optimise", nargs="+", default=("mean", "budget"))
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for length, keys in zip(LENGTHS, arguments.keys, strict=True):
        for qber in arguments.qbers:
            for optimise in arguments.optimise:
                if keys:
                    row = measured(length, qber, optimise, keys, arguments.seed)
                    sys.stdout.write(json.dumps(row) + "\n")
                    sys.stdout.flush()


if __name__ == "__main__":
    main()
