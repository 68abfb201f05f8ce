"""Commands that are imported when they are called, so that the list of all appears at once."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import typer

from emulator.cli.help import PanelCommand, PanelGroup
from emulator.cli.verbs import VERBS, Verb


class LazyGroup(PanelGroup):
    """Commands that are known by their help until one is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the command that is called."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and _load(str(name)), rest


def new_app(**arguments: Any) -> typer.Typer:
    """Return an app without commands."""
    return typer.Typer(
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        **arguments,
    )


def not_loaded() -> None:
    """Stand for a command in the list of all."""


def add(app: typer.Typer, name: str, verb: Verb, command: Callable[..., None] = not_loaded) -> None:
    """Add a verb to an app."""
    texts: dict[str, Any] = {"help": verb.help, "epilog": verb.epilog}
    app.command(name, cls=PanelCommand, rich_help_panel=verb.panel, **texts)(command)


def _load(name: str) -> Any:
    """Return the command of a verb, with the flags of its function."""
    module, verb = importlib.import_module(f"emulator.cli.{name}"), VERBS[name]
    alone = new_app(cls=PanelGroup, add_completion=False)
    if verb.verbs:
        alone.callback(help=verb.help, epilog=verb.epilog)(not_loaded)
        for own_name, own in verb.verbs.items():
            add(alone, own_name, own, getattr(module, own_name.replace("-", "_")))
    else:
        add(alone, name, verb, module.command)
    return typer.main.get_command(alone)
