"""The public channel between the parties; its log is the transcript."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from postprocessing.protocol.messages import Message
from postprocessing.scheme import Party


@dataclass(frozen=True, eq=False)
class TranscriptEntry:
    """One public message and who sent it."""

    sender: Party
    message: Message


@dataclass(frozen=True)
class TranscriptRow:
    """One public message without its content: who sent it, its kind, and the bits it leaks."""

    sender: Party
    message: str
    leaked_bits: int


@dataclass(frozen=True)
class Transcript:
    """Everything that crossed the channel, in order.

    Parameters
    ----------
    rows : tuple of TranscriptRow
        The log without contents.
    entries : tuple of TranscriptEntry
        The log; empty where the contents are not known.
    """

    rows: tuple[TranscriptRow, ...] = ()
    entries: tuple[TranscriptEntry, ...] = field(default=(), repr=False, compare=False)

    @classmethod
    def of(cls, entries: Iterable[TranscriptEntry]) -> Transcript:
        """Return the transcript of messages."""
        log = tuple(entries)
        rows = (
            TranscriptRow(entry.sender, type(entry.message).__name__, entry.message.leaked_bits)
            for entry in log
        )
        return cls(tuple(rows), log)

    @property
    def leaked_bits(self) -> int:
        """Bits on the transcript that depend on measurement outcomes."""
        return sum(row.leaked_bits for row in self.rows)

    def leaked_by(self, *kinds: type[Message]) -> int:
        """Return the leaked bits of the messages of the given kinds."""
        names = {kind.__name__ for kind in kinds}
        return sum(row.leaked_bits for row in self.rows if row.message in names)

    def to_list(self) -> list[dict[str, object]]:
        """Return one row a message, without contents: sender, kind and leaked bits."""
        return [asdict(row) for row in self.rows]


NOTHING_SAID = Transcript()


class InProcessChannel:
    """An authenticated channel between two conversations of one process."""

    def __init__(self) -> None:
        self._log: list[TranscriptEntry] = []
        self._queue: deque[TranscriptEntry] = deque()

    def send(self, sender: Party, message: Message) -> None:
        """Log a message and queue it for the other party."""
        entry = TranscriptEntry(sender, message)
        self._log.append(entry)
        self._queue.append(entry)

    def deliver(self) -> TranscriptEntry | None:
        """Return the oldest undelivered message, or None when all have arrived."""
        return self._queue.popleft() if self._queue else None

    @property
    def transcript(self) -> Transcript:
        """All messages so far."""
        return Transcript.of(self._log)
