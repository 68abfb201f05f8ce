"""What the two ends of a session say beside the protocol: who they are, and that a key is held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from postprocessing.protocol.messages import Message
from postprocessing.scheme import Party

Purpose = Literal["distill", "confirm"]


@dataclass(frozen=True, eq=False)
class Hello(Message):
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


@dataclass(frozen=True, eq=False)
class KeyHeld(Message):
    """Whether the sender has the key of a session on its disk; it tells nothing of the key."""

    stage: ClassVar[str] = "confirmation"
    session: bytes
    held: bool
