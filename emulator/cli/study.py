"""`diqkd study`: studies of many runs with a figure and the data behind it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from emulator.cli.flags import scenario_flags
from emulator.cli.progress import StageProgress
from emulator.scenario.scenario import Scenario
from postprocessing.errors import InvalidArgumentError
from postprocessing.files.atomic import check_output_folder


# Every method runs, on blocks of the sizes that are asked for.
@partial(scenario_flags, without=("method", "rounds", "pulses"))
def finite_size(
    scenario: Scenario,
    out: Annotated[Path, typer.Option("--out", help="folder for the figure and its data")],
    sizes: Annotated[
        str, typer.Option(help="heralded rounds of the blocks, up to 1e9")
    ] = "1e5,1e6,1e7,1e8",
    runs: Annotated[int, typer.Option(help="runs for each block size and method")] = 3,
) -> None:
    """Make the study and write it."""
    from emulator.pages.terminal import print_frame
    from emulator.plotting.study import STUDY_FILES, write_study
    from emulator.sweeps.study import finite_size_study

    check_output_folder(out, STUDY_FILES)
    with StageProgress() as progress:
        found = finite_size_study(
            scenario,
            sizes=_block_sizes(sizes),
            runs=runs,
            seed=scenario.seed or 0,
            on_progress=progress.show,
        )
    write_study(found, out)
    print_frame(found.tallies, as_json=False, as_csv=False)


def _block_sizes(text: str) -> list[int]:
    """Return the block sizes of a list such as "1e5,1e6"."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if not values or not all(value.is_integer() for value in values):
        raise InvalidArgumentError("sizes", text, "whole numbers with commas between")
    return [int(value) for value in values]
