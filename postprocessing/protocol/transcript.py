"""The public channel between the parties; its log is the transcript."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from postprocessing.protocol.messages import Message
from postprocessing.scheme import Party


@dataclass(frozen=True, eq=False)
class TranscriptEntry:
    """One public message and who sent it."""

    sender: Party
    message: Message


@dataclass(frozen=True)
class Transcript:
    """Everything that crossed the channel, in order.

    Parameters
    ----------
    entries : tuple of TranscriptEntry
        The log.
    """

    entries: tuple[TranscriptEntry, ...]

    @property
    def leaked_bits(self) -> int:
        """Bits on the transcript that depend on measurement outcomes."""
        return sum(entry.message.leaked_bits for entry in self.entries)

    def leaked_by(self, *kinds: type[Message]) -> int:
        """Return the leaked bits of the messages of the given kinds."""
        return sum(e.message.leaked_bits for e in self.entries if isinstance(e.message, kinds))

    def to_list(self) -> list[dict[str, object]]:
        """Return one row a message, without payloads: sender, kind and leaked bits."""
        return [
            {
                "sender": entry.sender,
                "message": type(entry.message).__name__,
                "leaked_bits": entry.message.leaked_bits,
            }
            for entry in self.entries
        ]


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
        return Transcript(tuple(self._log))
