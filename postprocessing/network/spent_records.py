"""Which records have been post-processed: each once, whatever became of the session.

The security statement is for one run of the post-processing on a block of rounds. A second run
would publish a second set of syndromes and tags of the same outcomes, or make a second key of them.
A record is therefore marked before the first message that tells of it, and refused from then on.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Self

from postprocessing.errors import InputFileError
from postprocessing.keys import sync_folder
from postprocessing.rounds import Party, PartyRecord

# A block begins at the first round of its record, so its beginning tells that it is used again,
# however many rounds follow. So many fresh outcomes never coincide, and fewer make no key.
_KNOWN_BY_ROUNDS = 1024


class SpentRecords:
    """A party's marks, one file a record, named by the SHA-256 of its first 1024 rounds.

    Parameters
    ----------
    folder : Path
        Where the marks are; made with the first of them.

    Notes
    -----
    Not known again are a record that begins elsewhere in the same rounds, one whose values are
    coded otherwise, and any record where the folder is not kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def beside(cls, pool: Path, party: Party) -> Self:
        """Return the marks of all pools in one folder: what a party keeps from run to run."""
        return cls(pool.resolve().parent / f"{party}.spent-records")

    def has(self, record: PartyRecord) -> bool:
        """Tell whether a record is spent."""
        return os.path.lexists(self._mark(record))

    def check_fresh(self, record: PartyRecord) -> None:
        """Refuse a spent record.

        Raises
        ------
        InputFileError
            If it is.
        """
        if self.has(record):
            raise InputFileError(self._refusal(record))

    def spend(self, record: PartyRecord) -> None:
        """Mark a record spent, down to the disk; of several that try only one succeeds.

        Raises
        ------
        InputFileError
            If it is marked already, or cannot be.
        """
        mark = self._mark(record)
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self._folder.parent)
            descriptor = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            sync_folder(self._folder)
        except FileExistsError as error:
            raise InputFileError(self._refusal(record)) from error
        except OSError as error:
            text = f"record must be marked spent, {str(mark)!r} cannot be made ({error.strerror})"
            raise InputFileError(text) from error

    def _mark(self, record: PartyRecord) -> Path:
        beginning = record.codes[:_KNOWN_BY_ROUNDS].tobytes()
        return self._folder / hashlib.sha256(beginning).hexdigest()

    def _refusal(self, record: PartyRecord) -> str:
        return (
            "record must be fresh: an earlier session has used its rounds, and rounds are "
            f"post-processed once (marked by {str(self._mark(record))!r})"
        )
