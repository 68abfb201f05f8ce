"""Both modes of reconciliation over the error rates, beside the finite-length bound.

Frames of the code that a long key gets are reconciled as the parties do it, errors drawn afresh for
each: syndromes, added syndromes for frames that fail, disclosure of those that fail to the last.
f counts all bits sent. Run as

    python tests/acceptance/reconciliation_table.py [--frames 3000 100] [--qbers Q ...]

with the least number of frames in either mode, 0 for none. It prints a line a point, which
docs/make_figures.py draws of docs/reconciliation.md. Exit code 1: a frame was taken for another.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from postprocessing.design.leakage import LeakageBudget, leakage_budget
from postprocessing.reconciliation import (
    Frames,
    RateAdaptation,
    decode,
    encode,
    failure_rates,
)
from postprocessing.round_probabilities import RoundProbabilities

QBERS = (0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.10)
KEY_BITS = 10**8
MODES = ("throughput", "efficiency")
# Bits reconciled at a time, which are held in memory.
BATCH_BITS = 1 << 24


@dataclass
class Tally:
    """What was counted at one point."""

    frames: int = 0
    first_failures: int = 0
    disclosed: int = 0
    undetected: int = 0
    sent_bits: int = 0
    iterations: int = 0
    seconds: float = 0.0


def entropy(qber: float) -> float:
    return -(qber * math.log2(qber) + (1 - qber) * math.log2(1 - qber))


def least_efficiency(bits: int, qber: float, failures: float) -> float:
    """Normal approximation to the least f of one-way codes (Tomamichel et al., 2017)."""
    variance = qber * (1 - qber) * math.log2((1 - qber) / qber) ** 2
    spread = math.sqrt(bits * variance) * norm.isf(failures) - 0.5 * math.log2(bits)
    return 1 + float(spread) / (bits * entropy(qber))


def plan(mode: str, qber: float) -> LeakageBudget:
    found = leakage_budget(KEY_BITS, RoundProbabilities(0.999, 0.001), qber, 64, 1e-2, (mode,))
    assert found is not None
    return found


def random_frames(
    adaptation: RateAdaptation, count: int, qber: float, generator: np.random.Generator
) -> tuple[Frames, Frames]:
    """Return the reference's frames and the corrector's."""
    length, width = adaptation.frame_bits, adaptation.columns * adaptation.mother.lifting // 64
    lengths = np.full(count, length, np.int64)
    whole = length // 64
    sent = np.zeros((count, width), np.uint64)
    received = sent.copy()
    for k in range(count):
        sent[k, :whole] = generator.integers(0, 2**64, whole, dtype=np.uint64)
        flips = np.packbits(generator.random(length, np.float32) < np.float32(qber))
        received[k, :whole] = sent[k, :whole] ^ flips.view(np.uint64)
    return Frames(sent, lengths), Frames(received, lengths)


def reconcile(
    adaptation: RateAdaptation, sent: Frames, received: Frames, qber: float, tally: Tally
) -> None:
    """Run the protocol on some frames and add up what it took."""
    syndromes = np.empty((len(sent), 0), np.uint8)
    tally.frames += len(sent)
    for attempt in range(adaptation.steps):
        tally.sent_bits += len(sent) * (adaptation.syndrome_bits(attempt) + 1)
        # All of the work is on one thread, though not on this one.
        started = time.process_time()
        syndromes = np.hstack([syndromes, encode(adaptation, sent, attempt)])
        decoded = decode(adaptation, received, syndromes, qber, attempt, threads=1)
        tally.seconds += time.process_time() - started
        wrong = (decoded.frames.words != sent.words).any(axis=1)
        tally.undetected += int((wrong & ~decoded.failed).sum())
        if attempt == 0:
            tally.first_failures += int(decoded.failed.sum())
            tally.iterations += int(decoded.iterations[~decoded.failed].sum())
        sent, received = sent.chosen(decoded.failed), received.chosen(decoded.failed)
        syndromes = syndromes[decoded.failed]
        if not len(sent):
            return
    tally.disclosed += len(sent)
    tally.sent_bits += int(sent.lengths.sum())


def measure(mode: str, qber: float, frames: int, seed: int) -> tuple[LeakageBudget, Tally]:
    """Reconcile at least so many frames of the code that a mode chooses."""
    chosen = plan(mode, qber)
    adaptation, tally = chosen.reconciliation, Tally()
    generator = np.random.default_rng([seed, round(1e6 * qber)])
    batch = max(1, BATCH_BITS // adaptation.frame_bits)
    # Compile both decoders before the clock runs.
    reconcile(adaptation, *random_frames(adaptation, 1, 0.4, generator), qber, Tally())
    while tally.frames < frames:
        count = min(batch, frames - tally.frames)
        reconcile(adaptation, *random_frames(adaptation, count, qber, generator), qber, tally)
    return chosen, tally


def describe(mode: str, qber: float, chosen: LeakageBudget, tally: Tally) -> dict[str, object]:
    """Return a row of the table."""
    adaptation = chosen.reconciliation
    bits = tally.frames * adaptation.frame_bits
    good = max(1, tally.frames - tally.first_failures)
    budget = chosen.budget_bits - chosen.test_rounds - chosen.tag_bits
    return {
        "mode": mode,
        "QBER": f"{100 * qber:.4g}%",
        "code": adaptation.code,
        "n": adaptation.frame_bits,
        "frames": tally.frames,
        "failed first": tally.first_failures,
        "expected": round(tally.frames * failure_rates(adaptation, qber)[0], 1),
        "disclosed": tally.disclosed,
        "undetected": tally.undetected,
        "leak a bit": round(tally.sent_bits / bits, 5),
        "f": round(tally.sent_bits / (bits * entropy(qber)), 4),
        "f of the budget": round(budget / (chosen.key_rounds * entropy(qber)), 4),
        "bound": round(least_efficiency(adaptation.frame_bits, qber, 1e-3), 4),
        "iterations": round(tally.iterations / good, 1),
        "Mbit/s": round(bits / tally.seconds / 1e6, 2),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs=2, default=(3000, 100), metavar="N")
    parser.add_argument("--qbers", type=float, nargs="+", default=QBERS)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rows = []
    for mode, frames in zip(MODES, arguments.frames, strict=True):
        for qber in arguments.qbers if frames else ():
            rows.append(describe(mode, qber, *measure(mode, qber, frames, arguments.seed)))
            row = "  ".join(f"{name} {value}" for name, value in rows[-1].items())
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()
    table = pd.DataFrame(rows)
    sys.stdout.write(f"{table.to_string(index=False)}\n")
    return int(table["undetected"].sum() > 0)


if __name__ == "__main__":
    sys.exit(main())
