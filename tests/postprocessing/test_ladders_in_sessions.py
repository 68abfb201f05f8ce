"""Sessions whose keys climb a ladder: one design in both hands, every bit on the transcript."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from plain_rounds import STRONG, Rounds, distill_seeded, draw_rounds, seeded_randomness

from postprocessing.design.design import Design
from postprocessing.design.request import Security
from postprocessing.design.stored import design_of, values_of
from postprocessing.errors import InvalidArgumentError, ProtocolError
from postprocessing.protocol.conversation import Conversation
from postprocessing.protocol.distillation import distill
from postprocessing.protocol.messages import FrameStatus, Syndromes, Verification
from postprocessing.reconciliation import Ladder

ROUNDS, QBER = 150_000, 0.03


@pytest.fixture(scope="module", params=["asymptotic", "renyi"])
def design(request) -> Design:
    """Of a method that pays for the budget, and of one that pays for what is sent."""
    expected = dataclasses.replace(STRONG, qber=QBER)
    return Security(method=request.param, soundness=1e-3).design(expected, ROUNDS)


@pytest.fixture(scope="module")
def rounds(design) -> Rounds:
    expected = dataclasses.replace(STRONG, qber=QBER)
    return draw_rounds(expected, design.setting_choice, ROUNDS, seed=1)


@pytest.fixture(scope="module")
def finished(design, rounds):
    return distill_seeded(rounds, design, seed=1)


def test_the_keys_are_equal_and_every_bit_sent_is_on_the_transcript(design, finished):
    ladder = design.leakage.reconciliation
    assert isinstance(ladder, Ladder)
    assert finished.abort_reason is None
    assert finished.alice_key == finished.bob_key
    messages = [entry.message for entry in finished.transcript.entries]
    sent = [message for message in messages if isinstance(message, Syndromes)]
    flags = [message for message in messages if isinstance(message, FrameStatus)]
    assert len(sent) == len(flags) >= 1
    for step, message in enumerate(sent):
        assert message.syndrome_bits == ladder.syndrome_bits(step)
        assert message.syndromes.shape == (1, -(-message.syndrome_bits // 8))
    assert [flag.failed.ones for flag in flags] == [1] * (len(flags) - 1) + [0]
    assert (
        finished.transcript.leaked_by(Syndromes) == ladder.whole_bits + ladder.rungs[len(sent) - 1]
    )
    assert finished.transcript.leaked_by(FrameStatus) == len(sent)
    assert sum(isinstance(message, Verification) for message in messages) == 1
    assert not design.exceeds_budget(finished.transcript.leaked_bits, finished.test_rounds)
    assert 1 < finished.reconciliation_efficiency < 1.15


def test_a_design_with_a_ladder_is_read_back_as_it_is(design):
    stored = json.loads(json.dumps(values_of(design)))
    assert design_of(stored) == design
    for change, named in (
        ({"rungs": [5, 5]}, "rungs must be increasing"),
        ({"rungs": [2.5]}, "rungs"),
        ({"code": "heavy0.5-64-4x9"}, "code must be <degrees>"),
        ({"frame_bits": 64}, "frame_bits must be a multiple of 64 that fills the code"),
        ({"rungs": [0], "split_rows": [0]}, "split_rows"),
    ):
        changed = json.loads(json.dumps(stored))
        changed["leakage"]["reconciliation"] |= change
        with pytest.raises((InvalidArgumentError, ValueError), match=named):
            design_of(changed)


def test_a_wrong_word_ends_in_a_failed_verification(design, rounds, monkeypatch):
    """A word that meets the syndrome and is not the reference's is found out by the tag."""
    from postprocessing.reconciliation.ladder import Climber

    further = Climber.further

    def flipped(self, *arguments):
        after = further(self, *arguments)
        after.frames.words[:, 0] ^= np.uint64(1)
        return after

    monkeypatch.setattr(Climber, "further", flipped)
    report = distill_seeded(rounds, design, seed=1)
    assert report.abort_reason == "verification failed"
    assert (report.alice_key, report.bob_key) == (None, None)


@pytest.mark.parametrize("spoil", ["short", "long", "count", "padding"])
def test_syndromes_of_another_form_are_refused(design, rounds, finished, spoil):
    if spoil == "padding":
        # An odd number of bits leaves room in the last byte.
        ladder = design.leakage.reconciliation
        odd = dataclasses.replace(ladder, rungs=(ladder.rungs[0] | 1, *ladder.rungs[1:]))
        budget = dataclasses.replace(design.leakage, reconciliation=odd)
        design = dataclasses.replace(design, leakage=budget)
        finished = distill_seeded(rounds, design, seed=1)
    first = next(
        entry.message
        for entry in finished.transcript.entries
        if isinstance(entry.message, Syndromes)
    )
    bits, octets = first.syndrome_bits, first.syndromes.copy()
    if spoil == "padding":
        octets[:, -1] |= 128
    octets = {"short": octets[:, :-1], "long": np.hstack([octets, octets])}.get(spoil, octets)
    spoiled = Syndromes(np.ascontiguousarray(octets), bits + (spoil == "count"))
    corrector = finished.transcript.entries[0].sender
    corrector = "alice" if corrector == "bob" else "bob"
    record = getattr(rounds, corrector)
    conversation = Conversation(corrector, record, design, seeded_randomness(corrector, 1))
    list(conversation.start())
    said = [entry.message for entry in finished.transcript.entries if entry.sender != corrector]
    place = next(k for k, message in enumerate(said) if isinstance(message, Syndromes))
    for message in said[:place]:
        conversation.receive(message)
    with pytest.raises(ProtocolError, match="malformed message"):
        conversation.receive(spoiled)


def test_errors_beyond_the_budget_end_without_a_key(design, rounds):
    """Half the bits wrong: a fixed length has no room for them, and nothing is left to hash."""
    bob = rounds.bob
    noise = np.random.default_rng(3).integers(0, 2, len(bob), np.uint8)
    noisy = dataclasses.replace(rounds, bob=type(bob).of(bob.settings, noise, bob.heralds))
    lenient = dataclasses.replace(design, tolerated_test_losses=ROUNDS)
    report = distill(noisy.alice, noisy.bob, lenient)
    assert report.abort_reason in (
        "leakage budget exceeded",
        "no key length under this design",
        "too many lost tests",
    )
    assert report.alice_key is None
