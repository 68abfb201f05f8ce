"""Designs as JSON values, read back as strictly as a design made in memory is checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from postprocessing.design.design import Design
from postprocessing.security import METHODS, KeyLength

_ADAPTER = TypeAdapter(Design)
# The names of 0.1.0; what it stored beside these follows from the rest.
_OLD_NAMES = {"settings": "scheme", "local_settings": "setting_choice"}


def values_of(design: Design) -> dict[str, Any]:
    """Return the fields of a design as JSON values."""
    values: dict[str, Any] = json.loads(_ADAPTER.dump_json(design))
    return values


def design_of(values: Mapping[str, Any]) -> Design:
    """Return the design that has given JSON values, whose names may be those of 0.1.0.

    Raises
    ------
    ValueError, ArithmeticError
        If a value is missing or impossible, or the key length does not follow from the rest.
    """
    named = {_OLD_NAMES.get(name, name): value for name, value in values.items()}
    length = named.pop("length", None)
    design = _ADAPTER.validate_json(json.dumps(named), strict=True)
    if length is None:
        return design
    # What the free parameters are is up to the method.
    of_parameters: Any = KeyLength
    stored = TypeAdapter(of_parameters[METHODS[design.method].parameters])
    return replace(design, length=stored.validate_json(json.dumps(length), strict=True))
