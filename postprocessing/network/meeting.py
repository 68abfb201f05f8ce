"""How a listening party finds its peer among all who connect."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable

from postprocessing.errors import SessionError
from postprocessing.network.channel import MOST_FORGERIES, AuthenticatedChannel


def first_channel(
    connections: Iterable[socket.socket],
    channel_of: Callable[[socket.socket], AuthenticatedChannel],
    on_stranger: Callable[[SessionError], None],
) -> AuthenticatedChannel:
    """Return the channel of the first connection that the peer has made.

    A scan of ports, or whoever sends a wrong first packet, does not keep the peer away and uses up
    no keys. A wrong tag is a try to forge one: their number is bounded, as each is charged.

    Parameters
    ----------
    connections : iterable of socket
        Connections in the order in which they are made.
    channel_of : callable
        Returns the listening end of the channel over a connection.
    on_stranger : callable
        Called with the reason why a connection was dropped.

    Raises
    ------
    AuthenticationError
        If `MOST_FORGERIES` packets with wrong tags came before this one.
    SessionError
        If the connections end, or the pool cannot be written to.
    ProtocolError
        If the peer's first message is malformed.
    """
    tries = 0
    for connection in connections:
        channel = channel_of(connection)
        try:
            channel.await_greeting()
        except SessionError as error:
            channel.abandon()
            tries += channel.met_wrong_tag
            if channel.has_met or tries > MOST_FORGERIES:
                raise
            on_stranger(error)
        except BaseException:
            channel.abandon()
            raise
        else:
            return channel
    raise SessionError("nobody has connected")
