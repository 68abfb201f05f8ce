"""What is measured: stages of the pipeline, each on an input of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal

import numpy as np

from emulator.runner import run
from emulator.sampling.emulation import EmulatedRounds, emulate
from emulator.sampling.sampler import Sampler
from emulator.scenario.loading import load_scenario
from emulator.schemes.base import ProtocolModel
from postprocessing.amplification import toeplitz_hash_packed
from postprocessing.bits import PackedBits
from postprocessing.design.leakage import leakage_budget
from postprocessing.design.request import Security
from postprocessing.protocol.randomness import draw_coins
from postprocessing.reconciliation import (
    Frames,
    RateAdaptation,
    deal,
    decode,
    encode,
    reconcile,
    verification_tag,
)
from postprocessing.reconciliation.selection import MODES, Mode
from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.scheme import LocalSettings
from postprocessing.sifting.sift import count_pairs, count_surplus, packed_settings, sift
from postprocessing.testing import GameTally, tally_tests

Unit = Literal["Mrounds/s", "Mbit/s"]
Threads = Literal["one", "all"]
Work = Callable[[], Any]

PRESET = "ecs-100km"
SETTINGS = LocalSettings(0.0937, 0.0937)
ROUNDS = 30_000_000
KEY_BITS = 10_000_000
# Reconciled on a ladder of small steps, as laboratories have them.
SIFTED_BITS, SIFTED_QBER = (10_000, 100_000, 1_000_000), 0.036
QBERS = (0.01, 0.03, 0.05, 0.08)
HASHED_BITS = (1_000_000, 10_000_000)
RUN_ROUNDS = (1_000_000, 10_000_000)
BESIDE_QBER = 0.03


@dataclass(frozen=True)
class Prepared:
    """A case whose input is there.

    Parameters
    ----------
    amount : int
        Heralded rounds or key bits in a call.
    work : callable
        What is timed, without arguments.
    is_right : callable
        Whether what it returned is right.
    frame : callable, optional
        The same for one frame, by its number, where the time of one is of interest.
    frames : int
        How many frames there are.
    efficiency : callable, optional
        f of what the work returned.
    """

    amount: int
    work: Work
    is_right: Callable[[Any], bool]
    frame: Callable[[int], Any] | None = None
    frames: int = 0
    efficiency: Callable[[Any], float] | None = None


@dataclass(frozen=True)
class Case:
    """One line of the table.

    Parameters
    ----------
    stage, what : str
        The stage, and on what.
    unit : {"Mrounds/s", "Mbit/s"}
        Of heralded rounds, or of key bits that go in.
    prepare : callable
        Makes the input, given the number of threads.
    threads : {"one", "all"}
        On how many.
    by : str
        Whose implementation.
    """

    stage: str
    what: str
    unit: Unit
    prepare: Callable[[int], Prepared]
    threads: Threads = "one"
    by: str = "diqkd"


def bits_of(n: int, seed: int) -> PackedBits:
    """Return n random bits, the same ones for a seed."""
    return PackedBits.from_bytes(np.random.default_rng(seed).bytes(-(-n // 8)), n)


@cache
def model() -> ProtocolModel:
    """Return the link whose rounds are measured."""
    return load_scenario(PRESET).build_model()


@cache
def sampler() -> Sampler:
    """Return the sampler of its rounds."""
    return Sampler(model().joint_distribution(), SETTINGS, seed=1)


@cache
def _rounds() -> EmulatedRounds:
    return emulate(sampler(), heralded_rounds=ROUNDS)


def _sampling(threads: int) -> Prepared:
    gain = model().joint_distribution().gain

    def is_right(rounds: EmulatedRounds) -> bool:
        # Five standard deviations of the number of pulses.
        near = abs(rounds.pulses * gain / ROUNDS - 1) < 5 / ROUNDS**0.5
        return len(rounds.alice) == ROUNDS and near

    def work() -> EmulatedRounds:
        return emulate(sampler(), heralded_rounds=ROUNDS, threads=threads)

    return Prepared(ROUNDS, work, is_right)


def _sifting(_: int) -> Prepared:
    """Sift for both parties, one after the other, and score the game."""
    rounds, scheme = _rounds(), model().bell_scheme
    bob = packed_settings(rounds.bob)
    surplus = count_surplus(scheme, count_pairs("alice", rounds.alice, bob))
    thinning = SETTINGS.thinning_probability
    coins = draw_coins(np.random.default_rng(1).bytes, surplus, thinning)

    def work() -> GameTally:
        alice, bob = packed_settings(rounds.alice), packed_settings(rounds.bob)
        count_pairs("alice", rounds.alice, bob)
        one = sift(scheme, "alice", rounds.alice, bob, coins)
        count_pairs("bob", rounds.bob, alice)
        other = sift(scheme, "bob", rounds.bob, alice, coins)
        kinds = one.winning_parities, one.at_key_setting
        return tally_tests(one.test_outcomes, other.test_outcomes, *kinds)

    def is_right(tally: GameTally) -> bool:
        if tally.chsh is None:
            return False
        # Five standard deviations, that of S being at most 4 by the root of the tests.
        return bool(abs(tally.chsh - model().joint_distribution().chsh) < 20 / tally.rounds**0.5)

    return Prepared(ROUNDS, work, is_right)


@cache
def key_and_rates(mode: Mode, qber: float) -> tuple[RateAdaptation, Frames, Frames]:
    """Return a long key's code, its whole frames, and the same with errors."""
    plan = leakage_budget(10**8, RoundProbabilities(0.98, 0.001), qber, 64, 1e-2, (mode,))
    rates = None if plan is None else plan.reconciliation
    if not isinstance(rates, RateAdaptation):
        raise TypeError(f"no frames of the {mode} mode at {qber}")
    bits = KEY_BITS // rates.frame_bits * rates.frame_bits
    generator = np.random.default_rng(1)
    key = generator.integers(0, 2, bits, dtype=np.uint8)
    noisy = key ^ (generator.random(bits) < qber).astype(np.uint8)
    reference, received = (deal(PackedBits.from_bits(each), rates) for each in (key, noisy))
    return rates, reference, received


