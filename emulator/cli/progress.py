"""How far a command is, on standard error."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import typer
from rich.console import Console

if TYPE_CHECKING:
    from emulator.sweeps.store import Row
    from emulator.sweeps.sweeper import RowCallback, SweepSummary

_SECONDS_BETWEEN_LINES = 30.0

Value = TypeVar("Value")


class StageProgress:
    """A progress line on standard error, shown on terminals only."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        console = Console(stderr=True)
        hidden = not console.is_terminal
        self._progress = Progress(*columns, console=console, transient=True, disable=hidden)
        self._task = self._progress.add_task("design", total=None)

    def __enter__(self) -> StageProgress:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def show(self, stage: str, fraction: float | None) -> None:
        """Show a stage and how much of it is done."""
        total = None if fraction is None else 1.0
        self._progress.update(self._task, description=stage, total=total, completed=fraction or 0.0)

    def steps(self, stage: str, values: Sequence[Value]) -> Iterator[Value]:
        """Yield values, showing how many of them are done."""
        for done, value in enumerate(values):
            self.show(stage, done / len(values))
            yield value


@contextmanager
def sweep_progress(total: int, *, as_json: bool) -> Iterator[RowCallback]:
    """Show how far a sweep is, and the time left: a bar, or lines; print its rows if asked to."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    text, left = TextColumn("{task.description}"), TextColumn("left")
    columns = (text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), left)
    hidden = not console.is_terminal
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=hidden
    ) as progress:
        line = progress.add_task("sweep", total=total)
        said = 0.0

        def show(row: Row, summary: SweepSummary) -> None:
            nonlocal said
            failures = f", {summary.failed} failed" if summary.failed else ""
            progress.update(line, completed=summary.finished, description=f"sweep{failures}")
            if hidden and summary.seconds > said + _SECONDS_BETWEEN_LINES:
                said = summary.seconds
                left = summary.seconds / summary.finished * summary.remaining
                message = f"{summary.finished} of {total} tasks{failures}, about {left:.0f} s left"
                typer.echo(message, err=True)
            if as_json:
                typer.echo(json.dumps(row, allow_nan=False))

        yield show
