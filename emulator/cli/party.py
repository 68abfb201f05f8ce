"""`diqkd party` and `pool`: one of the two computers, and the keys it authenticates with."""

from __future__ import annotations

import contextlib
import functools
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from emulator.cli.flags import EXIT_ABORTED, EXIT_FAILURE, run_or_explain
from emulator.cli.lab import AsJson, LayoutFile, Threads, chosen_layout
from postprocessing.errors import (
    DiqkdError,
    InputFileError,
    InvalidArgumentError,
    SessionError,
)

if TYPE_CHECKING:
    from postprocessing.design.design import Design
    from postprocessing.network.authentication import KeyPool
    from postprocessing.network.channel import AuthenticatedChannel
    from postprocessing.network.key_files import KeyFiles
    from postprocessing.network.session import SessionReport
    from postprocessing.network.spent_records import SpentRecords
    from postprocessing.protocol.randomness import PartyRandomness
    from postprocessing.scheme import Party

# Room for what two parties say to confirm an earlier key.
_CONFIRMATION_BYTES = 1 << 16


def pool_command(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="the pool, for one of the parties")],
    keys: Annotated[
        int, typer.Option(help="one-time keys a direction; 1e7 rounds take about 10 and ask for 48")
    ] = 10_000,
    from_key: Annotated[
        Path | None,
        typer.Option("--from-key", help="fill it with a key that both hold, which is then spent"),
    ] = None,
) -> None:
    """Make a pool of authentication keys; take a copy to the other party before its first use."""

    def make() -> None:
        from postprocessing.network.authentication import create_pool, create_pool_from_key

        if from_key is not None:
            count = create_pool_from_key(out, from_key)
        else:
            create_pool(out, keys)
            count = keys
        typer.echo(f"{out}: {count:,} one-time keys a direction")

    run_or_explain(make)


