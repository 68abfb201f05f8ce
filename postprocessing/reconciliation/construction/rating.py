"""Measure where the waterfall of each code lies: whole, shortened, and with rows split.

Frames with exactly t errors are decoded, for t around the waterfall, and P(failure | t) is fitted
by Φ((t − μ)/σ) with the width of `postprocessing.reconciliation.performance`. What a fit cannot
show is a failure for another reason, such as a trapping set; a floor stands for it. Both decide how
often honest devices abort, never security. The decoder is symmetric, so the reference party's bits
can be zero throughout.

Run as ``python -m postprocessing.reconciliation.construction.rating`` to write
``matrices/ratings.json``: about half an hour.
"""

from __future__ import annotations

import argparse
import json
import math
import sys

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from postprocessing.bits import WORD_BITS
from postprocessing.reconciliation.codes import (
    QCLDPCCode,
    RateAdaptation,
    code_family,
)
from postprocessing.reconciliation.decoder import (
    EXACT_ITERATIONS,
    QUANTISED_ITERATIONS,
    DecodedFrames,
    decode,
)
from postprocessing.reconciliation.frames import Frames
from postprocessing.reconciliation.performance import (
    RATINGS_FILE,
    SHORTENED,
    SPLIT_SHARES,
    WIDTH,
    binary_entropy,
    inverse_entropy,
)

# Efficiencies between which every waterfall lies; those of array codes are the greatest.
_BRACKET = (1.01, 6.0)
# Most iterations. Frames that fail take all of them, which at low error rates would take days: they
# are given up early there, which errs on the safe side.
_ITERATIONS, _FEW_ITERATIONS = (QUANTISED_ITERATIONS, EXACT_ITERATIONS), (100, 0)
_LOW_LEAK = 0.016
# Frames decoded at each number of errors, while searching and when fitting.
_SEARCH_FRAMES, _FIT_BITS = 4, 16_000_000
# Where the fit is made, in standard deviations from the place that the search found.
_PLACES = (-0.7, 0.0, 0.7)


def decode_errors(
    adaptation: RateAdaptation, errors: int, frames: int, seed: int = 0
) -> DecodedFrames:
    """Decode frames of zeros with exactly `errors` errors in random places.

    Parameters
    ----------
    adaptation : RateAdaptation
        The code to measure.
    errors : int
        Errors in every frame, 1 to n/2.
    frames : int
        Frames to decode, at least 1.
    seed : int
        Of the places.

    Returns
    -------
    DecodedFrames
        What became of them; a frame that did not fail and is not zero is an undetected error.
    """
    generator = np.random.default_rng([seed, errors])
    length, words = adaptation.frame_bits, adaptation.columns * adaptation.mother.lifting // 64
    received = np.zeros((frames, words), np.uint64)
    for frame in received:
        places = generator.choice(length, errors, replace=False, shuffle=False).astype(np.uint64)
        bits = np.uint64(1) << places % np.uint64(WORD_BITS)
        np.bitwise_or.at(frame, places // np.uint64(WORD_BITS), bits)
    dealt = Frames(received, np.full(frames, length, np.int64))
    silence = np.zeros((frames, adaptation.syndrome_bits(0) // 8), np.uint8)
    low = adaptation.mother.leak_per_bit < _LOW_LEAK
    most = _FEW_ITERATIONS if low else _ITERATIONS
    return decode(adaptation, dealt, silence, errors / length, 0, 1, most)


def waterfall_errors(adaptation: RateAdaptation) -> float:
    """Return μ of the waterfall, in errors a frame, by bisection and maximum likelihood."""
    length = adaptation.frame_bits
    leak = adaptation.syndrome_bits(0) / length
    high, low = (max(1, int(length * inverse_entropy(leak / f))) for f in _BRACKET)
    while high - low > max(1, 0.3 * math.sqrt(low)):
        middle = (low + high) // 2
        if decode_errors(adaptation, middle, _SEARCH_FRAMES).failed.sum() * 2 >= _SEARCH_FRAMES:
            high = middle
        else:
            low = middle
    frames = min(150, max(8, _FIT_BITS // length // len(_PLACES)))
    points = sorted({max(1, round(high + place * math.sqrt(high))) for place in _PLACES})
    failed = [int(decode_errors(adaptation, t, frames, seed=1).failed.sum()) for t in points]

    def loss(middle: float) -> float:
        z = (np.array(points) - middle) / (WIDTH * math.sqrt(middle))
        likelihood = failed * norm.logcdf(z) + (frames - np.array(failed)) * norm.logsf(z)
        return -float(likelihood.sum())

    reach = 4 * math.sqrt(high) + 1
    bounds = (max(0.1, high - reach), high + reach)
    return float(minimize_scalar(loss, bounds=bounds, method="bounded").x)


def rate(code: QCLDPCCode) -> dict[str, object]:
    """Return the entry of a code in the ratings file."""

    def efficiency(kept: float, split: float) -> float:
        bits = round(code.columns * kept) * code.lifting
        adaptation = RateAdaptation(code.name, bits, (round(code.rows * split),))
        errors = waterfall_errors(adaptation)
        found = adaptation.syndrome_bits(0) / (bits * binary_entropy(errors / bits))
        sys.stdout.write(f"{code.name} {kept} {split} {errors:.1f} {found:.4f}\n")
        sys.stdout.flush()
        return round(found, 4)

    return {
        "split": [efficiency(1.0, share) for share in SPLIT_SHARES],
        "shortened": efficiency(SHORTENED, 0.0),
    }


def main() -> None:
    """Rate the codes named on the command line, by default all, and write their ratings."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", help="codes to rate")
    arguments = parser.parse_args()
    for name, code in code_family().items():
        if not arguments.names or name in arguments.names:
            entry = rate(code)
            found = json.loads(RATINGS_FILE.read_text(encoding="utf-8"))
            found[name] = entry
            RATINGS_FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
