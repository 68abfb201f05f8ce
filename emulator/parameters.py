"""Parameters of schemes: fields with a range, a unit and a description, checked in one place."""

from __future__ import annotations

import functools
import inspect
import math
import operator
import types
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import astuple, dataclass
from typing import (
    Annotated,
    Any,
    Literal,
    TypeAlias,
    TypeVar,
    Union,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
)

import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass
from pydantic.fields import FieldInfo

from postprocessing.checks import plain
from postprocessing.errors import InvalidArgumentError

T = TypeVar("T")

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Probability = Annotated[float, Field(ge=0, le=1)]
Efficiency = Annotated[float, Field(gt=0, le=1)]
# Two numbers, of two detectors or of Alice and Bob.
Pair: TypeAlias = tuple[T, T]
# Of both senders, or of each.
Light: TypeAlias = float | tuple[float, float]


def _as_pair(value: object) -> object:
    """Take "0.8,0.7", lists and arrays of two for the pairs that they are, and so "[0.8, 0.7]"."""
    if isinstance(value, str) and "," in value:
        bare = value.strip()
        bare = bare[1:-1] if bare.startswith("[") and bare.endswith("]") else bare
        try:
            return tuple(float(part) for part in bare.split(","))
        except ValueError:
            return value
    if isinstance(value, list | tuple | np.ndarray) and np.ndim(np.array(value, object)) == 1:
        return tuple(plain(part) for part in value)
    return value


def _unlimited(value: object) -> object:
    named = isinstance(value, str) and value == "unlimited"
    return math.inf if named or value is None else value


# For fields that take a number or a pair of them, and for those that may be infinite.
as_pair = BeforeValidator(_as_pair)
unlimited = BeforeValidator(_unlimited)


@dataclass(frozen=True)
class MayDrift:
    """Mark of a parameter that may change while a run goes on."""


RepetitionRate = Annotated[
    Positive | None, Field(description="pulses per second, for rates in time")
]

_CONFIG = ConfigDict(
    strict=True,
    extra="forbid",
    allow_inf_nan=False,
    arbitrary_types_allowed=True,
)
_OUT_OF_RANGE = {
    "finite_number", "greater_than", "greater_than_equal", "less_than", "less_than_equal",
}  # fmt: skip


@dataclass_transform(frozen_default=True, field_specifiers=(Field,))
def parameters(cls: type[T]) -> type[T]:
    """Make a frozen dataclass whose fields are checked as they are annotated.

    Integers pass for floats and numpy's scalars become plain Python numbers; text and booleans are
    no numbers. Fields with a description are parameters of flat scenarios too, under the same name;
    those without are for Python alone.

    Examples
    --------
    >>> @parameters
    ... class Lamp:
    ...     power_w: Annotated[Positive, Field(description="of the light")] = 1.0
    >>> Lamp(power_w=-1)
    Traceback (most recent call last):
        ...
    postprocessing.errors.InvalidArgumentError: power_w must be finite and above 0, got -1
    """
    made: Any = checked_dataclass(frozen=True, config=_CONFIG)(cls)
    init, signature = made.__init__, inspect.signature(made)

    @functools.wraps(init)
    def checked_init(self: Any, *args: Any, **kwargs: Any) -> None:
        # Arguments that do not fit the signature are a TypeError, as for any function.
        given = signature.bind(*args, **kwargs).arguments
        fields = made.__pydantic_fields__
        try:
            init(self, **{name: _plain(fields[name], value) for name, value in given.items()})
        except ValidationError as error:
            raise first_problem(error, fields, given, of_range=True) from None

    made.__init__ = checked_init
    return cast(type[T], made)


def _plain(field: FieldInfo, value: object) -> object:
    """Return numpy's scalars as plain Python numbers, and no boolean for a number."""
    found = plain(value)
    # A word that no field takes: pydantic lets True pass for 1 among literals.
    return str(found) if isinstance(found, bool) and bool not in kinds(field) else found


