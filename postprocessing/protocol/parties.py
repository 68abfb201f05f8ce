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
    corrector  FrameStatus                     both again for frames that failed
    reference  DisclosedFrames, Verification   or Abort: leakage budget exceeded
    corrector  VerificationVerdict             abort: verification failed
    reference  AmplificationSeed               or Abort: no key length under this design
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from postprocessing.design.design import Design
from postprocessing.errors import ProtocolError
from postprocessing.protocol.endpoint import Endpoint, Messages, require, require_bits
from postprocessing.protocol.messages import (
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
from postprocessing.protocol.randomness import draw_coins
from postprocessing.reconciliation import (
    Frames,
    collect,
    deal,
    decode,
    encode,
    verification_tag,
)
from postprocessing.reconciliation.frames import whole_words
from postprocessing.reconciliation.verification import SEED_BYTES
from postprocessing.scheme import Bits, LocalSettings, Party
from postprocessing.sifting.sift import packed_settings, round_marks
from postprocessing.testing import tally_tests

Indices = npt.NDArray[np.intp]
Octets = npt.NDArray[np.uint8]

TOO_FEW_TESTS = "too few test rounds"
TOO_MANY_LOST_TESTS = "too many lost tests"
LEAKAGE_BUDGET_EXCEEDED = "leakage budget exceeded"
VERIFICATION_FAILED = "verification failed"
NO_KEY_LENGTH = "no key length under this design"


class Reference(Endpoint):
    """The party whose key bits are the raw key."""

    _marks: Bits
    # Those that the corrector has not decoded, and how many attempts it had.
    _frames: Frames
    _attempts = 0

    @staticmethod
    def _party_under(design: Design) -> Party:
        return design.scheme.reference

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
                return self._take_status(message)
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
            coins = draw_coins(self._randomness.choices, self.key_rounds, noise)
            self.key_words ^= whole_words(np.packbits(coins, bitorder="little"))
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
        self._frames = deal(self.key_words, self.key_rounds, self._rates)
        return self._next_syndromes()

    def _next_syndromes(self) -> Messages:
        """Send what the next attempt adds for the frames that are left."""
        bits = self._rates.syndrome_bits(self._attempts)
        if not self._affords(len(self._frames) * (bits + 1)):
            return self._give_up(LEAKAGE_BUDGET_EXCEEDED)
        syndromes = encode(self._rates, self._frames, self._attempts)
        self._attempts += 1
        self._expected = (FrameStatus,)
        return (Syndromes(syndromes, bits),)

    def _take_status(self, message: FrameStatus) -> Messages:
        require_bits(message.failed, len(self._frames), "one flag a frame")
        self._frames = self._frames.chosen(message.failed == 1)
        if len(self._frames) and self._attempts < self._rates.steps:
            return self._next_syndromes()
        disclosed = self._frames.bits()
        if not self._affords(len(disclosed)):
            return self._give_up(LEAKAGE_BUDGET_EXCEEDED)
        seed = self._randomness.hash_seeds(SEED_BYTES)
        tag = verification_tag(self.key_words, seed, self._plan.tag_bits)
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
        seed = self._randomness.hash_seeds(self._seed_bytes(length))
        self._amplify(seed, length)
        return (AmplificationSeed(seed),)

    def _affords(self, bits: int) -> bool:
        """Tell whether the budget has room for so many bits beside the tag and its verdict."""
        return not self._over_budget(bits + self._plan.tag_bits + 1)

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
    # Decoded frames, those that are left by index, and what was sent for these.
    _frames: Frames
    _left: Indices
    _syndromes: Octets
    _attempts = 0

    @staticmethod
    def _party_under(design: Design) -> Party:
        return design.scheme.corrector

    def start(self) -> Messages:
        """Return the opening messages; the marks went out with the heralds, before the settings."""
        settings = super().start()
        return (RoundMarks(self._own_marks()), *settings) if self._follows_marks else settings

    def _own_marks(self) -> Bits:
        settings = packed_settings(self._record)
        return round_marks(self._design.scheme, settings, len(self._record))

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
                return self._take_disclosed(message)
            case Verification():
                return self._verify(message)
            case AmplificationSeed():
                length = self._final_length()
                right = len(message.seed) == self._seed_bytes(length)
                require(right, "a seed of the hash's length")
                self._amplify(message.seed, length)
                return ()
            case Abort():
                self._abort(message.reason)
                return ()
        raise ProtocolError(f"{self.party} cannot handle {type(message).__name__}")

    def _throw_coins(self, message: SettingsAnnouncement) -> Messages:
        """Thin the surplus rounds by coins drawn from fresh private randomness, only now."""
        self._take_settings(message)
        choice = self._design.setting_choice
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
        if not self._attempts:
            self._frames = deal(self.key_words, self.key_rounds, self._rates)
            self._left, self.frames = np.arange(len(self._frames)), len(self._frames)
            self._syndromes = np.empty((self.frames, 0), np.uint8)
        bits = self._rates.syndrome_bits(self._attempts)
        shape = (len(self._left), bits // 8)
        right = message.syndromes.dtype == np.uint8 and message.syndromes.shape == shape
        require(right, "all syndromes")
        require(message.syndrome_bits == bits, "the design's code")
        self._syndromes = np.hstack([self._syndromes, message.syndromes])
        qber, attempt = self._design.key_error_rate, self._attempts
        left = self._frames.chosen(self._left)
        decoded = decode(self._rates, left, self._syndromes, qber, attempt, self._threads)
        self._frames.words[self._left] = decoded.frames.words
        self._left, self._syndromes = self._left[decoded.failed], self._syndromes[decoded.failed]
        self._attempts += 1
        self.failed_frames = len(self._left)
        if not self.failed_frames:
            waits_for: type[Message] = Verification
        else:
            waits_for = Syndromes if self._attempts < self._rates.steps else DisclosedFrames
        self._expected = (waits_for, Abort)
        return (FrameStatus(decoded.failed.astype(np.uint8)),)

    def _take_disclosed(self, message: DisclosedFrames) -> Messages:
        left = self._frames.chosen(self._left)
        require_bits(message.bits, int(left.lengths.sum()), "the failed frames' bits")
        self._frames.words[self._left] = left.filled(message.bits).words
        self._expected = (Verification, Abort)
        return ()

    def _verify(self, message: Verification) -> Messages:
        require(len(message.seed) == SEED_BYTES, "a seed of the tag's length")
        require(message.tag_bits == self._plan.tag_bits, "a tag of the design's length")
        corrected = collect(self._frames)
        tag = verification_tag(corrected, message.seed, self._plan.tag_bits)
        matches = tag == message.tag
        if matches:
            self.corrected_errors = int(np.bitwise_count(corrected ^ self.key_words).sum())
            self.key_words = corrected
            self._expected = (AmplificationSeed, Abort)
        else:
            self._abort(VERIFICATION_FAILED)
        return (VerificationVerdict(matches),)