def party_command(
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
    timeout_s: Annotated[
        float, typer.Option(min=0.01, max=86400, help="seconds that the peer may be silent")
    ] = 60.0,
    wait_s: Annotated[
        float, typer.Option(min=0.01, max=86400, help="seconds to wait for the peer to come")
    ] = 600.0,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="of coins and hash seeds, for emulation: the key is worthless"),
    ] = None,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Be one party: distill its rounds with the other over TCP, every packet authenticated."""

    def act() -> None:
        from postprocessing.network.authentication import KeyPool
        from postprocessing.network.key_files import KeyFiles
        from postprocessing.network.spent_records import SpentRecords

        line = _Line(listen, connect, timeout_s, wait_s)
        files = KeyFiles(out, name)
        if confirm:
            _refuse_together("--confirm", {"--record": record, "--design": design})
            with KeyPool(auth_key, name) as pool:
                _confirm(line, pool, name, files)
            return
        if record is None or design is None:
            given = {"--record": record, "--design": design}
            raise InvalidArgumentError("options", given, "both given, or else --confirm")
        files.check_free()
        task = _Task(record, design, layout, seed, threads)
        spent = SpentRecords.beside(auth_key, name)
        with KeyPool(auth_key, name) as pool:
            _distill(line, pool, name, files, task, spent, as_json=as_json)

    run_or_explain(act)


class _Line:
    """How to reach the other party."""

    def __init__(
        self, listen: str | None, connect: str | None, timeout_s: float, wait_s: float
    ) -> None:
        from postprocessing.network.tcp import parse_address

        if (listen is None) == (connect is None):
            given = {"--listen": listen, "--connect": connect}
            raise InvalidArgumentError("options", given, "one of listen and connect")
        self.connects = connect is not None
        text = connect if connect is not None else listen
        self._address = parse_address("--connect" if self.connects else "--listen", text or "")
        self._timeout_s, self._wait_s = timeout_s, wait_s

    def open(self, pool: KeyPool, name: Party, most_message_bytes: int) -> AuthenticatedChannel:
        """Return the channel to the other party, once it is there."""
        from postprocessing.network.channel import AuthenticatedChannel
        from postprocessing.network.meeting import first_channel
        from postprocessing.network.tcp import arrivals, connect

        channel_of = functools.partial(
            AuthenticatedChannel,
            pool=pool,
            party=name,
            connects=self.connects,
            timeout_s=self._timeout_s,
            most_message_bytes=most_message_bytes,
        )
        if self.connects:
            return channel_of(connect(self._address, self._wait_s))
        with contextlib.closing(arrivals(self._address, self._wait_s)) as connections:
            return first_channel(connections, channel_of, _turn_away)


def _turn_away(reason: SessionError) -> None:
    typer.echo(f"somebody else has connected and was turned away: {reason}", err=True)


class _Task:
    """What to distill."""

    def __init__(
        self,
        record: Path,
        design: Path,
        layout: Path | None,
        seed: int | None,
        threads: int | None,
    ) -> None:
        self.record, self.design, self.layout = record, design, layout
        self.seed, self.threads = seed, threads


def _refuse_together(option: str, others: dict[str, Path | None]) -> None:
    for name, value in others.items():
        if value is not None:
            raise InvalidArgumentError(name, str(value), f"left out with {option}")


def _confirm(line: _Line, pool: KeyPool, name: Party, files: KeyFiles) -> None:
    """Settle an earlier key with the other party."""
    from postprocessing.network.session import confirm

    channel = line.open(pool, name, _CONFIRMATION_BYTES)
    confirmed = False
    try:
        confirmed = confirm(channel, files)
    finally:
        traffic = channel.traffic
        # What went wrong first is what is said.
        with contextlib.suppress(InputFileError):
            files.amend_report(
                confirmed=confirmed,
                key_bits=traffic.key_bits,
                forgery_probability=traffic.forgery_probability,
            )
    if confirmed:
        typer.echo(f"{files.path}: confirmed, both parties hold it")
    else:
        typer.echo("error: the two parties do not hold the same key there", err=True)
        raise typer.Exit(EXIT_FAILURE)


def _distill(
    line: _Line,
    pool: KeyPool,
    name: Party,
    files: KeyFiles,
    task: _Task,
    spent: SpentRecords,
    *,
    as_json: bool,
) -> None:
    """Distil the party's rounds and say what came of it."""
    from postprocessing.files.designs import is_emulated, read_design
    from postprocessing.files.layout import Layout
    from postprocessing.files.records import read_party_record
    from postprocessing.network.channel import Traffic
    from postprocessing.network.session import (
        SessionReport,
        distill,
        failed,
        most_message_bytes,
    )

    design = read_design(task.design)
    layout = Layout.read(task.layout) if task.layout is not None else None
    record = read_party_record(task.record, chosen_layout(design, layout), name)
    reason = _hopeless(len(record), design)
    if reason is not None:
        # There is no session, and so no report to keep.
        never = SessionReport(name, b"", Traffic(), record_spent=False, abort_reason=reason)
        _tell(never, design, files, {}, as_json=as_json)
        raise typer.Exit(EXIT_ABORTED)
    spent.check_fresh(record)
    randomness = _randomness(name, task.seed)
    channel = line.open(pool, name, most_message_bytes(design))
    started = time.perf_counter()
    try:
        report = distill(
            channel,
            files,
            record,
            design,
            spent=spent,
            emulated=is_emulated(task.design),
            randomness=randomness,
            threads=task.threads,
        )
    except DiqkdError as error:
        # What went wrong first is what is said.
        with contextlib.suppress(InputFileError):
            told = failed(channel, error, record_spent=spent.has(record)).to_dict(design)
            files.write_report(told | {"seconds": time.perf_counter() - started})
        raise
    seconds = {"seconds": time.perf_counter() - started}
    files.write_report(report.to_dict(design) | seconds)
    _tell(report, design, files, seconds, as_json=as_json)
    if report.abort_reason is not None:
        raise typer.Exit(EXIT_ABORTED)
    if not report.confirmed:
        text = (
            "the key is unconfirmed: the last message was lost; run party --confirm on both sides"
        )
        typer.echo(f"error: {text}", err=True)
        raise typer.Exit(EXIT_FAILURE)


def _randomness(name: Party, seed: int | None) -> PartyRandomness | None:
    """Return the party's stream of an emulation's seed; without one, its own randomness."""
    if seed is None:
        return None
    from emulator.sampling.streams import emulated_randomness

    return emulated_randomness(name, seed)


def _hopeless(rounds: int, design: Design) -> str | None:
    """Return why there can be no key, and nobody need be met; None otherwise."""
    from postprocessing.protocol.abort_reasons import NO_KEY_LENGTH, TOO_FEW_ROUNDS

    if design.key_length == 0:
        return NO_KEY_LENGTH
    return TOO_FEW_ROUNDS if rounds < design.heralded_rounds else None


def _tell(
    report: SessionReport,
    design: Design,
    files: KeyFiles,
    seconds: dict[str, float],
    *,
    as_json: bool,
) -> None:
    if as_json:
        typer.echo(json.dumps(report.to_dict(design) | seconds, indent=2, allow_nan=False))
    else:
        _print(report, design, files)


def _print(report: SessionReport, design: Design, files: KeyFiles) -> None:
    if report.abort_reason is not None:
        typer.echo(f"aborted: {report.abort_reason}")
    else:
        typer.echo(f"{report.outcome}: {report.key_length:,} bits, {design.label}")
        if report.warning is not None:
            typer.echo(report.warning)
        if report.confirmed:
            typer.echo(str(files.path))
    traffic = report.traffic
    typer.echo(f"bytes sent: {traffic.sent_bytes:,}, received: {traffic.received_bytes:,}")
    typer.echo(f"authentication: {traffic.keys} one-time keys, {traffic.key_bits:,} bits")
    typer.echo(f"forged unnoticed with probability at most {traffic.forgery_probability:.3g}")
    typer.echo(f"net key: {report.net_key_bits:,} bits")
