"""`diqkd pool`: the keys that the two parties authenticate their packets with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emulator.cli.errors import explained


@explained
def command(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="the pool, for one of the parties")],
    keys: Annotated[
        int, typer.Option(help="one-time keys a direction; 1e7 rounds take about 10 and ask for 52")
    ] = 10_000,
    from_key: Annotated[
        Path | None,
        typer.Option("--from-key", help="fill it with a key that both hold, which is then spent"),
    ] = None,
) -> None:
    """Make a pool and say how many keys it holds."""
    from postprocessing.network.authentication import create_pool, create_pool_from_key

    if from_key is not None:
        count = create_pool_from_key(out, from_key)
    else:
        create_pool(out, keys)
        count = keys
    typer.echo(f"{out}: {count:,} one-time keys a direction")
