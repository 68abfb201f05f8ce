"""What the two ends of a session say beside the protocol: who they are, and that a key is held."""

from __future__ import annotations

from typing import ClassVar, Literal

from postprocessing.protocol.messages import Message
from postprocessing.scheme import Party

Purpose = Literal["distill", "confirm"]


class Hello(Message, frozen=True):
    """Who speaks, what for, and what both must have in common to distill.

    Heralds are public, and independent of the outcomes. An emulated key is worthless on both sides;
    whether it is, both must know. Of the keys in its pool each side tells how many are left.
    """

    stage: ClassVar[str] = "greeting"
    party: Party
    purpose: Purpose
    design_sha256: str | None = None
    heralds_sha256: str | None = None
    emulated: bool = False
    keys_left: int = 0


class Present(Message, frozen=True):
    """The third greeting, of the party that connects: its packet alone tells something.

    It names the session, and so the nonce that the listening party has just drawn. A greeting that
    was kept back from an earlier session is followed by no such packet.
    """

    stage: ClassVar[str] = "greeting"


class KeyHeld(Message, frozen=True):
    """Whether the sender has the key of a session on its disk; it tells nothing of the key."""

    stage: ClassVar[str] = "confirmation"
    session: bytes
    held: bool


SessionMessage = Hello | Present | KeyHeld
