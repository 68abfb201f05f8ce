"""`diqkd pool`: the keys that the two parties authenticate their packets with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


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
    from postprocessing.network.saved_keys import key_soundness

    if from_key is not None:
        key = Path(os.path.realpath(from_key))
        count = create_pool_from_key(out, key)
        # What tells of a key stays when it is spent.
        _warn(key_soundness(key))
    else:
        create_pool(out, keys)
        count = keys
    typer.echo(f"{out}: {count:,} one-time keys a direction")


def _warn(soundness: float | None) -> None:
    """Say what a pool of a key does to the keys that are made with it."""
    from postprocessing.security.assumptions import NO_REUSE

    if soundness is None:
        text = "nobody tells the soundness of this key: sessions with the pool claim none"
    else:
        text = f"sessions with this pool add the soundness of its key, {soundness:.3g}, to theirs"
    typer.echo(f"note: {text}", err=True)
    text = "sessions of the devices that made this key use them again, against the assumption"
    typer.echo(f"note: {text} {NO_REUSE!r} (docs/security.md)", err=True)