def _encoding(mode: Mode, _: int) -> Prepared:
    rates, key, _noisy = key_and_rates(mode, BESIDE_QBER)
    shape = len(key), rates.syndrome_bits(0) // 8

    def is_right(syndromes: Any) -> bool:
        """Compare the sums that all rows send, of the first frame, with a product of matrices."""
        words = key.words[0].view(np.uint8)
        bits = np.unpackbits(words, bitorder="little").astype(np.int64)
        matrix = rates.mother.sparse_parity_check()[:, : bits.size]
        wanted = np.packbits(matrix @ bits & 1, bitorder="little")
        found = syndromes[0, : wanted.size]
        return bool(syndromes.shape == shape and np.array_equal(found, wanted))

    return Prepared(int(key.lengths.sum()), lambda: encode(rates, key), is_right)


def _decoding(mode: Mode, qber: float, threads: int) -> Prepared:
    rates, key, noisy = key_and_rates(mode, qber)
    syndromes = encode(rates, key)
    singles = [noisy.chosen(np.arange(k, k + 1)) for k in range(len(noisy))]

    def is_right(decoded: Any) -> bool:
        good = ~decoded.failed
        most = 2 * good.sum() > good.size
        return bool(most and np.array_equal(decoded.frames.words[good], key.words[good]))

    return Prepared(
        int(noisy.lengths.sum()),
        lambda: decode(rates, noisy, syndromes, qber, 0, threads),
        is_right,
        lambda k: decode(rates, singles[k], syndromes[k : k + 1], qber, 0, 1),
        len(key),
    )


def _sifted(n: int, threads: int) -> Prepared:
    generator = np.random.default_rng(n)
    key = generator.integers(0, 2, n, dtype=np.uint8)
    noisy = key.copy()
    noisy[generator.choice(n, round(n * SIFTED_QBER), replace=False)] ^= 1

    def is_right(done: Any) -> bool:
        return done.verified and bool(np.array_equal(done.corrected_bits, key))

    return Prepared(
        n,
        lambda: reconcile(key, noisy, qber=SIFTED_QBER, threads=threads),
        is_right,
        efficiency=lambda done: float(done.efficiency),
    )


