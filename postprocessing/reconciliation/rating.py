"""Measure up to how many errors each code of the family decodes.

Frames with exactly t errors are decoded, for t around the waterfall, and P(failure | t) is fitted
by Φ((t − μ)/σ), the form that finite-length scaling gives a waterfall (Amraoui, Montanari,
Richardson, Urbanke, IEEE Trans. Inf. Theory 55, 473 (2009)). The rating is 0.97 (μ − 5σ), where the
fit is below 3e-7; frames with exactly that many errors are then decoded, and the rating is lowered
by a twentieth until all of them are right. What a fit cannot show is a failure mechanism other than
the waterfall, such as a trapping set, so the failure floor stated is far above the fit: 3e-5. At
confidence 95 % the 204 000 frames of the whole family, no failure among them, bound its mean by
3 / frames = 1.5e-5; the rest allows for ratings having been lowered after failures. One code alone
is backed by its own frames only, the `rated_frames` of its entry: 4000, and 20 000 of the codes
with the fewest rows, whose short cycles leave the least room. The floor decides how often honest
devices abort, never security.

The decoder is symmetric, so the reference party's bits can be zero throughout. Run as
``python -m postprocessing.reconciliation.rating`` to write ``matrices/ratings.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TypedDict

import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm

from postprocessing.reconciliation.codes import QCLDPCCode
from postprocessing.reconciliation.construction import build_base_matrix, family_designs
from postprocessing.reconciliation.decoder import decode_frames

RATINGS_FILE = Path(__file__).parent / "matrices" / "ratings.json"
FAILURE_FLOOR = 3e-5
_BATCH = 50
_FRAMES, _FRAMES_OF_FEW_ROWS, _FEW_ROWS = 4000, 20_000, 5


class Rating(TypedDict):
    """One code's entry in the ratings file."""

    lifting: int
    rated_errors: int
    failure_floor: float
    rated_frames: int
    waterfall_errors: float
    waterfall_width: float


def count_failures(code: QCLDPCCode, errors: int, frames: int) -> tuple[int, int]:
    """Decode frames with exactly `errors` errors in random places.

    Parameters
    ----------
    code : QCLDPCCode
        The code to measure.
    errors : int
        Errors in every frame, 1 to n/2.
    frames : int
        Frames to decode, at least 1.

    Returns
    -------
    flagged, silent : int
        Frames that the decoder gave up, and frames that it took for a wrong word.
    """
    generator = np.random.default_rng([code.syndrome_bits, errors])
    flagged = silent = 0
    for first in range(0, frames, _BATCH):
        received = np.zeros((min(_BATCH, frames - first), code.frame_bits), dtype=np.uint8)
        for frame in received:
            frame[generator.choice(code.frame_bits, errors, replace=False, shuffle=False)] = 1
        syndromes = np.zeros((len(received), -(-code.syndrome_bits // 8)), dtype=np.uint8)
        qber = errors / code.frame_bits
        decoded = decode_frames(code, received.ravel(), syndromes, qber, threads=1)
        wrong = decoded.bits.reshape(received.shape).any(axis=1)
        flagged += int(decoded.failed.sum())
        silent += int((wrong & ~decoded.failed).sum())
    return flagged, silent


def waterfall(code: QCLDPCCode) -> tuple[float, float]:
    """Return μ and σ of the waterfall, in errors, by maximum likelihood."""
    low, high = 1, code.syndrome_bits // 4
    while high - low > max(1, low // 100):
        middle = (low + high) // 2
        if sum(count_failures(code, middle, 12)) >= 6:
            high = middle
        else:
            low = middle
    points = [(high, sum(count_failures(code, high, _BATCH)))]
    while points[-1][1] > 0:
        errors = points[-1][0] - max(1, high // 200)
        points.append((errors, sum(count_failures(code, errors, _BATCH))))
    t, failed = np.array(points, dtype=float).T

    def loss(parameters: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        z = (t - parameters[0]) / np.exp(parameters[1])
        likelihood = failed * norm.logcdf(z) + (_BATCH - failed) * norm.logsf(z)
        return -float(likelihood.sum())

    fit = minimize(loss, [float(high), np.log(max(1.0, high / 100))], method="Nelder-Mead")
    return float(fit.x[0]), float(np.exp(fit.x[1]))


def rate(code: QCLDPCCode, frames: int) -> Rating:
    """Return the rating of `code`, backed by `frames` frames at the rated number of errors."""
    mean, width = waterfall(code)
    errors = int(0.97 * (mean - 5 * width))
    while errors > 0 and sum(count_failures(code, errors, frames)) > 0:
        errors -= max(1, errors // 20)
    if errors <= 0:
        raise ValueError(f"{code.name} does not even correct single errors")
    return Rating(
        lifting=code.lifting,
        rated_errors=errors,
        failure_floor=FAILURE_FLOOR,
        rated_frames=frames,
        waterfall_errors=round(mean, 2),
        waterfall_width=round(width, 2),
    )


def main() -> None:
    """Rate the codes named on the command line, by default all, and write their ratings."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", help="codes to rate")
    arguments = parser.parse_args()
    ratings: dict[str, Rating] = {}
    if RATINGS_FILE.exists():
        ratings = json.loads(RATINGS_FILE.read_text(encoding="utf-8"))
    for design in family_designs():
        if not arguments.names or design.name in arguments.names:
            code = QCLDPCCode(design.name, design.prime - 1, build_base_matrix(design), 0, 0.0, 0)
            frames = _FRAMES_OF_FEW_ROWS if design.rows <= _FEW_ROWS else _FRAMES
            ratings[code.name] = rate(code, frames)
            RATINGS_FILE.write_text(json.dumps(ratings, indent=1) + "\n", encoding="utf-8")
            sys.stdout.write(f"{code.name} {ratings[code.name]}\n")


if __name__ == "__main__":
    main()
