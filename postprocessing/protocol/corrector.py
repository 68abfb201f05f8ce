"""The corrector's side: the party that corrects its key bits towards the reference's."""

from __future__ import annotations

from dataclasses import replace

from postprocessing.protocol.abort_reasons import TOO_MANY_LOST_TESTS, VERIFICATION_FAILED
from postprocessing.protocol.ledger import Ledger
from postprocessing.protocol.messages import (
    Acceptance,
    AmplificationSeed,
    DisclosedFrames,
    DisclosedTests,
    FrameStatus,
    RoundMarks,
    SettingsAnnouncement,
    Syndromes,
    ThinningCoins,
    Verification,
    VerificationVerdict,
)
from postprocessing.protocol.script import PartyResult, Script, Side, expect, expect_or_end
from postprocessing.protocol.steps import (
    amplified,
    announcement,
    decode_further,
    fill_in,
    final_length,
    follows_marks,
    own_marks,
    peer_settings,
    require,
    score,
    seed_bytes,
    sift_by_coins,
    sift_by_marks,
    tag_matches,
    thinning_coins,
)
from postprocessing.reconciliation import begin_correction, collect


def corrector(side: Side, ledger: Ledger) -> Script:
    """Play the corrector, from the end of the quantum phase to the key."""
    design = side.design
    if follows_marks(design):
        # They went out with the heralds, before the settings.
        yield RoundMarks(own_marks(side))
    yield announcement(side)
    peer = peer_settings(side, (yield from expect(SettingsAnnouncement)))
    if follows_marks(design):
        sifted = sift_by_marks(side, peer, own_marks(side))
    else:
        coins = thinning_coins(side, peer)
        sifted = sift_by_coins(side, peer, coins)
        yield ThinningCoins(coins)
    result = PartyResult(key_rounds=sifted.key_rounds, test_rounds=sifted.test_rounds)

    tally = score(sifted, (yield from expect_or_end(DisclosedTests, result)))
    result = replace(result, tally=tally)
    if design.both_publish_tests:
        yield DisclosedTests(sifted.test_outcomes)
    accepted = design.accepts(tally)
    yield Acceptance(accepted)
    if not accepted:
        return result.aborted(TOO_MANY_LOST_TESTS)

    rates = side.budget.reconciliation
    correction = begin_correction(sifted.key_bits, rates, design.key_error_rate)
    for attempt in range(rates.steps):
        syndromes = yield from expect_or_end(Syndromes, result)
        correction, failed = decode_further(side, correction, syndromes, attempt)
        result = replace(result, frames=len(correction.frames), failed_frames=failed.ones)
        yield FrameStatus(failed)
        if not failed.ones:
            frames = correction.frames
            break
    else:
        frames = fill_in(correction, (yield from expect_or_end(DisclosedFrames, result)))

    verification = yield from expect_or_end(Verification, result)
    corrected = collect(frames)
    matches = tag_matches(side, corrected, verification)
    yield VerificationVerdict(matches)
    if not matches:
        return result.aborted(VERIFICATION_FAILED)
    result = replace(result, corrected_errors=(corrected ^ sifted.key_bits).ones)

    seed = (yield from expect_or_end(AmplificationSeed, result)).seed
    length = final_length(design, sifted, tally, ledger.leaked_bits)
    require(length > 0, "no seed without a key length")
    require(len(seed) == seed_bytes(corrected, length), "a seed of the hash's length")
    return replace(result, key=amplified(side, corrected, seed, length))
