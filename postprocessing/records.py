"""One party's half of the rounds: a byte a round."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from postprocessing.bits import Bits
from postprocessing.checks import check_bytes
from postprocessing.errors import InvalidArgumentError
from postprocessing.scheme import MOST_HERALDS, MOST_SETTINGS, BellScheme, Party

_Index = int | Bits

# A round is a byte of a record: one bit of outcome, two of setting, five of herald.
_SETTING_SHIFT, _HERALD_SHIFT = 1, 3
# Rounds looked at together, so that no temporary array is as long as a record.
_PIECE = 1 << 20


def record_codes(settings: _Index, outcomes: _Index, heralds: _Index) -> Bits:
    """Return the bytes of a record: outcome in bit 0, setting in bits 1 and 2, herald above.

    Parameters
    ----------
    settings, outcomes, heralds : int or ndarray of int
        Indices of settings below 4, outcome bits, indices of heralds below 32.

    Returns
    -------
    ndarray of uint8
        The bytes.
    """
    return np.asarray(
        np.left_shift(heralds, _HERALD_SHIFT) | np.left_shift(settings, _SETTING_SHIFT) | outcomes
    ).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class PartyRecord:
    """One party's half of the heralded rounds, and the public announcements.

    Parameters
    ----------
    codes : ndarray of uint8, shape (n,)
        A byte a round, see `record_codes`: outcome bit (0 for +1, 1 for −1, before any flip),
        setting and herald.

    Raises
    ------
    InvalidArgumentError
        If the array is not flat and of uint8.

    Examples
    --------
    >>> columns = np.array([[0, 1, 2], [0, 1, 1], [0, 0, 0]], np.uint8)
    >>> PartyRecord.of(settings=columns[0], outcomes=columns[1], heralds=columns[2])
    PartyRecord(3 rounds)
    """

    codes: Bits

    def __post_init__(self) -> None:
        """Check type and shape."""
        check_bytes("codes", self.codes)

    def __repr__(self) -> str:
        """Return how many rounds there are; what they hold is nobody else's business."""
        return f"PartyRecord({len(self.codes):,} rounds)"

    @classmethod
    def of(cls, settings: Bits, outcomes: Bits, heralds: Bits) -> PartyRecord:
        """Return the record of these columns.

        Parameters
        ----------
        settings : ndarray of uint8, shape (n,)
            Setting index of each heralded round.
        outcomes : ndarray of uint8, shape (n,)
            Outcome bit: 0 for +1, 1 for −1, before any flip.
        heralds : ndarray of uint8, shape (n,)
            Public announcement of each round, an index into ``BellScheme.heralds``.

        Raises
        ------
        InvalidArgumentError
            If the arrays are not flat and of uint8, differ in length, or have a value that no
            record can hold.
        """
        columns = {"settings": settings, "outcomes": outcomes, "heralds": heralds}
        most = {"settings": MOST_SETTINGS, "outcomes": 2, "heralds": MOST_HERALDS}
        for name, column in columns.items():
            check_bytes(name, column)
            if int(column.max(initial=0)) >= most[name]:
                allowed = f"whole numbers below {most[name]}"
                raise InvalidArgumentError(name, int(column.max()), allowed)
        lengths = tuple(len(column) for column in columns.values())
        if len(set(lengths)) != 1:
            raise InvalidArgumentError("record", lengths, "three arrays of equal length")
        return cls(record_codes(settings, outcomes, heralds))

    def __len__(self) -> int:
        """Return the number of heralded rounds."""
        return len(self.codes)

    @property
    def settings(self) -> Bits:
        """Setting index of each round."""
        return (self.codes >> np.uint8(_SETTING_SHIFT)) & np.uint8(MOST_SETTINGS - 1)

    @property
    def outcomes(self) -> Bits:
        """Outcome bit of each round."""
        return self.codes & np.uint8(1)

    @property
    def heralds(self) -> Bits:
        """Herald index of each round."""
        return self.codes >> np.uint8(_HERALD_SHIFT)

    def check(self, scheme: BellScheme, party: Party) -> None:
        """Check that every setting and herald is one of the scheme's.

        Raises
        ------
        InvalidArgumentError
            If an index is out of range.
        """
        # A record has few kinds of byte, however many rounds.
        seen = np.zeros(256, np.int64)
        for start in range(0, len(self), _PIECE):
            seen += np.bincount(self.codes[start : start + _PIECE], minlength=256)
        kinds = PartyRecord(np.flatnonzero(seen).astype(np.uint8))
        for name, labels in (("settings", scheme.labels(party)), ("heralds", scheme.heralds)):
            column = getattr(kinds, name)
            if column.size and int(column.max()) >= len(labels):
                raise InvalidArgumentError(name, int(column.max()), f"an index into {labels}")

    def same_heralds(self, other: PartyRecord) -> bool:
        """Tell whether two records are halves of rounds with the same heralds."""
        pieces = (slice(start, start + _PIECE) for start in range(0, len(self), _PIECE))
        return len(self) == len(other) and all(
            np.array_equal(self.codes[piece] >> _HERALD_SHIFT, other.codes[piece] >> _HERALD_SHIFT)
            for piece in pieces
        )

    def heralds_sha256(self) -> str:
        """Return the SHA-256 of the heralds in order, a byte each, which both parties share."""
        digest = hashlib.sha256()
        for start in range(0, len(self), _PIECE):
            digest.update((self.codes[start : start + _PIECE] >> np.uint8(_HERALD_SHIFT)).data)
        return digest.hexdigest()

    def first(self, rounds: int) -> PartyRecord:
        """Return the record of the first `rounds` rounds, without copying."""
        return PartyRecord(self.codes[:rounds])
