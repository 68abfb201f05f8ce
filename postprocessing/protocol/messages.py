"""The public messages of the protocol, and what each of them reveals.

Every message states how many of its bits depend on measurement outcomes (``leaked_bits``). Settings
and seeds cost nothing: they are independent of the outcomes when they are sent.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from postprocessing.bits import PackedBits


class Message(Struct, frozen=True, eq=False, tag=True, array_like=True, forbid_unknown_fields=True):
    """A public message.

    Attributes
    ----------
    stage : str
        The stage of post-processing that handling this message belongs to.
    leaked_bits : int
        Number of its bits that depend on measurement outcomes.
    """

    stage: ClassVar[str]

    @property
    def leaked_bits(self) -> int:
        """Return the number of outcome-dependent bits."""
        return 0


class SettingsAnnouncement(Message, frozen=True):
    """All settings of one party, four to a byte, after the quantum phase, and the design's hash.

    Both parties must work under one design, or their keys would differ in length.
    """

    stage: ClassVar[str] = "sifting"
    settings: npt.NDArray[np.uint8]
    design_sha256: str


class RoundMarks(Message, frozen=True):
    """The corrector's mark of each round: 1 for a test. Announced after each herald.

    It is independent of all outcomes, as it is drawn before either side measures.
    """

    stage: ClassVar[str] = "sifting"
    marks: PackedBits


class ThinningCoins(Message, frozen=True):
    """The corrector's coin for each surplus round, in round order: 1 keeps it as a test."""

    stage: ClassVar[str] = "sifting"
    coins: PackedBits


class DisclosedTests(Message, frozen=True):
    """A party's outcome bits of all test rounds, after Bob's flip, in round order."""

    stage: ClassVar[str] = "testing"
    outcomes: PackedBits

    @property
    def leaked_bits(self) -> int:
        """One bit a test round."""
        return len(self.outcomes)


class Acceptance(Message, frozen=True):
    """Whether the corrector accepts the test."""

    stage: ClassVar[str] = "reconciliation"
    accepted: bool

    @property
    def leaked_bits(self) -> int:
        """One bit."""
        return 1


class Syndromes(Message, frozen=True):
    """Packed syndromes, shape (frames, ⌈syndrome_bits/8⌉), the first bit lowest.

    At first those of all frames; after a frame status, what is added to those of the failed frames.
    """

    stage: ClassVar[str] = "reconciliation"
    syndromes: npt.NDArray[np.uint8]
    syndrome_bits: int

    @property
    def leaked_bits(self) -> int:
        """The syndrome bits of every frame."""
        return len(self.syndromes) * self.syndrome_bits


class FrameStatus(Message, frozen=True):
    """One flag a frame of the last syndromes: 1 where the corrector could not decode."""

    stage: ClassVar[str] = "verification"
    failed: PackedBits

    @property
    def leaked_bits(self) -> int:
        """One bit a frame."""
        return len(self.failed)


class DisclosedFrames(Message, frozen=True):
    """The reference's key bits of the frames that failed to the last, frame after frame."""

    stage: ClassVar[str] = "reconciliation"
    bits: PackedBits

    @property
    def leaked_bits(self) -> int:
        """Every disclosed bit."""
        return len(self.bits)


class Verification(Message, frozen=True):
    """A fresh seed and the reference's tag of the whole corrected string under it."""

    stage: ClassVar[str] = "verification"
    seed: bytes
    tag: bytes
    tag_bits: int

    @property
    def leaked_bits(self) -> int:
        """The tag; its seed is independent of the outcomes."""
        return self.tag_bits


class VerificationVerdict(Message, frozen=True):
    """Whether the corrector's tag equals the reference's."""

    stage: ClassVar[str] = "amplification"
    matches: bool

    @property
    def leaked_bits(self) -> int:
        """One bit."""
        return 1


class AmplificationSeed(Message, frozen=True):
    """A fresh seed of the Toeplitz hash, its first bit the lowest of the first byte."""

    stage: ClassVar[str] = "amplification"
    seed: bytes


class Abort(Message, frozen=True):
    """The sender gives up for a reason that follows from what is already public."""

    stage: ClassVar[str] = "abort"
    reason: str


ProtocolMessage = (
    SettingsAnnouncement
    | RoundMarks
    | ThinningCoins
    | DisclosedTests
    | Acceptance
    | Syndromes
    | FrameStatus
    | DisclosedFrames
    | Verification
    | VerificationVerdict
    | AmplificationSeed
    | Abort
)
