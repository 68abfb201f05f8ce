"""How often frames that failed one attempt fail the next: what the completeness rests on.

Run: ``python tests/acceptance/reconciliation_ladder.py [--frames N] [--confidence C]``. Designs
take it that of frames that fail for another reason than the number of errors one in ten fails the
next attempt too, and that the width of a waterfall is 0.6 √μ. The first attempt of each code is put
where it fails often, at a higher error rate than any design would use it at, so that there are many
failures to take to the next attempts. The table has, with Clopper-Pearson bounds,

* the share of failed frames that fail the next attempt,
* the product of the bounds with the first failures of a design, 1e-3 or 1e-1: a bound on the share
  of frames disclosed in the end, as errors fewer than here make every attempt likelier to succeed,
* σ/√μ, fitted to the failures at exact numbers of errors.
"""

from __future__ import annotations

import argparse
import math
import sys
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.stats import beta, norm

from postprocessing.reconciliation import Frames, RateAdaptation, decode, encode, get_code
from postprocessing.reconciliation.construction.rating import decode_errors
from postprocessing.reconciliation.performance import waterfall
from postprocessing.reconciliation.selection import with_growth

CODES = ("fast0.0015-128-17x800", "fast0.01-512-19x200", "fast0.04-512-53x200",
         "fast0.07-512-78x200", "array-448-4x445")  # fmt: skip
# Errors of the ladder's frames, in those of the waterfall.
HARDNESS = 0.985
# Where widths are measured, in standard deviations as assumed.
PLACES = (-1.5, -0.75, 0.0, 0.75, 1.5)


def most(failures: int, trials: int, confidence: float) -> float:
    """Clopper-Pearson upper bound, one-sided."""
    return float(beta.ppf(confidence, failures + 1, trials - failures)) if failures < trials else 1


def ladder(rates: RateAdaptation, qber: float, frames: int) -> list[int]:
    """Return how many frames enter the first attempt and how many fail it, the second and so on."""
    generator = np.random.default_rng(rates.frame_bits)
    width = rates.columns * rates.mother.lifting // 64
    counts = np.zeros(rates.steps + 1, np.int64)
    for first in range(0, frames, 200):
        received = np.zeros((min(200, frames - first), width), np.uint64)
        for row in received:
            flips = generator.random(rates.frame_bits, np.float32) < qber
            packed = np.packbits(flips, bitorder="little").view(np.uint64)
            row[: len(packed)] = packed
        lengths = np.full(len(received), rates.frame_bits, np.int64)
        sent, given = Frames(np.zeros_like(received), lengths), Frames(received, lengths)
        syndromes = np.empty((len(sent), 0), np.uint8)
        counts[0] += len(sent)
        for attempt in range(rates.steps):
            syndromes = np.hstack([syndromes, encode(rates, sent, attempt)])
            failed = decode(rates, given, syndromes, qber, attempt).failed
            counts[attempt + 1] += failed.sum()
            sent, given, syndromes = sent.chosen(failed), given.chosen(failed), syndromes[failed]
    return counts.tolist()


def width(rates: RateAdaptation, frames: int) -> float:
    """Return σ/√μ by maximum likelihood."""
    middle, sigma = waterfall(rates.code, rates.frame_bits, 0)
    points = np.array([max(1, round(middle + place * sigma)) for place in PLACES])
    failed = np.array([decode_errors(rates, int(t), frames, 7).failed.sum() for t in points])

    def loss(x: np.ndarray) -> float:
        z = (points - x[0]) / (math.exp(x[1]) * math.sqrt(x[0]))
        return -float((failed * norm.logcdf(z) + (frames - failed) * norm.logsf(z)).sum())

    return math.exp(minimize(loss, [middle, math.log(0.5)], method="Nelder-Mead").x[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--confidence", type=float, default=0.99)
    arguments = parser.parse_args()
    rows = []
    for name in CODES:
        code = get_code(name)
        rates = with_growth(code, code.frame_bits, 0)
        qber = HARDNESS * waterfall(name, code.frame_bits, 0)[0] / code.frame_bits
        counts = ladder(rates, qber, arguments.frames)
        bounds = [most(b, a, arguments.confidence) for a, b in pairwise(counts[1:]) if a]
        rows.append(
            {
                "code": name,
                "frames": counts[0],
                "failed": counts[1:],
                "second given first": f"{counts[2] / max(1, counts[1]):.2g} < {bounds[0]:.2g}",
                "disclosed, of 1e-3": f"< {1e-3 * math.prod(bounds):.1e}",
                "disclosed, of 1e-1": f"< {1e-1 * math.prod(bounds):.1e}",
                "width": round(width(rates, arguments.frames // 20), 2),
            }
        )
        sys.stdout.write("  ".join(f"{key} {value}" for key, value in rows[-1].items()) + "\n")
        sys.stdout.flush()
    sys.stdout.write(pd.DataFrame(rows).to_string(index=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
