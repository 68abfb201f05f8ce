"""Frames, syndromes, decoding, added redundancy: round trips, threads, honest failures."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postprocessing.bits import Bits, PackedBits
from postprocessing.errors import InvalidArgumentError
from postprocessing.reconciliation import (
    Frames,
    RateAdaptation,
    code_family,
    collect,
    deal,
    decode,
    encode,
    failure_rates,
    frame_count,
    verification_tag,
)
from postprocessing.reconciliation.decoder import EXACT_ITERATIONS, QUANTISED_ITERATIONS
from postprocessing.reconciliation.performance import waterfall

TRAPPED = Path(__file__).parents[2] / "reference" / "trapped_errors.csv"
RATES = RateAdaptation("fast0.02-512-32x200", 96_000, (0, 2, 16))


def random_bits(length: int, seed: int) -> Bits:
    return np.random.default_rng(seed).integers(0, 2, length, dtype=np.uint8)


def noisy(bits: Bits, qber: float, seed: int) -> Bits:
    return bits ^ (np.random.default_rng(seed).random(len(bits)) < qber).astype(np.uint8)


def dealt(bits: Bits, rates: RateAdaptation = RATES) -> Frames:
    return deal(PackedBits.from_bits(bits), rates)


@pytest.mark.parametrize("name", code_family())
def test_round_trip_of_every_code_below_its_waterfall(name: str) -> None:
    """A whole frame, the reference's bits random, at nine tenths of the errors it can take."""
    code = code_family()[name]
    rates = RateAdaptation(name, code.frame_bits, (0,))
    qber = 0.85 * waterfall(name, code.frame_bits, 0)[0] / code.frame_bits
    bits = random_bits(code.frame_bits, seed=1)
    sent, received = dealt(bits, rates), dealt(noisy(bits, qber, seed=2), rates)
    decoded = decode(rates, received, encode(rates, sent), qber)
    assert decoded.iterations[0] > 0
    np.testing.assert_array_equal(collect(decoded.frames).to_bits(), bits)


