"""A party's session: its conversation goes over an authenticated channel, and the key is kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from postprocessing.design.design import Design
from postprocessing.errors import DiqkdError, InputFileError, ProtocolError, SessionError
from postprocessing.network.channel import AuthenticatedChannel, Traffic
from postprocessing.network.key_files import KeyFiles
from postprocessing.network.messages import Hello, KeyHeld
from postprocessing.network.packets import MOST_BODY_BYTES
from postprocessing.network.report import SessionReport, with_authentication
from postprocessing.network.spent_records import SpentRecords
from postprocessing.protocol.conversation import Conversation
from postprocessing.protocol.messages import Syndromes
from postprocessing.protocol.randomness import PartyRandomness
from postprocessing.protocol.report_fields import Outcome
from postprocessing.protocol.script import PartyResult
from postprocessing.protocol.terms import claimed_epsilons, no_secret
from postprocessing.records import PartyRecord

# Beside a byte a round, which no message of the protocol exceeds.
_MESSAGE_OVERHEAD_BYTES = 1 << 20

# Of the corrector, who sends more: two greetings, marks, settings, coins, tests, two verdicts, and
# that it holds the key. Beside them there is one for every attempt to decode.
_MESSAGES = 9
# Settings and the seed of the Toeplitz hash take the most.
_MOST_BITS_A_ROUND = 2

# Least time of an answer to syndromes, in seconds a round: about what decoding takes.
_ANSWER_STEP_S = 1e-7

StageCallback = Callable[[str], None]


def most_message_bytes(design: Design) -> int:
    """Return the length that no message under a design exceeds."""
    return design.heralded_rounds + _MESSAGE_OVERHEAD_BYTES


def most_packets(design: Design) -> int:
    """Return the number of packets that neither direction of a session under a design exceeds."""
    attempts = design.leakage.reconciliation.steps if design.leakage is not None else 0
    most_bytes = -(-_MOST_BITS_A_ROUND * design.heralded_rounds // 8)
    # One more for what goes before the arrays, and for syndromes of a frame that is not full.
    return (_MESSAGES + attempts) * (-(-most_bytes // MOST_BODY_BYTES) + 1)


def answer_time(elapsed_s: float, step_s: float) -> float:
    """Return when to answer what took some time: after a step, or twice, four times, … as long.

    How long decoding takes depends on the errors. Whoever watches the line then learns how often
    the time was doubled, and no more.

    Examples
    --------
    >>> [answer_time(elapsed, 1.0) for elapsed in (0.0, 0.9, 1.1, 3.9, 4.1)]
    [1.0, 1.0, 2.0, 4.0, 8.0]
    """
    return step_s * 2.0 ** math.ceil(math.log2(max(elapsed_s, step_s) / step_s))


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
    """Distill one party's record with the peer at the other end of a channel.

    The channel is closed in any case. Once the peer has shown that it is the other party, there
    now (it has named the nonce that this end has just drawn), under the same design and with the
    same heralds, and before any message that tells of the record, the record is marked spent: of a
    session that ends before that nothing is known, after it anything may be. The corrector writes
    its key first, unconfirmed, and says so; the reference then writes its own and says so; then the
    corrector takes off the mark.

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
        step_s = _ANSWER_STEP_S * design.heralded_rounds
        result = _converse(conversation, channel, on_stage or (lambda stage: None), step_s)
        confirmed = result.key is not None and _keep(
            result.key, channel, files, design, source.seed, emulated=emulated
        )
    except BaseException:
        channel.abandon()
        raise
    channel.close()
    outcome: Outcome = "key" if confirmed else "unconfirmed key"
    # Where one party alone publishes its tests, how many were lost is no public number.
    tally = result.tally if design.both_publish_tests else None
    return SessionReport.of_session(
        design,
        channel.party,
        outcome if result.key is not None else "aborted",
        result.abort_reason,
        session=channel.session,
        traffic=channel.traffic,
        pool_soundness=channel.pool_soundness,
        record_spent=True,
        seed=source.seed,
        emulated=emulated,
        key_length=8 * len(result.key or b""),
        heralded_rounds=len(record),
        key_rounds=result.key_rounds,
        test_rounds=result.test_rounds,
        tally=tally,
        leaked_bits=result.leaked_bits,
    )


def failed(
    channel: AuthenticatedChannel, design: Design, error: DiqkdError, *, record_spent: bool
) -> SessionReport:
    """Return the report of a session that ended with an error."""
    return SessionReport.of_session(
        design,
        channel.party,
        "failed",
        str(error),
        session=channel.session,
        traffic=channel.traffic,
        pool_soundness=channel.pool_soundness,
        record_spent=record_spent,
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
    conversation: Conversation,
    channel: AuthenticatedChannel,
    on_stage: StageCallback,
    step_s: float,
) -> PartyResult:
    """Pass messages until this party has its result and everything is sent."""
    for message in conversation.start():
        channel.send(message)
    while conversation.result is None:
        message = channel.receive()
        on_stage(message.stage)
        started = time.monotonic()
        answers = conversation.receive(message)
        if isinstance(message, Syndromes):
            elapsed_s = time.monotonic() - started
            time.sleep(answer_time(elapsed_s, step_s) - elapsed_s)
        for answer in answers:
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
    is_reference = channel.party == design.scheme.reference
    if is_reference and not _holds(channel, session):
        raise SessionError("the peer must hold its key before this one is written")
    files.write(
        key,
        session,
        confirmed=is_reference,
        method=design.method,
        soundness=_soundness(channel, design),
        seed=seed,
        emulated=emulated,
    )
    channel.send(KeyHeld(session, held=True))
    if is_reference:
        return True
    try:
        confirmed = _holds(channel, session)
        if confirmed:
            files.confirm()
    except (SessionError, ProtocolError, InputFileError):
        # The key is there: a later session confirms it.
        return False
    return confirmed


def _soundness(channel: AuthenticatedChannel, design: Design) -> float | None:
    """Bound the soundness of a key before its last packets have gone: all that may go count."""
    keys = channel.traffic.keys + 2 * most_packets(design)
    claimed, pool = claimed_epsilons(design)["soundness"], channel.pool_soundness
    return with_authentication(claimed, pool, Traffic(keys=keys).forgery_probability)


def _holds(channel: AuthenticatedChannel, session: bytes) -> bool:
    """Wait for the peer to say that it holds the key of this session."""
    answer = _expect_key_held(channel)
    return answer.held and answer.session == session


def _expect_key_held(channel: AuthenticatedChannel) -> KeyHeld:
    message = channel.receive()
    if not isinstance(message, KeyHeld):
        raise SessionError(f"the peer must say what key it holds, got {type(message).__name__}")
    return message
