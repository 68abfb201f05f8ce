"""`diqkd amplify`: a reconciled string becomes a key of a given length."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emulator.cli.options import Replace
from postprocessing.errors import InvalidArgumentError


def command(
    file: Annotated[Path, typer.Argument(metavar="BITS", help="the string, after reconciliation")],
    length: Annotated[int, typer.Option(help="bits of the key, as a security proof gives them")],
    out: Annotated[Path, typer.Option(help="new file for the key")],
    seed: Annotated[
        Path | None, typer.Option(help="the seed that the other side has drawn, as bits")
    ] = None,
    new_seed: Annotated[
        Path | None, typer.Option(help="new file for a fresh seed, for the other side")
    ] = None,
    replace: Replace = False,
) -> None:
    """Hash a file of bits."""
    from postprocessing.amplification import amplify
    from postprocessing.files.atomic import check_new_file
    from postprocessing.files.bit_strings import read_bits, write_bits

    if (seed is None) == (new_seed is None):
        raise InvalidArgumentError("options", "--seed --new-seed", "one of the two")
    paths = [path.resolve() for path in (file, out, seed, new_seed) if path is not None]
    if len(set(paths)) < len(paths):
        raise InvalidArgumentError("out", str(out), "another file than bits and seed, and they two")
    for new in (out, new_seed):
        if new is not None:
            check_new_file(new, replace=replace)
    found = amplify(read_bits(file), length, seed=None if seed is None else read_bits(seed))
    files = {out: found.key_bits} | ({new_seed: found.seed_bits} if new_seed else {})
    write_bits(files, replace=replace)
    typer.echo(f"key of {found.key_bits.size:,} bits, seed of {found.seed_bits.size:,} bits")
