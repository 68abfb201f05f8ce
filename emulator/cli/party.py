"""`diqkd party`: one of the two computers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from emulator.cli.errors import EXIT_ABORTED, EXIT_FAILURE
from emulator.cli.options import AsJson, LayoutFile, Threads
from postprocessing.errors import InvalidArgumentError

UNCONFIRMED = "the key is unconfirmed: the last message was lost; run party --confirm on both sides"


def command(
    name: Annotated[Literal["alice", "bob"], typer.Argument(help="which party this is")],
    auth_key: Annotated[Path, typer.Option("--auth-key", help="this party's pool of diqkd pool")],
    out: Annotated[Path, typer.Option("--out", help="folder for the key and the report")],
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="wait for the other party here")
    ] = None,
    connect: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="go to the other party there")
    ] = None,
    record: Annotated[
        Path | None, typer.Option(help="this party's rounds, used once: .parquet, .csv, .npz, .h5")
    ] = None,
    design: Annotated[Path | None, typer.Option(help="of diqkd design, made beforehand")] = None,
    layout: LayoutFile = None,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="confirm a key left unconfirmed in --out; no rounds")
    ] = False,
    timeout_s: Annotated[float, typer.Option(help="seconds that the peer may be silent")] = 60.0,
    wait_s: Annotated[float, typer.Option(help="seconds to wait for the peer to come")] = 600.0,
    seed: Annotated[
        int | None,
        typer.Option(help="of coins and hash seeds, for emulation: the key is worthless"),
    ] = None,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Meet the other party, and tell what came of it."""
    from emulator.pages.terminal import print_report
    from emulator.sampling.streams import emulated_randomness
    from postprocessing.network.party import Line, confirm_key, run_party

    line = Line(listen, connect, timeout_s, wait_s, on_stranger=_turn_away)
    if confirm:
        for option, value in {"record": record, "design": design}.items():
            if value is not None:
                raise InvalidArgumentError(option, str(value), "left out with --confirm")
        if not confirm_key(name, line, pool=auth_key, out=out):
            _fail("the two parties do not hold the same key there")
        typer.echo(f"{out / name}.key: confirmed, both parties hold it")
        return
    if record is None or design is None:
        given = {"record": record, "design": design}
        raise InvalidArgumentError("options", given, "record and design, or else confirm")
    randomness = None if seed is None else emulated_randomness(name, seed)
    files = {"pool": auth_key, "record": record, "design": design, "out": out}
    done = run_party(name, line, **files, layout=layout, randomness=randomness, threads=threads)
    typer.echo(done.to_json()) if as_json else print_report(done)
    if done.confirmed and not as_json:
        typer.echo(str(out / f"{name}.key"))
    if done.abort_reason is not None:
        raise typer.Exit(EXIT_ABORTED)
    if not done.confirmed:
        _fail(UNCONFIRMED)


def _fail(reason: str) -> None:
    typer.echo(f"error: {reason}", err=True)
    raise typer.Exit(EXIT_FAILURE)


def _turn_away(reason: Exception) -> None:
    typer.echo(f"somebody else has connected and was turned away: {reason}", err=True)
