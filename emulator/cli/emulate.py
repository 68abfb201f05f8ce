"""`diqkd emulate`: the quantum phase alone, into files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from emulator.cli.flags import scenario_flags
from emulator.cli.progress import StageProgress
from emulator.scenario.scenario import Scenario


@scenario_flags
def command(
    scenario: Scenario,
    out: Annotated[Path, typer.Option("--out", help="folder for the rounds and design.json")],
    file_format: Annotated[
        Literal["parquet", "csv", "npz", "h5"], typer.Option("--format", help="of the rounds")
    ] = "parquet",
    joint: Annotated[
        bool, typer.Option("--joint", help="one file rounds.* instead of alice.* and bob.*")
    ] = False,
) -> None:
    """Write emulated rounds and their design."""
    from emulator.laboratory import emulate_to

    with StageProgress() as progress:
        done = emulate_to(
            out, scenario, file_format=file_format, joint=joint, on_progress=progress.show
        )
    counts = f"{done.heralded_rounds:,} heralded rounds of {done.pulses:,} pulses"
    typer.echo(f"{out}: {counts}, seed {done.seed}")
    typer.echo(f"{out / 'design.json'}: a key of {done.design.key_length:,} bits")
