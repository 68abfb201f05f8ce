"""Sifting and the CHSH tally, against a round-by-round reading of the rules."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_rounds import LI_SCHEME
from plain_rounds import XIE_SCHEME as SCHEME

from postprocessing.bits import PackedBits
from postprocessing.errors import InvalidArgumentError
from postprocessing.records import PartyRecord
from postprocessing.sifting.kernels import selections
from postprocessing.sifting.sift import count_pairs, count_surplus, packed_settings, sift
from postprocessing.testing import GameTally, tally_tests

# Bob is the reference of the first scheme, Alice that of the second, which has eight heralds.
# No scheme of this reference has flips; these settings stand for one that does.
CAVITY_SETTINGS = dataclasses.replace(
    LI_SCHEME,
    heralds=tuple(f"h{number}" for number in range(8)),
    flip=((False, False, False), (False, False, True)) * 4,
)
SCHEMES = {"ecs": SCHEME, "cavity": CAVITY_SETTINGS}
PARTIES = ("alice", "bob")
# Around a byte, and around the stretch that the kernels take at a time.
LENGTHS = (0, 1, 2, 3, 4, 5, 7, 8, 9, 4095, 4096, 4097, 100_003)


def _records(settings, rounds, seed, x=None, y=None):
    """Return Alice's and Bob's records: any settings and outcomes, under the same heralds."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, len(settings.alice_labels), rounds, np.uint8) if x is None else x
    y = rng.integers(0, len(settings.bob_labels), rounds, np.uint8) if y is None else y
    heralds = rng.integers(0, len(settings.heralds), rounds, np.uint8)
    a, b = rng.integers(0, 2, (2, rounds), np.uint8)
    return {"alice": PartyRecord.of(x, a, heralds), "bob": PartyRecord.of(y, b, heralds)}


def _kind(settings, x, y):
    """Read the rules: a CHSH pair with the reference's key setting waits for a coin."""
    if (x, y) == settings.key_pair:
        return "key"
    if (x, y) not in {(sx, sy) for sx, sy, _ in settings.chsh_signs}:
        return "discarded"
    at_reference = x if settings.reference == "alice" else y
    return "surplus" if at_reference == settings.key_setting(settings.reference) else "test"


def _surplus(settings, records):
    pairs = zip(records["alice"].settings, records["bob"].settings, strict=True)
    return sum(_kind(settings, x, y) == "surplus" for x, y in pairs)


def _literally(settings, party, records, coins):
    """Return key bits, test outcomes, winning parities and kinds of tests, round by round."""
    signs = {(x, y): sign for x, y, sign in settings.chsh_signs}
    toss = iter(coins)
    key, tests, parities, kept = [], [], [], []
    alice, bob = records["alice"], records["bob"]
    own = records[party]
    columns = (alice.settings, bob.settings, own.outcomes, own.heralds)
    for x, y, outcome, herald in zip(*(column.tolist() for column in columns), strict=True):
        if party == "bob" and settings.flip[herald][y]:
            outcome = 1 - outcome
        kind = _kind(settings, x, y)
        if kind == "key":
            key.append(outcome)
        if kind == "test" or (kind == "surplus" and next(toss)):
            tests.append(outcome)
            parities.append(int(signs[x, y] < 0))
            reference = x if settings.reference == "alice" else y
            kept.append(int(reference == settings.key_setting(settings.reference)))
    assert next(toss, None) is None
    return key, tests, parities, kept


