"""Exit codes, and errors as one line with what may have been meant."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Callable
from typing import ParamSpec

import typer

from postprocessing.errors import DiqkdError, InputFileError, InvalidArgumentError

EXIT_FAILURE, EXIT_USAGE, EXIT_ABORTED = 1, 2, 3
EXIT_CODES = "Exit codes: 0 done, 2 bad input, 3 the protocol aborted, 1 failure."

_Arguments = ParamSpec("_Arguments")


def run_or_explain(action: Callable[[], None]) -> None:
    """Run an action; turn the project's errors into one line and an exit code."""
    try:
        action()
    except DiqkdError as error:
        typer.echo(f"error: {error}{_did_you_mean(error)}", err=True)
        misused = isinstance(error, InvalidArgumentError | InputFileError)
        raise typer.Exit(EXIT_USAGE if misused else EXIT_FAILURE) from None


def explained(command: Callable[_Arguments, None]) -> Callable[_Arguments, None]:
    """Let a command end as `run_or_explain` does."""

    @functools.wraps(command)
    def with_explanation(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> None:
        run_or_explain(lambda: command(*args, **kwargs))

    return with_explanation


def _did_you_mean(error: DiqkdError) -> str:
    """Return the allowed name that comes closest to a mistyped one, as a question."""
    if not isinstance(error, InvalidArgumentError) or not isinstance(error.value, str):
        return ""
    names = re.findall(r"[a-z][\w.-]*\w", error.allowed)
    close = difflib.get_close_matches(error.value, names, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close and close[0] != error.value else ""
