"""`diqkd codes`: the shipped codes, one of them or one's own, its matrix, how it corrects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emulator.cli.options import AsJson, Replace, Threads
from postprocessing.errors import InvalidArgumentError

if TYPE_CHECKING:
    from postprocessing.reconciliation import QCLDPCCode

_ALIST = ".alist"


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
    from emulator.pages.terminal import print_json, print_sections
    from emulator.plotting.style import check_suffix
    from postprocessing.files.atomic import check_new_file
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
        _draw(plot, None)
        found = portraits()
        print_json(found) if as_json else print_sections(shown(found))
        return
    code = code_named(name)
    if alist is not None:
        from postprocessing.files.alist import write_alist

        write_alist(alist, code.sparse_parity_check(), replace=replace)
    if measure:
        _measure(code, measure, frames, seed, threads, plot, as_json=as_json)
        return
    _draw(plot, code)
    one = portrait(code, complete=True)
    print_json(one) if as_json else print_sections(shown([one]))


def code_named(name: str) -> QCLDPCCode:
    """Return the code of a name, or that of an alist file."""
    from postprocessing.reconciliation import bring_code, get_code

    if not name.endswith(_ALIST):
        return get_code(name)
    from postprocessing.files.alist import read_alist

    return bring_code(read_alist(Path(name)), Path(name).name.removesuffix(_ALIST))


def _draw(path: Path | None, code: QCLDPCCode | None) -> None:
    """Draw one code, or all."""
    if path is not None:
        from emulator.plotting.codes import plot_codes
        from emulator.plotting.style import save_axes

        save_axes(plot_codes(None if code is None else [code]), path)


def _measure(
    code: QCLDPCCode,
    qbers: list[float],
    frames: int,
    seed: int,
    threads: int | None,
    plot: Path | None,
    *,
    as_json: bool,
) -> None:
    """Decode random frames at each error rate, and print and draw what became of them."""
    import pandas as pd

    from emulator.cli.progress import StageProgress
    from emulator.pages.terminal import print_frame
    from postprocessing.reconciliation import measure_code

    with StageProgress() as progress:
        rows = [
            measure_code(code, [qber], frames=frames, seed=seed, threads=threads)
            for qber in progress.steps(f"{code.name}: {frames} frames at each QBER", qbers)
        ]
    found = pd.concat(rows, ignore_index=True)
    if plot is not None:
        from emulator.plotting.codes import plot_failures
        from emulator.plotting.style import save_axes

        save_axes(plot_failures(found), plot)
    print_frame(found, as_json=as_json, as_csv=False)
