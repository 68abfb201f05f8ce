"""Both sides of error correction and verification, each from its own key and public messages."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from postprocessing.bits import PackedBits
from postprocessing.reconciliation.correction import Correction
from postprocessing.reconciliation.cost import StepPlan
from postprocessing.reconciliation.encoder import encode
from postprocessing.reconciliation.frames import Frames, collect, deal
from postprocessing.reconciliation.ladder import Climber, LadderPlan, syndromes
from postprocessing.reconciliation.verification import SEED_BYTES, verification_tag


@dataclass(frozen=True, eq=False)
class Attempted:
    """What became of a key, and what was sent.

    Parameters
    ----------
    corrected : PackedBits
        The corrector's key as it ends.
    matches : bool
        Whether all tags are equal.
    leaked_bits : int
        All that was sent: syndromes, flags, disclosed frames, tags and verdicts.
    attempts : int
        Rounds of syndromes and flags.
    iterations : ndarray of int64, shape (frames,)
        Iterations that led to the syndrome of each frame; −1 where none did.
    disclosed_frames : int
        Frames that were sent whole.
    """

    corrected: PackedBits
    matches: bool
    leaked_bits: int
    attempts: int
    iterations: npt.NDArray[np.int64]
    disclosed_frames: int


def in_steps(
    reference: PackedBits,
    received: PackedBits,
    plan: StepPlan,
    qber: float,
    threads: int,
) -> Attempted:
    """Reconcile by a shipped code, in a few attempts; then compare the tags of the keys."""
    adaptation, tag_bits, sent = plan.adaptation, plan.tag_bits, 0
    left, correction = deal(reference, adaptation), Correction.of(received, adaptation, qber)
    for attempt in range(adaptation.steps):
        added = encode(adaptation, left, attempt)
        correction, failed = correction.further(added, attempt, threads)
        sent += len(left) * (adaptation.syndrome_bits(attempt) + 1)
        left = left.chosen(failed.to_bits() == 1)
        if not len(left):
            break
    disclosed, seed = left.bits(), secrets.token_bytes(SEED_BYTES)
    corrected = collect(correction.filled_in(disclosed))
    tags = [verification_tag(key, seed, tag_bits) for key in (reference, corrected)]
    return Attempted(
        corrected=corrected,
        matches=tags[0] == tags[1],
        leaked_bits=sent + len(disclosed) + tag_bits + 1,
        attempts=attempt + 1,
        iterations=correction.iterations,
        disclosed_frames=len(left),
    )


def on_ladder(
    reference: PackedBits,
    received: PackedBits,
    plan: LadderPlan,
    qber: float,
    threads: int,
) -> Attempted:
    """Reconcile on a ladder: the tags of the frames are sent first, and each ends with its own.

    The corrector answers with a flag a frame and attempt: whether the checks are met and the tag is
    that of the reference. As long as tags differ, what is compared next does not depend on the seed
    of the tags, so that the bound for one comparison holds for each: the channel is authenticated,
    and nobody can choose syndromes after the tags.
    """
    ladder, seed = plan.ladder, secrets.token_bytes(SEED_BYTES)
    own = deal(reference, ladder)
    all_bits, tags = syndromes(ladder, own), _tags(own, seed, plan.tag_bits)
    frames = deal(received, ladder)
    left, climber = np.arange(len(own)), Climber.of(ladder, frames, qber)
    iterations = np.full(len(own), -1, np.int64)
    sent = len(own) * plan.tag_bits
    for attempt in range(ladder.steps):
        first, last = ladder.bits_sent(attempt)
        climber = climber.further(all_bits[left, first:last], attempt, threads)
        sent += len(left) * (last - first + 1)
        decided = _tags(climber.frames, seed, plan.tag_bits)
        done = climber.met & np.array([decided[k] == tags[at] for k, at in enumerate(left)])
        frames = frames.replaced(left[done], climber.frames.chosen(done))
        iterations[left[done]] = climber.iterations[done]
        left, climber = left[~done], climber.chosen(~done)
        if not len(left):
            break
    disclosed = own.chosen(left).bits()
    corrected = collect(frames.filled_at(left, disclosed))
    return Attempted(
        corrected=corrected,
        matches=True,
        leaked_bits=sent + len(disclosed),
        attempts=attempt + 1,
        iterations=iterations,
        disclosed_frames=len(left),
    )


def _tags(frames: Frames, seed: bytes, tag_bits: int) -> list[bytes]:
    """Return the tag of each frame."""
    single = (frames.chosen(np.array([k])).bits() for k in range(len(frames)))
    return [verification_tag(bits, seed, tag_bits) for bits in single]
