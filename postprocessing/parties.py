"""The two endpoints: small state machines that call the stages.

Each endpoint owns its record and knows nothing else but the public messages it receives. The
reference's outcomes of key rounds are the raw key; the corrector corrects its own towards them.

::

    corrector  RoundMarks                       where settings follow marks, sent with each herald
    both       SettingsAnnouncement            after the quantum phase
    corrector  ThinningCoins                   drawn only now; none where settings follow marks
    reference  DisclosedTests                  or Abort: too few test rounds
    corrector  DisclosedTests, Acceptance      the former for Rényi keys; abort: too many lost tests
    reference  Syndromes                       or Abort: leakage budget exceeded
    corrector  FrameStatus
    reference  DisclosedFrames, Verification   or Abort: leakage budget exceeded
    corrector  VerificationVerdict             abort: verification failed
    reference  AmplificationSeed               or Abort: no key length under this design
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from postprocessing.amplification import seed_length
from postprocessing.design import Design
from postprocessing.endpoint import Endpoint, Messages, require, require_bits
from postprocessing.errors import ProtocolError
from postprocessing.estimation import tally_tests
from postprocessing.messages import (
    Abort,
    Acceptance,
    AmplificationSeed,
    DisclosedFrames,
    DisclosedTests,
    FrameStatus,
    Message,
    RoundMarks,
    SettingsAnnouncement,
    Syndromes,
    ThinningCoins,
    Verification,
    VerificationVerdict,
)
from postprocessing.randomness import draw_bits, draw_coins
from postprocessing.reconciliation import (
    decode_frames,
    encode_frames,
    frame_count,
    in_frames,
    verification_tag,
)
from postprocessing.reconciliation.verification import SEED_BYTES
from postprocessing.rounds import Bits, LocalSettings, Party
from postprocessing.sifting import packed_settings, round_marks

TOO_FEW_TESTS = "too few test rounds"
TOO_MANY_LOST_TESTS = "too many lost tests"
LEAKAGE_BUDGET_EXCEEDED = "leakage budget exceeded"
VERIFICATION_FAILED = "verification failed"
NO_KEY_LENGTH = "no key length under this design"


class Reference(Endpoint):
    """The party whose key bits are the raw key."""

    _marks: Bits

    @staticmethod
    def _party_under(design: Design) -> Party:
        return design.settings.reference

    def _answer(self, message: Message) -> Messages:
        match message:
            case RoundMarks():
                self._marks, self._expected = np.array(message.marks), (SettingsAnnouncement,)
                return ()
            case SettingsAnnouncement():
                return self._take_peer_settings(message)
            case ThinningCoins():
                self._sift(message.coins)
                return self._disclose_tests()
            case DisclosedTests():
                return self._score(message)
            case Acceptance():
                return self._send_syndromes(message)
            case FrameStatus():
                return self._close_reconciliation(message)
            case VerificationVerdict():
                return self._conclude(message)
        raise ProtocolError(f"{self.party} cannot handle {type(message).__name__}")

    def _opening(self) -> tuple[type[Message], ...]:
        return (RoundMarks,) if self._follows_marks else (SettingsAnnouncement,)

    def _take_peer_settings(self, message: SettingsAnnouncement) -> Messages:
        if self._follows_marks:
            self._follow_marks(message, self._marks)
            return self._disclose_tests()
        self._take_settings(message)
        self._expected = (ThinningCoins,)
        return ()

    def _disclose_tests(self) -> Messages:
        """Publish the tests, and blur the key rounds by noise that nobody keeps."""
        if len(self.test_outcomes) < self._design.least_test_rounds:
            return self._give_up(TOO_FEW_TESTS)
        if self._design.noisy_preprocessing:
            noise = self._design.noisy_preprocessing
            self.key_bits ^= draw_coins(self._randomness.choices, self.key_rounds, noise)
        self._expected = (DisclosedTests if self._design.both_publish_tests else Acceptance,)
        return (DisclosedTests(self.test_outcomes),)

    def _score(self, message: DisclosedTests) -> Messages:
        """Score the game too, where both parties publish their outcomes."""
        peer = message.outcomes
        require_bits(peer, len(self.test_outcomes), "one outcome a test round")
        self.tally = tally_tests(self.test_outcomes, peer, self._winning_parities)
        self._expected = (Acceptance,)
        return ()

    def _send_syndromes(self, message: Acceptance) -> Messages:
        if self.tally is not None:
            accepts = self._design.accepts(self.tally.rounds, self.tally.lost)
            require(message.accepted == accepts, "the verdict that follows from the tests")
        if not message.accepted:
            self._abort(TOO_MANY_LOST_TESTS)
            return ()
        frames = frame_count(self._code, self.key_bits)
        to_come = frames * (self._code.syndrome_bits + 1) + self._plan.tag_bits + 1
        if self._over_budget(to_come):
            return self._give_up(LEAKAGE_BUDGET_EXCEEDED)
        syndromes = encode_frames(self._code, self.key_bits)
        self._expected = (FrameStatus,)
        return (Syndromes(syndromes, self._code.syndrome_bits),)

    def _close_reconciliation(self, message: FrameStatus) -> Messages:
        require_bits(message.failed, frame_count(self._code, self.key_bits), "one flag a frame")
        disclosed = self.key_bits[in_frames(message.failed == 1, self.key_rounds)]
        to_come = len(disclosed) + self._plan.tag_bits + 1
        if self._over_budget(to_come):
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

    corrected_errors: int | None = None
    frames: int = 0
    failed_frames: int = 0
    _uncorrected: Bits
    _failed: npt.NDArray[np.bool_]

    @staticmethod
    def _party_under(design: Design) -> Party:
        return design.settings.corrector

    def start(self) -> Messages:
        """Return the opening messages; the marks went out with the heralds, before the settings."""
        settings = super().start()
        return (RoundMarks(self._own_marks()), *settings) if self._follows_marks else settings

    def _own_marks(self) -> Bits:
        settings = packed_settings(self._record)
        return round_marks(self._design.settings, settings, len(self._record))

    def _answer(self, message: Message) -> Messages:
        match message:
            case SettingsAnnouncement():
                if self._follows_marks:
                    self._follow_marks(message, self._own_marks())
                    self._expected = (DisclosedTests, Abort)
                    return ()
                return self._throw_coins(message)
            case DisclosedTests():
                return self._score(message)
            case Syndromes():
                return self._decode(message)
            case DisclosedFrames():
                require_bits(message.bits, int(self._failed.sum()), "the failed frames' bits")
                self.key_bits[self._failed] = message.bits
                self._expected = (Verification, Abort)
                return ()
            case Verification():
                return self._verify(message)
            case AmplificationSeed():
                length = self._final_length()
                count = seed_length(len(self.key_bits), length)
                require_bits(message.seed, count, "a seed of the hash's length")
                self._amplify(message.seed, length)
                return ()
            case Abort():
                self._abort(message.reason)
                return ()
        raise ProtocolError(f"{self.party} cannot handle {type(message).__name__}")

    def _throw_coins(self, message: SettingsAnnouncement) -> Messages:
        """Thin the surplus rounds by coins drawn from fresh private randomness, only now."""
        self._take_settings(message)
        choice = self._design.local_settings
        assert isinstance(choice, LocalSettings)
        probability = choice.thinning_probability
        coins = draw_coins(self._randomness.choices, self._surplus_rounds, probability)
        self._sift(coins)
        self._expected = (DisclosedTests, Abort)
        return (ThinningCoins(coins),)

    def _score(self, message: DisclosedTests) -> Messages:
        own, peer = self.test_outcomes, message.outcomes
        require_bits(peer, len(own), "one outcome a test round")
        self.tally = tally_tests(own, peer, self._winning_parities)
        accepted = self._design.accepts(self.tally.rounds, self.tally.lost)
        self._expected = (Syndromes, Abort)
        if not accepted:
            self._abort(TOO_MANY_LOST_TESTS)
        verdict = Acceptance(accepted)
        return (DisclosedTests(own), verdict) if self._design.both_publish_tests else (verdict,)

    def _decode(self, message: Syndromes) -> Messages:
        self._uncorrected = self.key_bits
        shape = (frame_count(self._code, self.key_bits), -(-self._code.syndrome_bits // 8))
        right = message.syndromes.dtype == np.uint8 and message.syndromes.shape == shape
        require(right, "all syndromes")
        require(message.syndrome_bits == self._code.syndrome_bits, "the design's code")
        qber = self._design.key_error_rate
        decoded = decode_frames(self._code, self.key_bits, message.syndromes, qber, self._threads)
        self.key_bits = decoded.bits
        failed = decoded.failed.astype(np.uint8)
        self.frames, self.failed_frames = len(failed), int(failed.sum())
        self._failed = in_frames(decoded.failed, self.key_rounds)
        waits_for = DisclosedFrames if self.failed_frames else Verification
        self._expected = (waits_for, Abort)
        return (FrameStatus(failed),)

    def _verify(self, message: Verification) -> Messages:
        require(len(message.seed) == SEED_BYTES, "a seed of the tag's length")
        require(message.tag_bits == self._plan.tag_bits, "a tag of the design's length")
        tag = verification_tag(self.key_bits, message.seed, self._plan.tag_bits)
        matches = tag == message.tag
        if matches:
            self.corrected_errors = int(np.count_nonzero(self.key_bits != self._uncorrected))
            self._expected = (AmplificationSeed, Abort)
        else:
            self._abort(VERIFICATION_FAILED)
        return (VerificationVerdict(matches),)
