"""Measure how many bits frames need on ladders, for lengths and error rates on a grid.

Frames with random errors climb the ladder that is planned for them; what a frame needs lies between
its last rung and the one before. The efficiency κ and the width σ of
`postprocessing.reconciliation.ladder.lengths` are those of the greatest likelihood. Three codes
each, six of short frames, of slightly different lengths, since codes differ. The decoder is
symmetric, so the reference party's bits can be zero throughout.

Run as ``python -m postprocessing.reconciliation.construction.ladder_rating`` to write
``matrices/ladder_ratings.json``: half an hour. The ladders are planned by the table before, so run
it twice.
"""

from __future__ import annotations

import json
import math
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_ndtr, ndtr

from postprocessing.bits import WORD_BITS, PackedBits
from postprocessing.reconciliation.frames import deal
from postprocessing.reconciliation.ladder import Climber, Ladder, planned
from postprocessing.reconciliation.ladder.lengths import RATINGS_FILE
from postprocessing.reconciliation.performance import binary_entropy

Floats = npt.NDArray[np.float64]
_FRAME_BITS = (1_000, 2_000, 4_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
_QBERS = (0.004, 0.008, 0.015, 0.025, 0.035, 0.055, 0.08, 0.12, 0.2)
# Lengths of the codes, more of them for short frames, and what is decoded of each: bits in all, or
# frames.
_LENGTHS, _SHORT_LENGTHS = (1.0, 1.02, 1.05), (1.0, 1.01, 1.02, 1.03, 1.04, 1.05)
_SHORT = 10_000
_BITS, _LEAST_FRAMES, _MOST_FRAMES = 2_000_000, 4, 200
_TAG_BITS = 50
# Share of frames that may need no more than the first rung.
_MOST_FIRST = 0.6


@dataclass(frozen=True)
class Climbs:
    """What frames needed, as bits over n h(t/n).

    Parameters
    ----------
    least, most : ndarray, shape (frames,)
        The rung at which a frame failed last, 0 if none, and the one at which it did not.
    scale : ndarray, shape (frames,)
        h(QBER)/h(t/n).
    """

    least: Floats
    most: Floats
    scale: Floats


def climbed(ladder: Ladder, frame_bits: int, qber: float, frames: int, seed: int) -> Climbs:
    """Let frames of random errors climb a ladder."""
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(frames):
        errors = generator.random(frame_bits) < qber
        climber = Climber.of(ladder, deal(PackedBits.from_bits(errors), ladder), qber)
        for step in range(ladder.steps):
            added = np.zeros((1, ladder.syndrome_bits(step)), np.uint8)
            climber = climber.further(added, step, 1)
            # A word that is not the reference's has another tag: the climb goes on.
            solved = climber.met[0] and not climber.frames.words.any()
            if solved:
                break
        sent = [0, *(ladder.whole_bits + rung for rung in ladder.rungs), np.inf]
        last = step if solved else step + 1
        entropy = frame_bits * binary_entropy(max(1, errors.sum()) / frame_bits)
        scale = frame_bits * binary_entropy(qber) / entropy
        found.append((sent[last] / entropy, sent[last + 1] / entropy, scale))
    return Climbs(*np.array(found, float).T)


def fitted(climbs: list[Climbs]) -> tuple[float, float]:
    """Return κ and σ of the greatest likelihood."""
    least, most, scale = (
        np.concatenate([getattr(each, name) for each in climbs])
        for name in ("least", "most", "scale")
    )

    def loss(point: Floats) -> float:
        width = math.exp(point[1]) * scale
        top, bottom = (most - point[0]) / width, (least - point[0]) / width
        # Whichever tail is the thinner one keeps its digits.
        flip = bottom > 0
        top, bottom = np.where(flip, -bottom, top), np.where(flip, -top, bottom)
        chance = log_ndtr(top) + np.log1p(-np.minimum(ndtr(bottom) / ndtr(top), 1 - 1e-12))
        return -float(chance.sum())

    start = np.array([np.median(np.minimum(most, 3.0)), math.log(0.02)])
    best = minimize(loss, start, method="Nelder-Mead")
    return float(best.x[0]), math.exp(float(best.x[1]))


def rate(frame_bits: int, qber: float) -> tuple[float, float] | None:
    """Return κ and σ of frames; None where there is no code for them."""
    climbs = []
    for seed, share in enumerate(_SHORT_LENGTHS if frame_bits <= _SHORT else _LENGTHS):
        length = round(share * frame_bits / WORD_BITS) * WORD_BITS
        plan = planned(length, qber, _TAG_BITS)
        if plan is None:
            return None
        frames = min(_MOST_FRAMES, max(_LEAST_FRAMES, _BITS // length))
        ladder = plan.ladder
        found = climbed(ladder, length, qber, frames, seed)
        if (found.least == 0).mean() > _MOST_FIRST:
            # The plan starts too high to tell what is needed: from the whole code up.
            lower = replace(ladder, rungs=tuple(sorted({0, ladder.rungs[0] // 2, *ladder.rungs})))
            found = climbed(lower, length, qber, frames, seed)
        climbs.append(found)
    return fitted(climbs)


def _filled(row: list[float | None]) -> list[float]:
    """Return a row over error rates where cells without a code are as the next one with one."""
    filled: list[float] = []
    for cell in reversed(row):
        filled.append(filled[-1] if cell is None else cell)
    return filled[::-1]


def _rated(cell: tuple[int, float]) -> tuple[float, float] | None:
    found = rate(*cell)
    sys.stdout.write(f"{cell[0]} {cell[1]:g} {found}\n")
    sys.stdout.flush()
    return found


def main() -> None:
    """Rate all lengths and error rates and write them."""
    efficiency, width = [], []
    cells = list(product(_FRAME_BITS, _QBERS))
    with ThreadPoolExecutor() as pool:
        rated = list(pool.map(_rated, cells))
    for row in range(len(_FRAME_BITS)):
        found = rated[row * len(_QBERS) : (row + 1) * len(_QBERS)]
        efficiency.append(_filled([None if each is None else round(each[0], 5) for each in found]))
        width.append(_filled([None if each is None else round(each[1], 5) for each in found]))
    table = {
        "frame_bits": _FRAME_BITS,
        "qbers": _QBERS,
        "efficiency": efficiency,
        "width": width,
    }
    RATINGS_FILE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
