"""Kernels of a decoder that is told more and more: half-checks joined by bits nobody has.

Where a check is split, its halves stand as two checks with a common auxiliary bit: of that bit
nothing is known at first, so that the halves say what the whole does; once the syndrome of a half
is known, so is the bit. Posteriors and messages are kept from attempt to attempt. The auxiliary
bits lie in block columns behind those of the frame.
"""

from __future__ import annotations

import numpy as np

from postprocessing.reconciliation.kernels.layered import (
    CERTAIN,
    Integers,
    Messages,
    Posteriors,
    Signs,
    Words,
    decide,
    iterate,
    load,
    unsatisfied,
)
from postprocessing.simd.compile import kernel
from postprocessing.simd.lanes import LANES


@kernel
def begin(
    frame: Words, known_from: int, reliability: int, posteriors: Posteriors, lifting: int
) -> None:
    """Set the posteriors of a frame; of the auxiliary bits nothing is known."""
    posteriors[:] = 0
    load(frame, known_from, reliability, posteriors, lifting)


@kernel
def reveal(
    added: Words, first: int, count: int, posteriors: Posteriors, column: int, lifting: int
) -> None:
    """Make `count` auxiliary bits known from `first` on; their columns begin at `column`."""
    for k in range(count):
        bit = (added[k // LANES] >> np.uint64(k % LANES)) & np.uint64(1)
        value = -CERTAIN if bit else CERTAIN
        at, place = column + (first + k) // lifting, (first + k) % lifting
        posteriors[at * (lifting + LANES) + place] = value
        if place < LANES:
            posteriors[at * (lifting + LANES) + lifting + place] = value


@kernel
def climb(
    posteriors: Posteriors,
    messages: Messages,
    signs: Signs,
    row_starts: Integers,
    edges: Integers,
    most_iterations: int,
    frame: Words,
) -> tuple[int, bool]:
    """Iterate from where the decoder stands; return iterations and whether all checks are met.

    If they are, `frame` becomes what is decided.
    """
    lifting = signs.shape[1]
    forward = np.empty(np.max(row_starts[1:] - row_starts[:-1]) * LANES, np.int8)
    row, spent = unsatisfied(posteriors, signs, row_starts, edges, 0), 0
    while row >= 0 and spent < most_iterations:
        iterate(posteriors, messages, signs, row_starts, edges, forward, True)
        spent += 1
        row = unsatisfied(posteriors, signs, row_starts, edges, row)
    if row < 0:
        decide(posteriors, frame, lifting)
    return spent, row < 0
