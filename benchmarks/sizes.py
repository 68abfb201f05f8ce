"""Sizes of the benchmarks: whole, or so small that one only sees them run.

``BENCHMARKS=small pytest benchmarks`` takes about a minute; its figures mean nothing.
"""

import os

SMALL = os.environ.get("BENCHMARKS") == "small"


def size(whole: int, small: int) -> int:
    """Return the size to measure at."""
    return small if SMALL else whole


def repeats(whole: int) -> int:
    """Return how often to measure."""
    return 1 if SMALL else whole
