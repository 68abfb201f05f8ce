"""`diqkd distill`: recorded rounds become keys, under a design made before them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emulator.cli.errors import EXIT_ABORTED, EXIT_FAILURE
from emulator.cli.options import AsJson, KeyFolder, LayoutFile, Threads
from emulator.cli.progress import StageProgress
from postprocessing.errors import InvalidArgumentError


def command(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="one joint file, or Alice's and Bob's: .parquet, .csv, .npz, .h5",
        ),
    ],
    design: Annotated[
        Path | None,
        typer.Option(
            "--design", help="of diqkd design, made beforehand; without: exploratory, no key"
        ),
    ] = None,
    layout: LayoutFile = None,
    out: KeyFolder = None,
    seed: Annotated[
        int | None,
        typer.Option(help="of coins and hash seeds, for emulated rounds: the keys are worthless"),
    ] = None,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Distill files, or explore them where there is no design."""
    from emulator.laboratory import distill_files, explore_files
    from emulator.pages.laboratory import print_exploration
    from emulator.pages.terminal import print_json, print_report

    if design is None:
        if out is not None:
            raise InvalidArgumentError("out", str(out), "left out without --design")
        found = explore_files(*files, layout=layout)
        print_json(found.to_dict()) if as_json else print_exploration(found)
        return
    with StageProgress() as progress:
        report = distill_files(
            *files,
            design=design,
            layout=layout,
            out=out,
            seed=seed,
            threads=threads,
            on_progress=progress.show,
        )
    typer.echo(report.to_json()) if as_json else print_report(report)
    if report.abort_reason is not None:
        raise typer.Exit(EXIT_ABORTED)
    if not report.keys_match:
        typer.echo("error: the keys differ although they were verified", err=True)
        raise typer.Exit(EXIT_FAILURE)
