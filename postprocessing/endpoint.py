"""What both endpoints share: one record, the public messages, and the state between them."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from postprocessing.amplification import toeplitz_hash
from postprocessing.design import Design
from postprocessing.errors import InvalidArgumentError, ProtocolError
from postprocessing.messages import Message, SettingsAnnouncement
from postprocessing.randomness import PartyRandomness
from postprocessing.reconciliation import get_code
from postprocessing.rounds import Bits, Party, PartyRecord
from postprocessing.sifting import KEY, TEST, RoundKinds, classify, sifted_outcomes, thin

MALFORMED_MESSAGE = "malformed message"

# More would wait for memory.
_THREADS = min(8, os.cpu_count() or 1)

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

    Raises
    ------
    InvalidArgumentError
        If the record does not have the number of rounds of the design or holds a setting that the
        scheme does not have, or if the design has no key.
    """

    def __init__(self, record: PartyRecord, design: Design, randomness: PartyRandomness) -> None:
        if len(record) != design.heralded_rounds:
            allowed = f"of the design's {design.heralded_rounds} heralded rounds"
            raise InvalidArgumentError("record", len(record), allowed)
        if design.leakage is None:
            qber = design.expected_qber
            raise InvalidArgumentError("design", f"QBER {qber:.3g}", "one whose QBER has a code")
        record.check(design.settings, self._party_under(design))
        self.result: PartyResult | None = None
        self.leaked_bits = 0
        self.round_kinds: RoundKinds = np.empty(0, np.uint8)
        self.key_bits: Bits = np.empty(0, np.uint8)
        self._record = record
        self._design = design
        self._plan = design.leakage
        self._code = get_code(design.leakage.code)
        self._randomness = randomness
        self._outcomes = sifted_outcomes(design.settings, self.party, record)
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
        self._started, self._expected = True, (SettingsAnnouncement,)
        return self._send(SettingsAnnouncement(self._record.settings, self._design.fingerprint()))

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

    @abstractmethod
    def _answer(self, message: Message) -> Messages:
        """Act on an expected message."""

    def _send(self, *messages: Message) -> Messages:
        self.leaked_bits += sum(message.leaked_bits for message in messages)
        return messages

    def _abort(self, reason: str) -> None:
        self.key_bits = np.empty(0, np.uint8)
        self.result = PartyResult(key=None, abort_reason=reason)

    def _classify(self, message: SettingsAnnouncement) -> tuple[RoundKinds, npt.NDArray[np.intp]]:
        """Classify the rounds, before thinning, from both parties' settings."""
        own, peer = self._record.settings, message.settings
        other: Party = "bob" if self.party == "alice" else "alice"
        known = len(self._design.settings.labels(other))
        require(message.design_sha256 == self._design.fingerprint(), "the same design")
        require(peer.dtype == np.uint8 and peer.shape == own.shape, "one setting a round")
        require(int(peer.max(initial=0)) < known, "settings of the scheme")
        x, y = (own, peer) if self.party == "alice" else (peer, own)
        return classify(self._design.settings, x, y)

    def _sift(self, kinds: RoundKinds, surplus: npt.NDArray[np.intp], coins: Bits) -> None:
        """Settle which rounds are key and test, and take out the key bits."""
        require_bits(coins, len(surplus), "one coin a surplus round")
        self.round_kinds = thin(kinds, surplus, coins)
        self.key_bits = self._outcomes[self.round_kinds == KEY]

    def _amplify(self, seed: Bits, length: int) -> None:
        """Hash the corrected string into the key."""
        bits = toeplitz_hash(self.key_bits, seed, length, threads=_THREADS)
        self.result = PartyResult(key=np.packbits(bits).tobytes(), abort_reason=None)

    def _final_length(self) -> int:
        tests = int(np.count_nonzero(self.round_kinds == TEST))
        return self._design.final_key_length(len(self.key_bits), tests, self.leaked_bits)


def require(condition: bool, expected: str) -> None:
    """Refuse a message of the wrong shape."""
    if not condition:
        raise ProtocolError(f"malformed message: expected {expected}")


def require_bits(bits: Bits, count: int, expected: str) -> None:
    """Refuse anything but `count` bits."""
    flat = bits.dtype == np.uint8 and bits.shape == (count,)
    require(flat and int(bits.max(initial=0)) <= 1, expected)
