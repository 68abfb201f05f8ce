"""`diqkd reconcile`: two sifted keys become equal, and what that leaks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from emulator.cli.errors import EXIT_ABORTED
from emulator.cli.options import AsJson, Replace, Threads


def command(
    reference: Annotated[Path, typer.Argument(metavar="REFERENCE", help="bits of the one side")],
    corrector: Annotated[
        Path, typer.Argument(metavar="CORRECTOR", help="bits of the side that is corrected")
    ],
    qber: Annotated[float, typer.Option(help="expected error rate, at most 0.2")],
    mode: Annotated[
        Literal["auto", "throughput", "efficiency"],
        typer.Option(help="codes that decode fast, that leak little, or the better of both"),
    ] = "auto",
    optimise: Annotated[
        Literal["mean", "budget"],
        typer.Option(help="the expected leakage, or the one that is exceeded once in 400 times"),
    ] = "mean",
    verification_bits: Annotated[int, typer.Option(help="length of the tag, 1 to 128")] = 50,
    code: Annotated[
        str | None,
        typer.Option(
            metavar="NAME | FILE.alist", help="the code to use [default: the best of those we have]"
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="new file for the corrected bits")] = None,
    replace: Replace = False,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Reconcile files of bits."""
    from emulator.pages.terminal import print_json, print_sections
    from postprocessing.files.alist import named_code
    from postprocessing.files.atomic import check_new_file
    from postprocessing.files.bit_strings import read_bits, write_bits
    from postprocessing.reconciliation import reconcile

    if out is not None:
        check_new_file(out, replace=replace)
    found = reconcile(
        read_bits(reference),
        read_bits(corrector),
        qber=qber,
        mode=mode,
        optimise=optimise,
        verification_bits=verification_bits,
        code=None if code is None else named_code(code),
        threads=threads,
    )
    if out is not None and found.corrected_bits is not None:
        write_bits({out: found.corrected_bits}, replace=replace)
    print_json(found.to_dict()) if as_json else print_sections(found.present())
    if out is not None and not found.verified:
        typer.echo(f"no corrected key: {out} was not written", err=True)
    if not found.verified or found.is_spent:
        raise typer.Exit(EXIT_ABORTED)
