"""distill(): two records become two keys, through two scripts and a public channel."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from types import NoneType
from typing import Any

from postprocessing.checks import callback, instance_of, thread_count
from postprocessing.design.design import Design
from postprocessing.errors import InvalidArgumentError
from postprocessing.protocol.abort_reasons import NO_KEY_LENGTH, TOO_FEW_ROUNDS
from postprocessing.protocol.conversation import Conversation
from postprocessing.protocol.randomness import PartyRandomness
from postprocessing.protocol.report import DistillationReport
from postprocessing.protocol.script import PartyResult
from postprocessing.protocol.transcript import InProcessChannel, Transcript
from postprocessing.records import PartyRecord
from postprocessing.scheme import Party

StageCallback = Callable[[str], None]


def distill(
    alice: PartyRecord,
    bob: PartyRecord,
    design: Design,
    *,
    alice_randomness: PartyRandomness | None = None,
    bob_randomness: PartyRandomness | None = None,
    on_stage: StageCallback | None = None,
    threads: int | None = None,
) -> DistillationReport:
    """Distill two records into keys under a design made beforehand.

    Parameters
    ----------
    alice, bob : PartyRecord
        The halves of the same heralded rounds. The first ``design.heralded_rounds`` are used.
    design : Design
        The frozen design.
    alice_randomness, bob_randomness : PartyRandomness, optional
        Trusted randomness; the operating system's by default.
    on_stage : callable, optional
        Called with the name of each stage as it begins.
    threads : int, optional
        Threads to work on, in [1, 1000]; by default one a processor. The keys do not depend on it.

    Returns
    -------
    DistillationReport
        Keys, or the reason of the abort, with the transcript.

    Raises
    ------
    InvalidArgumentError
        If the records differ in length or in their heralds, or `threads` is out of range.

    Examples
    --------
    >>> import diqkd
    >>> model = diqkd.EntangledCoherent(diqkd.Link(distance_km=100))
    >>> design = diqkd.Security(method="asymptotic").design(model, 200_000)
    >>> sampler = diqkd.Sampler(model.joint_distribution(), design.setting_choice, seed=7)
    >>> rounds = diqkd.emulate(sampler, heralded_rounds=200_000)
    >>> report = distill(rounds.alice, rounds.bob, design)
    >>> report.alice_key == report.bob_key
    True
    """
    for name, record in (("alice", alice), ("bob", bob)):
        instance_of(name, record, PartyRecord)
    instance_of("design", design, Design)
    for name, source in (("alice", alice_randomness), ("bob", bob_randomness)):
        instance_of(f"{name}_randomness", source, PartyRandomness, NoneType)
    on_stage = callback("on_stage", on_stage) or (lambda stage: None)
    threads = thread_count(threads)
    if len(alice) != len(bob):
        raise InvalidArgumentError("bob", len(bob), f"a record of Alice's {len(alice)} rounds")
    if not alice.same_heralds(bob):
        raise InvalidArgumentError("bob", "other heralds", "a record of Alice's rounds")
    seeds = (source.seed for source in (alice_randomness, bob_randomness) if source)
    known: dict[str, Any] = {
        "seed": next((seed for seed in seeds if seed is not None), None),
        "heralded_rounds": len(alice),
    }
    if design.key_length == 0:
        return DistillationReport.of(design, NO_KEY_LENGTH, **known)
    if len(alice) < design.heralded_rounds:
        return DistillationReport.of(design, TOO_FEW_ROUNDS, **known)
    records = {
        "alice": alice.first(design.heralded_rounds),
        "bob": bob.first(design.heralded_rounds),
    }
    randomness = {
        "alice": alice_randomness or PartyRandomness(),
        "bob": bob_randomness or PartyRandomness(),
    }
    parties: tuple[Party, Party] = (design.scheme.reference, design.scheme.corrector)
    conversations = {
        party: Conversation(party, records[party], design, randomness[party], threads)
        for party in parties
    }
    channel = InProcessChannel()
    timings = _converse(conversations, channel, on_stage)
    results = {party: conversations[party].result or PartyResult() for party in parties}
    return _report(design, results, channel.transcript, timings, known)


def _converse(
    conversations: dict[Party, Conversation], channel: InProcessChannel, on_stage: StageCallback
) -> dict[str, float]:
    """Pass messages until nobody has more to say; return the seconds spent in each stage."""
    for party, conversation in conversations.items():
        for message in conversation.start():
            channel.send(party, message)
    timings: dict[str, float] = defaultdict(float)
    while (entry := channel.deliver()) is not None:
        (receiver,) = (conversations[party] for party in conversations if party != entry.sender)
        on_stage(entry.message.stage)
        started = time.perf_counter()
        for answer in receiver.receive(entry.message):
            channel.send(receiver.party, answer)
        timings[entry.message.stage] += time.perf_counter() - started
    return dict(timings)


def _report(
    design: Design,
    results: dict[Party, PartyResult],
    transcript: Transcript,
    timings: dict[str, float],
    known: dict[str, Any],
) -> DistillationReport:
    """Join what the two parties know; the corrector knows score and errors."""
    alice, bob = results["alice"], results["bob"]
    corrector = results[design.scheme.corrector]
    return DistillationReport.of(
        design,
        alice.abort_reason or bob.abort_reason,
        alice_key=alice.key,
        bob_key=bob.key,
        key_rounds=results[design.scheme.reference].key_rounds,
        tally=corrector.tally,
        errors=corrector.corrected_errors,
        frames=corrector.frames,
        failed_frames=corrector.failed_frames,
        transcript=transcript,
        timings_s=timings,
        **known,
    )
