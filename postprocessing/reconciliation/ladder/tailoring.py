"""Codes made to measure: grown for one length and error rate, the same at every call.

A frame of n bits gets ⌈n/Z⌉ block columns and about f n h(QBER)/Z block rows, with f a little above
1. The degrees are those of the nearest design in leakage (``matrices/ladder_degrees.json``); the
name says all that a code is grown from, so that both parties grow the same.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Self

import numpy as np

from postprocessing.bits import WORD_BITS
from postprocessing.errors import InvalidArgumentError
from postprocessing.reconciliation.codes import QCLDPCCode
from postprocessing.reconciliation.graphs import light_set
from postprocessing.reconciliation.growing import Integers, column_weights, grow
from postprocessing.reconciliation.performance import binary_entropy

DEGREES_FILE = Path(__file__).parents[1] / "matrices" / "ladder_degrees.json"
# Syndrome bits of the code over n h(QBER): what the first attempt has at least.
_BASE_EFFICIENCY = 1.02
# Block columns above which the lifting is doubled, if enough rows are left.
_MANY_COLUMNS, _MOST_LIFTING = 500, 1 << 11
_MOST_COLUMNS = 4_000
# Block rows below which columns are light.
_FEW_ROWS = 24
# Fewer block rows leave no room for columns of different weights.
_LEAST_ROWS = 3
# Bits that the search for cycles looks at by the weight of the column: cycles through light columns
# are codewords.
_MOST_BITS = {2: 30_000, 3: 3_000}
_MOST_BITS_OF_HEAVY = 300
# Weight of heavy columns, and block rows up to which they shall meet all of these: in more, a few
# rows without one do no harm.
_HEAVY, _SHORT_ROWS = 20, 110
# There shall be no sets of so many bits of such weights that the checks hardly see; seeds to try.
# A name without a seed means the first code by this rule: another rule needs other kinds' names.
_LIGHT_SETS, _SEEDS = ((12, 2), (4, 3), (5, 3), (6, 3), (8, 3)), 8
_ALLOWED = "<degrees>-<lifting>-<rows>x<columns>[-<seed>]"
_NUMBER = "(0|[1-9][0-9]{0,3})"
_NAME = re.compile(f"([a-z]+)([0-9.]+)-{_NUMBER}-{_NUMBER}x{_NUMBER}(?:-{_NUMBER})?")


@cache
def _designs() -> dict[str, dict[str, dict[str, float]]]:
    """Return the degree designs by kind and error rate."""
    found: dict[str, dict[str, dict[str, float]]]
    found = json.loads(DEGREES_FILE.read_text(encoding="utf-8"))
    return found


@dataclass(frozen=True)
class CodeShape:
    """What a code is grown from.

    Parameters
    ----------
    kind : str
        Kind of the degree design.
    rate : str
        Error rate of the design.
    lifting, rows, columns : int
        Block size, and shape of the base matrix.
    seed : int or None
        Number of the code among those of this shape; None for the first that is sound.

    Raises
    ------
    InvalidArgumentError
        If there is no such design, or the lifting or the shape is none.
    """

    kind: str
    rate: str
    lifting: int
    rows: int
    columns: int
    seed: int | None = None

    def __post_init__(self) -> None:
        """Check that the design exists and the shape is one."""
        known = self.rate in _designs().get(self.kind, {})
        whole = self.lifting % WORD_BITS == 0 and 0 < self.lifting <= _MOST_LIFTING
        few = self.columns <= _MOST_COLUMNS
        if not (known and whole and few and _LEAST_ROWS <= self.rows < self.columns):
            raise InvalidArgumentError("code", self.name, _ALLOWED)

    @classmethod
    @lru_cache(maxsize=256)
    def of_name(cls, name: str) -> Self:
        """Read a name.

        Raises
        ------
        InvalidArgumentError
            If it is none of a code made to measure.
        """
        parts = _NAME.fullmatch(name)
        if not parts:
            raise InvalidArgumentError("code", name, _ALLOWED)
        lifting, rows, columns = (int(number) for number in parts.groups()[2:5])
        seed = None if parts[6] is None else int(parts[6])
        return cls(parts[1], parts[2], lifting, rows, columns, seed)

    @property
    def has_few_rows(self) -> bool:
        """Whether columns are light, and words near each other."""
        return self.rows < _FEW_ROWS

    @property
    def name(self) -> str:
        """Name of the code."""
        shape = f"{self.lifting}-{self.rows}x{self.columns}"
        number = "" if self.seed is None else f"-{self.seed}"
        return f"{self.kind}{self.rate}-{shape}{number}"


def tailored(frame_bits: int, qber: float) -> CodeShape | None:
    """Return the shape of the code made for a frame; None where it would have too few rows.

    Parameters
    ----------
    frame_bits : int
        Key bits of the frame, at least 1.
    qber : float
        Expected error rate, in (0, 1/2).
    """
    syndrome = _BASE_EFFICIENCY * frame_bits * binary_entropy(qber)
    lifting = WORD_BITS
    while (
        lifting < _MOST_LIFTING
        and frame_bits > _MANY_COLUMNS * lifting
        and syndrome >= 2 * _FEW_ROWS * lifting
    ):
        lifting *= 2
    columns, rows = -(-frame_bits // lifting), round(syndrome / lifting)
    if not _LEAST_ROWS <= rows < columns:
        return None
    kind = "light" if rows < _FEW_ROWS else "heavy"
    nearest = min(_designs()[kind], key=lambda rate: abs(math.log(float(rate) / qber)))
    return CodeShape(kind, nearest, lifting, rows, columns)


def _soundest(codes: Iterable[QCLDPCCode]) -> QCLDPCCode:
    """Return the first code that passes all searches for light sets, or most of them.

    Of short codes every check shall have a heavy bit too: those without one decode worse, or now
    and then much worse.
    """
    best: tuple[int, QCLDPCCode] | None = None
    for code in codes:
        passed = 0
        while passed < len(_LIGHT_SETS) and not light_set(code, *_LIGHT_SETS[passed]):
            passed += 1
        passed += passed == len(_LIGHT_SETS) and _reached_by_heavy(code)
        if best is None or passed > best[0]:
            best = passed, code
        if passed > len(_LIGHT_SETS):
            break
    assert best is not None
    return best[1]


def _reached_by_heavy(code: QCLDPCCode) -> bool:
    """Tell whether each check has a heavy bit, which is asked of short codes with such bits."""
    blocks = code.shifts >= 0
    heavy = blocks.sum(axis=0) >= _HEAVY
    return not (_FEW_ROWS <= code.rows <= _SHORT_ROWS) or bool(blocks[:, heavy].any(axis=1).all())


@lru_cache(maxsize=32)
def grown_code(name: str) -> QCLDPCCode:
    """Grow a code from its name: ``<degrees>-<lifting>-<rows>x<columns>-<seed>``.

    Without a seed it is the first in which no small sets of light bits were found that the checks
    hardly see; if there are some in each of 8, the first whose smallest set is largest.

    Raises
    ------
    InvalidArgumentError
        If the name is none of a code made to measure.

    Examples
    --------
    >>> code = grown_code("heavy0.036-64-36x157")
    >>> code.frame_bits, code.name
    (10048, 'heavy0.036-64-36x157-7')
    """
    shape = CodeShape.of_name(name)
    if shape.seed is None:
        return _soundest(grown_code(replace(shape, seed=k).name) for k in range(_SEEDS))
    degrees = _designs()[shape.kind][shape.rate]
    fractions = {int(degree): share for degree, share in degrees.items()}
    weights = np.minimum(column_weights(fractions, shape.columns), shape.rows)
    most_bits = np.array([_MOST_BITS.get(int(w), _MOST_BITS_OF_HEAVY) for w in weights])
    draws = _draws(name, int(weights.sum()))
    shifts = grow(weights, shape.rows, shape.lifting, most_bits, draws)
    return QCLDPCCode(name, shape.lifting, shifts)


def _draws(name: str, blocks: int) -> Integers:
    """Return the numbers that settle what is equal: a hash of the name, the same everywhere."""
    octets = hashlib.shake_256(name.encode()).digest(8 * blocks)
    return (np.frombuffer(octets, "<u4").astype(np.int64) >> 1).reshape(blocks, 2)
