"""Which code at which rate: candidates for a key of some length and error rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, get_args

from postprocessing.bits import WORD_BITS
from postprocessing.reconciliation.codes import (
    QCLDPCCode,
    RateAdaptation,
    UnratedAdaptation,
    code_family,
)
from postprocessing.reconciliation.performance import (
    binary_entropy,
    ratings,
    waterfall_failures,
)

Mode = Literal["throughput", "efficiency"]
MODES: tuple[Mode, ...] = get_args(Mode)

# Frames of up to so many bits decode fast; where errors are few, so do all.
_FAST_FRAME_BITS = 1 << 17
_FAST_QBER = 0.009
# With short frames the syndrome is this much longer than at the waterfall: few iterations do.
_FAST_MARGIN = 1.105
# How often first attempts may fail; what comes after them is cheap.
_FIRST_FAILURES: dict[Mode, tuple[float, ...]] = {
    "throughput": (1e-3, 1e-4),
    "efficiency": (0.1, 0.03, 0.01, 1e-3, 1e-4),
}
# Of long frames, where these serve throughput too.
_LONG_FIRST_FAILURES = (1e-2, 1e-3, 1e-4)
# How long the syndrome is in all, beside the first, after each failure.
_GROWTH = (1.02, 1.06, 1.25)
# Leakages of mother codes worth a look, beside the entropy of the errors; the least is always.
_LEAST_LEAK, _MOST_LEAK, _SMALL_LEAK = 0.3, 2.0, 0.03
# Error rates that the family is made for.
MOST_QBER = 0.12


def candidates(mode: Mode, key_bits: int, qber: float) -> Iterator[RateAdaptation]:
    """Return codes at rates that serve a key.

    Parameters
    ----------
    mode : {"throughput", "efficiency"}
        Codes that decode fast, or that leak little.
    key_bits : int
        Length of the key, at least 1.
    qber : float
        Expected error rate, in [0, 1]; the codes are made for up to 0.12.

    Yields
    ------
    RateAdaptation
        Codes, most of which leak more than is needed.
    """
    if qber > MOST_QBER:
        return
    entropy = binary_entropy(qber)
    for code in code_family().values():
        most = max(_MOST_LEAK * entropy, _SMALL_LEAK)
        if _LEAST_LEAK * entropy <= code.leak_per_bit <= most and _serves(code, mode, qber):
            for failures in _first_failures(code, mode):
                yield from _adapted(code, key_bits, qber, failures, _least_efficiency(code, mode))


def _first_failures(code: QCLDPCCode, mode: Mode) -> tuple[float, ...]:
    long = code.frame_bits > _FAST_FRAME_BITS
    return _LONG_FIRST_FAILURES if long and mode == "throughput" else _FIRST_FAILURES[mode]


def _serves(code: QCLDPCCode, mode: Mode, qber: float) -> bool:
    fast = code.frame_bits <= _FAST_FRAME_BITS
    return fast == (mode == "throughput") or (not fast and qber <= _FAST_QBER)


def _least_efficiency(code: QCLDPCCode, mode: Mode) -> float:
    hurried = mode == "throughput" and code.frame_bits <= _FAST_FRAME_BITS
    return ratings()[code.name].split[0] * (_FAST_MARGIN if hurried else 1.0)


def _adapted(
    code: QCLDPCCode, key_bits: int, qber: float, failures: float, least_efficiency: float
) -> Iterator[RateAdaptation]:
    """Return the code with frames short enough, or with longer frames and rows split."""

    def good(bits: int, split: int) -> bool:
        leak = (code.rows + split) * code.lifting
        return (
            leak >= least_efficiency * bits * binary_entropy(qber)
            and waterfall_failures(code.name, bits, split, qber) <= failures
        )

    longest = _largest(code.columns, lambda columns: good(columns * code.lifting, 0))
    if not longest:
        return
    frames = -(-key_bits // (longest * code.lifting))
    yield with_growth(code, _frame_bits(key_bits, frames), 0)
    bits = _frame_bits(key_bits, max(1, frames - 1))
    if frames > 1 and bits <= code.frame_bits:
        unsplit = _largest(code.rows, lambda rows: good(bits, code.rows - rows))
        if unsplit:
            yield with_growth(code, bits, code.rows - unsplit)


def _largest(most: int, good: Callable[[int], bool]) -> int:
    """Return the largest number in [0, most] that is good, where smaller ones are too."""
    accepted, excluded = 0, most + 1
    while excluded - accepted > 1:
        middle = (accepted + excluded) // 2
        if good(middle):
            accepted = middle
        else:
            excluded = middle
    return accepted


def _frame_bits(key_bits: int, frames: int) -> int:
    """Return the length of frames that hold a key, in whole words."""
    return -(-key_bits // (frames * WORD_BITS)) * WORD_BITS


def with_growth(code: QCLDPCCode, bits: int, split: int) -> RateAdaptation:
    """Return a code with rows split at first, and what is added after each failure."""
    return RateAdaptation(code.name, bits, _steps(code, split))


def with_given(code: QCLDPCCode, key_bits: int) -> UnratedAdaptation:
    """Return a code that was given: whole at first, all of its rows split in the end."""
    bits = _frame_bits(key_bits, -(-key_bits // code.frame_bits))
    steps = _steps(code, 0)
    last = (code.rows,) if steps[-1] < code.rows else ()
    return UnratedAdaptation(code.name, bits, steps + last, code)


def _steps(code: QCLDPCCode, split: int) -> tuple[int, ...]:
    steps = [split]
    for growth in _GROWTH:
        more = max(steps[-1] + 1, round(growth * (code.rows + split)) - code.rows)
        if more <= code.rows:
            steps.append(more)
    return tuple(steps)
