"""The steps of both scripts that are more than a line: pure functions, and what they refuse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from postprocessing.amplification import seed_length, toeplitz_hash_packed
from postprocessing.bits import PackedBits
from postprocessing.design.design import Design
from postprocessing.errors import ProtocolError
from postprocessing.protocol.abort_reasons import (
    COINS_NOT_AS_DESIGNED,
    SETTINGS_NOT_AS_DESIGNED,
    TOO_FEW_TESTS,
)
from postprocessing.protocol.messages import (
    Acceptance,
    DisclosedFrames,
    DisclosedTests,
    SettingsAnnouncement,
    Syndromes,
    Verification,
)
from postprocessing.protocol.randomness import draw_coins
from postprocessing.protocol.script import PartyResult, Side, SilentEndError
from postprocessing.reconciliation import Ascent, Correction, Frames, verification_tag
from postprocessing.reconciliation.verification import SEED_BYTES
from postprocessing.scheme import AnnouncedMarks, LocalSettings
from postprocessing.sifting.sift import (
    SiftedRounds,
    count_pairs,
    count_surplus,
    packed_settings,
    round_marks,
    sift,
)
from postprocessing.testing import GameTally, tally_tests

# More would wait for memory.
_MOST_HASHING_THREADS = 8


def require(condition: bool, expected: str) -> None:
    """Refuse a message of the wrong shape."""
    if not condition:
        raise ProtocolError(f"malformed message: expected {expected}")


def require_bits(bits: PackedBits, count: int, expected: str) -> None:
    """Refuse anything but `count` bits."""
    require(isinstance(bits, PackedBits) and len(bits) == count, expected)


def follows_marks(design: Design) -> bool:
    """Tell whether settings follow marks that were announced."""
    return isinstance(design.setting_choice, AnnouncedMarks)


def announcement(side: Side) -> SettingsAnnouncement:
    """Return the announcement of a party's settings."""
    return SettingsAnnouncement(packed_settings(side.record), side.design.fingerprint())


def own_marks(side: Side) -> PackedBits:
    """Return the marks that the corrector's settings follow, on its own side."""
    return round_marks(side.design.scheme, packed_settings(side.record), len(side.record))


@dataclass(frozen=True, eq=False)
class PeerSettings:
    """What the peer has announced, and what follows from it.

    Parameters
    ----------
    packed : ndarray of uint8, shape (⌈n/4⌉,)
        The peer's settings, four to a byte.
    surplus_rounds : int
        Rounds that await a coin: the corrector tests, the reference has its key setting.
    """

    packed: npt.NDArray[np.uint8]
    surplus_rounds: int


