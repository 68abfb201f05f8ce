"""Text to whoever reads it: never a reason to lose what a command has done.

A terminal that lacks a sign is shown another. Where nobody reads on, the command goes on in silence
and ends as it would have; where text cannot be written, it goes on as well, and says so at the end.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TextIO

import typer

from emulator.cli.errors import EXIT_FAILURE

_ERRORS = "diqkd-signs"
_SIGNS = {
    "±": "+-", "×": "x", "−": "-", "–": "-", "≤": "<=", "≥": ">=", "…": "...", "→": "->",
    "√": "sqrt", "²": "^2", "é": "e", "α": "alpha", "ε": "epsilon", "η": "eta", "μ": "mu",
    "σ": "sigma",
}  # fmt: skip


class Sink(io.TextIOBase):
    """A standard stream that takes all text, whatever becomes of it.

    Parameters
    ----------
    stream : TextIO or None
        The stream; None where it was closed before the start.
    """

    encoding = "utf-8"

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.encoding = getattr(stream, "encoding", None) or self.encoding
        self.failure: OSError | None = None
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)

    def write(self, text: str) -> int:
        """Write text at once; after a failure, nowhere."""
        if self._stream is not None and self.failure is None:
            try:
                self._stream.write(text)
                self._stream.flush()
            except OSError as error:
                self.failure = error
                _drain(self._stream)
        return len(text)

    def writable(self) -> bool:
        """Yes."""
        return True

    def isatty(self) -> bool:
        """Tell whether the stream is a terminal."""
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        """Return the descriptor of the stream."""
        if self._stream is None:
            raise io.UnsupportedOperation("fileno")
        return self._stream.fileno()


@contextmanager
def lasting_streams() -> Iterator[None]:
    """Let a command write through sinks, and fail at its end if its text could not be written."""
    codecs.register_error(_ERRORS, _in_signs)
    # Zero columns are no terminal's width: scripts say so that do not know it.
    if os.environ.get("COLUMNS", "").strip("0") == "":
        os.environ.pop("COLUMNS", None)
    out = Sink(sys.stdout)
    with redirect_stdout(out), redirect_stderr(Sink(sys.stderr)):
        try:
            yield
        except SystemExit as ending:
            if out.failure is None or out.failure.errno == errno.EPIPE:
                raise
            reason = out.failure.strerror
            typer.echo(f"error: cannot write to standard output ({reason})", err=True)
            raise SystemExit(ending.code or EXIT_FAILURE) from None


def _drain(stream: TextIO) -> None:
    """Let what a stream still holds go nowhere, or its last flush would fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _in_signs(error: UnicodeError) -> tuple[str, int]:
    """Return ASCII signs for what an encoding has not."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_SIGNS.get(sign, "?") for sign in lacking), error.end
