"""Flat names: the parameters of a scheme and of its link side by side, as scenarios have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass, replace
from typing import Any, TypeVar, cast

from pydantic.fields import FieldInfo

from emulator.parameters import MayDrift

T = TypeVar("T")


def fields_of(cls: type) -> dict[str, FieldInfo]:
    """Return the parameters of a class by their flat names.

    Parameters
    ----------
    cls : type
        Made by `emulator.parameters.parameters`. Its fields with a description are
        parameters, and so are those of a field that is such a class itself, as links are.
    """
    found: dict[str, FieldInfo] = {}
    # What a class calls by keyword alone is what its bases bring: after its own.
    own = sorted(_fields(cls).items(), key=lambda item: bool(item[1].kw_only))
    for name, field in own:
        part = field.annotation
        if part is not None and is_dataclass(part):
            found |= fields_of(part)
        elif field.description is not None:
            found[name] = field
    absent: frozenset[str] = getattr(cls, "absent", frozenset())
    return {name: field for name, field in found.items() if name not in absent}


def build(cls: type[T], values: Mapping[str, object]) -> T:
    """Return an object of a class from values by their flat names.

    Raises
    ------
    InvalidArgumentError
        If a value is impossible.
    """
    arguments: dict[str, Any] = {}
    for name, field in _fields(cls).items():
        part = field.annotation
        if part is not None and is_dataclass(part):
            arguments[name] = build(part, values)
        elif name in values:
            arguments[name] = values[name]
    return cls(**arguments)


def changed(owner: T, name: str, value: object) -> T:
    """Return an object with the parameter of a flat name changed.

    Raises
    ------
    InvalidArgumentError
        If the value is impossible.
    """
    dataclass: Any = owner
    for own, field in _fields(type(owner)).items():
        part = field.annotation
        if part is not None and is_dataclass(part) and name in fields_of(part):
            return cast(T, replace(dataclass, **{own: changed(getattr(owner, own), name, value)}))
    return cast(T, replace(dataclass, **{name: value}))


def may_drift(cls: type) -> set[str]:
    """Return the flat names of the parameters that may change while a run goes on."""
    fields = fields_of(cls).items()
    return {n for n, field in fields if any(isinstance(m, MayDrift) for m in field.metadata)}


def _fields(cls: Any) -> dict[str, FieldInfo]:
    """Return the fields of a class made by `parameters`."""
    return cast(dict[str, FieldInfo], cls.__pydantic_fields__)
