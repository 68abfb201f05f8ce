"""The reference's side: the party whose outcomes of key rounds are the raw key."""

from __future__ import annotations

from dataclasses import replace

from postprocessing.protocol.abort_reasons import (
    LEAKAGE_BUDGET_EXCEEDED,
    NO_KEY_LENGTH,
    TOO_MANY_LOST_TESTS,
    VERIFICATION_FAILED,
)
from postprocessing.protocol.ledger import Ledger
from postprocessing.protocol.messages import (
    Abort,
    Acceptance,
    AmplificationSeed,
    DisclosedFrames,
    DisclosedTests,
    FrameStatus,
    RoundMarks,
    SettingsAnnouncement,
    Syndromes,
    ThinningCoins,
    VerificationVerdict,
)
from postprocessing.protocol.script import PartyResult, Script, Side, expect
from postprocessing.protocol.steps import (
    amplified,
    announcement,
    blurred,
    check_verdict,
    final_length,
    follows_marks,
    objection,
    peer_settings,
    require_bits,
    score,
    seed_bytes,
    sift_by_coins,
    sift_by_marks,
    tagged,
)
from postprocessing.reconciliation import deal, encode


def reference(side: Side, ledger: Ledger) -> Script:
    """Play the reference, from the end of the quantum phase to the key."""
    design, rates = side.design, side.budget.reconciliation
    yield announcement(side)
    marks = (yield from expect(RoundMarks)).marks.copy() if follows_marks(design) else None
    peer = peer_settings(side, (yield from expect(SettingsAnnouncement)))
    drawn = marks if marks is not None else (yield from expect(ThinningCoins)).coins
    sifted = (sift_by_coins if marks is None else sift_by_marks)(side, peer, drawn)
    result = PartyResult(key_rounds=sifted.key_rounds, test_rounds=sifted.test_rounds)
    if (reason := objection(design, sifted, drawn)) is not None:
        return (yield from _give_up(result, reason))

    key = blurred(side, sifted.key_bits)
    yield DisclosedTests(sifted.test_outcomes)
    if design.both_publish_tests:
        result = replace(result, tally=score(sifted, (yield from expect(DisclosedTests))))
    verdict = yield from expect(Acceptance)
    check_verdict(design, result.tally, verdict)
    if not verdict.accepted:
        return result.aborted(TOO_MANY_LOST_TESTS)

    # The tag and its verdict are to come in any case.
    closing = side.budget.tag_bits + 1
    left = deal(key, rates)
    for attempt in range(rates.steps):
        bits = rates.syndrome_bits(attempt)
        if not ledger.affords(len(left) * (bits + 1) + closing, sifted.test_rounds):
            return (yield from _give_up(result, LEAKAGE_BUDGET_EXCEEDED))
        yield Syndromes(encode(rates, left, attempt), bits)
        failed = (yield from expect(FrameStatus)).failed
        require_bits(failed, len(left), "one flag a frame")
        left = left.chosen(failed.to_bits() == 1)
        if not len(left):
            break
    disclosed = left.bits()
    if not ledger.affords(len(disclosed) + closing, sifted.test_rounds):
        return (yield from _give_up(result, LEAKAGE_BUDGET_EXCEEDED))
    if len(disclosed):
        yield DisclosedFrames(disclosed)

    yield tagged(side, key)
    if not (yield from expect(VerificationVerdict)).matches:
        return result.aborted(VERIFICATION_FAILED)

    length = final_length(design, sifted, result.tally, ledger.leaked_bits)
    if length == 0:
        return (yield from _give_up(result, NO_KEY_LENGTH))
    seed = side.randomness.hash_seeds(seed_bytes(key, length))
    yield AmplificationSeed(seed)
    return replace(result, key=amplified(side, key, seed, length))


def _give_up(result: PartyResult, reason: str) -> Script:
    """Tell the peer why there is no key, and end."""
    yield Abort(reason)
    return result.aborted(reason)
