"""Which records have been post-processed: each once, whatever became of the session.

The security statement is for one run of the post-processing on a block of rounds. A second run
would publish a second set of syndromes and tags of the same outcomes, or make a second key of them.
A record is therefore marked before the first message that tells of it, and refused from then on.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path
from typing import Self

from postprocessing.errors import InputFileError
from postprocessing.files.atomic import sync_folder, write_output
from postprocessing.records import PartyRecord
from postprocessing.scheme import Party

# A block begins at the first round of its record, so its beginning tells that it is used again,
# however many rounds follow. So many fresh outcomes never coincide, and fewer make no key.
_KNOWN_BY_ROUNDS = 1024
USED_BEFORE = "this block was distilled before: use the keys of one run, and no others"
_SECRET = "secret"
_SECRET_BYTES = 32
_MARK_BYTES = 32


class SpentRecords:
    """A party's marks, one file a record, named by a keyed hash of its first 1024 rounds.

    The hash is keyed by a random secret in the same folder: names alone, as in a listing, tell
    nothing of the outcomes.

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
        return cls(Path(os.path.realpath(pool)).parent / f"{party}.spent-records")

    @classmethod
    def distilled(cls, file: Path) -> Self:
        """Return the marks beside a file of both parties' rounds, or of one's."""
        return cls(Path(os.path.realpath(file)).parent / "distilled-records")

    def has(self, record: PartyRecord) -> bool:
        """Tell whether a record is spent."""
        secret = self._read_secret()
        return secret is not None and os.path.lexists(self._mark(record, secret))

    def check_fresh(self, record: PartyRecord) -> None:
        """Refuse a spent record.

        Raises
        ------
        InputFileError
            If it is.
        """
        if self.has(record):
            raise InputFileError(self._refusal())

    def spend(self, record: PartyRecord) -> None:
        """Mark a record spent, down to the disk; of several that try only one succeeds.

        Raises
        ------
        InputFileError
            If it is marked already, or cannot be.
        """
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self._folder.parent)
            mark = self._mark(record, self._read_secret() or self._new_secret())
            descriptor = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            sync_folder(self._folder)
        except FileExistsError as error:
            raise InputFileError(self._refusal()) from error
        except OSError as error:
            text = f"record must be marked spent, {str(self._folder)!r} cannot hold a mark"
            raise InputFileError(f"{text} ({error.strerror})") from error

    def note(self, record: PartyRecord) -> str | None:
        """Mark a record that may be used again, with a warning; return that, if there is one."""
        try:
            if self.has(record):
                return USED_BEFORE
            self.spend(record)
        except InputFileError as error:
            return f"this block is not marked as distilled: {error}"
        return None

    def _read_secret(self) -> bytes | None:
        """Return the secret of the folder; None where it has neither secret nor marks.

        Raises
        ------
        InputFileError
            If it has marks that nobody can read any more.
        """
        path = self._folder / _SECRET
        try:
            if not path.exists() and not self._has_marks():
                return None
            secret = path.read_bytes()
        except OSError as error:
            text = f"record must be known as fresh, {str(path)!r} cannot be read ({error.strerror})"
            raise InputFileError(text) from error
        if len(secret) != _SECRET_BYTES:
            text = f"record must be known as fresh, {str(path)!r} must hold {_SECRET_BYTES} bytes"
            raise InputFileError(text)
        return secret

    def _new_secret(self) -> bytes:
        secret = secrets.token_bytes(_SECRET_BYTES)
        try:
            write_output(self._folder, {_SECRET: secret})
        except InputFileError as error:
            # Another process may have been faster.
            found = self._read_secret()
            if found is None:
                text = f"record must be marked spent, {str(self._folder)!r} cannot hold a secret"
                raise InputFileError(text) from error
            return found
        return secret

    def _has_marks(self) -> bool:
        """Tell whether there are marks, which by themselves say nothing."""
        return self._folder.is_dir() and any(
            len(path.name) == 2 * _MARK_BYTES for path in self._folder.iterdir()
        )

    def _mark(self, record: PartyRecord, secret: bytes) -> Path:
        beginning = record.codes[:_KNOWN_BY_ROUNDS].tobytes()
        name = hashlib.blake2b(beginning, key=secret, digest_size=_MARK_BYTES).hexdigest()
        return self._folder / name

    def _refusal(self) -> str:
        return (
            "record must be fresh: an earlier session has used its rounds, and rounds are "
            f"post-processed once (its mark is in {str(self._folder)!r})"
        )
