"""`diqkd results`: statistics of sweeps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emulator.cli.options import AsCsv, AsJson, Replace, Where, check_format, conditions
from postprocessing.errors import InvalidArgumentError
from postprocessing.files.atomic import check_new_file


def command(
    stores: Annotated[list[Path], typer.Argument(metavar="STORE...", help="results of sweeps")],
    by: Annotated[
        list[str] | None,
        typer.Option(help="group by this parameter [default: all that vary but the seed]"),
    ] = None,
    value: Annotated[
        list[str] | None,
        typer.Option(help="result to average [default: chsh, qber, rate_achieved]"),
    ] = None,
    quantile: Annotated[
        list[float] | None, typer.Option(help="of the results, in [0, 1]; may be repeated")
    ] = None,
    where: Where = None,
    export: Annotated[
        Path | None, typer.Option(help="write every run to this .parquet or .csv file as well")
    ] = None,
    replace: Replace = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Print a table, and export its rows."""
    from emulator.pages.terminal import print_frame
    from emulator.sweeps import results

    check_format(as_json, as_csv)
    if export is not None and export.resolve() in [store.resolve() for store in stores]:
        raise InvalidArgumentError("export", str(export), "another file than the stores")
    if export is not None:
        check_new_file(export, replace=replace)
    frame = results.select(results.load_results(*stores), conditions(where))
    table = results.aggregate(frame, by, value or results.DEFAULT_VALUES, quantile or ())
    if export is not None:
        results.export(frame, export)
    print_frame(table, as_json=as_json, as_csv=as_csv)
