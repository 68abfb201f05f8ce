"""Command-line flags: one for each parameter of any scheme."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from emulator.parameters import allowed_by, choices, has_range, kinds
from emulator.scenario.loading import load_scenario
from emulator.scenario.parameters import parameters_by_scheme
from emulator.scenario.scenario import FORMER_NAMES, RunParameters, Scenario
from emulator.schemes.flat import fields_of
from emulator.schemes.registry import SCHEMES
from postprocessing.registry import METHODS, Registry

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo


# Parameters whose words are registered names.
_REGISTRIES: dict[str, Registry[Any]] = {"scheme": SCHEMES, "method": METHODS}


def scenario_flags(
    command: Callable[..., None], *, without: tuple[str, ...] = ()
) -> Callable[..., None]:
    """Give a command one flag for each scenario parameter, and the scenario they make.

    There are no flags for the parameters that the command makes no use of.

    The command's first parameter receives the scenario; its other parameters stay its own. Values
    reach the scenario as text, so that one place alone validates them.
    """
    signature = inspect.signature(command, eval_str=True)
    own = [p for name, p in signature.parameters.items() if name != "scenario"]
    source = inspect.Parameter(
        "source",
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=None,
        annotation=Annotated[
            str | None,
            typer.Argument(metavar="SCENARIO", help="a preset, or a TOML file"),
        ],
    )
    flags = [flag for flag in _flags() if FORMER_NAMES.get(flag.name, flag.name) not in without]

    @functools.wraps(command)
    def with_flags(*, source: str | None, **values: Any) -> None:
        given = {flag.name: values.pop(flag.name) for flag in flags}
        overrides = {name: value for name, value in given.items() if value is not None}
        command(load_scenario(source, overrides), **values)

    # Arguments of the command's own come before the scenario.
    leading = [p for p in own if _is_argument(p)]
    options = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own if p not in leading]
    parameters = [*leading, source, *options, *flags]
    with_flags.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_flags.__annotations__ = {p.name: p.annotation for p in parameters}
    return with_flags


@functools.cache
def _flags() -> list[inspect.Parameter]:
    """Return a flag for each parameter of any scheme, and for each name that one had before."""
    fields = parameters_by_scheme()
    options = {name: _flag(name, fields[name]) for name in fields}
    options |= {
        old: typer.Option(f"--{old}", hidden=True, help=f"former name of --{new}")
        for old, new in FORMER_NAMES.items()
    }
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[str | None, option],
        )
        for name, option in options.items()
    ]


def _is_argument(parameter: inspect.Parameter) -> bool:
    """Tell whether a parameter stands for itself on the command line, without a flag."""
    return any(
        isinstance(note, typer.models.ArgumentInfo) for note in get_args(parameter.annotation)[1:]
    )


def _flag(name: str, fields: dict[str, FieldInfo]) -> Any:
    """Return the flag of a parameter: its name, its type, its place in the help and its text."""
    return typer.Option(
        f"--{name.replace('_', '-')}",
        metavar=_metavar(name, next(iter(fields.values()))),
        help=_help(name, fields),
        rich_help_panel=_panel(name, fields),
    )


def _metavar(name: str, field: FieldInfo) -> str:
    """Return the type of a parameter, or the words it takes."""
    if name in _REGISTRIES:
        return "NAME"
    words, taken = choices(field), kinds(field)
    for kind, shown in ((float, "FLOAT"), (Path, "FILE"), (int, "INTEGER"), (str, "TEXT")):
        if kind in taken and not (words and kind in (int, str)):
            return "|".join([shown, *map(str, words)])
    return "|".join(map(str, words))


def _panel(name: str, fields: dict[str, FieldInfo]) -> str:
    """Return what the flag of a parameter stands under."""
    if name in RunParameters.model_fields:
        return "run"
    if name in Scenario.model_fields:
        return "security"
    scheme, *others = fields
    return "link" if others else f"{SCHEMES[scheme].title} ({scheme})"


def _help(name: str, fields: dict[str, FieldInfo]) -> str:
    """Return what a parameter is, its range, and its default or those of the schemes."""
    notes = [str(next(iter(fields.values())).description)]
    if name in _REGISTRIES:
        notes = [f"{notes[0]}: {', '.join(_REGISTRIES[name])}"]
    if name == "scheme":
        return notes[0]
    ranges = {_range(name, scheme) for scheme in fields}
    notes += [text for text in ranges if text is not None and len(ranges) == 1]
    defaults: dict[object, list[str]] = {}
    for scheme, field in fields.items():
        if field.default is not None:
            defaults.setdefault(field.default, []).append(scheme)
    shown = [
        f"{default} for {', '.join(schemes)}" if len(defaults) > 1 else f"{default}"
        for default, schemes in defaults.items()
    ]
    return "; ".join(notes) + (f" (default: {'; '.join(shown)})" if shown else "")


def _range(name: str, scheme: str) -> str | None:
    """Return the range of a scheme's number, None where it has none."""
    field = fields_of(SCHEMES[scheme]).get(name)
    return allowed_by(field) if field is not None and has_range(field) else None
