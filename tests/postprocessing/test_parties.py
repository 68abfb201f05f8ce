"""The conversation: order of messages, leakage, what each side may depend on, and every abort."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest
from plain_rounds import Rounds, distill_seeded, draw_rounds, seeded_randomness

from postprocessing.bits import Bits, PackedBits
from postprocessing.design.design import Design
from postprocessing.design.request import ExpectedValues, Security
from postprocessing.errors import InvalidArgumentError, ProtocolError
from postprocessing.protocol.conversation import Conversation
from postprocessing.protocol.distillation import distill
from postprocessing.protocol.messages import (
    Abort,
    Acceptance,
    AmplificationSeed,
    DisclosedFrames,
    DisclosedTests,
    FrameStatus,
    SettingsAnnouncement,
    Syndromes,
    ThinningCoins,
    Verification,
    VerificationVerdict,
)
from postprocessing.protocol.randomness import PartyRandomness
from postprocessing.protocol.transcript import Transcript
from postprocessing.reconciliation import Correction, RateAdaptation
from postprocessing.records import PartyRecord
from postprocessing.sifting.sift import packed_settings

ROUNDS = 300_000


@pytest.fixture(scope="module")
def design(honest) -> Design:
    """A short design: the asymptotic length, so that few rounds suffice."""
    return Security(method="asymptotic").design(honest, ROUNDS)


@pytest.fixture(scope="module")
def emulated(honest, design):
    """Honest rounds under the design."""
    return draw_rounds(honest, design.setting_choice, ROUNDS, seed=1)


@pytest.fixture(scope="module")
def finished(emulated, design):
    """The report of the honest run."""
    return distill_seeded(emulated, design, seed=1)


def _kinds(transcript: Transcript) -> list[tuple[str, type]]:
    return [(entry.sender, type(entry.message)) for entry in transcript.entries]


def _with_outcomes(record: PartyRecord, outcomes: Bits) -> PartyRecord:
    return PartyRecord.of(record.settings, outcomes, record.heralds)


def _with_noise(record: PartyRecord, rate: float, seed: int = 3) -> PartyRecord:
    noise = np.random.default_rng(seed).random(len(record)) < rate
    return _with_outcomes(record, record.outcomes ^ noise.astype(np.uint8))


def _with_one_spoiled_frame(emulated: Rounds, frames: int) -> Rounds:
    """Replace Alice's bits of the first frame by noise: words of 64 are dealt out like cards."""
    alice, bob = emulated.alice, emulated.bob
    key_rounds = np.flatnonzero((alice.settings == 0) & (bob.settings == 0))
    spoiled = key_rounds[np.arange(len(key_rounds)) // 64 % frames == 0]
    outcomes = alice.outcomes
    outcomes[spoiled] ^= np.random.default_rng(5).integers(0, 2, len(spoiled), np.uint8)
    return dataclasses.replace(emulated, alice=_with_outcomes(alice, outcomes))


def test_equal_keys_of_the_designed_length(finished, design):
    assert finished.abort_reason is None
    assert finished.alice_key == finished.bob_key
    leaked = finished.transcript.leaked_bits
    assert (
        finished.key_length
        == design.final_key_length(finished.key_rounds, finished.tally, leaked)
        > 0
    )


def test_order_of_messages(finished):
    """Settings first, then coins, tests, syndromes, and seeds only at the end."""
    assert _kinds(finished.transcript) == [
        ("bob", SettingsAnnouncement),
        ("alice", SettingsAnnouncement),
        ("alice", ThinningCoins),
        ("bob", DisclosedTests),
        ("alice", Acceptance),
        ("bob", Syndromes),
        ("alice", FrameStatus),
        ("bob", Verification),
        ("alice", VerificationVerdict),
        ("bob", AmplificationSeed),
    ]


def test_leakage_is_what_the_transcript_holds(finished):
    """Count the outcome-dependent bits of the log by hand."""
    by_kind = {type(e.message): e.message for e in finished.transcript.entries}
    syndromes = by_kind[Syndromes]
    assert syndromes.syndromes.shape[1] == -(-syndromes.syndrome_bits // 8)
    bits = (
        len(by_kind[DisclosedTests].outcomes)
        + 1
        + syndromes.syndromes.shape[0] * syndromes.syndrome_bits
        + len(by_kind[FrameStatus].failed)
        + by_kind[Verification].tag_bits
        + 1
    )
    assert finished.transcript.leaked_bits == bits
    assert len(by_kind[DisclosedTests].outcomes) == finished.tally.rounds


def test_replaying_the_log_reproduces_every_message_and_the_leakage(
    emulated, design, finished, payload
):
    """Each party, alone with its record and the logged messages of the other, says the same."""
    conversations = (
        Conversation("bob", emulated.bob, design, seeded_randomness("bob", 1)),
        Conversation("alice", emulated.alice, design, seeded_randomness("alice", 1)),
    )
    for conversation in conversations:
        said = list(conversation.start())
        for entry in finished.transcript.entries:
            if entry.sender != conversation.party:
                said.extend(conversation.receive(entry.message))
        logged = [e.message for e in finished.transcript.entries if e.sender == conversation.party]
        assert [payload(message) for message in said] == [payload(message) for message in logged]
        assert conversation.result.leaked_bits == finished.transcript.leaked_bits
        assert conversation.ledger.leaked_bits == finished.transcript.leaked_bits


def _messages_until_acceptance(report, sender, payload):
    messages = []
    for entry in report.transcript.entries:
        if isinstance(entry.message, Acceptance):
            break
        if entry.sender == sender:
            messages.append(payload(entry.message))
    return messages


@pytest.mark.parametrize(("replaced", "speaker"), [("alice", "bob"), ("bob", "alice")])
def test_messages_do_not_depend_on_the_others_outcomes(
    emulated, design, finished, payload, replaced, speaker
):
    """Replace one side's outcomes: up to accept/abort the other says the very same bytes."""
    record = getattr(emulated, replaced)
    others = np.random.default_rng(4).integers(0, 2, len(record), np.uint8)
    changed = dataclasses.replace(emulated, **{replaced: _with_outcomes(record, others)})
    report = distill_seeded(changed, design, seed=1)
    assert report.abort_reason == "too many lost tests"
    said = _messages_until_acceptance(finished, speaker, payload)
    assert len(said) == 2
    assert _messages_until_acceptance(report, speaker, payload) == said


def test_too_many_lost_tests_abort_before_reconciliation(emulated, design):
    strict = dataclasses.replace(design, tolerated_test_losses=10)
    report = distill_seeded(emulated, strict, seed=1)
    assert report.abort_reason == "too many lost tests"
    assert (report.alice_key, report.bob_key) == (None, None)
    assert _kinds(report.transcript)[-1] == ("alice", Acceptance)


def test_acceptance_is_a_count_of_lost_tests(emulated, design, finished):
    """Exactly the tolerated number is accepted, one less is not."""
    lost = finished.tally.lost
    for tolerated, reason in ((lost, None), (lost - 1, "too many lost tests")):
        limited = dataclasses.replace(design, tolerated_test_losses=tolerated)
        assert distill_seeded(emulated, limited, seed=1).abort_reason == reason


def test_undecodable_frames_are_disclosed_and_charged(emulated, design):
    """With errors far beyond the design every frame fails; the log pays for every bit of it."""
    noisy = dataclasses.replace(emulated, alice=_with_noise(emulated.alice, 0.2))
    lenient = dataclasses.replace(design, tolerated_test_losses=ROUNDS)
    report = distill_seeded(noisy, lenient, seed=1)
    assert report.failed_frames == report.frames > 0
    assert report.transcript.leaked_by(DisclosedFrames) == report.key_rounds
    # Everything is public now, so nothing is left to hash.
    assert report.abort_reason == "no key length under this design"


def test_single_failed_frame_is_disclosed_and_the_rest_decoded(emulated, design, finished):
    """Noise in one frame alone spoils no other; the keys agree, the errors are known."""
    noisy = _with_one_spoiled_frame(emulated, finished.frames)
    lenient = dataclasses.replace(design, tolerated_test_losses=ROUNDS, expected_chsh=2.8)
    report = distill_seeded(noisy, lenient, seed=1)
    assert (report.failed_frames, report.abort_reason) == (1, None)
    assert report.alice_key == report.bob_key
    key = (emulated.alice.settings == 0) & (emulated.bob.settings == 0)
    flipped = emulated.bob.outcomes ^ (emulated.bob.heralds == 1)
    assert report.errors == np.count_nonzero(noisy.alice.outcomes[key] != flipped[key])


@pytest.fixture(scope="module")
def fixed(strong):
    """A fixed-length design of short frames and its rounds."""
    design = Security(soundness=1e-6).design(strong, 2_000_000)
    short_frames = RateAdaptation("fast0.0015-128-17x800", 65_536, (0, 1, 3))
    leakage = dataclasses.replace(design.leakage, reconciliation=short_frames)
    design = dataclasses.replace(design, leakage=leakage)
    return design, draw_rounds(strong, design.setting_choice, 2_000_000, seed=2)


def _with_budget(design, bits):
    """Change the budget, under a key so short that any of the budgets here allows it."""
    length = dataclasses.replace(design.length, bits=8)
    leakage = dataclasses.replace(design.leakage, budget_bits=bits)
    return dataclasses.replace(design, leakage=leakage, length=length)


def test_leakage_beyond_the_budget_aborts_before_the_syndromes(fixed):
    design, rounds = fixed
    report = distill_seeded(rounds, _with_budget(design, 30_000), seed=1)
    assert report.abort_reason == "leakage budget exceeded"
    assert _kinds(report.transcript)[-1] == ("bob", Abort)
    assert not any(kind is Syndromes for _, kind in _kinds(report.transcript))


def test_disclosed_frames_count_against_the_budget(fixed):
    """One spoiled frame: a budget that covers it gives keys, one bit less aborts undisclosed."""
    design, rounds = fixed
    frames = distill_seeded(rounds, _with_budget(design, 300_000), seed=1).frames
    noisy = _with_one_spoiled_frame(rounds, frames)
    paid = distill_seeded(noisy, _with_budget(design, 300_000), seed=1)
    assert (paid.failed_frames, paid.abort_reason) == (1, None)
    assert paid.alice_key == paid.bob_key
    leaked = paid.transcript.leaked_bits
    assert distill_seeded(noisy, _with_budget(design, leaked), seed=1).abort_reason is None
    short = distill_seeded(noisy, _with_budget(design, leaked - 1), seed=1)
    assert short.abort_reason == "leakage budget exceeded"
    assert short.transcript.leaked_by(DisclosedFrames) == 0


def test_records_without_tests_give_no_key(fixed):
    """Coins that were not drawn as designed cannot pass for lack of tests to lose."""
    design, rounds = fixed
    tails = PartyRandomness(choices=lambda count: b"\xff" * count)
    report = distill(rounds.alice, rounds.bob, design, alice_randomness=tails)
    assert report.abort_reason == "too few test rounds"
    assert (report.alice_key, report.bob_key) == (None, None)
    assert _kinds(report.transcript)[-1] == ("bob", Abort)


def test_wrong_tag_aborts(emulated, design, monkeypatch):
    """A corrector that ends with another string learns it from the tag; no key on either side."""
    further = Correction.further

    def decode_wrongly(*arguments):
        correction, failed = further(*arguments)
        correction.frames.words[0, 0] ^= np.uint64(1 << 7)
        return correction, failed

    monkeypatch.setattr(Correction, "further", decode_wrongly)
    report = distill_seeded(emulated, design, seed=1)
    assert report.abort_reason == "verification failed"
    assert (report.alice_key, report.bob_key) == (None, None)
    assert _kinds(report.transcript)[-1] == ("alice", VerificationVerdict)


def test_messages_out_of_order_are_refused(emulated, design):
    reference = Conversation("bob", emulated.bob, design, PartyRandomness())
    announcement = SettingsAnnouncement(packed_settings(emulated.alice), design.fingerprint())
    with pytest.raises(ProtocolError, match="bob did not expect SettingsAnnouncement now"):
        reference.receive(announcement)
    reference.start()
    with pytest.raises(ProtocolError, match="bob has started already"):
        reference.start()
    with pytest.raises(ProtocolError, match="bob did not expect Acceptance now"):
        reference.receive(Acceptance(accepted=True))


def test_malformed_settings_are_refused(emulated, design):
    """Too few settings, settings the scheme does not have, and another design."""
    settings, fingerprint = packed_settings(emulated.alice), design.fingerprint()
    unknown = settings.copy()
    unknown[-1] |= 3 << 6
    for message, expected in (
        (SettingsAnnouncement(settings[:10], fingerprint), "one setting a round"),
        (SettingsAnnouncement(settings.astype(int), fingerprint), "one setting a round"),
        (SettingsAnnouncement(emulated.alice.settings, fingerprint), "one setting a round"),
        (SettingsAnnouncement(unknown, fingerprint), "settings of the scheme"),
        (SettingsAnnouncement(settings, "0" * 64), "the same design"),
    ):
        reference = Conversation("bob", emulated.bob, design, PartyRandomness())
        reference.start()
        with pytest.raises(ProtocolError, match=f"malformed message: expected {expected}"):
            reference.receive(message)


@pytest.mark.parametrize(
    ("kind", "change", "expected"),
    [
        (ThinningCoins, {"coins": PackedBits.from_bytes(b"\x07", 3)}, "one coin a surplus round"),
        (FrameStatus, {"failed": PackedBits.from_bytes(b"\x07", 3)}, "one flag a frame"),
        (FrameStatus, {"failed": np.ones(2, np.uint8)}, "one flag a frame"),
    ],
)
def test_malformed_answers_are_refused(emulated, design, finished, kind, change, expected):
    """The same for the reference."""
    reference = Conversation("bob", emulated.bob, design, PartyRandomness())
    reference.start()
    for entry in finished.transcript.entries:
        if isinstance(entry.message, kind):
            with pytest.raises(ProtocolError, match=f"malformed message: expected {expected}"):
                reference.receive(msgspec.structs.replace(entry.message, **change))
            assert reference.result.abort_reason == "malformed message"
            return
        if entry.sender == "alice":
            reference.receive(entry.message)
    pytest.fail("the message never came")


@pytest.mark.parametrize(
    ("kind", "change", "expected"),
    [
        (SettingsAnnouncement, {"design_sha256": ""}, "the same design"),
        (DisclosedTests, {"outcomes": PackedBits.from_bytes(b"")}, "one outcome a test round"),
        (DisclosedTests, {"outcomes": PackedBits.from_bytes(b"\0", 3)}, "one outcome a test round"),
        (DisclosedTests, {"outcomes": np.zeros(3)}, "one outcome a test round"),
        (Syndromes, {"syndrome_bits": 0}, "the design's code"),
        (Syndromes, {"syndromes": np.zeros((1, 3), np.uint8)}, "all syndromes"),
        (Verification, {"tag_bits": 1}, "a tag of the design's length"),
        (Verification, {"seed": b"short"}, "a seed of the tag's length"),
        (AmplificationSeed, {"seed": bytes(3)}, "a seed of the hash's length"),
    ],
)
def test_malformed_messages_are_refused(emulated, design, finished, kind, change, expected):
    """Replay the log to the corrector with one message changed; the good one comes too late."""
    corrector = Conversation("alice", emulated.alice, design, seeded_randomness("alice", 1))
    corrector.start()
    for entry in finished.transcript.entries:
        if entry.sender == "bob" and isinstance(entry.message, kind):
            with pytest.raises(ProtocolError, match=f"malformed message: expected {expected}"):
                corrector.receive(msgspec.structs.replace(entry.message, **change))
            assert corrector.result.abort_reason == "malformed message"
            with pytest.raises(ProtocolError, match=f"alice did not expect {kind.__name__} now"):
                corrector.receive(entry.message)
            return
        if entry.sender == "bob":
            corrector.receive(entry.message)
    pytest.fail("the message never came")


def test_an_abort_of_the_peer_ends_the_corrector_wherever_it_waits(emulated, design, finished):
    """With the peer's reason and what was known until then; there is no key."""
    sent = [entry.message for entry in finished.transcript.entries if entry.sender == "bob"]
    known = []
    for heard in range(len(sent)):
        corrector = Conversation("alice", emulated.alice, design, seeded_randomness("alice", 1))
        corrector.start()
        for message in sent[:heard]:
            corrector.receive(message)
        if heard == 0:
            # Before any outcome is used, there is nothing to give up for.
            with pytest.raises(ProtocolError, match="alice did not expect Abort now"):
                corrector.receive(Abort("why"))
            continue
        assert corrector.receive(Abort("why")) == ()
        result = corrector.result
        assert (result.key, result.abort_reason) == (None, "why")
        assert result.key_rounds == finished.key_rounds
        known.append((result.tally, result.frames, result.corrected_errors))
        with pytest.raises(ProtocolError, match="alice did not expect Abort now"):
            corrector.receive(Abort("why"))
    tally, frames, errors = finished.tally, finished.frames, finished.errors
    assert known == [
        (None, 0, None),
        (tally, 0, None),
        (tally, frames, None),
        (tally, frames, errors),
    ]


def test_what_is_counted_is_what_is_sifted(emulated, design, finished, payload):
    """Settings are taken as they come: what the sender writes over them later changes nothing."""
    reference = Conversation("bob", emulated.bob, design, seeded_randomness("bob", 1))
    reference.start()
    _, settings, coins, tests = (entry.message for entry in finished.transcript.entries[:4])
    given = settings.settings.copy()
    reference.receive(msgspec.structs.replace(settings, settings=given))
    given[:] = 0
    (answer,) = reference.receive(coins)
    assert payload(answer) == payload(tests)


def test_coins_and_seeds_are_fresh_by_default(emulated, design, payload):
    """Outside emulation every run draws new coins and new hash seeds from the system."""
    first, second = (distill(emulated.alice, emulated.bob, design) for _ in range(2))
    assert first.alice_key == first.bob_key
    assert first.alice_key != second.alice_key
    fresh = (ThinningCoins, Verification, AmplificationSeed)
    drawn = [
        [payload(e.message) for e in report.transcript.entries if isinstance(e.message, fresh)]
        for report in (first, second)
    ]
    assert len(drawn[0]) == len(drawn[1]) == 3
    assert all(one != other for one, other in zip(*drawn, strict=True))


def test_only_the_first_rounds_of_the_design_are_used(emulated, honest):
    short = Security(method="asymptotic").design(honest, 200_000)
    head = dataclasses.replace(
        emulated, alice=emulated.alice.first(200_000), bob=emulated.bob.first(200_000)
    )
    keys = [distill_seeded(rounds, short, seed=1).alice_key for rounds in (emulated, head)]
    assert keys[0] == keys[1]


def test_too_few_rounds_abort(emulated, honest):
    longer = Security(method="asymptotic").design(honest, ROUNDS + 1)
    report = distill_seeded(emulated, longer, seed=1)
    assert report.abort_reason == "too few heralded rounds"


def test_records_of_other_rounds_are_refused(emulated, design):
    with pytest.raises(InvalidArgumentError, match="bob must be a record of Alice's"):
        distill(emulated.alice, emulated.bob.first(10), design)
    bob = emulated.bob
    others = PartyRecord.of(bob.settings, bob.outcomes, np.uint8(1) - bob.heralds)
    with pytest.raises(InvalidArgumentError, match="bob must be a record of Alice's rounds"):
        distill(emulated.alice, others, design)


def test_alice_is_the_reference_where_her_key_setting_is_tested(alice_refers):
    """Bob has the third setting, throws the coins and corrects towards Alice."""
    devices = ExpectedValues(alice_refers, chsh=2.7, qber=0.01)
    design = Security(method="asymptotic").design(devices, ROUNDS)
    rounds = draw_rounds(devices, design.setting_choice, ROUNDS, seed=1)
    report = distill_seeded(rounds, design, seed=1)
    assert report.abort_reason is None
    assert report.alice_key == report.bob_key
    assert _kinds(report.transcript)[0] == ("alice", SettingsAnnouncement)
    assert ("bob", ThinningCoins) in _kinds(report.transcript)
    assert report.tally.chsh == pytest.approx(2.7, abs=0.1)
