"""`diqkd sweep`: many runs into one store, with progress, on processes or on Dask."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emulator.cli.errors import EXIT_FAILURE
from emulator.cli.progress import sweep_progress
from postprocessing.errors import InvalidArgumentError

if TYPE_CHECKING:
    from emulator.sweeps.sweeper import SweepSummary

EXIT_INTERRUPTED = 130


def command(
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
    """Run a sweep and tell how far it is."""
    from emulator.sweeps.plan import load_plan
    from emulator.sweeps.sweeper import SweepRun

    if sum([workers is not None, in_process, dask is not None]) > 1:
        given = {"workers": workers, "in_process": in_process, "dask": dask}
        raise InvalidArgumentError("options", given, "one of workers, in-process and dask")
    sweep_run = SweepRun(load_plan(plan), store, retry_failed=retry_failed)
    summary = sweep_run.summary()
    if dask is not None or sweep_run.to_run:
        announce = partial(_announce, "waiting for" if dask is None else "dropping")
        place = partial(sweep_run.run_where, workers, in_process=in_process, dask=dask)
        try:
            with sweep_progress(len(sweep_run.to_run), as_json=as_json) as on_row:
                summary = place(on_row=on_row, on_interrupt=announce)
        except KeyboardInterrupt:
            # Leaving in order would wait for the tasks that run.
            sys.stdout.flush()
            os._exit(EXIT_INTERRUPTED)
    _conclude(summary, store, as_json=as_json)


def _announce(what: str) -> None:
    """Say what becomes of the tasks that run when the sweep is interrupted."""
    typer.echo(f"interrupted: {what} the tasks that run; a second Ctrl-C leaves at once", err=True)


def _conclude(summary: SweepSummary, store: Path, *, as_json: bool) -> None:
    """Say what there is of the sweep and choose the exit code."""
    if not as_json:
        typer.echo(f"{store}: {summary}")
    if summary.interrupted:
        left = f"{summary.remaining} tasks remain, run again to continue"
        typer.echo(f"interrupted: {left}", err=True)
        raise typer.Exit(EXIT_INTERRUPTED)
    if summary.failed:
        reasons = "tasks failed, see their reasons; --retry-failed runs them again"
        typer.echo(f"error: {summary.failed} {reasons}", err=True)
        raise typer.Exit(EXIT_FAILURE)
