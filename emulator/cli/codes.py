"""`diqkd codes`: the shipped codes, one of them or one's own, its matrix, how it corrects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emulator.cli.options import AsJson, Replace, Threads
from emulator.cli.progress import StageProgress
from postprocessing.errors import InvalidArgumentError


def command(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME | FILE.alist]", help="a code, to look at by itself [default: all]"
        ),
    ] = None,
    measure: Annotated[
        list[float] | None,
        typer.Option(metavar="QBER", help="decode random frames at this error rate; repeatable"),
    ] = None,
    frames: Annotated[int, typer.Option(help="to decode at each error rate")] = 100,
    seed: Annotated[int, typer.Option(help="of their bits and errors")] = 0,
    alist: Annotated[
        Path | None, typer.Option(help="new file for the parity-check matrix of the code")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="new PNG, SVG or PDF file: what codes send, or how often frames fail"),
    ] = None,
    replace: Replace = False,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Show codes."""
    from emulator.pages.terminal import print_frame, print_json, print_sections
    from emulator.plotting.codes import plot_codes, plot_failures
    from emulator.plotting.style import check_suffix, save_axes
    from postprocessing.files.alist import named_code, write_alist
    from postprocessing.files.atomic import check_new_file
    from postprocessing.reconciliation import measure_code
    from postprocessing.reconciliation.portraits import portrait, portraits, shown

    for option, value in (("alist", alist), ("measure", measure)):
        if name is None and value:
            raise InvalidArgumentError(option, str(value), "given with the name of a code")
    for path in (alist, plot):
        if path is not None:
            check_new_file(path, replace=replace)
    if plot is not None:
        check_suffix(plot)
    if name is None:
        found = portraits()
        if plot is not None:
            save_axes(plot_codes(), plot)
        print_json(found) if as_json else print_sections(shown(found))
        return
    code = named_code(name)
    if alist is not None:
        write_alist(alist, code.sparse_parity_check(), replace=replace)
    if measure:
        with StageProgress() as progress:
            progress.show(f"{frames} frames at each QBER", None)
            failures = measure_code(code, measure, frames=frames, seed=seed, threads=threads)
        if plot is not None:
            save_axes(plot_failures(failures), plot)
        print_frame(failures, as_json=as_json, as_csv=False)
        return
    if plot is not None:
        save_axes(plot_codes([code]), plot)
    one = portrait(code, complete=True)
    print_json(one) if as_json else print_sections(shown([one]))
