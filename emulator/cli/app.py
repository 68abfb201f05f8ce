"""The `diqkd` command: results on standard output, progress on standard error."""

from __future__ import annotations

from typing import Annotated

import typer

from emulator.cli.errors import EXIT_CODES
from emulator.cli.lazy import LazyGroup, add, new_app
from emulator.cli.streams import lasting_streams
from emulator.cli.verbs import VERBS

app = new_app(cls=LazyGroup)
for _name, _verb in VERBS.items():
    add(app, _name, _verb)


def main() -> None:
    """Run the command line."""
    with lasting_streams():
        app()


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"diqkd {version('diqkd')}")
        raise typer.Exit


@app.callback(invoke_without_command=True, epilog=EXIT_CODES)
def diqkd(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="say which this is"),
    ] = False,
) -> None:
    """Emulate device-independent QKD round by round and distill real keys."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