def _check(settings, records, coins):
    """Compare both parties' sifting with the literal one."""
    announced = {party: packed_settings(records[party]) for party in PARTIES}
    for party, peer in (PARTIES, PARTIES[::-1]):
        key, tests, parities, kept = _literally(settings, party, records, coins)
        arguments = (settings, party, records[party], announced[peer])
        pairs = count_pairs(party, records[party], announced[peer])
        x, y = (records[name].settings.astype(int) for name in PARTIES)
        assert np.array_equal(pairs, np.bincount(4 * x + y, minlength=16).reshape(4, 4))
        assert count_surplus(settings, pairs) == len(coins)
        sifted = sift(*arguments, PackedBits.from_bits(coins))
        assert (sifted.key_rounds, sifted.test_rounds) == (len(key), len(tests))
        np.testing.assert_array_equal(sifted.key_bits.to_bits(), key)
        np.testing.assert_array_equal(sifted.test_outcomes.to_bits(), tests)
        np.testing.assert_array_equal(sifted.winning_parities.to_bits(), parities)
        np.testing.assert_array_equal(sifted.at_key_setting.to_bits(), kept)


def _coins(settings, records, seed, heads=0.5):
    rng = np.random.default_rng(seed)
    return (rng.random(_surplus(settings, records)) < heads).astype(np.uint8)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("rounds", LENGTHS)
def test_sifting_is_the_literal_one(scheme, rounds):
    settings = SCHEMES[scheme]
    records = _records(settings, rounds, seed=rounds)
    _check(settings, records, _coins(settings, records, seed=rounds))


@pytest.mark.parametrize("scheme", SCHEMES)
@given(rounds=st.integers(0, 300), seed=st.integers(0, 2**32 - 1), heads=st.floats(0, 1))
def test_sifting_of_any_records(scheme, rounds, seed, heads):
    settings = SCHEMES[scheme]
    records = _records(settings, rounds, seed)
    _check(settings, records, _coins(settings, records, seed, heads))


@given(data=st.data())
def test_sifting_of_any_few_rounds(data):
    """Records that hypothesis can shrink to the round that goes wrong."""
    settings = SCHEMES[data.draw(st.sampled_from(list(SCHEMES)))]
    columns = (settings.alice_labels, settings.bob_labels, settings.heralds, (0, 1), (0, 1))
    cells = st.tuples(*(st.integers(0, len(labels) - 1) for labels in columns))
    drawn = np.array(data.draw(st.lists(cells, max_size=40)), np.uint8).reshape(-1, 5)
    x, y, heralds, a, b = drawn.T
    records = {"alice": PartyRecord.of(x, a, heralds), "bob": PartyRecord.of(y, b, heralds)}
    surplus = _surplus(settings, records)
    tosses = data.draw(st.lists(st.integers(0, 1), min_size=surplus, max_size=surplus))
    _check(settings, records, np.array(tosses, np.uint8))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("rounds", [1, 8, 4095, 4096, 4097, 20_001])
def test_strings_of_one_kind(scheme, rounds):
    """Every pair of settings alone: all key, all surplus, all tests, all discarded."""
    settings = SCHEMES[scheme]
    kinds = set()
    for x in range(len(settings.alice_labels)):
        for y in range(len(settings.bob_labels)):
            columns = np.full(rounds, x, np.uint8), np.full(rounds, y, np.uint8)
            records = _records(settings, rounds, x + 8 * y, *columns)
            kinds.add(_kind(settings, x, y))
            for heads in (0, 0.5, 1):
                _check(settings, records, _coins(settings, records, 5, heads))
    assert kinds == {"key", "surplus", "test", "discarded"}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_strings_without_one_kind(scheme):
    """No key rounds, no tests, no surplus: the others are still the literal ones."""
    settings, rounds = SCHEMES[scheme], 9001
    pairs = np.array(
        [
            (x, y)
            for x in range(len(settings.alice_labels))
            for y in range(len(settings.bob_labels))
        ],
        np.uint8,
    )
    rng = np.random.default_rng(6)
    for missing in ("key", "test", "surplus", "discarded"):
        kept = pairs[[_kind(settings, *pair) != missing for pair in pairs.tolist()]]
        x, y = kept[rng.integers(0, len(kept), rounds)].T
        records = _records(settings, rounds, 7, x.copy(), y.copy())
        _check(settings, records, _coins(settings, records, 8))


