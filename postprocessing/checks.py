"""Checks of arguments that several modules share."""

from __future__ import annotations

import operator
import os
from typing import Any

import numpy as np

from postprocessing.errors import InvalidArgumentError
from postprocessing.limits import MOST_THREADS


def check_bits(argument: str, bits: Any) -> None:
    """Refuse anything but a flat array of bits, one an element.

    Raises
    ------
    InvalidArgumentError
        If `bits` is not a one-dimensional array of uint8 with entries 0 and 1.
    """
    if not isinstance(bits, np.ndarray) or bits.dtype != np.uint8 or bits.ndim != 1:
        given = type(bits).__name__
        if isinstance(bits, np.ndarray):
            given = f"{bits.dtype} of shape {bits.shape}"
        raise InvalidArgumentError(argument, given, "a flat array of uint8")
    if bits.size and int(bits.max()) > 1:
        raise InvalidArgumentError(argument, int(bits.max()), "bits 0 or 1")


def whole_number(argument: str, value: Any, least: int, most: int) -> int:
    """Return a count as an int.

    Raises
    ------
    InvalidArgumentError
        If `value` is not an integer in [least, most].
    """
    allowed = f"a whole number in [{least}, {most:.3g}]"
    try:
        count = operator.index(value)
    except TypeError as error:
        raise InvalidArgumentError(argument, value, allowed) from error
    if isinstance(value, bool) or not least <= count <= most:
        raise InvalidArgumentError(argument, value, allowed)
    return count


def thread_count(threads: int | None) -> int:
    """Return how many threads to work on: as many as given, or one a processor.

    Raises
    ------
    InvalidArgumentError
        If `threads` is not an integer in [1, `MOST_THREADS`].
    """
    return (
        os.cpu_count() or 1
        if threads is None
        else whole_number("threads", threads, 1, MOST_THREADS)
    )
