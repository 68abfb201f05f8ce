"""`diqkd report`: a run as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="folder of diqkd run --out")],
    out: Annotated[
        Path | None, typer.Option("--out", help="HTML file [default: RUN_DIR/report.html]")
    ] = None,
) -> None:
    """Write the page and say where."""
    from emulator.pages.html_report import write_html_report

    typer.echo(str(write_html_report(run, out)))
