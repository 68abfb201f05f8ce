"""What both endpoints share: one record, the public messages, and the state between them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np

from postprocessing.amplification import seed_length, toeplitz_hash_packed
from postprocessing.checks import thread_count
from postprocessing.design.design import Design
from postprocessing.errors import InvalidArgumentError, ProtocolError
from postprocessing.protocol.messages import Message, SettingsAnnouncement
from postprocessing.protocol.randomness import PartyRandomness
from postprocessing.reconciliation.frames import Words, octets, whole_words
from postprocessing.records import PartyRecord
from postprocessing.scheme import AnnouncedMarks, Bits, Party
from postprocessing.sifting.sift import count_surplus, packed_settings, round_marks, sift
from postprocessing.testing import GameTally

MALFORMED_MESSAGE = "malformed message"

# More would wait for memory.
_MOST_HASHING_THREADS = 8

# Sifting packs the first bit highest, frames and hashes have it lowest.
_REVERSED = np.packbits(
    np.unpackbits(np.arange(256, dtype=np.uint8)).reshape(256, 8), axis=1, bitorder="little"
).ravel()

Messages = tuple[Message, ...]


@dataclass(frozen=True)
class PartyResult:
    """What one party has at the end.

    Parameters
    ----------
    key : bytes or None
        The key; None when the protocol aborted.
    abort_reason : str or None
        Why there is no key.
    """

    key: bytes | None = field(repr=False)
    abort_reason: str | None


class Endpoint(ABC):
    """One party's side of the protocol.

    Parameters
    ----------
    record : PartyRecord
        This party's half of exactly ``design.heralded_rounds`` rounds.
    design : Design
        The frozen design, equal on both sides.
    randomness : PartyRandomness
        This party's trusted fresh randomness.
    threads : int, optional
        Threads to work on, in [1, 1000]; by default one a processor. No result depends on it.

    Raises
    ------
    InvalidArgumentError
        If the record does not have the number of rounds of the design or holds a setting that the
        scheme does not have, if the design has no key, or `threads` is out of range.
    """

    def __init__(
        self,
        record: PartyRecord,
        design: Design,
        randomness: PartyRandomness,
        threads: int | None = None,
    ) -> None:
        if len(record) != design.heralded_rounds:
            allowed = f"of the design's {design.heralded_rounds} heralded rounds"
            raise InvalidArgumentError("record", len(record), allowed)
        if design.leakage is None:
            qber = design.expected_qber
            raise InvalidArgumentError("design", f"QBER {qber:.3g}", "one whose QBER has a code")
        record.check(design.scheme, self._party_under(design))
        self.result: PartyResult | None = None
        self.leaked_bits = 0
        self.key_rounds = 0
        self.key_words: Words = np.empty(0, np.uint64)
        self.test_outcomes: Bits = np.empty(0, np.uint8)
        self.tally: GameTally | None = None
        self._record = record
        self._design = design
        self._plan = design.leakage
        self._rates = design.leakage.reconciliation
        self._randomness = randomness
        self._threads = thread_count(threads)
        self._peer_settings: Bits = np.empty(0, np.uint8)
        self._surplus_rounds = 0
        self._winning_parities: Bits = np.empty(0, np.uint8)
        self._expected: tuple[type[Message], ...] = ()
        self._started = False

    @staticmethod
    @abstractmethod
    def _party_under(design: Design) -> Party:
        """Return which party this endpoint plays under a design."""

    @property
    def party(self) -> Party:
        """Which party this endpoint plays."""
        return self._party_under(self._design)

    def start(self) -> Messages:
        """Return the opening messages, once the quantum phase has ended.

        Raises
        ------
        ProtocolError
            If the endpoint has started before.
        """
        if self._started:
            raise ProtocolError(f"{self.party} has started already")
        self._started, self._expected = True, self._opening()
        return self._send(
            SettingsAnnouncement(packed_settings(self._record), self._design.fingerprint())
        )

    def receive(self, message: Message) -> Messages:
        """Take one message of the peer and return the answers.

        Parameters
        ----------
        message : Message
            The peer's next message.

        Returns
        -------
        tuple of Message
            What to send in answer, in order.

        Raises
        ------
        ProtocolError
            If the message is out of order, or malformed, which ends the protocol here.
        """
        if self.result is not None or not isinstance(message, self._expected):
            raise ProtocolError(f"{self.party} did not expect {type(message).__name__} now")
        self.leaked_bits += message.leaked_bits
        try:
            return self._send(*self._answer(message))
        except ProtocolError:
            self._abort(MALFORMED_MESSAGE)
            raise

    @property
    def _follows_marks(self) -> bool:
        """Whether settings follow marks that were announced."""
        return isinstance(self._design.setting_choice, AnnouncedMarks)

    def _opening(self) -> tuple[type[Message], ...]:
        """Return what the peer's first message is."""
        return (SettingsAnnouncement,)

    @abstractmethod
    def _answer(self, message: Message) -> Messages:
        """Act on an expected message."""

    def _send(self, *messages: Message) -> Messages:
        self.leaked_bits += sum(message.leaked_bits for message in messages)
        return messages

    def _abort(self, reason: str) -> None:
        self.key_words = np.empty(0, np.uint64)
        self.result = PartyResult(key=None, abort_reason=reason)

    def _take_settings(self, message: SettingsAnnouncement) -> None:
        """Keep the peer's settings and count the rounds that await a coin."""
        # A copy: what is counted now and what is sifted later must be the same.
        settings, rounds = np.array(message.settings, order="C"), len(self._record)
        require(message.design_sha256 == self._design.fingerprint(), "the same design")
        packed = settings.dtype == np.uint8 and settings.shape == (-(-rounds // 4),)
        require(packed, "one setting a round")
        scheme = self._design.scheme
        surplus, unknown = count_surplus(scheme, self.party, self._record, settings)
        require(unknown == 0, "settings of the scheme")
        self._peer_settings, self._surplus_rounds = settings, surplus

    def _sift(self, coins: Bits) -> None:
        """Settle which rounds are key and test, and take out their bits."""
        require_bits(coins, self._surplus_rounds, "one coin a surplus round")
        scheme, record = self._design.scheme, self._record
        sifted = sift(scheme, self.party, record, self._peer_settings, coins)
        self.key_rounds = sifted.key_rounds
        self.key_words = whole_words(_REVERSED[sifted.key_bits])
        self.test_outcomes = sifted.test_outcomes
        self._winning_parities = sifted.winning_parities

    def _seed_bytes(self, length: int) -> int:
        """Return the number of bytes of the seed that hashes the key rounds to `length` bits."""
        return -(-seed_length(self.key_rounds, length) // 8)

    def _amplify(self, seed: bytes, length: int) -> None:
        """Hash the corrected string into the key."""
        threads = min(self._threads, _MOST_HASHING_THREADS)
        words = whole_words(np.frombuffer(seed, np.uint8))
        key = toeplitz_hash_packed(self.key_words, words, self.key_rounds, length, threads=threads)
        self.result = PartyResult(key=octets(key)[: length // 8].tobytes(), abort_reason=None)

    def _final_length(self) -> int:
        tests, lost = len(self.test_outcomes), self.tally.lost if self.tally else 0
        return self._design.final_key_length(self.key_rounds, tests, self.leaked_bits, lost)

    def _over_budget(self, bits_to_come: int) -> bool:
        """Tell whether so many more bits would lead beyond the leakage budget."""
        outcome_bits = self.leaked_bits + bits_to_come
        return self._design.exceeds_budget(outcome_bits, len(self.test_outcomes))

    def _follow_marks(self, message: SettingsAnnouncement, marks: Bits) -> None:
        """Sift rounds whose settings follow shared marks: every round is key or test."""
        self._take_settings(message)
        scheme, rounds = self._design.scheme, len(self._record)
        is_own = self.party == scheme.corrector
        packed = packed_settings(self._record) if is_own else self._peer_settings
        require(np.array_equal(round_marks(scheme, packed, rounds), marks), "settings of the marks")
        self._sift(np.ones(self._surplus_rounds, np.uint8))
        kept = self.key_rounds + len(self.test_outcomes)
        require(kept == rounds, "settings of the marks")


def require(condition: bool, expected: str) -> None:
    """Refuse a message of the wrong shape."""
    if not condition:
        raise ProtocolError(f"malformed message: expected {expected}")


def require_bits(bits: Bits, count: int, expected: str) -> None:
    """Refuse anything but `count` bits."""
    flat = bits.dtype == np.uint8 and bits.shape == (count,)
    require(flat and int(bits.max(initial=0)) <= 1, expected)
