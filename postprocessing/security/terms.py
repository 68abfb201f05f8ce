"""Terms: the contributions to a key length, and what each of them is called."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

TERM_LABELS = {
    "entropy": "entropy of the rounds",
    "expected_entropy": "entropy at the expected CHSH value",
    "infimum": "statistical fluctuation",
    "remainder": "third-order fluctuation",
    "tests": "test outcomes",
    "first_smoothing": "smoothing",
    "second_smoothing": "smoothing, test register",
    "chain_rules": "chain rules",
    "fluctuation": "statistical fluctuation",
    "published_tests": "published test outcomes",
    "reconciliation": "reconciliation",
    "verification": "verification",
    "leakage": "leakage budget",
    "sent": "sent about the key rounds",
    "amplification": "privacy amplification",
    "rounding": "rounding",
}


class Terms(Mapping[str, float]):
    """The contributions to a key length in bits, in order, costs negative; never changed.

    Parameters
    ----------
    bits : mapping of str to float
        Bits by name. Readable names are in `TERM_LABELS`.

    Examples
    --------
    >>> terms = Terms({"entropy": 900.0, "leakage": -100.0})
    >>> terms["leakage"], terms.total
    (-100.0, 800.0)
    """

    def __init__(self, bits: Mapping[str, float]) -> None:
        # A sum that comes back from a file is the same to the last digit.
        self._bits = {name: float(value) for name, value in bits.items()}

    @property
    def total(self) -> float:
        """Their sum in bits."""
        return math.fsum(self._bits.values())

    def __getitem__(self, name: str) -> float:
        return self._bits[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._bits)

    def __len__(self) -> int:
        return len(self._bits)

    def __hash__(self) -> int:
        return hash(tuple(self._bits.items()))

    def __repr__(self) -> str:
        return f"Terms({self._bits})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Read and write them as a plain mapping."""
        return core_schema.no_info_after_validator_function(
            cls,
            handler(dict[str, float]),
            serialization=core_schema.plain_serializer_function_ser_schema(dict),
        )
