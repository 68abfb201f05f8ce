"""What a message is cut into, and what a tag is made over.

::

    packet  = header | body | tag
    header  = "dq" | version | more | pool | session | number | key | length     (big-endian)
    tag     = Poly1305 under the key of that place, over sender | header | body

`more` is 1 while packets of the same message follow. Packets of one direction are numbered from 0.
The session is the nonce of the party that connects, then that of the party that listens, which
together no two sessions share; the connecting party's first packet still has zeros for the second.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from cryptography.hazmat.primitives.poly1305 import Poly1305

from postprocessing.network.wire import Buffer
from postprocessing.scheme import Party

VERSION = 5
MARK = b"dq"
NONCE_BYTES = 16
HEADER = struct.Struct(">2sBB16s32sQQI")
# Of a packet: what waits for its tag is never more.
MOST_BODY_BYTES = 1 << 20
# Tagged: the sender, a byte, beside header and body.
MOST_TAGGED_BYTES = 1 + HEADER.size + MOST_BODY_BYTES

_SENDERS = {"alice": b"A", "bob": b"B"}


def tagger(key: bytes, sender: Party, header: bytes, body: list[Buffer]) -> Poly1305:
    """Return the tag's computation over everything a packet says."""
    tag = Poly1305(key)
    for part in (_SENDERS[sender], header, *body):
        tag.update(part)
    return tag


def other(party: Party) -> Party:
    """Return the party at the other end."""
    return "bob" if party == "alice" else "alice"


def pieces(buffers: list[Buffer]) -> Iterator[list[Buffer]]:
    """Cut buffers into pieces of at most a packet's body, without copying; at least one."""
    piece: list[Buffer] = []
    room = MOST_BODY_BYTES
    for buffer in buffers:
        view = memoryview(buffer)
        while len(view):
            if room == 0:
                yield piece
                piece, room = [], MOST_BODY_BYTES
            piece.append(view[:room])
            taken = len(piece[-1])
            view, room = view[taken:], room - taken
    yield piece
