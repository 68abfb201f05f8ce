"""A listening party and those who connect to it: only the other party gets through."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
from functools import partial

import pytest

from postprocessing.errors import AuthenticationError, ProtocolError, SessionError
from postprocessing.network import meeting
from postprocessing.network.authentication import KeyPool, create_pool
from postprocessing.network.channel import AuthenticatedChannel
from postprocessing.network.meeting import first_channel
from postprocessing.network.messages import Present
from postprocessing.network.packets import HEADER, VERSION
from postprocessing.network.tcp import arrivals, connect
from postprocessing.protocol.messages import Abort

# Far beyond what anything here takes on a busy machine.
WAIT_S = 600.0
# How long a stranger may be silent; the others speak at once.
SILENCE_S = 1.0
MALFORMED = 30


@pytest.fixture
def pools(tmp_path):
    """Alice's and Bob's pool, open."""
    paths = tmp_path / "alice.pool", tmp_path / "bob.pool"
    create_pool(paths[0], 100)
    shutil.copy(*paths)
    with KeyPool(paths[0], "alice") as alice, KeyPool(paths[1], "bob") as bob:
        yield alice, bob


@pytest.fixture
def address():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()


def _listening_end(pool, connection):
    return AuthenticatedChannel(
        connection, pool, "alice", connects=False, timeout_s=SILENCE_S, most_message_bytes=1000
    )


def _bob(pool, address):
    return AuthenticatedChannel(
        connect(address, WAIT_S),
        pool,
        "bob",
        connects=True,
        timeout_s=WAIT_S,
        most_message_bytes=1000,
    )


def _wrong_packet(pool: KeyPool, place: int, number: int = 0, version: int = VERSION) -> bytes:
    """Return a packet as Bob's first, but for its tag."""
    header = HEADER.pack(b"dq", version, 0, pool.identity, bytes(32), number, place, 3)
    return header + b"abc" + bytes(16)


def _try(address, content: bytes, *, stays: bool = False) -> None:
    with connect(address, WAIT_S) as stranger, contextlib.suppress(OSError):
        stranger.sendall(content)
        stranger.settimeout(WAIT_S)
        if not stays:
            stranger.shutdown(socket.SHUT_WR)
        # Until turned away.
        stranger.recv(1)


def _meet(pool, address, coming, wait_s=WAIT_S):
    """Listen while the others come; return the channel and why those before it were dropped."""
    reasons = []
    thread = threading.Thread(target=coming, daemon=True)
    thread.start()
    try:
        with contextlib.closing(arrivals(address, wait_s)) as connections:
            channel = first_channel(
                connections, partial(_listening_end, pool), lambda r: reasons.append(str(r))
            )
    finally:
        thread.join(WAIT_S)
    return channel, reasons


def test_strangers_do_not_keep_the_peer_away(pools, address, monkeypatch):
    alice, bob = pools
    monkeypatch.setattr(meeting, "MOST_FORGERIES", MALFORMED - 1)
    ends = []

    def coming():
        _try(address, b"")
        _try(address, b"GET / HTTP/1.1\r\n" * 20)
        _try(address, _wrong_packet(alice, 0, version=4))
        _try(address, b"", stays=True)
        _try(address, _wrong_packet(alice, 0))
        # A key there will never be: the pool is not used up for that.
        _try(address, _wrong_packet(alice, 10**6))
        # Nor are these tries to forge: no tag was looked at.
        for _ in range(MALFORMED):
            _try(address, _wrong_packet(alice, 0, number=1))
        ends.append(_bob(bob, address))
        ends[0].send(Abort("it is me"))

    channel, reasons = _meet(alice, address, coming)
    heard = []

    def answer():
        heard.append(ends[0].receive().reason)
        ends[0].send(Present())

    answering = threading.Thread(target=answer, daemon=True)
    answering.start()
    assert channel.greet(Abort("hello")).reason == "it is me"
    answering.join(WAIT_S)
    assert heard == ["hello"]
    assert reasons[0] == "the peer has ended the connection"
    assert reasons[1] == "the peer must be a party of diqkd, it sends b'GET '"
    assert reasons[2].startswith("the peer must speak version 5 of the protocol, it speaks 4")
    assert reasons[3] == "the peer is silent for 1 s"
    assert reasons[4].startswith("a packet whose tag is wrong")
    assert reasons[6].startswith("packet 1 where 0 is due")
    assert len(reasons) == 6 + MALFORMED
    # One key each for the three greetings, none for strangers.
    assert alice.used_keys == 3
    for end in (channel, *ends):
        end.abandon()


def test_wrong_tags_are_tries_and_bounded(pools, address, monkeypatch):
    monkeypatch.setattr(meeting, "MOST_FORGERIES", 5)

    def coming():
        for place in range(6):
            _try(address, _wrong_packet(pools[0], place))

    with pytest.raises(AuthenticationError, match="a packet whose tag is wrong"):
        _meet(pools[0], address, coming)
    assert pools[0].used_keys == 0


def test_nobody_connects_to_themselves(monkeypatch):
    """TCP lets a port that is free call itself, as it may happen while nobody listens yet."""
    own = []
    original = socket.create_connection

    def create_connection(address, timeout):
        if own:
            return original(address, timeout)
        # What the system does by chance, once in some ten thousand calls.
        connection = socket.socket()
        connection.bind(address)
        connection.connect(address)
        own.append(connection)
        return connection

    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()
    monkeypatch.setattr(socket, "create_connection", create_connection)
    with pytest.raises(SessionError, match="nobody listens on"):
        connect(free, 0.3)
    assert own[0].fileno() == -1


def test_strangers_alone_are_nobody(pools, address):
    with pytest.raises(SessionError, match=r"the other party has not connected within 0\.5 s"):
        _meet(pools[0], address, lambda: _try(address, b"x"), wait_s=0.5)


def test_the_peer_is_not_turned_away_for_a_full_disk(pools, address, monkeypatch):
    """What fails here is not the peer's fault, and not a stranger's: the session ends."""
    alice, bob = pools
    ends = []

    def coming():
        ends.append(_bob(bob, address))
        ends[0].send(Abort("it is me"))
        ends[0].flush()

    def full(place):
        raise SessionError("the pool of keys cannot be written to")

    monkeypatch.setattr(alice, "accept", full)
    with pytest.raises(SessionError, match="the pool of keys cannot be written to"):
        _meet(alice, address, coming)
    ends[0].abandon()


def test_what_the_peer_says_wrongly_ends_it(pools, address):
    """Authentic and malformed: no stranger can send that."""
    alice, bob = pools

    def coming():
        channel = _bob(bob, address)
        channel._send_packet([b"nonsense"], more=False)
        channel.close()

    with pytest.raises(ProtocolError, match="malformed message"):
        _meet(alice, address, coming)


def test_a_port_in_use(address):
    with socket.create_server(address), pytest.raises(SessionError, match="cannot listen on"):
        next(arrivals(address, WAIT_S))
