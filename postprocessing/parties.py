"""The two endpoints: small state machines that call the stages.

Each endpoint owns its record and knows nothing else but the public messages it receives. The
reference's outcomes of key rounds are the raw key; the corrector corrects its own towards them.

::

    both       SettingsAnnouncement            after the quantum phase
    corrector  ThinningCoins                   drawn only now
    reference  DisclosedTests                  or Abort: too few test rounds
    corrector  Acceptance                      abort: too many lost tests
    reference  Syndromes                       or Abort: leakage budget exceeded
    corrector  FrameStatus
    reference  DisclosedFrames, Verification   or Abort: leakage budget exceeded
    corrector  VerificationVerdict             abort: verification failed
    reference  AmplificationSeed               or Abort: no key length under this design
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from postprocessing.amplification import seed_length, toeplitz_hash
from postprocessing.design import Design
from postprocessing.errors import InvalidArgumentError, ProtocolError
from postprocessing.estimation import GameTally, tally_tests
from postprocessing.messages import (
    Abort,
    Acceptance,
    AmplificationSeed,
    DisclosedFrames,
    DisclosedTests,
    FrameStatus,
    Message,
    SettingsAnnouncement,
    Syndromes,
    ThinningCoins,
    Verification,
    VerificationVerdict,
)
from postprocessing.randomness import PartyRandomness, draw_bits, draw_coins
from postprocessing.reconciliation import (
    decode_frames,
    encode_frames,
    frame_count,
    get_code,
    verification_tag,
)
from postprocessing.reconciliation.verification import SEED_BYTES
from postprocessing.rounds import Bits, Party, PartyRecord
from postprocessing.sifting import KEY, TEST, RoundKinds, classify, sifted_outcomes, thin

MALFORMED_MESSAGE = "malformed message"
TOO_FEW_TESTS = "too few test rounds"
TOO_MANY_LOST_TESTS = "too many lost tests"
LEAKAGE_BUDGET_EXCEEDED = "leakage budget exceeded"
VERIFICATION_FAILED = "verification failed"
NO_KEY_LENGTH = "no key length under this design"

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
            If the message is out of order or malformed; the endpoint has then aborted.
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
        _require(message.design_sha256 == self._design.fingerprint(), "the same design")
        _require(peer.dtype == np.uint8 and peer.shape == own.shape, "one setting a round")
        _require(int(peer.max(initial=0)) < known, "settings of the scheme")
        x, y = (own, peer) if self.party == "alice" else (peer, own)
        return classify(self._design.settings, x, y)

    def _sift(self, kinds: RoundKinds, surplus: npt.NDArray[np.intp], coins: Bits) -> None:
        """Settle which rounds are key and test, and take out the key bits."""
        _require_bits(coins, len(surplus), "one coin a surplus round")
        self.round_kinds = thin(kinds, surplus, coins)
        self.key_bits = self._outcomes[self.round_kinds == KEY]

    def _amplify(self, seed: Bits, length: int) -> None:
        """Hash the corrected string into the key."""
        bits = toeplitz_hash(self.key_bits, seed, length)
        self.result = PartyResult(key=np.packbits(bits).tobytes(), abort_reason=None)

    def _final_length(self) -> int:
        tests = int(np.count_nonzero(self.round_kinds == TEST))
        return self._design.final_key_length(len(self.key_bits), tests, self.leaked_bits)


class Reference(Endpoint):
    """The party whose key bits are the raw key."""

    _kinds: RoundKinds
    _surplus: npt.NDArray[np.intp]

    @staticmethod
    def _party_under(design: Design) -> Party:
        return design.settings.reference

    def _answer(self, message: Message) -> Messages:
        match message:
            case SettingsAnnouncement():
                self._kinds, self._surplus = self._classify(message)
                self._expected = (ThinningCoins,)
                return ()
            case ThinningCoins():
                return self._disclose_tests(message)
            case Acceptance():
                return self._send_syndromes(message)
            case FrameStatus():
                return self._close_reconciliation(message)
            case VerificationVerdict():
                return self._conclude(message)
        raise ProtocolError(f"{self.party} cannot handle {type(message).__name__}")

    def _disclose_tests(self, message: ThinningCoins) -> Messages:
        self._sift(self._kinds, self._surplus, message.coins)
        tests = self._outcomes[self.round_kinds == TEST]
        if len(tests) < self._design.least_test_rounds:
            return self._give_up(TOO_FEW_TESTS)
        self._expected = (Acceptance,)
        return (DisclosedTests(tests),)

    def _send_syndromes(self, message: Acceptance) -> Messages:
        if not message.accepted:
            self._abort(TOO_MANY_LOST_TESTS)
            return ()
        frames = frame_count(self._code, self.key_bits)
        to_come = frames * (self._code.syndrome_bits + 1) + self._plan.tag_bits + 1
        if self.leaked_bits + to_come > self._design.leakage_budget_bits:
            return self._give_up(LEAKAGE_BUDGET_EXCEEDED)
        syndromes = encode_frames(self._code, self.key_bits)
        self._expected = (FrameStatus,)
        return (Syndromes(syndromes, self._code.syndrome_bits),)

    def _close_reconciliation(self, message: FrameStatus) -> Messages:
        _require_bits(message.failed, frame_count(self._code, self.key_bits), "one flag a frame")
        disclosed = self.key_bits[_frame_mask(message.failed, self._code.frame_bits, self.key_bits)]
        to_come = len(disclosed) + self._plan.tag_bits + 1
        if self.leaked_bits + to_come > self._design.leakage_budget_bits:
            return self._give_up(LEAKAGE_BUDGET_EXCEEDED)
        seed = self._randomness.hash_seeds(SEED_BYTES)
        tag = verification_tag(self.key_bits, seed, self._plan.tag_bits)
        self._expected = (VerificationVerdict,)
        verification = Verification(seed, tag, self._plan.tag_bits)
        return (DisclosedFrames(disclosed), verification) if len(disclosed) else (verification,)

    def _conclude(self, message: VerificationVerdict) -> Messages:
        if not message.matches:
            self._abort(VERIFICATION_FAILED)
            return ()
        length = self._final_length()
        if length == 0:
            return self._give_up(NO_KEY_LENGTH)
        count = seed_length(len(self.key_bits), length)
        seed = draw_bits(self._randomness.hash_seeds, count)
        self._amplify(seed, length)
        return (AmplificationSeed(seed),)

    def _give_up(self, reason: str) -> Messages:
        self._abort(reason)
        return (Abort(reason),)


class Corrector(Endpoint):
    """The party that corrects its key bits towards the reference's.

    Attributes
    ----------
    tally : GameTally or None
        Score of the CHSH game, which only the corrector knows.
    corrected_errors : int or None
        Key bits that differed from the reference's, known after verification.
    frames, failed_frames : int
        Frames reconciled, and those that had to be disclosed.
    """

    tally: GameTally | None = None
    corrected_errors: int | None = None
    frames: int = 0
    failed_frames: int = 0
    _peer_settings: Bits
    _uncorrected: Bits
    _failed: npt.NDArray[np.bool_]

    @staticmethod
    def _party_under(design: Design) -> Party:
        return design.settings.corrector

    def _answer(self, message: Message) -> Messages:
        match message:
            case SettingsAnnouncement():
                return self._throw_coins(message)
            case DisclosedTests():
                return self._score(message)
            case Syndromes():
                return self._decode(message)
            case DisclosedFrames():
                _require_bits(message.bits, int(self._failed.sum()), "the failed frames' bits")
                self.key_bits[self._failed] = message.bits
                self._expected = (Verification, Abort)
                return ()
            case Verification():
                return self._verify(message)
            case AmplificationSeed():
                length = self._final_length()
                count = seed_length(len(self.key_bits), length)
                _require_bits(message.seed, count, "a seed of the hash's length")
                self._amplify(message.seed, length)
                return ()
            case Abort():
                self._abort(message.reason)
                return ()
        raise ProtocolError(f"{self.party} cannot handle {type(message).__name__}")

    def _throw_coins(self, message: SettingsAnnouncement) -> Messages:
        """Thin the surplus rounds by coins drawn from fresh private randomness, only now."""
        self._peer_settings = message.settings
        kinds, surplus = self._classify(message)
        probability = self._design.local_settings.thinning_probability
        coins = draw_coins(self._randomness.choices, len(surplus), probability)
        self._sift(kinds, surplus, coins)
        self._expected = (DisclosedTests, Abort)
        return (ThinningCoins(coins),)

    def _score(self, message: DisclosedTests) -> Messages:
        tests = self.round_kinds == TEST
        own, own_outcomes = self._record.settings[tests], self._outcomes[tests]
        _require_bits(message.outcomes, len(own), "one outcome a test round")
        peer = self._peer_settings[tests]
        x, a, y, b = own, own_outcomes, peer, message.outcomes
        if self.party == "bob":
            x, a, y, b = peer, message.outcomes, own, own_outcomes
        self.tally = tally_tests(self._design.settings, x, y, a, b)
        accepted = self.tally.lost <= self._design.tolerated_test_losses
        self._expected = (Syndromes, Abort)
        if not accepted:
            self._abort(TOO_MANY_LOST_TESTS)
        return (Acceptance(accepted),)

    def _decode(self, message: Syndromes) -> Messages:
        self._uncorrected = self.key_bits
        shape = (frame_count(self._code, self.key_bits), -(-self._code.syndrome_bits // 8))
        right = message.syndromes.dtype == np.uint8 and message.syndromes.shape == shape
        _require(right, "all syndromes")
        _require(message.syndrome_bits == self._code.syndrome_bits, "the design's code")
        qber = self._design.expected_qber
        decoded = decode_frames(self._code, self.key_bits, message.syndromes, qber)
        self.key_bits = decoded.bits
        failed = decoded.failed.astype(np.uint8)
        self.frames, self.failed_frames = len(failed), int(failed.sum())
        self._failed = _frame_mask(failed, self._code.frame_bits, self.key_bits)
        waits_for = DisclosedFrames if self.failed_frames else Verification
        self._expected = (waits_for, Abort)
        return (FrameStatus(failed),)

    def _verify(self, message: Verification) -> Messages:
        _require(len(message.seed) == SEED_BYTES, "a seed of the tag's length")
        _require(message.tag_bits == self._plan.tag_bits, "a tag of the design's length")
        tag = verification_tag(self.key_bits, message.seed, self._plan.tag_bits)
        matches = tag == message.tag
        if matches:
            self.corrected_errors = int(np.count_nonzero(self.key_bits != self._uncorrected))
            self._expected = (AmplificationSeed, Abort)
        else:
            self._abort(VERIFICATION_FAILED)
        return (VerificationVerdict(matches),)


def _frame_mask(failed: Bits, frame_bits: int, bits: Bits) -> npt.NDArray[np.bool_]:
    """Mark the positions of the string that lie in failed frames."""
    return np.repeat(failed.astype(bool), frame_bits)[: len(bits)]


def _require(condition: bool, expected: str) -> None:
    """Refuse a message of the wrong shape."""
    if not condition:
        raise ProtocolError(f"malformed message: expected {expected}")


def _require_bits(bits: Bits, count: int, expected: str) -> None:
    """Refuse anything but `count` bits."""
    flat = bits.dtype == np.uint8 and bits.shape == (count,)
    _require(flat and int(bits.max(initial=0)) <= 1, expected)
