"""Command-line flags: one for each parameter of any scheme."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from emulator.cli.errors import run_or_explain
from emulator.scenario.loading import load_scenario
from emulator.scenario.parameters import parameters_by_scheme
from emulator.scenario.scenario import Scenario

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo


def scenario_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one flag for each scenario parameter, and the scenario they make.

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
    named = parameters_by_scheme()
    flags = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                str | None, typer.Option(f"--{name.replace('_', '-')}", help=_help(name, fields))
            ],
        )
        for name, fields in named.items()
    ]

    @functools.wraps(command)
    def with_flags(*, source: str | None, **values: Any) -> None:
        given = {name: values.pop(name) for name in named}
        overrides = {name: value for name, value in given.items() if value is not None}
        run_or_explain(lambda: command(load_scenario(source, overrides), **values))

    # Arguments of the command's own come before the scenario.
    leading = [p for p in own if _is_argument(p)]
    options = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own if p not in leading]
    parameters = [*leading, source, *options, *flags]
    with_flags.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_flags.__annotations__ = {p.name: p.annotation for p in parameters}
    return with_flags


def _is_argument(parameter: inspect.Parameter) -> bool:
    """Tell whether a parameter stands for itself on the command line, without a flag."""
    return any(
        isinstance(note, typer.models.ArgumentInfo) for note in get_args(parameter.annotation)[1:]
    )


def _help(name: str, fields: dict[str, FieldInfo]) -> str:
    """Return what a parameter is, with the schemes that have it and its default in each."""
    common = name in Scenario.model_fields
    field = Scenario.model_fields[name] if common else next(iter(fields.values()))
    if name == "scheme":
        return f"{field.description}: {', '.join(fields)}"
    defaults: dict[object, list[str]] = {}
    for scheme, its_field in fields.items():
        defaults.setdefault(its_field.default, []).append(scheme)
    notes = []
    for default, schemes in defaults.items():
        of_schemes = "" if common else ", ".join(schemes)
        shown = "" if default is None else f"default: {default}"
        notes.append("; ".join(part for part in (of_schemes, shown) if part))
    return str(field.description) + "".join(f" [{note}]" for note in notes if note)