def first_problem(
    error: ValidationError,
    fields: Mapping[str, FieldInfo],
    given: Mapping[str, object],
    *,
    of_range: bool = False,
) -> InvalidArgumentError:
    """Turn pydantic's report into the error that names argument, value and what is allowed.

    Parameters
    ----------
    error : ValidationError
        The report.
    fields : mapping of str to FieldInfo
        The fields by name.
    given : mapping of str to object
        The values as they were given.
    of_range : bool
        Whether to name the range for values of a wrong type too.
    """
    problems: Any = error.errors()
    problem = problems[0]
    own = problem.get("ctx", {}).get("error")
    if isinstance(own, InvalidArgumentError):
        return own
    name = str(problem["loc"][0])
    value = given.get(name, problem["input"])
    if problem["type"] == "path_type":
        return InvalidArgumentError(name, value, "the path of a file")
    outside = problem["type"] in _OUT_OF_RANGE
    if of_range or (outside and float in kinds(fields[name])):
        allowed = allowed_by(fields[name])
        if allowed is not None:
            return InvalidArgumentError(name, value, allowed)
    allowed = problem["msg"].removeprefix("Input should be ")
    if len(problems) > 1 and not outside and (words := choices(fields[name])):
        allowed = " or ".join(["a number", *map(_quoted, words)])
    return InvalidArgumentError(name, value, allowed)


def kinds(field: FieldInfo) -> frozenset[type]:
    """Return the types that a field takes, None left out; of literals their types."""
    return frozenset(kind for kind, _, _ in _parts(field.annotation)) - {type(None)}


def choices(field: FieldInfo) -> list[object]:
    """Return the literal values that a field takes."""
    return [value for _, values, _ in _parts(field.annotation) for value in values]


def without_range(field: FieldInfo) -> FieldInfo:
    """Return a field that takes the same types, but numbers of any size."""
    parts: list[Any] = [
        Literal[values] if values else (tuple[float, float] if get_origin(kind) is tuple else kind)
        for kind, values, _ in _parts(field.annotation)
    ]
    loose = copy(field)
    loose.annotation = functools.reduce(operator.or_, parts)
    loose.metadata = [mark for mark in field.metadata if not isinstance(mark, Ge | Gt | Le | Lt)]
    return loose


def has_range(field: FieldInfo) -> bool:
    """Tell whether the numbers that a field takes are bounded."""
    marks = (mark for _, _, own in _parts(field.annotation) for mark in [*own, *field.metadata])
    return any(isinstance(mark, Ge | Gt | Le | Lt) for mark in marks)


def is_whole(field: FieldInfo) -> bool:
    """Tell whether the numbers that a field takes are whole."""
    return int in kinds(field) and float not in kinds(field)


def allowed_by(field: FieldInfo) -> str | None:
    """Return what a field of numbers or words allows, completing "must be ...", None for others.

    Examples
    --------
    >>> allowed_by(FieldInfo.from_annotation(Efficiency))
    'in (0, 1]'
    """
    numbers = [
        _range(kind, marks + field.metadata)
        for kind, values, marks in _parts(field.annotation)
        if kind in (int, float) and not values
    ]
    words = [_quoted(value) for value in choices(field)]
    if numbers and any(get_origin(kind) is tuple for kind in kinds(field)):
        numbers = [f"{numbers[0]}, or two such numbers"]
    if numbers and words:
        return f"{numbers[0]}, or {' or '.join(words)}"
    if words:
        return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
    return numbers[0] if numbers else None


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _range(kind: type, marks: list[Any]) -> str:
    """Return the range of numbers that bounds allow."""
    low = next((mark for mark in marks if isinstance(mark, Ge | Gt)), None)
    high = next((mark for mark in marks if isinstance(mark, Le | Lt)), None)
    words = []
    if kind is int:
        words.append("a whole number")
    elif high is None and not _infinite(marks):
        words.append("finite")
    if low is not None and high is not None:
        least, most = (f"{astuple(mark)[0]:g}".replace("e+0", "e") for mark in (low, high))
        opening, closing = "[" if isinstance(low, Ge) else "(", "]" if isinstance(high, Le) else ")"
        words.append(f"in {opening}{least}, {most}{closing}")
    elif low is not None:
        words.append("and" if words == ["finite"] else "")
        words.append(f"{'at least' if isinstance(low, Ge) else 'above'} {astuple(low)[0]:g}")
    text = " ".join(filter(None, words))
    return f"{text}, infinity included" if _infinite(marks) else text


def _infinite(marks: list[Any]) -> bool:
    return any(getattr(mark, "allow_inf_nan", False) for mark in marks)


def _parts(
    annotation: Any, marks: tuple[Any, ...] = ()
) -> Iterator[tuple[type, tuple[object, ...], list[Any]]]:
    """Yield the alternatives of a type: the type, its literal values, and the marks on it."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *notes = get_args(annotation)
        own = [mark for note in notes for mark in getattr(note, "metadata", [note])]
        yield from _parts(inner, (*marks, *own))
    elif origin in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from _parts(part, marks)
    elif origin is Literal:
        values = get_args(annotation)
        yield type(values[0]), values, list(marks)
    else:
        yield annotation, (), list(marks)