@pytest.mark.parametrize("length", [1, 63, 64, 96_000, 96_001, 1_000_003])
def test_frames_of_nearly_equal_length_hold_the_key(length: int) -> None:
    bits = random_bits(length, seed=3)
    frames = dealt(bits)
    assert len(frames) == frame_count(length, RATES) == -(-length // 96_000)
    assert frames.lengths.sum() == length
    assert np.ptp(frames.lengths) < 128
    np.testing.assert_array_equal(collect(frames).to_bits(), bits)
    np.testing.assert_array_equal(frames.filled(frames.bits()).words, frames.words)


def test_short_last_frame_is_decoded() -> None:
    bits = random_bits(100_001, seed=4)
    frames = dealt(noisy(bits, 0.02, seed=5))
    decoded = decode(RATES, frames, encode(RATES, dealt(bits)), 0.02)
    np.testing.assert_array_equal(collect(decoded.frames).to_bits(), bits)


def test_empty_key() -> None:
    empty = dealt(np.zeros(0, np.uint8))
    decoded = decode(RATES, empty, encode(RATES, empty), 0.02)
    assert len(empty) == len(decoded.failed) == len(collect(decoded.frames)) == 0


def test_added_redundancy_saves_failed_frames() -> None:
    """Errors beyond the first attempt: the added bits alone, no new syndrome, free every frame."""
    bits = random_bits(4 * 96_000, seed=6)
    sent, received = dealt(bits), dealt(noisy(bits, 0.024, seed=7))
    first = encode(RATES, sent)
    decoded = decode(RATES, received, first, 0.024)
    assert decoded.failed.all()
    np.testing.assert_array_equal(decoded.frames.words, received.words)
    so_far = first
    for step in (1, 2):
        so_far = np.hstack([so_far, encode(RATES, sent, step)])
        assert 8 * so_far.shape[1] == (32 + RATES.split_rows[step]) * 512
        decoded = decode(RATES, received, so_far, 0.024, step)
    np.testing.assert_array_equal(decoded.frames.words, sent.words)


def test_single_precision_takes_up_what_the_quantised_decoder_leaves() -> None:
    bits = random_bits(2 * 96_000, seed=8)
    sent, received = dealt(bits), dealt(noisy(bits, 0.02, seed=9))
    decoded = decode(RATES, received, encode(RATES, sent), 0.02, most_iterations=(3, 100))
    assert (decoded.iterations > 3).all()
    np.testing.assert_array_equal(decoded.frames.words, sent.words)


def test_errors_in_a_trapping_set_are_freed_by_less_trust_in_what_was_received() -> None:
    """Fewer errors than the mean at 2 %, six of which one check alone objects to.

    Found among 3000 random frames: no attempt of either decoder frees them, whatever is added.
    """
    rates = RateAdaptation("fast0.02-512-32x200", 93_760, (0, 1, 2, 8))
    errors = np.loadtxt(TRAPPED, np.int64, skiprows=1)
    bits = np.zeros(rates.frame_bits, np.uint8)
    sent = dealt(bits, rates)
    bits[errors] = 1
    decoded = decode(rates, dealt(bits, rates), encode(rates, sent), 0.02)
    assert decoded.iterations[0] > QUANTISED_ITERATIONS + EXACT_ITERATIONS
    np.testing.assert_array_equal(decoded.frames.words, sent.words)


def test_result_does_not_depend_on_threads() -> None:
    bits = random_bits(23 * 96_000 - 7, seed=10)
    received, syndromes = dealt(noisy(bits, 0.0222, seed=11)), encode(RATES, dealt(bits))
    one, two, five = (decode(RATES, received, syndromes, 0.022, 0, n) for n in (1, 2, 5))
    for other in (two, five):
        np.testing.assert_array_equal(one.frames.words, other.frames.words)
        np.testing.assert_array_equal(one.iterations, other.iterations)


def test_drift_is_shared_by_all_frames() -> None:
    """Four hundredths of errors at the end of the key, none at its start."""
    bits = random_bits(4 * 96_000, seed=12)
    received, half = bits.copy(), len(bits) // 2
    received[half:] = noisy(bits[half:], 0.038, seed=13)
    decoded = decode(RATES, dealt(received), encode(RATES, dealt(bits)), 0.019)
    assert not decoded.failed.any()


def test_equal_bits_need_no_iterations() -> None:
    frames = dealt(random_bits(3 * 96_000, seed=14))
    decoded = decode(RATES, frames, encode(RATES, frames), 0.0)
    assert decoded.iterations.tolist() == [0, 0, 0]


def test_syndromes_are_linear() -> None:
    a, b = random_bits(96_000, seed=15), random_bits(96_000, seed=16)
    total = encode(RATES, dealt(a)) ^ encode(RATES, dealt(b))
    np.testing.assert_array_equal(encode(RATES, dealt(a ^ b)), total)


@settings(deadline=None, max_examples=15)
@given(
    flips=st.lists(st.integers(0, 16_383), min_size=1, max_size=4, unique=True),
    factor=st.sampled_from([0.3, 1.0, 3.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_flipped_syndrome_bits_never_pass_for_the_key(
    flips: list[int], factor: float, seed: int
) -> None:
    """Either the decoder gives up, or what it found has another tag."""
    bits = random_bits(96_000, seed)
    sent, received = dealt(bits), dealt(noisy(bits, 0.018 * factor, seed + 1))
    syndromes = encode(RATES, sent)
    for flip in flips:
        syndromes[0, flip // 8] ^= 1 << flip % 8
    decoded = decode(RATES, received, syndromes, 0.018)
    if not decoded.failed[0]:
        np.testing.assert_array_equal(encode(RATES, decoded.frames), syndromes)
        tags = {
            verification_tag(collect(frames), bytes(range(16)), 64)
            for frames in (decoded.frames, sent)
        }
        assert len(tags) == 2


def test_another_code_fails() -> None:
    bits = random_bits(96_000, seed=17)
    other = RateAdaptation("fast0.04-512-53x200", 96_000, (0,))
    syndromes = encode(other, dealt(bits, other))
    with pytest.raises(InvalidArgumentError, match="syndromes must be uint8 of shape"):
        decode(RATES, dealt(bits), syndromes, 0.02)
    assert decode(RATES, dealt(bits), syndromes[:, :2048].copy(), 0.02).failed.all()


def test_bad_arguments() -> None:
    frames = dealt(np.zeros(10, np.uint8))
    syndromes = encode(RATES, frames)
    for qber in (-0.1, 0.6):
        with pytest.raises(InvalidArgumentError, match="qber must be in"):
            decode(RATES, frames, syndromes, qber)
        with pytest.raises(InvalidArgumentError, match="qber must be in"):
            failure_rates(RATES, qber)
    with pytest.raises(InvalidArgumentError, match="threads must be"):
        decode(RATES, frames, syndromes, 0.01, threads=0)


def test_failure_rates_fall_with_every_attempt_and_rise_with_the_error_rate() -> None:
    rates = [failure_rates(RATES, qber) for qber in (0.0, 0.02, 0.022, 0.03)]
    for attempts in rates:
        assert attempts[0] >= attempts[1] >= attempts[2] > 0
    assert rates[0][0] <= rates[1][0] < rates[2][0] < rates[3][0]
    assert rates[3][0] == pytest.approx(1.0)
