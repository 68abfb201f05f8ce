"""`diqkd codes`: the shipped codes, one of them in full, or its matrix as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emulator.cli.options import AsJson, Replace
from postprocessing.errors import InvalidArgumentError


def command(
    name: Annotated[
        str | None, typer.Argument(help="a code, to look at by itself [default: all]")
    ] = None,
    alist: Annotated[
        Path | None, typer.Option(help="new file for the parity-check matrix of the code")
    ] = None,
    replace: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Show codes."""
    from emulator.pages.terminal import print_json, print_sections
    from postprocessing.reconciliation import get_code
    from postprocessing.reconciliation.portraits import portrait, portraits, shown

    if name is None:
        if alist is not None:
            raise InvalidArgumentError("alist", str(alist), "given with the name of a code")
        found = portraits()
        print_json(found) if as_json else print_sections(shown(found))
        return
    code = get_code(name)
    if alist is not None:
        from postprocessing.files.alist import write_alist

        write_alist(alist, code.sparse_parity_check(), replace=replace)
    one = portrait(code, complete=True)
    print_json(one) if as_json else print_sections(shown([one]))