def test_kinds_of_round_of_the_entangled_coherent_scheme():
    """The literal reading itself: key A0 B1, tests with B2, surplus with B1, no use of A0 B2."""
    kinds = {
        (x, y): _kind(SCHEME, int(x[1]), int(y[1]) - 1)
        for x in SCHEME.alice_labels
        for y in SCHEME.bob_labels
    }
    assert kinds == {
        ("A0", "B1"): "key",
        ("A0", "B2"): "discarded",
        ("A1", "B1"): "surplus",
        ("A2", "B1"): "surplus",
        ("A1", "B2"): "test",
        ("A2", "B2"): "test",
    }


@pytest.mark.parametrize("rounds", [n for n in LENGTHS if n])
def test_settings_are_announced_two_bits_a_round(rounds):
    """The first round in the lowest bits of a byte, zeros behind the last."""
    record = _records(CAVITY_SETTINGS, rounds, seed=rounds)["bob"]
    packed = packed_settings(record)
    assert (packed.dtype, packed.shape) == (np.uint8, (-(-rounds // 4),))
    unpacked = (packed[:, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3
    np.testing.assert_array_equal(unpacked.ravel()[:rounds], record.settings)
    assert not unpacked.ravel()[rounds:].any()


@pytest.mark.parametrize("party", PARTIES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_settings_that_do_not_exist_are_counted(scheme, party):
    """On either side, each such round once; what lies behind the last round counts nothing."""
    settings, rounds = SCHEMES[scheme], 10_001
    records = _records(settings, rounds, seed=9)
    peer = "bob" if party == "alice" else "alice"
    rng = np.random.default_rng(10)
    known = len(settings.labels(peer))
    any_setting = rng.integers(0, 4, rounds, np.uint8)
    strange = PartyRecord.of(any_setting, records[peer].outcomes, records[peer].heralds)
    announced = packed_settings(strange)
    announced[-1] |= 0b11111100
    pairs = count_pairs(party, records[party], announced)
    is_known = any_setting < known
    by_peer = pairs.sum(axis=0 if party == "alice" else 1)
    assert by_peer[known:].sum() == np.count_nonzero(~is_known) > 0
    assert pairs.sum() == rounds
    kept = {
        name: PartyRecord(record.codes[is_known])
        for name, record in {party: records[party], peer: strange}.items()
    }
    assert count_surplus(settings, pairs) == _surplus(settings, kept)


def test_only_bob_flips_and_only_b1_on_d2():
    """All-key rounds: Alice's bits are her outcomes, Bob's come inverted under D2."""
    key_x, key_y = SCHEME.key_pair
    columns = np.full(5000, key_x, np.uint8), np.full(5000, key_y, np.uint8)
    records = _records(SCHEME, 5000, 2, *columns)
    none = PackedBits.from_bits(np.empty(0, np.uint8))
    for party, peer in (PARTIES, PARTIES[::-1]):
        record = records[party]
        sifted = sift(SCHEME, party, record, packed_settings(records[peer]), none)
        flipped = sifted.key_bits.to_bits() != record.outcomes
        expected = (record.heralds == 1) if party == "bob" else np.zeros(5000, bool)
        np.testing.assert_array_equal(flipped, expected)


def test_selections_are_the_literal_ones():
    """Bits are numbered from the bottom: pick those under the mask, or spread the first over it."""
    packed, spread = (table.reshape(256, 256) for table in selections())
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    for mask in range(256):
        places = np.flatnonzero(bits[mask])
        picked, strewn = np.zeros((2, 256, 8), np.uint8)
        picked[:, : len(places)] = bits[:, places]
        strewn[:, places] = bits[:, : len(places)]
        for table, expected in ((packed, picked), (spread, strewn)):
            as_bytes = np.packbits(expected, axis=1, bitorder="little").ravel()
            np.testing.assert_array_equal(table[mask], as_bytes)


def test_tally_agrees_with_correlators():
    """With equally many rounds an input, 8w − 4 is the signed sum of the correlators."""
    rng = np.random.default_rng(3)
    inputs = np.tile(np.array(SCHEME.chsh_signs), (1000, 1))
    x, y, signs = inputs.T
    a, b = (rng.integers(0, 2, len(x), np.uint8) for _ in range(2))
    tally = tally_tests(*map(PackedBits.from_bits, (a, b, signs < 0, y == 0)))
    product = (1 - 2.0 * a) * (1 - 2.0 * b)
    correlators = {
        (sx, sy): product[(x == sx) & (y == sy)].mean() for sx, sy, _ in SCHEME.chsh_signs
    }
    chsh = sum(sign * correlators[sx, sy] for sx, sy, sign in SCHEME.chsh_signs)
    assert tally.chsh == pytest.approx(chsh, abs=1e-12)
    assert tally.rounds == len(x)
    lost = np.where(signs < 0, a == b, a != b)
    assert tally.at_key_setting == (int((y == 0).sum()), int(lost[y == 0].sum()))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_sifted_tests_score_the_correlators(scheme):
    """From records to S: the tests of both parties' sifting are won by the parity of the inputs."""
    settings = SCHEMES[scheme]
    x, y, signs = np.tile(np.array(settings.chsh_signs), (2000, 1)).T
    records = _records(settings, len(x), 4, x.astype(np.uint8), y.astype(np.uint8))
    coins = PackedBits.from_bits(np.ones(_surplus(settings, records), np.uint8))
    alice, bob = (
        sift(settings, party, records[party], packed_settings(records[peer]), coins)
        for party, peer in (PARTIES, PARTIES[::-1])
    )
    assert alice.winning_parities == bob.winning_parities
    assert alice.at_key_setting == bob.at_key_setting
    public = bob.winning_parities, bob.at_key_setting
    tally = tally_tests(bob.test_outcomes, alice.test_outcomes, *public)
    flip = np.array(settings.flip)[records["bob"].heralds, y]
    product = (1 - 2.0 * records["alice"].outcomes) * (1 - 2.0 * records["bob"].outcomes)
    chsh = 4 * np.mean(signs * np.where(flip, -product, product))
    assert tally.rounds == len(x)
    assert tally.chsh == pytest.approx(chsh, abs=1e-12)


@pytest.mark.parametrize("part", [(11, 2), (4, 5), (-1, -1), (1, 2), (10, 0), (8, 0)])
def test_one_kind_of_tests_is_a_part_of_all(part):
    """Of 10 tests 3 were lost: neither more rounds nor more losses, nor more wins, of one kind."""
    with pytest.raises(InvalidArgumentError, match="at_key_setting"):
        GameTally(10, 3, part)


def test_tally_without_rounds_has_no_estimate():
    assert GameTally(0, 0).chsh is None


def _zeros(count):
    return PackedBits.from_bits(np.zeros(count, np.uint8))


def test_what_does_not_fit_the_record_is_refused():
    record = _records(SCHEME, 1000, seed=1)["alice"]
    peer = packed_settings(_records(SCHEME, 1000, seed=1)["bob"])
    surplus = count_surplus(SCHEME, count_pairs("alice", record, peer))
    with pytest.raises(InvalidArgumentError, match=r"peer_settings must be packed for 1000 rounds"):
        count_pairs("alice", record, peer[:-1])
    with pytest.raises(InvalidArgumentError, match=r"peer_settings must be packed for 1000 rounds"):
        sift(SCHEME, "alice", record, peer[:-1], _zeros(surplus))
    for wrong in (surplus - 1, surplus + 1, 0):
        with pytest.raises(InvalidArgumentError, match=r"coins must be one for each"):
            sift(SCHEME, "alice", record, peer, _zeros(wrong))
