"""`diqkd certify`: the key length of a design, proved by a checker that trusts no optimiser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emulator.cli.errors import EXIT_FAILURE
from emulator.cli.options import AsJson


def command(
    file: Annotated[Path, typer.Argument(metavar="DESIGN", help="JSON file of the design")],
    as_json: AsJson = False,
) -> None:
    """Prove a design, or say what is wrong with its claim."""
    from emulator.pages.terminal import print_json, print_sections
    from postprocessing.files.certificates import certify

    certificate = certify(file)
    if as_json:
        print_json(certificate.to_dict())
    else:
        print_sections(certificate.present())
    if not certificate.holds:
        raise typer.Exit(EXIT_FAILURE)