def _verification(_: int) -> Prepared:
    key, other = bits_of(KEY_BITS, 2), bits_of(KEY_BITS, 3)

    def tag(bits: PackedBits) -> int:
        return int.from_bytes(verification_tag(bits, bytes(range(16)), 64))

    def is_right(found: bytes) -> bool:
        """Compare with other tags: they are linear, and that of a sum is the sum of those."""
        return int.from_bytes(found) == tag(other) ^ tag(key ^ other) ^ tag(key ^ key)

    return Prepared(KEY_BITS, lambda: verification_tag(key, bytes(range(16)), 64), is_right)


def hash_input(n: int) -> tuple[PackedBits, PackedBits]:
    """Return a string and the seed of its hash to half the length."""
    return bits_of(n, n), bits_of(n + n // 2 - 1, n + 1)


def _amplification(n: int, threads: int) -> Prepared:
    string, seed = hash_input(n)
    bits, diagonals = string.to_bits(), seed.to_bits()
    # The first row and the last one, by hand.
    rows = {0: diagonals[:n][::-1], n // 2 - 1: diagonals[n // 2 - 1 :][::-1]}
    parities = {row: int(np.count_nonzero(bits & diagonal)) & 1 for row, diagonal in rows.items()}

    def is_right(hashed: PackedBits) -> bool:
        return all(hashed.to_bits()[row] == parity for row, parity in parities.items())

    return Prepared(
        n, lambda: toeplitz_hash_packed(string, seed, n // 2, threads=threads), is_right
    )


def _run(rounds: int, threads: int) -> Prepared:
    security = Security(method="asymptotic")
    return Prepared(
        rounds,
        lambda: run(model(), heralded_rounds=rounds, security=security, seed=1, threads=threads),
        lambda report: bool(report.keys_match and report.key_length),
    )


def short(n: int) -> str:
    """Return a round number as 1e6."""
    return f"{n:.0e}".replace("e+0", "e")


def forget() -> None:
    """Let go of the inputs that cases share."""
    for shared in (model, sampler, _rounds, key_and_rates):
        shared.cache_clear()


def own_cases() -> list[Case]:
    """Return the stages of the pipeline, in its order."""
    return [
        *_twice("sampling", "records and pulses", "Mrounds/s", _sampling),
        Case("sifting", "both parties, score", "Mrounds/s", _sifting),
        *_reconciliation(),
        Case("verification", "tag of 64 bits", "Mbit/s", _verification),
        *(
            case
            for n in HASHED_BITS
            for case in _twice(
                "amplification", f"{short(n)} bits to half", "Mbit/s", partial(_amplification, n)
            )
        ),
        *(
            case
            for n in RUN_ROUNDS
            for case in _twice("whole runs", f"{short(n)} rounds", "Mrounds/s", partial(_run, n))
        ),
    ]


def _twice(
    stage: str, what: str, unit: Unit, prepare: Callable[[int], Prepared]
) -> tuple[Case, Case]:
    """Return a case on one thread and on all."""
    return Case(stage, what, unit, prepare), Case(stage, what, unit, prepare, "all")


def _reconciliation() -> Iterator[Case]:
    """Yield encoding and decoding by mode and QBER, and sifted keys of a laboratory."""
    for mode in MODES:
        prepare = partial(_encoding, mode)
        yield Case("encoding", f"{mode}, {BESIDE_QBER:.0%}", "Mbit/s", prepare)
    for mode in MODES:
        for qber in QBERS:
            one, several = _twice(
                "decoding", f"{mode}, {qber:.0%}", "Mbit/s", partial(_decoding, mode, qber)
            )
            yield one
            if qber == BESIDE_QBER:
                yield several
    for n in SIFTED_BITS:
        what = f"{short(n)} bits, {SIFTED_QBER:.1%}"
        yield Case("sifted keys", what, "Mbit/s", partial(_sifted, n))
