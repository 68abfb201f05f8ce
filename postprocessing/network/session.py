"""A party's session: its conversation goes over an authenticated channel, and the key is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from postprocessing.design.design import Design
from postprocessing.errors import DiqkdError, InputFileError, ProtocolError, SessionError
from postprocessing.network.channel import MOST_BODY_BYTES, AuthenticatedChannel, Traffic
from postprocessing.network.key_files import FAILED, KeyFiles, no_secret
from postprocessing.network.messages import Hello, KeyHeld
from postprocessing.network.spent_records import SpentRecords
from postprocessing.protocol.conversation import Conversation
from postprocessing.protocol.randomness import PartyRandomness
from postprocessing.protocol.script import PartyResult
from postprocessing.records import PartyRecord
from postprocessing.scheme import Party

# Beside a byte a round, which no message of the protocol exceeds.
_MESSAGE_OVERHEAD_BYTES = 1 << 20

# Of the corrector, who sends more: greeting, marks, settings, coins, tests, two verdicts, and that
# it holds the key. Beside them there is one for every attempt to decode.
_MESSAGES = 8
# Settings and the seed of the Toeplitz hash take the most.
_MOST_BITS_A_ROUND = 2

StageCallback = Callable[[str], None]


@dataclass(frozen=True)
class SessionReport:
    """What a session did, as one party knows it.

    Parameters
    ----------
    party : {"alice", "bob"}
        Who.
    session : bytes
        The session's identifier.
    traffic : Traffic
        Bytes and one-time keys of both directions.
    record_spent : bool
        Whether the record may not be used again.
    abort_reason : str or None
        Why there is no key.
    failed : bool
        Whether the conversation failed, for that reason.
    confirmed : bool
        Whether the other party is known to hold the key too.
    key_length : int
        Length of the key in bits, 0 after an abort.
    leaked_bits : int or None
        Outcome-dependent bits on the transcript; None where the conversation failed.
    seed : int or None
        The seed of an emulation, by which the key is no secret.
    emulated : bool
        Whether the rounds were emulated, by which the key is no secret either.
    """

    party: Party
    session: bytes
    traffic: Traffic
    record_spent: bool
    abort_reason: str | None = None
    failed: bool = False
    confirmed: bool = False
    key_length: int = 0
    leaked_bits: int | None = None
    seed: int | None = None
    emulated: bool = False

    @property
    def outcome(self) -> str:
        """Either "key", "unconfirmed key", "aborted" or "failed"."""
        if self.failed:
            return FAILED
        if self.abort_reason is not None:
            return "aborted"
        return "key" if self.confirmed else "unconfirmed key"

    @property
    def net_key_bits(self) -> int:
        """Length of the key less the authentication keys used up; negative if it costs more."""
        return self.key_length - self.traffic.key_bits

    @property
    def warning(self) -> str | None:
        """Why the key is no secret, None where it may be one."""
        return no_secret(self.seed, self.emulated)

    def to_dict(self, design: Design) -> dict[str, object]:
        """Return JSON values, with what the key is worth under a design; null where undefined."""
        forgery = self.traffic.forgery_probability
        proved = design.method != "asymptotic"
        return {
            "party": self.party,
            "outcome": self.outcome,
            "abort_reason": self.abort_reason,
            "session": self.session.hex(),
            "design_sha256": design.fingerprint(),
            "security": design.label,
            "seed": self.seed,
            "emulated": self.emulated,
            "warning": self.warning,
            "record_spent": self.record_spent,
            "key_length": self.key_length,
            "authentication_key_bits": self.traffic.key_bits,
            "net_key_bits": self.net_key_bits,
            "leaked_bits": self.leaked_bits,
            "sent_bytes": self.traffic.sent_bytes,
            "received_bytes": self.traffic.received_bytes,
            "authentication_failure_probability": forgery,
            "soundness_with_authentication": (
                design.epsilons.soundness + forgery if proved else None
            ),
        }


def most_message_bytes(design: Design) -> int:
    """Return the length that no message under a design exceeds."""
    return design.heralded_rounds + _MESSAGE_OVERHEAD_BYTES


def most_packets(design: Design) -> int:
    """Return the number of packets that neither direction of a session under a design exceeds."""
    attempts = design.leakage.reconciliation.steps if design.leakage is not None else 0
    most_bytes = -(-_MOST_BITS_A_ROUND * design.heralded_rounds // 8)
    # One more for what goes before the arrays, and for syndromes of a frame that is not full.
    return (_MESSAGES + attempts) * (-(-most_bytes // MOST_BODY_BYTES) + 1)


def distill(
    channel: AuthenticatedChannel,
    files: KeyFiles,
    record: PartyRecord,
    design: Design,
    *,
    spent: SpentRecords,
    emulated: bool = False,
    randomness: PartyRandomness | None = None,
    threads: int | None = None,
    on_stage: StageCallback | None = None,
) -> SessionReport:
    """Distil one party's record with the peer at the other end of a channel.

    The channel is closed in any case. Once the peer has shown that it is the other party, under the
    same design and with the same heralds, and before any message that tells of the record, the
    record is marked spent: of a session that ends before that nothing is known, after it anything
    may be. The corrector writes its key first, unconfirmed, and says so; the reference then writes
    its own and says so; then the corrector takes off the mark.

    Parameters
    ----------
    channel : AuthenticatedChannel
        The channel; its party is the record's.
    files : KeyFiles
        Where the key goes.
    record : PartyRecord
        This party's half of at least ``design.heralded_rounds`` rounds; the first ones are used.
    design : Design
        The frozen design.
    spent : SpentRecords
        The records that this party has used before, and now this one.
    emulated : bool
        Whether the rounds were emulated: the key is then no secret.
    randomness : PartyRandomness, optional
        Trusted randomness; the operating system's by default.
    threads : int, optional
        Threads to work on, as for `postprocessing.distill`.
    on_stage : callable, optional
        Called with the name of each stage as it begins.

    Returns
    -------
    SessionReport
        The key's length, or the reason of the abort.

    Raises
    ------
    SessionError, AuthenticationError, ProtocolError
        If the conversation fails: no key is written, unless only the last message is lost, which
        the report tells.
    InvalidArgumentError
        If the record does not suit the design.
    InputFileError
        If the record is spent, or the key cannot be written.
    """
    source = randomness or PartyRandomness()
    try:
        first = record.first(design.heralded_rounds)
        conversation = Conversation(channel.party, first, design, source, threads)
        spent.check_fresh(record)
        own = Hello(
            channel.party,
            "distill",
            design.fingerprint(),
            first.heralds_sha256(),
            emulated=no_secret(source.seed, emulated) is not None,
            keys_left=channel.keys_left,
        )
        _greet(channel, own, keys=most_packets(design))
        spent.spend(record)
        result = _converse(conversation, channel, on_stage or (lambda stage: None))
        confirmed = result.key is not None and _keep(
            result.key, channel, files, design, source.seed, emulated=emulated
        )
    except BaseException:
        channel.abandon()
        raise
    channel.close()
    return _report(channel, result, confirmed=confirmed, seed=source.seed, emulated=emulated)


def _report(
    channel: AuthenticatedChannel,
    result: PartyResult,
    *,
    confirmed: bool,
    seed: int | None,
    emulated: bool,
) -> SessionReport:
    """Return the report of a session that has come to its end."""
    return SessionReport(
        party=channel.party,
        session=channel.session,
        traffic=channel.traffic,
        record_spent=True,
        abort_reason=result.abort_reason,
        confirmed=confirmed,
        key_length=8 * len(result.key) if result.key is not None else 0,
        leaked_bits=result.leaked_bits,
        seed=seed,
        emulated=emulated,
    )


def failed(
    channel: AuthenticatedChannel, error: DiqkdError, *, record_spent: bool
) -> SessionReport:
    """Return the report of a session that ended with an error."""
    return SessionReport(
        party=channel.party,
        session=channel.session,
        traffic=channel.traffic,
        record_spent=record_spent,
        abort_reason=str(error),
        failed=True,
    )


def confirm(channel: AuthenticatedChannel, files: KeyFiles) -> bool:
    """Settle with the peer whether both hold the key of an earlier session.

    The channel is closed in any case. An unconfirmed key is confirmed if the peer holds it; else it
    stays what it is.

    Returns
    -------
    bool
        Whether both hold the key.

    Raises
    ------
    SessionError, AuthenticationError, ProtocolError
        If the conversation fails; then nothing has changed.
    InputFileError
        If the folder's account of its session cannot be read.
    """
    try:
        session = files.session()
        own = KeyHeld(session, held=bool(session))
        _greet(channel, Hello(channel.party, "confirm", keys_left=channel.keys_left))
        channel.send(own)
        peer = _expect_key_held(channel)
        both = own.held and peer.held and own.session == peer.session
        if both:
            files.confirm()
    except BaseException:
        channel.abandon()
        raise
    channel.close()
    return both


def _greet(channel: AuthenticatedChannel, own: Hello, keys: int = 0) -> None:
    """Check that the peer is the other party, has come for the same, and has what it takes."""
    hello = channel.greet(own)
    if not isinstance(hello, Hello) or hello.party == own.party:
        raise SessionError(f"the peer must be the other party than {own.party}")
    if hello.purpose != own.purpose:
        raise SessionError(f"the peer must have come to {own.purpose}, not to {hello.purpose}")
    if hello.design_sha256 != own.design_sha256:
        raise SessionError("the peer must have the same design, its SHA-256 is another")
    if hello.heralds_sha256 != own.heralds_sha256:
        raise SessionError("the peer must have a record of the same rounds, its heralds are others")
    if hello.emulated != own.emulated:
        kinds = ("a secret key", "an emulated key")
        wanted, found = kinds[own.emulated], kinds[hello.emulated]
        raise SessionError(f"the peer must have come for {wanted} too, not for {found}")
    for owner, left in (("this", own.keys_left), ("the peer's", hello.keys_left)):
        if left < keys:
            text = f"{owner} pool must have {keys} keys a direction for a session, {left} are left"
            raise SessionError(text)


def _converse(
    conversation: Conversation, channel: AuthenticatedChannel, on_stage: StageCallback
) -> PartyResult:
    """Pass messages until this party has its result and everything is sent."""
    for message in conversation.start():
        channel.send(message)
    while conversation.result is None:
        message = channel.receive()
        on_stage(message.stage)
        for answer in conversation.receive(message):
            channel.send(answer)
    channel.flush()
    return conversation.result


def _keep(
    key: bytes,
    channel: AuthenticatedChannel,
    files: KeyFiles,
    design: Design,
    seed: int | None,
    *,
    emulated: bool,
) -> bool:
    """Write the key, and return whether the other party is known to hold it too."""
    session = channel.session
    if channel.party == design.scheme.reference:
        if not _holds(channel, session):
            raise SessionError("the peer must hold its key before this one is written")
        files.write(key, session, confirmed=True, seed=seed, emulated=emulated)
        channel.send(KeyHeld(session, held=True))
        return True
    files.write(key, session, confirmed=False, seed=seed, emulated=emulated)
    channel.send(KeyHeld(session, held=True))
    try:
        confirmed = _holds(channel, session)
        if confirmed:
            files.confirm()
    except (SessionError, ProtocolError, InputFileError):
        # The key is there: a later session confirms it.
        return False
    return confirmed


def _holds(channel: AuthenticatedChannel, session: bytes) -> bool:
    """Wait for the peer to say that it holds the key of this session."""
    answer = _expect_key_held(channel)
    return answer.held and answer.session == session


def _expect_key_held(channel: AuthenticatedChannel) -> KeyHeld:
    message = channel.receive()
    if not isinstance(message, KeyHeld):
        raise SessionError(f"the peer must say what key it holds, got {type(message).__name__}")
    return message
