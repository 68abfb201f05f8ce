"""`diqkd sweep`: many runs into one store, with progress, on processes or on Dask."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emulator.cli.flags import EXIT_FAILURE, run_or_explain
from postprocessing.errors import InvalidArgumentError

if TYPE_CHECKING:
    from emulator.sweeps.store import Row
    from emulator.sweeps.sweeper import SweepRun, SweepSummary

EXIT_INTERRUPTED = 130
_SECONDS_BETWEEN_LINES = 30.0


def sweep_command(
    plan: Annotated[Path, typer.Argument(metavar="SWEEP", help="a TOML file: axes and seeds")],
    store: Annotated[Path, typer.Option(help="CSV file that the rows are added to")],
    workers: Annotated[
        int | None, typer.Option(help="processes [default: one a processor]")
    ] = None,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="run in this process instead")
    ] = False,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="run on Dask instead: tcp://host:port")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="run failed tasks again")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print each row as a JSON line")] = False,
) -> None:
    """Run the scenarios of a sweep file that the store lacks, and keep a row of each."""

    def run() -> None:
        from emulator.sweeps.plan import load_plan
        from emulator.sweeps.sweeper import SweepRun

        if sum([workers is not None, in_process, dask is not None]) > 1:
            given = {"workers": workers, "in_process": in_process, "dask": dask}
            raise InvalidArgumentError("options", given, "one of workers, in-process and dask")
        sweep_run = SweepRun(load_plan(plan), store, retry_failed=retry_failed)
        summary = sweep_run.summary()
        if dask is not None or sweep_run.to_run:
            summary = _run(sweep_run, workers, in_process=in_process, dask=dask, as_json=as_json)
        _conclude(summary, store, as_json=as_json)

    run_or_explain(run)


def _run(
    sweep_run: SweepRun, workers: int | None, *, in_process: bool, dask: str | None, as_json: bool
) -> SweepSummary:
    """Run a sweep where the options ask for, under a progress line."""
    from emulator.sweeps.executors import dask_executor

    try:
        with _progress(len(sweep_run.to_run)) as show:

            def on_row(row: Row, summary: SweepSummary) -> None:
                show(summary)
                if as_json:
                    typer.echo(json.dumps(row, allow_nan=False))

            if dask is not None:
                with dask_executor(dask) as executor:
                    return sweep_run.run(executor, on_row, partial(_announce, "dropping"))
            waiting = partial(_announce, "waiting for")
            if in_process:
                with ThreadPoolExecutor(1) as executor:
                    return sweep_run.run(executor, on_row, waiting)
            return sweep_run.run_on_processes(workers, on_row, waiting)
    except KeyboardInterrupt:
        # Leaving in order would wait for the tasks that run.
        sys.stdout.flush()
        os._exit(EXIT_INTERRUPTED)


def _announce(what: str) -> None:
    """Say what becomes of the tasks that run when the sweep is interrupted."""
    typer.echo(f"interrupted: {what} the tasks that run; a second Ctrl-C leaves at once", err=True)


def _conclude(summary: SweepSummary, store: Path, *, as_json: bool) -> None:
    """Say what there is of the sweep and choose the exit code."""
    if not as_json:
        done = summary.key + summary.aborted + summary.failed
        typer.echo(f"{store}: {done} of {summary.tasks} tasks, {summary.finished} of them new")
        typer.echo(f"{summary.key} with a key, {summary.aborted} aborted, {summary.failed} failed")
        if summary.finished:
            typer.echo(f"{summary.seconds:.1f} s")
    if summary.interrupted:
        typer.echo(
            f"interrupted: {summary.remaining} tasks remain, run again to continue", err=True
        )
        raise typer.Exit(EXIT_INTERRUPTED)
    if summary.failed:
        message = (
            f"{summary.failed} tasks failed, see their reasons; --retry-failed runs them again"
        )
        typer.echo(f"error: {message}", err=True)
        raise typer.Exit(EXIT_FAILURE)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[SweepSummary], None]]:
    """Show how far the sweep is, and the time left, on standard error: a bar, or lines."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        line = progress.add_task("sweep", total=total)
        said = 0.0

        def show(summary: SweepSummary) -> None:
            nonlocal said
            failures = f", {summary.failed} failed" if summary.failed else ""
            progress.update(line, completed=summary.finished, description=f"sweep{failures}")
            if hidden and summary.seconds > said + _SECONDS_BETWEEN_LINES:
                said = summary.seconds
                left = summary.seconds / summary.finished * summary.remaining
                message = f"{summary.finished} of {total} tasks{failures}, about {left:.0f} s left"
                typer.echo(message, err=True)

        yield show
