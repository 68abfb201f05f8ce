"""Encoding and decoding: round trips at the ratings, padding, threads, failures, bad arguments."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postprocessing.errors import InvalidArgumentError
from postprocessing.reconciliation import (
    QCLDPCCode,
    code_family,
    decode_frames,
    encode_frames,
    frame_count,
    get_code,
    in_frames,
)
from postprocessing.reconciliation.rating import count_failures

Bits = npt.NDArray[np.uint8]
CODE = get_code("qc352-92x352")


def noisy(bits: Bits, errors: int, seed: int) -> Bits:
    """Return `bits` with exactly `errors` of them flipped."""
    received = bits.copy()
    received[np.random.default_rng(seed).choice(len(bits), errors, replace=False)] ^= 1
    return received


def random_bits(length: int, seed: int) -> Bits:
    return np.random.default_rng(seed).integers(0, 2, length, dtype=np.uint8)


@pytest.mark.parametrize("code", code_family(), ids=lambda code: code.name)
def test_round_trip_at_the_rating(code: QCLDPCCode) -> None:
    bits = random_bits(code.frame_bits, seed=1)
    received = noisy(bits, code.rated_errors, seed=2)
    decoded = decode_frames(code, received, encode_frames(code, bits), code.rated_qber)
    assert not decoded.failed.any()
    np.testing.assert_array_equal(decoded.bits, bits)
    assert 0 < decoded.iterations[0] <= 60


@pytest.mark.parametrize("length", [1, 100, CODE.frame_bits - 1, CODE.frame_bits + 12_345])
def test_padded_last_frame(length: int) -> None:
    bits = random_bits(length, seed=3)
    received = noisy(bits, length // 40, seed=4)
    syndromes = encode_frames(CODE, bits)
    assert len(syndromes) == frame_count(CODE, bits) == -(-length // CODE.frame_bits)
    decoded = decode_frames(CODE, received, syndromes, 0.025)
    assert not decoded.failed.any()
    np.testing.assert_array_equal(decoded.bits, bits)


def test_known_padding_makes_a_short_frame_decode_beyond_the_rating() -> None:
    """All syndrome bits serve the real bits alone: shortening lowers the rate."""
    bits = random_bits(CODE.frame_bits // 2, seed=5)
    received = noisy(bits, int(1.5 * CODE.rated_qber * len(bits)), seed=6)
    decoded = decode_frames(CODE, received, encode_frames(CODE, bits), 1.5 * CODE.rated_qber)
    np.testing.assert_array_equal(decoded.bits, bits)


def test_empty_key() -> None:
    empty = np.zeros(0, dtype=np.uint8)
    syndromes = encode_frames(CODE, empty)
    decoded = decode_frames(CODE, empty, syndromes, 0.01)
    assert frame_count(CODE, empty) == len(decoded.bits) == len(decoded.failed) == 0


def test_result_does_not_depend_on_threads() -> None:
    bits = random_bits(20 * CODE.frame_bits - 7, seed=7)
    received = noisy(bits, int(1.05 * CODE.rated_qber * len(bits)), seed=8)
    syndromes = encode_frames(CODE, bits)
    results = [decode_frames(CODE, received, syndromes, 0.03, threads) for threads in (1, 2, 5)]
    for other in results[1:]:
        np.testing.assert_array_equal(results[0].bits, other.bits)
        np.testing.assert_array_equal(results[0].iterations, other.iterations)


def test_equal_bits_need_no_iterations() -> None:
    bits = random_bits(3 * CODE.frame_bits, seed=9)
    decoded = decode_frames(CODE, bits, encode_frames(CODE, bits), 0.0)
    assert decoded.iterations.tolist() == [0, 0, 0]
    np.testing.assert_array_equal(decoded.bits, bits)


def test_failed_frame_is_flagged_and_spares_the_others() -> None:
    bits = random_bits(2 * CODE.frame_bits, seed=10)
    received = bits.copy()
    received[::2] = noisy(bits[::2], CODE.frame_bits // 8, seed=11)
    decoded = decode_frames(CODE, received, encode_frames(CODE, bits), 0.02)
    assert decoded.failed.tolist() == [True, False]
    assert decoded.iterations.tolist() == [-1, 0]
    np.testing.assert_array_equal(decoded.bits[1::2], bits[1::2])


def test_a_drift_of_the_error_rate_is_shared_by_all_frames() -> None:
    """Twice the rated errors at the end of the string, none at its start: no frame is above."""
    bits = random_bits(4 * CODE.frame_bits - 7, seed=12)
    received, half = bits.copy(), len(bits) // 2
    received[half:] = noisy(bits[half:], 3 * CODE.rated_errors, seed=13)
    decoded = decode_frames(CODE, received, encode_frames(CODE, bits), CODE.rated_qber)
    assert not decoded.failed.any()
    np.testing.assert_array_equal(decoded.bits, bits)


def test_bits_of_a_frame_are_those_dealt_to_it() -> None:
    marks = in_frames(np.array([False, True, False]), 8)
    assert np.flatnonzero(marks).tolist() == [1, 4, 7]


def test_second_attempt_frees_a_trapping_set() -> None:
    """Three errors on four weight-3 columns that share five checks hold up the first attempt."""
    code = get_code("qc352-30x352")
    bits = random_bits(code.frame_bits, seed=14)
    trapped = 0
    for seed in range(8):
        received = noisy(bits, code.rated_errors - 3, seed)
        received[[19111, 37231, 77508]] = 1 - bits[[19111, 37231, 77508]]
        decoded = decode_frames(code, received, encode_frames(code, bits), code.rated_qber)
        np.testing.assert_array_equal(decoded.bits, bits)
        trapped += int(decoded.iterations[0] > 60)
    assert trapped > 0


@settings(deadline=None, max_examples=25)
@given(
    rows=st.sampled_from(["qc352-4x352", "qc352-14x352", "qc352-43x352", "qc352-162x352"]),
    length=st.integers(1, 3000),
    qber=st.floats(0, 0.5),
    seed=st.integers(0, 2**32 - 1),
)
def test_never_claims_a_frame_with_another_syndrome(
    rows: str, length: int, qber: float, seed: int
) -> None:
    code = get_code(rows)
    generator = np.random.default_rng(seed)
    bits = generator.integers(0, 2, length, dtype=np.uint8)
    received = bits ^ (generator.random(length) < qber)
    syndromes = encode_frames(code, bits)
    decoded = decode_frames(code, received, syndromes, qber)
    assert decoded.bits.shape == bits.shape
    assert decoded.failed[0] == (decoded.iterations[0] < 0)
    same = np.array_equal(encode_frames(code, decoded.bits), syndromes)
    assert decoded.failed[0] or same


def test_syndromes_are_linear() -> None:
    a, b = random_bits(2000, seed=12), random_bits(2000, seed=13)
    total = encode_frames(CODE, a) ^ encode_frames(CODE, b)
    np.testing.assert_array_equal(encode_frames(CODE, a ^ b), total)


@pytest.mark.parametrize("qber", [-0.1, 0.6])
def test_qber_outside_its_range(qber: float) -> None:
    bits = np.zeros(10, dtype=np.uint8)
    with pytest.raises(InvalidArgumentError, match="qber must be in"):
        decode_frames(CODE, bits, encode_frames(CODE, bits), qber)


def test_bad_threads_and_syndromes() -> None:
    bits = np.zeros(10, dtype=np.uint8)
    syndromes = encode_frames(CODE, bits)
    with pytest.raises(InvalidArgumentError, match="threads must be at least 1"):
        decode_frames(CODE, bits, syndromes, 0.01, threads=0)
    with pytest.raises(InvalidArgumentError, match="syndromes must be uint8 of shape"):
        decode_frames(CODE, bits, syndromes[:, :-1], 0.01)


@pytest.mark.parametrize(
    "bits", [np.array([0, 2], np.uint8), np.array([0, 1]), np.zeros((2, 2), np.uint8)]
)
def test_not_bits(bits: Bits) -> None:
    with pytest.raises(InvalidArgumentError, match="bits must be"):
        encode_frames(CODE, bits)


def test_rating_counts_failures() -> None:
    assert count_failures(CODE, CODE.rated_errors, 3) == (0, 0)
    assert count_failures(CODE, 2 * CODE.rated_errors, 2) == (2, 0)
