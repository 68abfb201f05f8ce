"""Connections over TCP: one party listens for its peer, the other connects."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Generator

from postprocessing.errors import InvalidArgumentError, SessionError

_RETRY_S = 0.2
# Who may wait while somebody else is heard.
_BACKLOG = 32


def parse_address(argument: str, text: object) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``.

    Raises
    ------
    InvalidArgumentError
        If the text is something else.
    """
    host, _, port = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 2**16:
        raise InvalidArgumentError(argument, text, "HOST:PORT with a port in [1, 65535]")
    return host.strip("[]"), int(port)


def arrivals(address: tuple[str, int], wait_s: float) -> Generator[socket.socket, None, None]:
    """Yield the connections that are made to an address, whoever makes them; close it at the end.

    Raises
    ------
    SessionError
        If one cannot listen there, or when the time is over.
    """
    host, port = address
    deadline = time.monotonic() + wait_s
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        server = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise SessionError(f"cannot listen on {host}:{port} ({error.strerror})") from error
    with server:
        while (left := deadline - time.monotonic()) > 0:
            server.settimeout(left)
            try:
                connection, _ = server.accept()
            except TimeoutError:
                break
            except OSError as error:
                raise SessionError(f"cannot listen on {host}:{port} ({error.strerror})") from error
            yield _prepared(connection)
    raise SessionError(f"the other party has not connected within {wait_s:g} s")


def connect(address: tuple[str, int], wait_s: float) -> socket.socket:
    """Connect to a peer, which may begin to listen a little later.

    Raises
    ------
    SessionError
        If nobody listens there in time.
    """
    host, port = address
    deadline = time.monotonic() + wait_s
    while True:
        try:
            left = max(_RETRY_S, deadline - time.monotonic())
            return _prepared(_to_another(socket.create_connection((host, port), timeout=left)))
        except OSError as error:
            if time.monotonic() + _RETRY_S > deadline:
                text = f"nobody listens on {host}:{port} ({error.strerror or error})"
                raise SessionError(text) from error
        time.sleep(_RETRY_S)


def _to_another(connection: socket.socket) -> socket.socket:
    """Refuse a connection to oneself, which TCP makes where the own port is the one called."""
    if connection.getsockname() == connection.getpeername():
        connection.close()
        raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    return connection


def _prepared(connection: socket.socket) -> socket.socket:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection
