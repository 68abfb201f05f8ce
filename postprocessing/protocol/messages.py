"""The public messages of the protocol, and what each of them reveals.

Every message states how many of its bits depend on measurement outcomes (``leaked_bits``). Settings
and seeds cost nothing: they are independent of the outcomes when they are sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from postprocessing.scheme import Bits


@dataclass(frozen=True, eq=False)
class Message:
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


@dataclass(frozen=True, eq=False)
class SettingsAnnouncement(Message):
    """All settings of one party, four to a byte, after the quantum phase, and the design's hash.

    Both parties must work under one design, or their keys would differ in length.
    """

    stage: ClassVar[str] = "sifting"
    settings: npt.NDArray[np.uint8]
    design_sha256: str


@dataclass(frozen=True, eq=False)
class RoundMarks(Message):
    """The corrector's mark of each round, packed: 1 for a test. Announced after each herald.

    It is independent of all outcomes, as it is drawn before either side measures.
    """

    stage: ClassVar[str] = "sifting"
    marks: npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class ThinningCoins(Message):
    """The corrector's coin for each surplus round, in round order: 1 keeps it as a test."""

    stage: ClassVar[str] = "sifting"
    coins: Bits


@dataclass(frozen=True, eq=False)
class DisclosedTests(Message):
    """A party's outcome bits of all test rounds, after Bob's flip, in round order."""

    stage: ClassVar[str] = "testing"
    outcomes: Bits

    @property
    def leaked_bits(self) -> int:
        """One bit a test round."""
        return len(self.outcomes)


@dataclass(frozen=True, eq=False)
class Acceptance(Message):
    """Whether the corrector accepts the test."""

    stage: ClassVar[str] = "reconciliation"
    accepted: bool

    @property
    def leaked_bits(self) -> int:
        """One bit."""
        return 1


@dataclass(frozen=True, eq=False)
class Syndromes(Message):
    """Packed syndromes, shape (frames, syndrome_bits/8), the first bit lowest.

    At first those of all frames; after a frame status, what is added to those of the failed frames.
    """

    stage: ClassVar[str] = "reconciliation"
    syndromes: npt.NDArray[np.uint8]
    syndrome_bits: int

    @property
    def leaked_bits(self) -> int:
        """The syndrome bits of every frame."""
        return len(self.syndromes) * self.syndrome_bits


@dataclass(frozen=True, eq=False)
class FrameStatus(Message):
    """One flag a frame of the last syndromes: 1 where the corrector could not decode."""

    stage: ClassVar[str] = "verification"
    failed: Bits

    @property
    def leaked_bits(self) -> int:
        """One bit a frame."""
        return len(self.failed)


@dataclass(frozen=True, eq=False)
class DisclosedFrames(Message):
    """The reference's key bits of the frames that failed to the last, frame after frame."""

    stage: ClassVar[str] = "reconciliation"
    bits: Bits

    @property
    def leaked_bits(self) -> int:
        """Every disclosed bit."""
        return len(self.bits)


@dataclass(frozen=True, eq=False)
class Verification(Message):
    """A fresh seed and the reference's tag of the whole corrected string under it."""

    stage: ClassVar[str] = "verification"
    seed: bytes
    tag: bytes
    tag_bits: int

    @property
    def leaked_bits(self) -> int:
        """The tag; its seed is independent of the outcomes."""
        return self.tag_bits


@dataclass(frozen=True, eq=False)
class VerificationVerdict(Message):
    """Whether the corrector's tag equals the reference's."""

    stage: ClassVar[str] = "amplification"
    matches: bool

    @property
    def leaked_bits(self) -> int:
        """One bit."""
        return 1


@dataclass(frozen=True, eq=False)
class AmplificationSeed(Message):
    """A fresh seed of the Toeplitz hash, its first bit the lowest of the first byte."""

    stage: ClassVar[str] = "amplification"
    seed: bytes


@dataclass(frozen=True, eq=False)
class Abort(Message):
    """The sender gives up for a reason that follows from what is already public."""

    stage: ClassVar[str] = "abort"
    reason: str
