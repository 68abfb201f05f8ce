"""Exit codes, and errors as one line with what may have been meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Container
from typing import Any

import typer
from typer.core import TyperCommand

from postprocessing.errors import DiqkdError, InputFileError, InvalidArgumentError

EXIT_FAILURE, EXIT_USAGE, EXIT_ABORTED = 1, 2, 3
EXIT_CODES = "Exit codes: 0 done, 2 bad input, 3 the protocol aborted, 1 failure."

_WORD = re.compile(r"(?<![\w-])[a-z][\w-]*")


class ExplainedCommand(TyperCommand):
    """A command that turns the project's errors into one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except DiqkdError as error:
            typer.echo(f"error: {_as_typed(error, ctx)}{_did_you_mean(error)}", err=True)
            misused = isinstance(error, InvalidArgumentError | InputFileError)
            raise typer.Exit(EXIT_USAGE if misused else EXIT_FAILURE) from None


def _as_typed(error: DiqkdError, ctx: Any) -> str:
    """Return what an error says, with the options that it is about as one types them."""
    # Help does not wait for scenarios.
    from emulator.scenario.scenario import former_name

    name, must, rest = str(error).partition(" must ")
    options = {option: each for each in ctx.command.params for option in each.opts}
    if name == "options":
        allowed, got, value = rest.partition(", got ")
        words = _WORD.sub(lambda word: _dashed(word[0], options), allowed)
        return f"{name}{must}{words}{got}{value}"
    lacking = isinstance(error, InvalidArgumentError) and error.value is None
    for typed in (name, former_name(name)):
        option = options.get(_dashed(typed, options))
        # What the file of a scenario says has no dashes.
        if option is not None and (lacking or ctx.params.get(option.name) is not None):
            return f"{option.opts[0]}{must}{rest}"
    return str(error)


def _dashed(word: str, options: Container[str]) -> str:
    """Return the option of a name, or another word as it is."""
    option = f"--{word.replace('_', '-')}"
    return option if option in options else word


def _did_you_mean(error: DiqkdError) -> str:
    """Return the allowed name that comes closest to a mistyped one, as a question."""
    if not isinstance(error, InvalidArgumentError) or not isinstance(error.value, str):
        return ""
    names = re.findall(r"[a-z][\w.-]*\w", error.allowed)
    close = difflib.get_close_matches(error.value, names, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close and close[0] != error.value else ""
