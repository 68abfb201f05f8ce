"""An authenticated channel over TCP: messages in order, in packets with a one-time tag each."""

from __future__ import annotations

import contextlib
import secrets
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature

from postprocessing.errors import AuthenticationError, SessionError
from postprocessing.network.authentication import (
    KEY_BYTES,
    TAG_BYTES,
    KeyPool,
    forgery_bound,
)
from postprocessing.network.messages import Present
from postprocessing.network.packets import (
    HEADER,
    MARK,
    MOST_BODY_BYTES,
    MOST_TAGGED_BYTES,
    NONCE_BYTES,
    VERSION,
    other,
    pieces,
    tagger,
)
from postprocessing.network.wire import Buffer, decode, encode
from postprocessing.protocol.messages import Message
from postprocessing.scheme import Party

# Wrong tags of strangers that the listening end survives.
MOST_FORGERIES = 10_000

# One wrong tag at each end, by which a session ends, beside those of strangers.
FAILED_TRIES = MOST_FORGERIES + 2
# How long somebody who has connected may take to say who they are.
_FIRST_PACKET_S = 10.0
# How long to hear a peer out that has nothing more to say.
_FAREWELL_S = 5.0


@dataclass(frozen=True)
class Traffic:
    """What a session has moved so far.

    Parameters
    ----------
    sent_bytes, received_bytes : int
        Bytes on the line, headers and tags included.
    keys : int
        One-time keys used up: by packets sent and received, those that were lost included.
    """

    sent_bytes: int = 0
    received_bytes: int = 0
    keys: int = 0

    @property
    def key_bits(self) -> int:
        """Bits of the pool used up."""
        return 8 * KEY_BYTES * self.keys

    @property
    def forgery_probability(self) -> float:
        """Bound on the probability that any packet of the session, here or there, was forged.

        Whoever forges is free to send the longest packet there is, and has a try for every packet
        that was accepted and for every wrong tag that a session may meet.
        """
        return (self.keys + FAILED_TRIES) * forgery_bound(MOST_TAGGED_BYTES)