def peer_settings(side: Side, message: SettingsAnnouncement) -> PeerSettings:
    """Return the peer's settings, if they are settings of the scheme under the same design.

    Ends the script where some pair of settings is not as frequent as the design has it.
    """
    # A copy: what is counted now and what is sifted later must be the same.
    settings, rounds = np.array(message.settings, order="C"), len(side.record)
    require(message.design_sha256 == side.design.fingerprint(), "the same design")
    packed = settings.dtype == np.uint8 and settings.shape == (-(-rounds // 4),)
    require(packed, "one setting a round")
    scheme, pairs = side.design.scheme, count_pairs(side.party, side.record, settings)
    known = pairs[: len(scheme.alice_labels), : len(scheme.bob_labels)]
    require(known.sum() == rounds, "settings of the scheme")
    if not side.design.settings_as_designed(known):
        # The peer counts the same settings, and stops too.
        raise SilentEndError(PartyResult().aborted(SETTINGS_NOT_AS_DESIGNED))
    return PeerSettings(settings, count_surplus(scheme, pairs))


def thinning_coins(side: Side, peer: PeerSettings) -> PackedBits:
    """Draw the corrector's coins for the surplus rounds from fresh private randomness."""
    choice = side.design.setting_choice
    assert isinstance(choice, LocalSettings)
    source = side.randomness.choices
    return draw_coins(source, peer.surplus_rounds, choice.thinning)


def sift_by_coins(side: Side, peer: PeerSettings, coins: PackedBits) -> SiftedRounds:
    """Settle which rounds are key and test by the corrector's coins."""
    require_bits(coins, peer.surplus_rounds, "one coin a surplus round")
    return sift(side.design.scheme, side.party, side.record, peer.packed, coins)


def sift_by_marks(side: Side, peer: PeerSettings, marks: PackedBits) -> SiftedRounds:
    """Settle which rounds are key and test where settings follow marks: none is discarded."""
    scheme, rounds = side.design.scheme, len(side.record)
    require_bits(marks, rounds, "settings of the marks")
    is_own = side.party == scheme.corrector
    corrector_settings = packed_settings(side.record) if is_own else peer.packed
    follow = round_marks(scheme, corrector_settings, rounds) == marks
    require(follow, "settings of the marks")
    coins = PackedBits.from_bits(np.ones(peer.surplus_rounds, np.uint8))
    sifted = sift(scheme, side.party, side.record, peer.packed, coins)
    require(sifted.key_rounds + sifted.test_rounds == rounds, "settings of the marks")
    return sifted


def objection(design: Design, sifted: SiftedRounds, drawn: PackedBits) -> str | None:
    """Return what tests, and coins drawn for them, say against going on, before any outcome."""
    if sifted.test_rounds < design.least_test_rounds:
        return TOO_FEW_TESTS
    if not follows_marks(design) and not design.coins_as_designed(drawn.ones, len(drawn)):
        return COINS_NOT_AS_DESIGNED
    return None


def score(sifted: SiftedRounds, message: DisclosedTests) -> GameTally:
    """Score the CHSH game by one's own outcomes and the peer's."""
    require_bits(message.outcomes, sifted.test_rounds, "one outcome a test round")
    own, kinds = sifted.test_outcomes, sifted.at_key_setting
    return tally_tests(own, message.outcomes, sifted.winning_parities, kinds)


def check_verdict(design: Design, tally: GameTally | None, message: Acceptance) -> None:
    """Refuse a verdict on the test other than what follows where both know the score."""
    if tally is not None:
        accepts = design.accepts(tally)
        require(message.accepted == accepts, "the verdict that follows from the tests")


def blurred(side: Side, key: PackedBits) -> PackedBits:
    """Return the reference's key bits under noise that nobody keeps."""
    noise = side.design.noisy_preprocessing
    return key ^ draw_coins(side.randomness.choices, len(key), noise) if noise else key


def decode_further(
    side: Side, correction: Correction | Ascent, message: Syndromes, attempt: int
) -> tuple[Correction | Ascent, PackedBits]:
    """Decode what is left by the syndromes that an attempt adds; flag what has failed."""
    bits, given = correction.adaptation.syndrome_bits(attempt), message.syndromes
    right = given.dtype == np.uint8 and given.shape == (len(correction.left), -(-bits // 8))
    require(right, "all syndromes")
    require(message.syndrome_bits == bits, "the design's code")
    require(
        not bits % 8 or not (given[:, -1] >> bits % 8).any(), "zeros after the last syndrome bit"
    )
    return correction.further(given, attempt, side.threads)


def fill_in(correction: Correction | Ascent, message: DisclosedFrames) -> Frames:
    """Return all frames, those that are left as the reference has disclosed them."""
    require_bits(message.bits, correction.bits_left, "the failed frames' bits")
    return correction.filled_in(message.bits)


def tagged(side: Side, key: PackedBits) -> Verification:
    """Return the reference's tag of its string under a fresh seed."""
    seed, tag_bits = side.randomness.hash_seeds(SEED_BYTES), side.budget.tag_bits
    return Verification(seed, verification_tag(key, seed, tag_bits), tag_bits)


def tag_matches(side: Side, corrected: PackedBits, message: Verification) -> bool:
    """Tell whether the corrected string has the reference's tag."""
    tag_bits = side.budget.tag_bits
    require(len(message.seed) == SEED_BYTES, "a seed of the tag's length")
    require(message.tag_bits == tag_bits, "a tag of the design's length")
    return verification_tag(corrected, message.seed, tag_bits) == message.tag


def final_length(
    design: Design, sifted: SiftedRounds, tally: GameTally | None, leaked_bits: int
) -> int:
    """Return the length of the key in bits; the score is the corrector's, or of both."""
    tests = tally or GameTally(sifted.test_rounds, 0)
    return design.final_key_length(sifted.key_rounds, tests, leaked_bits)


def seed_bytes(key: PackedBits, length: int) -> int:
    """Return the number of bytes of the seed that hashes the key rounds to `length` bits."""
    return -(-seed_length(len(key), length) // 8)


def amplified(side: Side, key: PackedBits, seed: bytes, length: int) -> bytes:
    """Hash the corrected string into the key."""
    threads = min(side.threads, _MOST_HASHING_THREADS)
    bits = PackedBits.from_bytes(seed, seed_length(len(key), length))
    return toeplitz_hash_packed(key, bits, length, threads=threads).to_bytes()
