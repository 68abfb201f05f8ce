"""Reconciliation under every kind of fault: equal verified keys or an honest failure.

Run: ``python tests/acceptance/reconciliation_fuzz.py [SESSIONS] [SEED]`` (1900 by default). In each
session both parties go through the protocol on rounds of a key of some three frames, and one
fault strikes: errors other than those expected, or a message of the reconciliation that is changed
on its way, as if nothing authenticated the channel. It prints how the sessions of each fault ended,
and exits with 1 if keys differ, a party has a key and the other an abort, or anything but a
`ProtocolError` is raised.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable

import msgspec
import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track

from emulator import JointDistribution, Sampler, emulate
from emulator.sampling.emulation import EmulatedRounds
from emulator.states.games import XIE_SETTINGS as SCHEME
from postprocessing import Security
from postprocessing.bits import Bits, PackedBits
from postprocessing.design.design import Design
from postprocessing.errors import ProtocolError
from postprocessing.protocol.conversation import Conversation
from postprocessing.protocol.messages import (
    DisclosedFrames,
    FrameStatus,
    Message,
    Syndromes,
    Verification,
)
from postprocessing.protocol.randomness import PartyRandomness
from postprocessing.protocol.transcript import InProcessChannel
from postprocessing.reconciliation import RateAdaptation, deal, encode
from postprocessing.records import PartyRecord

ROUNDS = 100_000
QBER = 0.002
RATES = RateAdaptation("fast0.0015-128-17x800", 30_016, (0, 1, 3, 6))
# Another code, of whose syndromes as many bits are taken.
OTHER = RateAdaptation("fast0.003-256-15x400", 30_016, (0,))
# What no session comes near: it would hang.
HANG_S = 120.0

Fault = Callable[[Message, "Session"], Message]


@dataclasses.dataclass
class Session:
    """One run of the protocol: its random choices, its key, and the syndromes sent so far."""

    generator: np.random.Generator
    key: PackedBits
    syndromes_sent: int = 0


def devices() -> JointDistribution:
    """Return devices of S = 2.7 and the expected error rate."""
    correlators = np.zeros((3, 2))
    correlators[SCHEME.key_pair] = 1 - 2 * QBER
    for x, y, sign in SCHEME.chsh_signs:
        correlators[x, y] = sign * 2.7 / 4
    product = np.array([[1, -1], [-1, 1]])
    table = np.zeros((3, 2, 2, 2, 2))
    table[:, :, 1] = 0.01 * (1 + product * correlators[:, :, None, None]) / 4
    table[:, :, 0] = 0.99 / 4
    return JointDistribution(SCHEME, ("none", *SCHEME.heralds), table)


def lenient(joint: JointDistribution) -> Design:
    """Return a design whose tests never fail, so that all is up to the reconciliation."""
    design = Security(method="asymptotic").design(joint, ROUNDS)
    leakage = dataclasses.replace(design.leakage, reconciliation=RATES)
    return dataclasses.replace(
        design, leakage=leakage, tolerated_test_losses=ROUNDS, expected_chsh=2.82
    )


# Errors of the key rounds: ways to change the corrector's bits.


def errors(rate: float) -> Callable[[Bits, np.random.Generator], Bits]:
    """Return a fault that makes the error rate what is said, above or below what is expected."""

    def flips(bits: Bits, generator: np.random.Generator) -> Bits:
        return (generator.random(len(bits)) < rate).astype(np.uint8)

    return flips


def burst(bits: Bits, generator: np.random.Generator) -> Bits:
    flips = np.zeros_like(bits)
    start = generator.integers(len(bits))
    flips[start : start + generator.integers(64, 10_000)] = 1
    return flips


def drift(bits: Bits, generator: np.random.Generator) -> Bits:
    """Return errors that grow from none to five times the expected rate."""
    rates = np.linspace(0, 5 * QBER, len(bits))
    return (generator.random(len(bits)) < rates).astype(np.uint8)


def all_wrong(bits: Bits, generator: np.random.Generator) -> Bits:
    return np.ones_like(bits)


def one_frame_noise(bits: Bits, generator: np.random.Generator) -> Bits:
    frames = -(-len(bits) // RATES.frame_bits)
    struck = np.arange(len(bits)) // 64 % frames == generator.integers(frames)
    return generator.integers(0, 2, len(bits), np.uint8) * struck.astype(np.uint8)


# Messages: ways to change one on its way.


def _flipped_bits(bits: PackedBits, generator: np.random.Generator) -> PackedBits:
    changed = bits.to_bits()
    changed[generator.integers(len(changed))] ^= 1
    return PackedBits.from_bits(changed)


def _flipped(octets: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    changed = octets.copy()
    for place in generator.choice(changed.size * 8, min(count, changed.size * 8), replace=False):
        changed.flat[place // 8] ^= 1 << place % 8
    return changed


def flip_syndrome(attempts: range) -> Fault:
    """Return a fault that flips one to eight bits of the syndromes of some attempt."""

    def change(message: Message, session: Session) -> Message:
        if not isinstance(message, Syndromes) or session.syndromes_sent not in attempts:
            return message
        count = int(session.generator.integers(1, 9))
        return msgspec.structs.replace(
            message, syndromes=_flipped(message.syndromes, count, session.generator)
        )

    return change


def wrong_length(message: Message, session: Session) -> Message:
    if not isinstance(message, Syndromes):
        return message
    given = message.syndromes
    choices = (given[:, :-1], given[:-1], np.hstack([given, given[:, :1]]), given[:, :0])
    chosen = choices[session.generator.integers(len(choices))]
    return msgspec.structs.replace(message, syndromes=np.ascontiguousarray(chosen))


def wrong_count(message: Message, session: Session) -> Message:
    if not isinstance(message, Syndromes):
        return message
    off = int(session.generator.choice([-64, -1, 1, 64]))
    return msgspec.structs.replace(message, syndrome_bits=message.syndrome_bits + off)


def another_code(message: Message, session: Session) -> Message:
    if not isinstance(message, Syndromes) or session.syndromes_sent:
        return message
    frames = deal(session.key, OTHER)
    width = message.syndromes.shape[1]
    return msgspec.structs.replace(message, syndromes=encode(OTHER, frames)[:, :width].copy())


def random_syndrome(message: Message, session: Session) -> Message:
    if not isinstance(message, Syndromes):
        return message
    drawn = session.generator.integers(0, 256, message.syndromes.shape, np.uint8)
    return msgspec.structs.replace(message, syndromes=drawn)


def flip_status(message: Message, session: Session) -> Message:
    if not isinstance(message, FrameStatus):
        return message
    return msgspec.structs.replace(message, failed=_flipped_bits(message.failed, session.generator))


def flip_disclosed(message: Message, session: Session) -> Message:
    if not isinstance(message, DisclosedFrames):
        return message
    return msgspec.structs.replace(message, bits=_flipped_bits(message.bits, session.generator))


def flip_tag(message: Message, session: Session) -> Message:
    if not isinstance(message, Verification):
        return message
    tag = bytearray(message.tag)
    place = int(session.generator.integers(message.tag_bits))
    tag[place // 8] ^= 1 << place % 8
    return msgspec.structs.replace(message, tag=bytes(tag))


def flip_hash_seed(message: Message, session: Session) -> Message:
    if not isinstance(message, Verification):
        return message
    seed = np.frombuffer(message.seed, np.uint8)
    return msgspec.structs.replace(message, seed=_flipped(seed, 1, session.generator).tobytes())


def nothing(message: Message, session: Session) -> Message:
    return message


AS_EXPECTED, MANY, NOISE = errors(QBER), errors(4.2 * QBER), one_frame_noise
FAULTS: dict[str, tuple[Callable[..., Bits], Fault]] = {
    "none": (AS_EXPECTED, nothing),
    "a third of the errors": (errors(QBER / 3), nothing),
    "three times the errors": (errors(3 * QBER), nothing),
    "ten times the errors": (errors(10 * QBER), nothing),
    "burst": (burst, nothing),
    "drift": (drift, nothing),
    "all bits wrong": (all_wrong, nothing),
    "all bits random": (errors(0.5), nothing),
    "one frame random": (NOISE, nothing),
    "syndrome bits flipped": (AS_EXPECTED, flip_syndrome(range(1))),
    "added bits flipped": (MANY, flip_syndrome(range(1, 9))),
    "syndrome of another length": (AS_EXPECTED, wrong_length),
    "another count of bits": (AS_EXPECTED, wrong_count),
    "another code": (AS_EXPECTED, another_code),
    "random syndromes": (AS_EXPECTED, random_syndrome),
    "frame flags flipped": (MANY, flip_status),
    "disclosed bit flipped": (NOISE, flip_disclosed),
    "tag bit flipped": (AS_EXPECTED, flip_tag),
    "hash seed flipped": (AS_EXPECTED, flip_hash_seed),
}


def with_flips(
    rounds: EmulatedRounds, strike: Callable[..., Bits], generator: np.random.Generator
) -> tuple[PartyRecord, PackedBits]:
    """Return the corrector's record, the reference's key rounds flipped, and these key rounds."""
    alice, bob = rounds.alice, rounds.bob
    x, y = SCHEME.key_pair
    key = (alice.settings == x) & (bob.settings == y)
    inverted = np.array(SCHEME.flip, np.uint8)[bob.heralds[key], y]
    outcomes = alice.outcomes
    right = bob.outcomes[key] ^ inverted
    outcomes[key] = right ^ strike(right, generator)
    record = PartyRecord.of(alice.settings, outcomes, alice.heralds)
    return record, PackedBits.from_bits(right)


def play(rounds: EmulatedRounds, design: Design, name: str, seed: int) -> str:
    """Run one session and say how it ended."""
    strike, change = FAULTS[name]
    generator = np.random.default_rng(seed)
    record, key = with_flips(rounds, strike, generator)
    reference = Conversation("bob", rounds.bob, design, PartyRandomness(), 1)
    corrector = Conversation("alice", record, design, PartyRandomness(), 1)
    session, channel = Session(generator, key), InProcessChannel()
    sides = {"bob": reference, "alice": corrector}
    refused = False
    try:
        for party, side in sides.items():
            for message in side.start():
                channel.send(party, message)
        while (entry := channel.deliver()) is not None:
            receiver = corrector if entry.sender == reference.party else reference
            message = change(entry.message, session)
            session.syndromes_sent += isinstance(message, Syndromes)
            for answer in receiver.receive(message):
                channel.send(receiver.party, answer)
    except ProtocolError:
        refused = True
    except Exception as error:
        return f"CRASH: {type(error).__name__}"
    keys = [side.result and side.result.key for side in sides.values()]
    if refused:
        return "message refused" if keys == [None, None] else "KEY OF ONE PARTY"
    if None not in keys:
        return "equal keys" if keys[0] == keys[1] else "UNEQUAL KEYS"
    reasons = {side.result and side.result.abort_reason for side in sides.values()}
    stalled = keys != [None, None] or None in reasons
    return "KEY OF ONE PARTY" if stalled else " / ".join(sorted(reasons))


def main() -> int:
    """Strike sessions with each fault in turn, and print how they ended."""
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else 1900
    first_seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    console, joint = Console(width=120), devices()
    design = lenient(joint)
    pool = [
        emulate(Sampler(joint, design.setting_choice, seed), heralded_rounds=ROUNDS)
        for seed in range(4)
    ]
    names, ends, longest = list(FAULTS), [], 0.0
    for k in track(range(sessions), "sessions", console=console):
        name, started = names[k % len(names)], time.perf_counter()
        ends.append((name, play(pool[k % len(pool)], design, name, first_seed + k)))
        longest = max(longest, time.perf_counter() - started)
    table = pd.DataFrame(ends, columns=["fault", "end"])
    with pd.option_context("display.width", 200, "display.max_columns", None):
        counts = pd.crosstab(table["fault"], table["end"]).reindex(names)
        console.print(counts.fillna(0).astype(int).to_string())
    bad = [end for _, end in ends if end.isupper() or end.startswith(("CRASH", "KEY OF"))]
    console.print(f"{len(ends)} sessions, the longest {longest:.1f} s; bad ends: {len(bad)}")
    return int(bool(bad) or longest > HANG_S)


if __name__ == "__main__":
    sys.exit(main())
