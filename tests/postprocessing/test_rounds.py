"""Settings of a scheme, the reference party, and the probabilities of the kinds of round."""

import hashlib
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_rounds import XIE_SCHEME as SCHEME

from postprocessing.errors import InvalidArgumentError
from postprocessing.records import PartyRecord
from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.scheme import MOST_HERALDS, MOST_SETTINGS, BellScheme, LocalSettings


def test_reference_is_the_party_whose_key_setting_is_tested(alice_refers):
    assert (SCHEME.reference, SCHEME.corrector) == ("bob", "alice")
    assert (alice_refers.reference, alice_refers.corrector) == ("alice", "bob")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"key_pair": (1, 0)}, "key_pair must be a pair with exactly one setting inside"),
        ({"key_pair": (7, 0)}, "chsh_signs, key_pair must be settings of alice from 0 to 2"),
        ({"chsh_signs": ((1, 0, 1), (1, 1, 1), (2, 0, 1), (2, 1, 1))}, "signs ±1 of product −1"),
        ({"chsh_signs": ((1, 0, 1), (1, 1, -1), (2, 0, 1))}, "chsh_signs must be the four pairs"),
        ({"flip": ((False, False),)}, r"flip must be a table of shape \(2, 2\)"),
    ],
)
def test_impossible_settings_are_refused(change, match):
    values = {name: getattr(SCHEME, name) for name in SCHEME.__dataclass_fields__}
    with pytest.raises(InvalidArgumentError, match=match):
        BellScheme(**{**values, **change})


@given(gamma=st.floats(1e-4, 0.9), p=st.floats(1e-4, 0.5))
def test_thinned_settings_play_a_uniform_game(alice_refers, gamma, p):
    """Summed over both sides' choices and the coin, each CHSH input has the same probability."""
    local = LocalSettings(gamma, p)
    for settings in (SCHEME, alice_refers):
        law = np.outer(local.choice(settings, "alice"), local.choice(settings, "bob"))
        reference_key = settings.key_setting(settings.reference)
        inputs = []
        for x, y, _ in settings.chsh_signs:
            surplus = (x if settings.reference == "alice" else y) == reference_key
            inputs.append(law[x, y] * (local.thinning_probability if surplus else 1))
        np.testing.assert_allclose(inputs, local.round_probabilities.test / 4, rtol=1e-12)
        assert law[settings.key_pair] == pytest.approx(local.round_probabilities.key, rel=1e-12)
        assert law.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: LocalSettings(0.1, 0.6), r"reference_test_probability must be in \(0, 1/2\]"),
        (lambda: LocalSettings(float("nan"), 0.1), "corrector_test_probability must be"),
        (lambda: RoundProbabilities(key=0.9, test=0.2), "key must be a probability"),
        (lambda: RoundProbabilities(key=0.9, test=0.0), "test must be a probability"),
    ],
)
def test_impossible_probabilities_are_refused(make, match):
    with pytest.raises(InvalidArgumentError, match=match):
        make()


def test_records_are_checked():
    bits = np.zeros(3, np.uint8)
    with pytest.raises(InvalidArgumentError, match="three arrays of equal length"):
        PartyRecord.of(bits, bits[:2], bits)
    with pytest.raises(InvalidArgumentError, match="outcomes must be whole numbers below 2, got 2"):
        PartyRecord.of(bits, bits + np.uint8(2), bits)
    with pytest.raises(InvalidArgumentError, match="settings must be whole numbers below 4, got 4"):
        PartyRecord.of(bits + np.uint8(4), bits, bits)
    with pytest.raises(
        InvalidArgumentError, match="heralds must be whole numbers below 32, got 32"
    ):
        PartyRecord.of(bits, bits, bits + np.uint8(32))
    with pytest.raises(InvalidArgumentError, match="outcomes must be a flat array of uint8"):
        PartyRecord.of(bits, np.array([1, -1, 1]), bits)
    with pytest.raises(InvalidArgumentError, match="codes must be a flat array of uint8"):
        PartyRecord(np.zeros((2, 3), np.uint8))
    with pytest.raises(InvalidArgumentError, match="codes must be a flat array of uint8"):
        PartyRecord(np.zeros(3))
    with pytest.raises(InvalidArgumentError, match=r"settings must be an index into \('B1'"):
        PartyRecord.of(bits + np.uint8(2), bits, bits).check(SCHEME, "bob")
    with pytest.raises(InvalidArgumentError, match=r"heralds must be an index into \('D1'"):
        PartyRecord.of(bits, bits, bits + np.uint8(3)).check(SCHEME, "alice")
    PartyRecord.of(bits + np.uint8(2), bits, bits + np.uint8(1)).check(SCHEME, "alice")
    PartyRecord.of(bits[:0], bits[:0], bits[:0]).check(SCHEME, "alice")


