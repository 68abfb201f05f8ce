"""`diqkd plot`: pictures of results beside theory, of a run, and of the two papers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emulator.cli.options import Replace, Where, conditions
from emulator.cli.progress import StageProgress
from postprocessing.files.atomic import check_new_file


def command(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="a figure of the papers (xie-fig2, …, li-fig4c), or of your own results: "
            "rate, chsh, qber, finite-size (of stores), waterfall (of a run), sensitivities (of a "
            "preset or scenario file)",
        ),
    ],
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[STORE... | RUN_DIR | SCENARIO]", help="what to draw; nothing for a figure"
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="PNG, SVG or PDF file [default: WHAT.png]")
    ] = None,
    over: Annotated[
        str | None,
        typer.Option(help="parameter of the horizontal axis: for chsh and qber; rate: distance_km"),
    ] = None,
    where: Where = None,
    quantiles: Annotated[
        bool, typer.Option("--quantiles", help="median, 5 % and 95 %, not mean ± standard error")
    ] = False,
    replace: Replace = False,
) -> None:
    """Draw a picture into a file and say where."""
    from emulator.pages.pictures import check_picture, draw_picture
    from emulator.plotting.style import check_suffix, save_axes

    path = Path(f"{what}.png") if out is None else out
    check_picture(what)
    check_suffix(path)
    check_new_file(path, replace=replace)
    with StageProgress() as progress:
        progress.show("theory", None)
        axes = draw_picture(
            what,
            inputs or (),
            over=over,
            where=conditions(where),
            interval="quantiles" if quantiles else None,
        )
    save_axes(axes, path)
    typer.echo(str(path))
