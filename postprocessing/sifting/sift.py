"""Sifting: which rounds are key, test or discarded, and Bob's public flip.

Everything here follows from announced settings, heralds and coins; no outcome of the other party
is ever an input.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from postprocessing.bits import Bits, PackedBits, Words, word_count
from postprocessing.errors import InvalidArgumentError
from postprocessing.records import PartyRecord, record_codes
from postprocessing.scheme import MOST_SETTINGS, BellScheme, Party
from postprocessing.sifting import kernels

_SELECTIONS = kernels.selections()


@dataclass(frozen=True, eq=False)
class SiftedRounds:
    """What a party has of the rounds that are kept, in round order.

    Parameters
    ----------
    key_bits : PackedBits
        Outcome bits of the key rounds.
    test_outcomes : PackedBits
        Outcome bits of the test rounds.
    winning_parities : PackedBits
        Parity of the two outcome bits that wins each test round.
    at_key_setting : PackedBits
        1 for each test round in which the reference had its key setting.
    """

    key_bits: PackedBits
    test_outcomes: PackedBits
    winning_parities: PackedBits
    at_key_setting: PackedBits

    @property
    def key_rounds(self) -> int:
        """Number of key rounds."""
        return len(self.key_bits)

    @property
    def test_rounds(self) -> int:
        """Number of test rounds."""
        return len(self.test_outcomes)


def packed_settings(record: PartyRecord) -> npt.NDArray[np.uint8]:
    """Return a party's settings as it announces them, four to a byte.

    Parameters
    ----------
    record : PartyRecord
        The party's rounds.

    Returns
    -------
    ndarray of uint8, shape (⌈n/4⌉,)
        Two bits a round, the first round in the lowest bits of a byte.
    """
    packed = np.empty(-(-len(record) // 4), np.uint8)
    kernels.pack_settings(record.codes, packed)
    return packed


def round_marks(scheme: BellScheme, packed: npt.NDArray[np.uint8], rounds: int) -> PackedBits:
    """Return the marks that the corrector's settings follow: 1 wherever it is not the key setting.

    Parameters
    ----------
    scheme : BellScheme
        The scheme's settings.
    packed : ndarray of uint8, shape (⌈n/4⌉,)
        The corrector's settings as it announces them.
    rounds : int
        n.

    Returns
    -------
    PackedBits
        A bit a round.
    """
    key = scheme.key_setting(scheme.corrector)
    fours = (packed[:, None] >> np.arange(0, 8, 2, dtype=np.uint8)) & np.uint8(3)
    return PackedBits.from_bits(fours.ravel()[:rounds] != key)


def count_pairs(party: Party, record: PartyRecord, peer_settings: Bits) -> npt.NDArray[np.int64]:
    """Count the rounds of each pair of settings, which both parties know once all are announced.

    Parameters
    ----------
    party : {"alice", "bob"}
        Whose record it is.
    record : PartyRecord
        Own rounds.
    peer_settings : ndarray of uint8, shape (⌈n/4⌉,)
        The other party's announced settings.

    Returns
    -------
    ndarray of int64, shape (4, 4)
        By Alice's and Bob's setting, those that no scheme has included.

    Raises
    ------
    InvalidArgumentError
        If the peer's settings are not packed for as many rounds.
    """
    _check_peer(record, peer_settings)
    own, whole = packed_settings(record), len(record) // 4
    met = np.zeros(1 << 16, np.int64)
    kernels.count_fours(own[:whole], peer_settings[:whole], met)
    # Axes: own settings of the last to the first round of a byte, then the peer's.
    places, counts = met.reshape((MOST_SETTINGS,) * 8), np.zeros((MOST_SETTINGS,) * 2, np.int64)
    for last in range(4):
        counts += places.sum(axis=tuple({*range(8)} - {last, 4 + last}))
    # The last byte is filled up with rounds that are none.
    for place in range(len(record) - 4 * whole):
        counts[(own[whole] >> 2 * place) & 3, (peer_settings[whole] >> 2 * place) & 3] += 1
    return counts if party == "alice" else counts.T


def count_surplus(scheme: BellScheme, pairs: npt.NDArray[np.int64]) -> int:
    """Return how many rounds await a coin: the corrector tests, the reference has its key setting.

    Parameters
    ----------
    scheme : BellScheme
        The scheme's settings.
    pairs : ndarray of int64, shape (4, 4)
        Rounds of each pair of settings.
    """
    kinds = ((x, y, _kind(scheme, x, y)) for x, y, _ in scheme.chsh_signs)
    return sum(int(pairs[x, y]) for x, y, kind in kinds if kind & kernels.SURPLUS)


def sift(
    scheme: BellScheme, party: Party, record: PartyRecord, peer_settings: Bits, coins: PackedBits
) -> SiftedRounds:
    """Take out the key and the test rounds, with outcomes in the common frame.

    Surplus rounds whose coin is 1 become tests: with coins of probability p/(1 − p) the four CHSH
    inputs are equally likely among the tests.

    Parameters
    ----------
    scheme, party, record, peer_settings
        As for `count_surplus`.
    coins : PackedBits
        The corrector's coin for each surplus round, in round order.

    Returns
    -------
    SiftedRounds
        Key and test rounds.

    Raises
    ------
    InvalidArgumentError
        If the peer's settings or the coins are not those of as many rounds.
    """
    _check_peer(record, peer_settings)
    key, tests, parities, kept = (
        np.empty(word_count(len(record)) + 1, np.uint64) for _ in range(4)
    )
    key_rounds, test_rounds, surplus = kernels.sift(
        record.codes,
        peer_settings,
        (_round_table(scheme, party), *_SELECTIONS),
        np.append(coins.words, np.zeros(kernels.COIN_PADDING, np.uint64)),
        (key, tests, parities, kept),
    )
    if surplus != len(coins):
        raise InvalidArgumentError("coins", len(coins), f"one for each of {surplus} surplus rounds")
    return SiftedRounds(
        key_bits=_first(key, key_rounds),
        test_outcomes=_first(tests, test_rounds),
        winning_parities=_first(parities, test_rounds),
        at_key_setting=_first(kept, test_rounds),
    )


def _first(words: Words, length: int) -> PackedBits:
    """Return the bits at the start of longer memory, in memory of their own."""
    return PackedBits(words[: word_count(length)].copy(), length)


def _check_peer(record: PartyRecord, peer_settings: Bits) -> None:
    """Check that there is a packed setting for each round."""
    right = peer_settings.dtype == np.uint8 and peer_settings.shape == (-(-len(record) // 4),)
    if not right or not peer_settings.flags.c_contiguous:
        given = f"{peer_settings.dtype} of shape {peer_settings.shape}"
        raise InvalidArgumentError("peer_settings", given, f"packed for {len(record)} rounds")


def _round_table(scheme: BellScheme, party: Party) -> npt.NDArray[np.uint8]:
    """Return what a round is by own record code and peer setting, flat: ``code << 2 | peer``."""
    own, peer = scheme.labels(party), scheme.labels("bob" if party == "alice" else "alice")
    table = np.zeros((256, MOST_SETTINGS), np.uint8)
    for setting in range(len(own)):
        for peer_setting in range(len(peer)):
            x, y = (setting, peer_setting) if party == "alice" else (peer_setting, setting)
            kind = _kind(scheme, x, y)
            for herald in range(len(scheme.heralds)):
                flip = int(party == "bob" and scheme.flip[herald][setting])
                for outcome in (0, 1):
                    code = int(record_codes(setting, outcome, herald))
                    table[code, peer_setting] = kind | (outcome ^ flip)
    return table.ravel()


def _kind(scheme: BellScheme, x: int, y: int) -> int:
    """Return what a round of these settings is, before thinning, and which parity wins it."""
    if (x, y) == scheme.key_pair:
        return kernels.KEY
    for sx, sy, sign in scheme.chsh_signs:
        if (sx, sy) == (x, y):
            pair = {"alice": x, "bob": y}
            has_key_setting = pair[scheme.reference] == scheme.key_setting(scheme.reference)
            kind = kernels.SURPLUS if has_key_setting else kernels.TEST
            return kind | (kernels.DIFFERENT_WINS if sign < 0 else 0)
    return 0
