"""`diqkd study`: studies of many runs with a figure and the data behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emulator.cli.flags import scenario_flags
from emulator.cli.progress import StageProgress
from emulator.scenario.scenario import Scenario
from postprocessing.errors import InvalidArgumentError
from postprocessing.files.atomic import check_output_folder

study_app = typer.Typer(help="Studies of many runs: a figure and the data behind it.")
_FILES = ("runs.csv", "tallies.csv", "curves.csv", "finite-size-study.png")


@study_app.callback()
def study() -> None:
    """Studies of many runs: a figure and the data behind it."""


@study_app.command("finite-size")
@scenario_flags
def finite_size_command(
    scenario: Scenario,
    out: Annotated[Path, typer.Option("--out", help="folder for the figure and its data")],
    sizes: Annotated[
        str, typer.Option(help="heralded rounds of the blocks, up to 1e9")
    ] = "1e5,1e6,1e7,1e8",
    runs: Annotated[int, typer.Option(help="runs for each block size and method")] = 3,
) -> None:
    """Hold keys, aborts and the spread of S against theory as the block grows (seed 0 by default).

    tan22, renyi and renyi_fixed are run; the Rényi methods are not peer reviewed.
    """
    from emulator.pages.terminal import print_frame
    from emulator.plotting.study import plot_study
    from emulator.plotting.style import save_axes
    from emulator.sweeps.results import export
    from emulator.sweeps.study import finite_size_study

    check_output_folder(out, _FILES)
    with StageProgress() as progress:
        found = finite_size_study(
            scenario,
            sizes=_block_sizes(sizes),
            runs=runs,
            seed=scenario.seed or 0,
            on_progress=progress.show,
        )
    axes = plot_study(found)
    for name, frame in zip(_FILES, (found.runs, found.tallies, found.curves), strict=False):
        export(frame, out / name)
    save_axes(axes, out / _FILES[-1])
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
