"""One of the two computers: it meets the other over TCP, distills its rounds, and keeps the key."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import NoneType
from typing import get_args

from postprocessing.checks import (
    callback,
    file_path,
    instance_of,
    one_of,
    real_number,
    thread_count,
)
from postprocessing.design.design import Design
from postprocessing.errors import (
    DiqkdError,
    InputFileError,
    InvalidArgumentError,
    SessionError,
)
from postprocessing.files.designs import is_emulated, read_design
from postprocessing.files.layout import Layout, layout_of
from postprocessing.files.private import check_private
from postprocessing.files.records import read_party_record
from postprocessing.network.authentication import KeyPool
from postprocessing.network.channel import AuthenticatedChannel
from postprocessing.network.key_files import KeyFiles
from postprocessing.network.meeting import first_channel
from postprocessing.network.report import SessionReport
from postprocessing.network.session import confirm, distill, failed, most_message_bytes
from postprocessing.network.spent_records import SpentRecords
from postprocessing.network.tcp import arrivals, connect, parse_address
from postprocessing.protocol.abort_reasons import NO_KEY_LENGTH, TOO_FEW_ROUNDS
from postprocessing.protocol.randomness import PartyRandomness
from postprocessing.scheme import Party

# Room for what two parties say to confirm an earlier key.
_CONFIRMATION_BYTES = 1 << 16


@dataclass(frozen=True)
class Line:
    """How to reach the other party: one of the two listens, the other connects.

    Parameters
    ----------
    listen, connect : str, optional
        HOST:PORT; exactly one is given.
    timeout_s : float
        Seconds that the peer may be silent, in [0.01, 86400].
    wait_s : float
        Seconds to wait for the peer to come, in [0.01, 86400].
    on_stranger : callable, optional
        Called with the reason why somebody else was turned away.

    Raises
    ------
    InvalidArgumentError
        If an address is none, both or neither are given, or a time is out of range.

    Examples
    --------
    >>> Line(connect="bob.example:7000").address
    ('bob.example', 7000)
    """

    listen: str | None = None
    connect: str | None = None
    timeout_s: float = 60.0
    wait_s: float = 600.0
    on_stranger: Callable[[SessionError], None] | None = None

    def __post_init__(self) -> None:
        """Check the address."""
        if (self.listen is None) == (self.connect is None):
            given = {"listen": self.listen, "connect": self.connect}
            raise InvalidArgumentError("options", given, "one of listen and connect")
        _ = self.address
        for name in ("timeout_s", "wait_s"):
            allowed = "in [0.01, 86400]"
            seconds = real_number(
                name, getattr(self, name), allowed, within=lambda s: 0.01 <= s <= 86400
            )
            object.__setattr__(self, name, seconds)
        callback("on_stranger", self.on_stranger)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        if self.connect is not None:
            return parse_address("connect", self.connect)
        return parse_address("listen", self.listen)

    def open(self, pool: KeyPool, party: Party, most_bytes: int) -> AuthenticatedChannel:
        """Return the channel to the other party, once it is there."""
        channel_of = functools.partial(
            AuthenticatedChannel,
            pool=pool,
            party=party,
            connects=self.connect is not None,
            timeout_s=self.timeout_s,
            most_message_bytes=most_bytes,
        )
        if self.connect is not None:
            return channel_of(connect(self.address, self.wait_s))
        on_stranger = self.on_stranger or (lambda reason: None)
        with contextlib.closing(arrivals(self.address, self.wait_s)) as connections:
            return first_channel(connections, channel_of, on_stranger)


def run_party(
    party: Party,
    line: Line,
    *,
    pool: Path | str,
    record: Path | str,
    design: Path | str,
    out: Path | str,
    layout: Layout | Path | str | None = None,
    randomness: PartyRandomness | None = None,
    threads: int | None = None,
) -> SessionReport:
    """Be one party: distill its rounds with the other over TCP, every packet authenticated.

    Parameters
    ----------
    party : {"alice", "bob"}
        Which one.
    line : Line
        How to reach the other.
    pool : Path or str
        This party's pool of authentication keys, see `create_pool`.
    record : Path or str
        This party's rounds, used once: .parquet, .csv, .npz or .h5; its owner's alone (0600).
    design : Path or str
        The design, made beforehand.
    out : Path or str
        Folder for the key and the report, both written before this returns.
    layout : Layout or path of a TOML file, optional
        Columns and their values; by default those that `emulate_to` writes.
    randomness : PartyRandomness, optional
        Trusted randomness; the operating system's by default.
    threads : int, optional
        Threads to work on, in [1, 1000]; by default one a processor.

    Returns
    -------
    SessionReport
        The key's length, or the reason of the abort. Where no key can come of the design or the
        record, nobody is met, nothing is spent and nothing is written.

    Raises
    ------
    SessionError, AuthenticationError, ProtocolError
        If the conversation fails; the report in the folder tells of it.
    InputFileError, InvalidArgumentError
        If a file cannot be read or does not suit, the record is spent, or the folder is taken.

    Examples
    --------
    >>> run_party("alice", Line(), pool="pool", record="a.npz", design="d.json", out=".")
    Traceback (most recent call last):
    postprocessing.errors.InvalidArgumentError: options must be one of listen and connect, ...
    """
    place, files = _checked(party, line, pool, out)
    made, recorded = file_path("design", design), file_path("record", record)
    described = None if layout is None else layout_of(None, layout)
    instance_of("randomness", randomness, PartyRandomness, NoneType)
    threads = thread_count(threads)
    files.check_free()
    spent = SpentRecords.beside(place, party)
    with KeyPool(place, party) as keys:
        given = read_design(made)
        check_private("record", recorded)
        rounds = read_party_record(recorded, layout_of(given.scheme, described), party)
        reason = _hopeless(len(rounds), given)
        if reason is not None:
            # There is no session, and so no report to keep.
            count = len(rounds)
            return SessionReport.of_session(given, party, "aborted", reason, heralded_rounds=count)
        spent.check_fresh(rounds)
        channel = line.open(keys, party, most_message_bytes(given))
        started = time.perf_counter()
        try:
            session = distill(
                channel,
                files,
                rounds,
                given,
                spent=spent,
                emulated=is_emulated(made),
                randomness=randomness,
                threads=threads,
            )
        except DiqkdError as error:
            # What went wrong first is what is said.
            with contextlib.suppress(InputFileError):
                told = failed(channel, given, error, record_spent=spent.has(rounds))
                files.write_report(_timed(told, started).to_dict())
            raise
        report = _timed(session, started)
        files.write_report(report.to_dict())
        return report


def confirm_key(party: Party, line: Line, *, pool: Path | str, out: Path | str) -> bool:
    """Settle with the other party whether both hold the key that an earlier session left behind.

    Parameters
    ----------
    party, line, pool
        As of `run_party`.
    out : Path or str
        Folder of the key; its report is brought up to date.

    Returns
    -------
    bool
        Whether both hold it.

    Raises
    ------
    SessionError, AuthenticationError, ProtocolError, InputFileError
        If the conversation fails or the folder cannot be read.

    Examples
    --------
    >>> confirm_key("bob", Line(listen="here"), pool="pool", out=".")
    Traceback (most recent call last):
    postprocessing.errors.InvalidArgumentError: listen must be HOST:PORT with a port ...
    """
    place, files = _checked(party, line, pool, out)
    with KeyPool(place, party) as keys:
        channel = line.open(keys, party, _CONFIRMATION_BYTES)
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
        return confirmed


def _checked(party: Party, line: Line, pool: Path | str, out: Path | str) -> tuple[Path, KeyFiles]:
    """Return where the pool is, and the files of a party, once all are what they must be."""
    one_of("party", party, get_args(Party))
    instance_of("line", line, Line)
    return file_path("pool", pool), KeyFiles(file_path("out", out), party)


def _timed(report: SessionReport, started: float) -> SessionReport:
    """Return a report with the seconds since a session's start."""
    return replace(report, timings_s={"total": time.perf_counter() - started})


def _hopeless(rounds: int, design: Design) -> str | None:
    """Return why there can be no key, and nobody need be met; None otherwise."""
    if design.key_length == 0:
        return NO_KEY_LENGTH
    return TOO_FEW_ROUNDS if rounds < design.heralded_rounds else None
