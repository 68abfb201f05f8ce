"""Designs as JSON values, read back as strictly as a design made in memory is checked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from postprocessing.design.design import Design
from postprocessing.errors import InvalidArgumentError
from postprocessing.security import METHODS, KeyLength

_ADAPTER = TypeAdapter(Design)
# The names of 0.1.0.
_OLD_NAMES = {"settings": "scheme", "local_settings": "setting_choice"}
# What 0.1.0 and reports store beside these; it follows from the rest.
_DERIVED = {
    "entropy_per_key_round",
    "key_length",
    "label",
    "least_test_rounds",
    "round_probabilities",
}
_ROUNDING = 1e-9


def values_of(design: Design) -> dict[str, Any]:
    """Return the fields of a design as JSON values."""
    values: dict[str, Any] = json.loads(_ADAPTER.dump_json(design))
    return values


def design_of(values: Mapping[str, Any]) -> Design:
    """Return the design that has given JSON values, whose names may be those of 0.1.0.

    Raises
    ------
    ValueError, ArithmeticError
        If a value is missing, unknown or impossible, or the key length does not follow from the
        rest.
    """
    named = {_OLD_NAMES.get(name, name): value for name, value in values.items()}
    if len(named) < len(values):
        raise InvalidArgumentError("design", sorted(values), "one with each field once")
    derived = {name: named.pop(name) for name in _DERIVED & named.keys()}
    length = named.get("length")
    design = _ADAPTER.validate_json(
        json.dumps({**named, "length": None}, allow_nan=False), strict=True
    )
    if length is not None:
        # What the free parameters are is up to the method.
        of_parameters: Any = KeyLength
        stored = TypeAdapter(of_parameters[METHODS[design.method].parameters])
        whole = stored.validate_json(json.dumps(length, allow_nan=False), strict=True)
        design = replace(design, length=whole)
    _check_derived(design, derived)
    _check_names(named, values_of(design))
    return design


def _check_derived(design: Design, derived: Mapping[str, Any]) -> None:
    """Refuse what follows from the rest where it says more than follows."""
    least, most = design.least_test_rounds, design.entropy_per_key_round + _ROUNDING
    for name, low, high in (
        ("least_test_rounds", least, math.inf),
        ("entropy_per_key_round", -math.inf, most),
    ):
        given = derived.get(name, getattr(design, name))
        if not isinstance(given, int | float) or not low <= given <= high:
            raise InvalidArgumentError(name, given, f"{getattr(design, name)}, which follows")


def _check_names(given: Mapping[str, Any], known: Mapping[str, Any], place: str = "") -> None:
    """Refuse a field that a design does not have, however deep: it might be misspelt."""
    for name, value in given.items():
        if name not in known:
            allowed = f"among {', '.join(known)}"
            raise InvalidArgumentError(f"fields of the {place or 'design'}", name, allowed)
        if isinstance(value, dict) and isinstance(known[name], dict):
            _check_names(value, known[name], name)