class AuthenticatedChannel:
    """One party's end of the channel.

    Parameters
    ----------
    connection : socket
        A connected stream; closed with the channel.
    pool : KeyPool
        The party's one-time keys.
    party : {"alice", "bob"}
        Who this end is.
    connects : bool
        Whether this end made the connection, and so speaks first.
    timeout_s : float
        How long a packet may take to come or to go.
    most_message_bytes : int
        Longest message to take.

    Notes
    -----
    Sending never waits for the peer to listen: both may have long messages on the way.
    """

    def __init__(
        self,
        connection: socket.socket,
        pool: KeyPool,
        party: Party,
        *,
        connects: bool,
        timeout_s: float,
        most_message_bytes: int,
    ) -> None:
        self.party = party
        self.timeout_s = timeout_s
        self._connects = connects
        self._most_message_bytes = most_message_bytes
        self._pool = pool
        self._incoming = connection
        # Time-outs belong to the object: one each for the thread that sends and the other.
        self._outgoing = connection.dup()
        self._nonce = secrets.token_bytes(NONCE_BYTES)
        self._peer_nonce = bytes(NONCE_BYTES)
        self._sent_packets = self._received_packets = 0
        self._sent_bytes = self._received_bytes = 0
        self._used_before = pool.used_keys
        self._sender = ThreadPoolExecutor(1, thread_name_prefix=f"{party} sends")
        self._sending: list[Future[None]] = []
        self._greeting: Message | None = None
        self._has_met = self._met_wrong_tag = False

    @property
    def session(self) -> bytes:
        """The session's identifier: both nonces."""
        pair = (self._nonce, self._peer_nonce)
        return b"".join(pair if self._connects else pair[::-1])

    @property
    def has_met(self) -> bool:
        """Whether a packet of the other party has come: whose tag is right."""
        return self._has_met

    @property
    def met_wrong_tag(self) -> bool:
        """Whether a packet has come as the other party's whose tag is wrong: a try to forge one."""
        return self._met_wrong_tag

    @property
    def pool_soundness(self) -> float | None:
        """What the pool adds to the soundness of a key, see `KeyPool.soundness`."""
        return self._pool.soundness

    @property
    def keys_left(self) -> int:
        """Number of one-time keys that are left in the direction that has fewer."""
        return self._pool.remaining_keys

    @property
    def traffic(self) -> Traffic:
        """What the session has moved so far."""
        keys = self._pool.used_keys - self._used_before
        return Traffic(self._sent_bytes, self._received_bytes, keys)

    def await_greeting(self) -> None:
        """Wait for the first message of whoever has connected, and keep it for `greet`.

        Raises
        ------
        SessionError, AuthenticationError, ProtocolError
            As of `receive`. None of this end's keys is used.
        """
        patience_s, self.timeout_s = self.timeout_s, min(self.timeout_s, _FIRST_PACKET_S)
        try:
            self._greeting = self.receive()
        finally:
            self.timeout_s = patience_s

    def greet(self, hello: Message) -> Message:
        """Exchange first messages, by which both ends learn the session; return the peer's.

        Each end has then seen its own nonce in a packet of the peer: the peer is there now.

        Raises
        ------
        SessionError, AuthenticationError, ProtocolError
            As of `receive`.
        """
        if self._connects:
            self.send(hello)
            answer = self.receive()
            self.send(Present())
        else:
            answer = self._greeting or self.receive()
            self.send(hello)
        # Whatever the greetings lead to, the peer is to have its answer.
        self.flush()
        if not self._connects and not isinstance(self.receive(), Present):
            raise SessionError("the peer must show that it is there before it says more")
        return answer

    def send(self, message: Message) -> None:
        """Send a message after those before it, without waiting until it is gone."""
        self._check_sending()
        future = self._sender.submit(self._send, message)
        future.add_done_callback(self._wake_receiver)
        self._sending.append(future)

    def receive(self) -> Message:
        """Wait for the peer's next message.

        Raises
        ------
        SessionError
            If a packet does not come in time, the connection ends, or the message is too long.
        AuthenticationError
            If a packet is not what the peer sent next.
        ProtocolError
            If the message is malformed.
        """
        try:
            return decode(self._receive())
        except SessionError:
            # Where sending failed, the connection was closed for that reason.
            self._check_sending()
            raise

    def flush(self) -> None:
        """Wait until everything is sent.

        Raises
        ------
        SessionError
            If it could not be sent.
        """
        for future in self._sending:
            future.result()
        self._sending.clear()

    def close(self) -> None:
        """End the connection, once the peer has had the chance to read what was sent."""
        try:
            self.flush()
            self._outgoing.shutdown(socket.SHUT_WR)
            deadline = time.monotonic() + min(self.timeout_s, _FAREWELL_S)
            while self._read_some(memoryview(bytearray(1 << 16)), deadline):
                pass
        except (OSError, SessionError):
            pass
        finally:
            self.abandon()

    def abandon(self) -> None:
        """End the connection at once."""
        for end in (self._incoming, self._outgoing):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._sender.shutdown(cancel_futures=True)
        self._incoming.close()
        self._outgoing.close()

    def _check_sending(self) -> None:
        for future in self._sending:
            if future.done() and (error := future.exception()) is not None:
                raise error
        self._sending = [future for future in self._sending if not future.done()]

    def _wake_receiver(self, future: Future[None]) -> None:
        if not future.cancelled() and future.exception() is not None:
            with contextlib.suppress(OSError):
                self._incoming.shutdown(socket.SHUT_RDWR)

    def _send(self, message: Message) -> None:
        """Send a message in packets; runs in the thread that sends."""
        *first, last = pieces(encode(message))
        for piece in first:
            self._send_packet(piece, more=True)
        self._send_packet(last, more=False)

    def _send_packet(self, body: list[Buffer], *, more: bool) -> None:
        place, key = self._pool.take()
        length = sum(map(len, body))
        counted = (self.session, self._sent_packets, place, length)
        header = HEADER.pack(MARK, VERSION, more, self._pool.identity, *counted)
        tag = tagger(key, self.party, header, body).finalize()
        self._outgoing.settimeout(self.timeout_s)
        try:
            for part in (header, *body, tag):
                self._outgoing.sendall(part)
        except TimeoutError as error:
            raise SessionError(f"the peer does not listen for {self.timeout_s:g} s") from error
        except OSError as error:
            raise SessionError(f"the connection is lost ({error.strerror})") from error
        self._sent_packets += 1
        self._sent_bytes += len(header) + length + TAG_BYTES

    def _receive(self) -> bytearray:
        """Return the bytes of a message, each packet checked before the next is read."""
        message = bytearray()
        more = True
        while more:
            more, body = self._receive_packet()
            if len(message) + len(body) > self._most_message_bytes:
                limit = self._most_message_bytes
                raise SessionError(f"a message must be at most {limit} bytes long")
            message += body
        return message

    def _receive_packet(self) -> tuple[bool, bytes]:
        deadline = time.monotonic() + self.timeout_s
        header = self._read(HEADER.size, deadline)
        mark, version, more, pool, session, number, place, length = HEADER.unpack(header)
        if mark != MARK:
            raise SessionError(f"the peer must be a party of diqkd, it sends {header[:4]!r}")
        if version != VERSION:
            text = f"the peer must speak version {VERSION} of the protocol, it speaks {version}"
            raise SessionError(f"{text}: both parties need the same release of diqkd")
        if pool != self._pool.identity:
            raise SessionError("the peer must have a copy of the same pool of keys, it has another")
        if more > 1 or length > MOST_BODY_BYTES:
            raise AuthenticationError("a packet with an impossible header")
        if number != self._received_packets:
            text = f"packet {number} where {self._received_packets} is due: lost, repeated or moved"
            raise AuthenticationError(text)
        self._check_session(session)
        key = self._pool.peek(place)
        body = self._read(length, deadline)
        tag = self._read(TAG_BYTES, deadline)
        try:
            tagger(key, other(self.party), header, [body]).verify(tag)
        except InvalidSignature:
            self._met_wrong_tag = True
            raise AuthenticationError("a packet whose tag is wrong: altered on the way") from None
        self._has_met = True
        self._pool.accept(place)
        self._peer_nonce = session[NONCE_BYTES:] if self._connects else session[:NONCE_BYTES]
        self._received_packets += 1
        self._received_bytes += len(header) + length + TAG_BYTES
        return bool(more), body

    def _check_session(self, session: bytes) -> None:
        """Check that a packet is of this session: at first, as far as one can know."""
        own, peer = session[:NONCE_BYTES], session[NONCE_BYTES:]
        if not self._connects:
            own, peer = peer, own
        first = self._received_packets == 0
        # To the party that listens the first packet comes before its own nonce is known.
        expected = bytes(NONCE_BYTES) if first and not self._connects else self._nonce
        if own != expected or not (first or peer == self._peer_nonce):
            raise AuthenticationError("a packet of another session")

    def _read(self, size: int, deadline: float) -> bytes:
        """Return exactly so many bytes."""
        buffer = bytearray(size)
        view = memoryview(buffer)
        while len(view):
            count = self._read_some(view, deadline)
            if count == 0:
                raise SessionError("the peer has ended the connection")
            view = view[count:]
        return bytes(buffer)

    def _read_some(self, view: memoryview, deadline: float) -> int:
        left = deadline - time.monotonic()
        if left <= 0:
            # Bytes without end would otherwise keep the socket from timing out.
            raise SessionError(f"the peer is silent for {self.timeout_s:g} s")
        try:
            self._incoming.settimeout(left)
            return self._incoming.recv_into(view)
        except TimeoutError as error:
            raise SessionError(f"the peer is silent for {self.timeout_s:g} s") from error
        except OSError as error:
            raise SessionError(f"the connection is lost ({error.strerror})") from error
