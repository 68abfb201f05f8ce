"""distill(): two records become two keys, through two endpoints and a public channel."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from postprocessing.design.design import Design
from postprocessing.errors import InvalidArgumentError
from postprocessing.protocol.endpoint import Endpoint
from postprocessing.protocol.parties import NO_KEY_LENGTH, Corrector, Reference
from postprocessing.protocol.randomness import PartyRandomness
from postprocessing.protocol.transcript import InProcessChannel, Transcript
from postprocessing.records import PartyRecord
from postprocessing.testing import GameTally

TOO_FEW_ROUNDS = "too few heralded rounds"

StageCallback = Callable[[str], None]


@dataclass(frozen=True)
class DistillationReport:
    """What became of two records.

    Parameters
    ----------
    alice_key, bob_key : bytes or None
        The keys; None after an abort.
    abort_reason : str or None
        Why there is no key.
    key_rounds : int
        Number of key rounds; 0 when the parties stopped before sifting.
    tally : GameTally or None
        Score of the CHSH game, known to the corrector.
    errors : int or None
        Key bits the corrector had to change, known after verification.
    frames, failed_frames : int
        Frames reconciled, and those disclosed whole.
    transcript : Transcript
        Every public message.
    timings_s : dict
        Seconds spent in each stage.

    Examples
    --------
    >>> DistillationReport(None, None, "too few heralded rounds").key_length
    0
    """

    alice_key: bytes | None = field(repr=False)
    bob_key: bytes | None = field(repr=False)
    abort_reason: str | None
    key_rounds: int = 0
    tally: GameTally | None = None
    errors: int | None = None
    frames: int = 0
    failed_frames: int = 0
    transcript: Transcript = field(default_factory=lambda: Transcript(()), repr=False)
    timings_s: dict[str, float] = field(default_factory=dict)

    @property
    def key_length(self) -> int:
        """Length of the key in bits, 0 after an abort."""
        return 0 if self.alice_key is None else 8 * len(self.alice_key)


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
    """Distil two records into keys under a design made beforehand.

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
    if len(alice) != len(bob):
        raise InvalidArgumentError("bob", len(bob), f"a record of Alice's {len(alice)} rounds")
    if not alice.same_heralds(bob):
        raise InvalidArgumentError("bob", "other heralds", "a record of Alice's rounds")
    if design.key_length == 0:
        return DistillationReport(None, None, NO_KEY_LENGTH)
    if len(alice) < design.heralded_rounds:
        return DistillationReport(None, None, TOO_FEW_ROUNDS)
    records = {
        "alice": alice.first(design.heralded_rounds),
        "bob": bob.first(design.heralded_rounds),
    }
    randomness = {
        "alice": alice_randomness or PartyRandomness(),
        "bob": bob_randomness or PartyRandomness(),
    }
    settings = design.scheme
    sides = (settings.reference, settings.corrector)
    parts = ((records[side], design, randomness[side], threads) for side in sides)
    reference, corrector = Reference(*next(parts)), Corrector(*next(parts))
    channel = InProcessChannel()
    timings = _converse(reference, corrector, channel, on_stage or (lambda stage: None))
    return _report(reference, corrector, channel.transcript, timings)


def _converse(
    reference: Reference, corrector: Corrector, channel: InProcessChannel, on_stage: StageCallback
) -> dict[str, float]:
    """Pass messages until nobody has more to say; return the seconds spent in each stage."""
    endpoints: tuple[Endpoint, Endpoint] = (reference, corrector)
    for endpoint in endpoints:
        for message in endpoint.start():
            channel.send(endpoint.party, message)
    timings: dict[str, float] = defaultdict(float)
    while (entry := channel.deliver()) is not None:
        receiver = corrector if entry.sender == reference.party else reference
        on_stage(entry.message.stage)
        started = time.perf_counter()
        for answer in receiver.receive(entry.message):
            channel.send(receiver.party, answer)
        timings[entry.message.stage] += time.perf_counter() - started
    return dict(timings)


def _report(
    reference: Reference, corrector: Corrector, transcript: Transcript, timings: dict[str, float]
) -> DistillationReport:
    """Join what the two endpoints know."""
    results = {endpoint.party: endpoint.result for endpoint in (reference, corrector)}
    alice, bob = results["alice"], results["bob"]
    return DistillationReport(
        alice_key=alice.key if alice else None,
        bob_key=bob.key if bob else None,
        abort_reason=(alice and alice.abort_reason) or (bob and bob.abort_reason) or None,
        key_rounds=reference.key_rounds,
        tally=corrector.tally,
        errors=corrector.corrected_errors,
        frames=corrector.frames,
        failed_frames=corrector.failed_frames,
        transcript=transcript,
        timings_s=timings,
    )
