"""Parts of a Bell test: counts of consecutive trials, whatever blocks they are read in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from postprocessing.bell.trials import CELLS, Counts, Trials
from postprocessing.checks import instance_of
from postprocessing.errors import InvalidArgumentError

_LATER_SHARE = 10


@dataclass(frozen=True)
class Part:
    """Counts of consecutive trials.

    Parameters
    ----------
    herald_names : tuple of str
        Names of the heralds.
    counts : ndarray of int64
        n[herald, x, y, a, b].
    end_s : float or None
        When its last trial was.
    """

    herald_names: tuple[str, ...]
    counts: Counts
    end_s: float | None


def parts_of(blocks: Iterable[Trials], first: int, told: Callable[[int], None]) -> Iterator[Part]:
    """Yield the parts of a test: of `first` trials, and later of a tenth of all before.

    Their ends are numbers of trials and nothing else; the last part may be shorter. After each
    block `told` is called with the trials so far.

    Raises
    ------
    InvalidArgumentError
        If a block is none, or has other heralds than the first.
    """
    names: tuple[str, ...] | None = None
    done, left, end_s = 0, first, None
    counts = np.zeros(0, np.int64)
    for given in blocks:
        block = instance_of("blocks", given, Trials)
        if names is None:
            names, counts = block.herald_names, np.zeros(16 * len(block.herald_names), np.int64)
        if block.herald_names != names:
            raise InvalidArgumentError("herald_names", block.herald_names, f"{names} in all blocks")
        cells, start = block.cells(), 0
        while start < len(cells):
            stop = min(start + left, len(cells))
            counts += np.bincount(cells[start:stop], minlength=len(counts))
            end_s = None if block.times_s is None else float(block.times_s[stop - 1])
            done, left, start = done + stop - start, left - (stop - start), stop
            if left == 0:
                yield Part(names, counts.reshape(-1, *CELLS), end_s)
                counts, left = np.zeros_like(counts), max(first, done // _LATER_SHARE)
        told(done)
    if names is not None and counts.any():
        yield Part(names, counts.reshape(-1, *CELLS), end_s)
