"""What the scripts of both parties are made of: what they start with, yield and return."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Self, TypeVar

from postprocessing.design.design import Design
from postprocessing.design.leakage import LeakageBudget
from postprocessing.errors import InvalidArgumentError
from postprocessing.protocol.messages import Abort, Message
from postprocessing.protocol.randomness import PartyRandomness
from postprocessing.records import PartyRecord
from postprocessing.scheme import Party
from postprocessing.testing import GameTally

M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class Expect:
    """What a script yields to wait for the peer's next message.

    Parameters
    ----------
    kinds : tuple of type
        The kinds of message that may come.
    """

    kinds: tuple[type[Message], ...]


@dataclass(frozen=True)
class PartyResult:
    """What one party knows at the end.

    Parameters
    ----------
    key : bytes or None
        The key; None when the protocol aborted.
    abort_reason : str or None
        Why there is no key.
    key_rounds : int
        Number of key rounds; 0 when the parties stopped before sifting.
    test_rounds : int
        Number of test rounds.
    tally : GameTally or None
        Score of the CHSH game, where this party knows both outcomes.
    corrected_errors : int or None
        Key bits that the corrector had to change, known after verification.
    frames, failed_frames : int
        Frames that the corrector decoded, and those of them that failed to the last.
    leaked_bits : int
        Outcome-dependent bits on the transcript.
    """

    key: bytes | None = field(default=None, repr=False)
    abort_reason: str | None = None
    key_rounds: int = 0
    test_rounds: int = 0
    tally: GameTally | None = None
    corrected_errors: int | None = None
    frames: int = 0
    failed_frames: int = 0
    leaked_bits: int = 0

    def aborted(self, reason: str) -> Self:
        """Return what is known so far, without a key for a reason."""
        return replace(self, abort_reason=reason)


# A script yields the messages that it sends and what it waits for, and is sent what has come.
Script = Generator[Message | Expect, Message | None, PartyResult]


class SilentEndError(Exception):
    """Ends a script that has nothing to tell its peer, with what was known; its driver catches it.

    The peer has given up, or sees for itself what is wrong.
    """

    def __init__(self, result: PartyResult) -> None:
        super().__init__(result.abort_reason)
        self.result = result


def expect(kind: type[M]) -> Generator[Expect, Message | None, M]:
    """Wait, inside a script, for a message of one kind."""
    message = yield Expect((kind,))
    assert isinstance(message, kind)
    return message


def expect_or_end(kind: type[M], known: PartyResult) -> Generator[Expect, Message | None, M]:
    """Wait, inside a script, for a message of one kind; end where the peer gives up instead."""
    message = yield Expect((kind, Abort))
    if isinstance(message, Abort):
        raise SilentEndError(known.aborted(message.reason))
    assert isinstance(message, kind)
    return message


@dataclass(frozen=True, eq=False)
class Side:
    """What one party starts with; of the other's record it has nothing.

    Parameters
    ----------
    party : {"alice", "bob"}
        Who.
    record : PartyRecord
        This party's half of exactly ``design.heralded_rounds`` rounds.
    design : Design
        The frozen design, equal on both sides.
    randomness : PartyRandomness
        This party's trusted fresh randomness.
    threads : int
        Threads to work on. No result depends on it.

    Raises
    ------
    InvalidArgumentError
        If the record does not have the number of rounds of the design or holds a setting that the
        scheme does not have, or if the design has no key.
    """

    party: Party
    record: PartyRecord
    design: Design
    randomness: PartyRandomness
    threads: int

    def __post_init__(self) -> None:
        """Check that record and design belong together."""
        design = self.design
        if len(self.record) != design.heralded_rounds:
            allowed = f"of the design's {design.heralded_rounds} heralded rounds"
            raise InvalidArgumentError("record", len(self.record), allowed)
        if design.leakage is None:
            qber = design.expected_qber
            raise InvalidArgumentError("design", f"QBER {qber:.3g}", "one whose QBER has a code")
        self.record.check(design.scheme, self.party)

    @property
    def budget(self) -> LeakageBudget:
        """The budget of the leakage, with the codes."""
        assert self.design.leakage is not None
        return self.design.leakage