def test_every_round_fits_into_a_byte_and_comes_back():
    """A record of all 4 settings, 2 outcomes and 32 heralds has 256 different bytes."""
    cells = np.indices((MOST_SETTINGS, 2, MOST_HERALDS), np.uint8).reshape(3, -1)
    record = PartyRecord.of(*cells)
    assert sorted(record.codes) == list(range(256))
    np.testing.assert_array_equal([record.settings, record.outcomes, record.heralds], cells)


def test_records_with_too_many_settings_or_heralds_are_refused():
    values = {name: getattr(SCHEME, name) for name in SCHEME.__dataclass_fields__}
    heralds = tuple(str(herald) for herald in range(MOST_HERALDS + 1))
    flip = ((False, False),) * len(heralds)
    with pytest.raises(InvalidArgumentError, match="heralds must be at most 32 names, got 33"):
        BellScheme(**{**values, "heralds": heralds, "flip": flip})
    assert BellScheme(**{**values, "heralds": heralds[1:], "flip": flip[1:]}).heralds
    with pytest.raises(InvalidArgumentError, match="alice_labels must be at most 4 names, got 5"):
        BellScheme(**{**values, "alice_labels": ("A0", "A1", "A2", "A3", "A4")})
    bob = {"bob_labels": ("B1", "B2", "B3", "B4", "B5"), "flip": ((False,) * 5,) * 2}
    with pytest.raises(InvalidArgumentError, match="bob_labels must be at most 4 names, got 5"):
        BellScheme(**{**values, **bob})


def test_same_heralds_compares_every_round():
    """Also the last one of a record that is compared piece by piece."""
    rng = np.random.default_rng(1)
    heralds = rng.integers(0, 32, 2**20 + 5, np.uint8)
    bits = rng.integers(0, 2, len(heralds), np.uint8)
    record = PartyRecord.of(bits, bits, heralds)
    other = PartyRecord.of(bits ^ np.uint8(1), bits ^ np.uint8(1), heralds)
    assert record.same_heralds(other)
    assert not record.same_heralds(other.first(len(other) - 1))
    for place in (0, 2**20 - 1, 2**20, -1):
        changed = heralds.copy()
        changed[place] ^= 1
        assert not record.same_heralds(PartyRecord.of(bits, bits, changed))


def test_first_rounds_are_not_copied():
    record = PartyRecord.of(*np.indices((2, 2, 2), np.uint8).reshape(3, -1))
    head = record.first(5)
    assert len(head) == 5
    assert np.shares_memory(head.codes, record.codes)
    np.testing.assert_array_equal(head.heralds, record.heralds[:5])


def test_a_check_takes_no_memory_by_the_round():
    record = PartyRecord(np.zeros(1 << 23, np.uint8))
    tracemalloc.start()
    record.check(SCHEME, "alice")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Numpy widens one piece of a million rounds to eight bytes each.
    assert peak < 10 << 20


def test_the_hash_of_heralds_is_public():
    """It follows from the heralds in order and from nothing else, piece by piece or not."""
    chance = np.random.default_rng(5)
    rounds = (1 << 20) + 7
    heralds = chance.integers(0, 32, rounds, np.uint8)
    records = [
        PartyRecord.of(*(chance.integers(0, most, rounds, np.uint8) for most in (4, 2)), heralds)
        for _ in range(2)
    ]
    expected = hashlib.sha256(heralds.tobytes()).hexdigest()
    assert {record.heralds_sha256() for record in records} == {expected}
    assert records[0].first(rounds - 1).heralds_sha256() != expected
