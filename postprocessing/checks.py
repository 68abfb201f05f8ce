"""The border where arguments become plain Python values, each refused by its name where it cannot.

Whoever calls has numbers of numpy, words of pandas and paths of every kind; reports and designs are
JSON, and every formula is computed in double precision.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar

import numpy as np

from postprocessing.errors import InvalidArgumentError
from postprocessing.limits import MOST_THREADS

T = TypeVar("T")


def plain(value: Any) -> Any:
    """Return numpy's scalars as the plain Python values that they are, anything else as it is.

    Examples
    --------
    >>> plain(np.float16(20)), plain(np.int64(7)), plain(np.str_("tan22")), plain([1])
    (20.0, 7, 'tan22', [1])
    """
    # A long double has no plain value of its own.
    if isinstance(value, np.floating):
        return float(value)
    return value.item() if isinstance(value, np.generic) else value


def check_bits(argument: str, bits: Any) -> None:
    """Refuse anything but a flat array of bits, one an element.

    Raises
    ------
    InvalidArgumentError
        If `bits` is not a one-dimensional array of uint8 with entries 0 and 1.
    """
    check_bytes(argument, bits)
    if bits.size and int(bits.max()) > 1:
        raise InvalidArgumentError(argument, int(bits.max()), "bits 0 or 1")


def check_bytes(argument: str, values: Any) -> None:
    """Refuse anything but a flat array of bytes.

    Raises
    ------
    InvalidArgumentError
        If `values` is not a one-dimensional array of uint8.
    """
    if not isinstance(values, np.ndarray) or values.dtype != np.uint8 or values.ndim != 1:
        given = type(values).__name__
        if isinstance(values, np.ndarray):
            given = f"{values.dtype} of shape {values.shape}"
        raise InvalidArgumentError(argument, given, "a flat array of uint8")


def whole_number(argument: str, value: Any, least: int, most: float = math.inf) -> int:
    """Return a count as an int; 1e6 is the whole number that it is.

    Raises
    ------
    InvalidArgumentError
        If `value` is not a whole number in [least, most].
    """
    given = plain(value)
    if isinstance(given, float) and given.is_integer():
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int) or not least <= given <= most:
        bounds = f"in [{least}, {most:.3g}]" if most < math.inf else f"of at least {least}"
        raise InvalidArgumentError(argument, plain(value), f"a whole number {bounds}")
    return int(given)


def seed_number(value: Any) -> int:
    """Return a seed as an int.

    Raises
    ------
    InvalidArgumentError
        If `value` is not a whole number of at least 0.
    """
    return whole_number("seed", value, 0)


def real_number(
    argument: str,
    value: Any,
    allowed: str = "a finite number",
    *,
    within: Callable[[float], bool] = math.isfinite,
) -> float:
    """Return a number as a float of double precision.

    Parameters
    ----------
    argument : str
        Name of the argument.
    value : object
        The value given; no boolean and no text is a number.
    allowed : str
        What is allowed, completing "must be ...".
    within : callable
        Tells whether a finite number is allowed.

    Raises
    ------
    InvalidArgumentError
        If `value` is no finite number, or not allowed.

    Examples
    --------
    >>> real_number("chsh", np.float32(2.5))
    2.5
    """
    given, number = plain(value), math.nan
    if isinstance(given, int | float) and not isinstance(given, bool):
        # Longer integers than a float holds are out of every range.
        number = float(given) if abs(given) < 2**1023 else math.nan
    if not math.isfinite(number) or not within(number):
        raise InvalidArgumentError(argument, given, allowed)
    return number


def real_numbers(argument: str, values: Any) -> Any:
    """Return numbers in double precision: a float, or an array of float64.

    Raises
    ------
    InvalidArgumentError
        If `values` is neither a real number nor an array of them.
    """
    if isinstance(values, float):
        return float(values)
    try:
        given = np.asarray(values)
    except ValueError:
        given = np.asarray(None)
    if given.dtype.kind not in "iuf":
        raise InvalidArgumentError(argument, values, "a number or an array of numbers")
    # What is too long for double precision is infinite in it, and out of every range.
    with np.errstate(over="ignore"):
        return given.astype(np.float64, copy=False) if given.ndim else float(given)


def probability(argument: str, value: Any) -> float:
    """Return a probability as a float.

    Raises
    ------
    InvalidArgumentError
        If `value` is not a number in [0, 1].
    """
    return real_number(argument, value, "in [0, 1]", within=lambda p: 0 <= p <= 1)


def one_of(argument: str, value: Any, words: Iterable[str]) -> str:
    """Return a word.

    Raises
    ------
    InvalidArgumentError
        If `value` is none of `words`.
    """
    given, known = plain(value), tuple(words)
    if not isinstance(given, str) or given not in known:
        raise InvalidArgumentError(argument, given, f"one of {', '.join(known)}")
    return given


def instance_of(argument: str, value: T, *kinds: type[Any]) -> T:
    """Return an object of a class, or of one of several; `NoneType` stands for None.

    Raises
    ------
    InvalidArgumentError
        If `value` is of another.
    """
    if not isinstance(value, kinds):
        raise InvalidArgumentError(argument, value, " or ".join(map(_described, kinds)))
    return value


def _described(kind: type[Any]) -> str:
    if kind is NoneType:
        return "None"
    return f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"


def flag(argument: str, value: Any) -> bool:
    """Return a yes or no.

    Raises
    ------
    InvalidArgumentError
        If `value` is neither true nor false.
    """
    given = plain(value)
    if not isinstance(given, bool):
        raise InvalidArgumentError(argument, given, "true or false")
    return given


def callback(argument: str, function: T) -> T:
    """Return a function that is to be called, or None.

    Raises
    ------
    InvalidArgumentError
        If it cannot be called.
    """
    if function is not None and not callable(function):
        raise InvalidArgumentError(argument, function, "a function")
    return function


def file_path(argument: str, value: Any) -> Path:
    """Return the path of a file or a folder.

    Raises
    ------
    InvalidArgumentError
        If `value` is no path.
    """
    try:
        path = Path(value)
        # The operating system takes no path with a zero byte, nor all that Python has as text.
        taken = b"\0" not in os.fsencode(path)
    except (TypeError, ValueError):
        taken = False
    if not taken:
        raise InvalidArgumentError(argument, value, "the path of a file or a folder")
    return path


def thread_count(threads: Any) -> int:
    """Return how many threads to work on: as many as given, or one a processor.

    Raises
    ------
    InvalidArgumentError
        If `threads` is not a whole number in [1, `MOST_THREADS`].
    """
    if threads is None:
        return os.cpu_count() or 1
    return whole_number("threads", threads, 1, MOST_THREADS)
