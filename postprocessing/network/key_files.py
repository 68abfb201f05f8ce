"""A party's key on disk: confirmed once the other party is known to hold it too.

::

    alice.key                the key: both parties hold it
    alice.key.unconfirmed    the key, of which Alice does not know yet that Bob holds it
    alice.key.spent          the key, once it has become a pool of keys: of no other use
    alice.session.json       the session it was made in, written with it
    alice.report.json        what happened, without secrets

No protocol of messages that may get lost can make both parties sure of the same at the same time
(the two generals' problem). The party that writes first, the corrector, therefore marks its key
unconfirmed until it hears from the other; that one writes only once it knows of this.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from postprocessing.errors import InputFileError
from postprocessing.keys import check_output_folder, sync_folder, write_output
from postprocessing.rounds import Party

UNCONFIRMED = ".unconfirmed"
SPENT = ".spent"
FAILED = "failed"
REPRODUCIBLE = "reproducible from a seed: not a secret key"


class KeyFiles:
    """Where one party keeps the key of one session.

    Parameters
    ----------
    folder : Path
        The folder; the files of the two parties may share it.
    party : {"alice", "bob"}
        Whose files.
    """

    def __init__(self, folder: Path, party: Party) -> None:
        self._folder, self.party = folder, party
        self._key = f"{party}.key"
        self._session, self._report = f"{party}.session.json", f"{party}.report.json"

    @property
    def path(self) -> Path:
        """Where the confirmed key is, or would be."""
        return self._folder / self._key

    @property
    def is_confirmed(self) -> bool:
        """Whether there is a key that both parties hold."""
        return self.path.is_file()

    @property
    def is_unconfirmed(self) -> bool:
        """Whether there is a key that the other party may lack."""
        return self._waiting.is_file() and not self.is_confirmed

    @property
    def is_spent(self) -> bool:
        """Whether there was a key that both parties held, and that has become a pool."""
        return self._spent.is_file()

    @property
    def _waiting(self) -> Path:
        return self._folder / (self._key + UNCONFIRMED)

    @property
    def _spent(self) -> Path:
        return self._folder / (self._key + SPENT)

    def check_free(self) -> None:
        """Refuse a folder that holds an earlier key of this party, or cannot hold one.

        The report of a session that failed is in nobody's way.

        Raises
        ------
        InputFileError
            If so.
        """
        names = [self._key, self._waiting.name, self._spent.name, self._session]
        if not self._tells_of_failure():
            names.append(self._report)
        check_output_folder(self._folder, names)

    def write(
        self, key: bytes, session: bytes, *, confirmed: bool, seed: int | None = None
    ) -> None:
        """Write the key and its session, down to the disk.

        Parameters
        ----------
        key, session : bytes
            The key, and the identifier of the session that it was made in.
        confirmed : bool
            Whether the other party is known to hold it.
        seed : int, optional
            The seed of the emulation that it was made in, by which it is no secret.

        Raises
        ------
        InputFileError
            If there is a key already, or the folder cannot be written to.
        """
        name = self._key if confirmed else self._waiting.name
        text = json.dumps({"session": session.hex(), "seed": seed}).encode()
        write_output(self._folder, {name: key, self._session: text})

    def confirm(self) -> None:
        """Take the mark off the key: both parties hold it."""
        if self.is_spent:
            return
        try:
            if not self.is_confirmed:
                self.path.hardlink_to(self._waiting)
            self._waiting.unlink(missing_ok=True)
            sync_folder(self._folder)
        except OSError as error:
            text = f"out must hold {self._waiting.name}, {str(self._folder)!r} ({error.strerror})"
            raise InputFileError(text) from error

    def write_report(self, report: dict[str, object]) -> None:
        """Write what happened, instead of the report of a session that failed before.

        Raises
        ------
        InputFileError
            If there is another report already, or the folder cannot be written to.
        """
        text = json.dumps(report, indent=2, allow_nan=False)
        if self._tells_of_failure():
            (self._folder / self._report).unlink()
        write_output(self._folder, {self._report: f"{text}\n".encode()})

    def _tells_of_failure(self) -> bool:
        return _told(self._folder / self._report).get("outcome") == FAILED

    def session(self) -> bytes:
        """Return the session in which the key was made; empty where there is no key.

        A spent key counts: both parties held it.

        Raises
        ------
        InputFileError
            If the file that tells of it cannot be read.
        """
        if not (self.is_confirmed or self.is_unconfirmed or self.is_spent):
            return b""
        path = self._folder / self._session
        session = _told(path).get("session")
        try:
            found = bytes.fromhex(session) if isinstance(session, str) else b""
        except ValueError:
            found = b""
        if not found:
            # Of a key without it nobody can say whether the other party has the same.
            raise InputFileError(f"out must tell of a session, {str(path)!r} does not")
        return found

    def read(self) -> bytes:
        """Return the confirmed key.

        Raises
        ------
        InputFileError
            If there is none, or `read_key` refuses it.
        """
        if self.is_unconfirmed:
            return read_key(self._waiting)
        if self.is_spent:
            return read_key(self._spent)
        return read_key(self.path)


def read_key(path: Path) -> bytes:
    """Return the content of a key file that both parties hold.

    Raises
    ------
    InputFileError
        If it cannot be read, is marked unconfirmed or spent, or was made from a seed, as the
        session or the report beside it tells.
    """
    if path.name.endswith(UNCONFIRMED):
        text = f"key must be confirmed, {str(path)!r} is not: run party --confirm"
        raise InputFileError(text)
    if path.name.endswith(SPENT):
        raise InputFileError(f"key must be unspent, {str(path)!r} has become a pool of keys")
    for name in (f"{path.stem}.session.json", "report.json"):
        if _told(path.parent / name).get("seed") is not None:
            raise InputFileError(f"key must be secret, {str(path)!r} is {REPRODUCIBLE}")
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"key must be a readable file, got {str(path)!r} ({error.strerror})"
        raise InputFileError(message) from error


def spend_key(path: Path) -> bytes:
    """Return the content of a key file and mark it spent, down to the disk: only once.

    Raises
    ------
    InputFileError
        If `read_key` refuses it, it has been spent, or has a second name (a hard link) under which
        it would stay unspent.
    """
    # The mark must go to the file, not to a link to it.
    path = path.resolve()
    key = read_key(path)
    spent = path.with_name(path.name + SPENT)
    try:
        if os.path.lexists(spent):
            raise InputFileError(f"key must be unspent, {str(spent)!r} exists")
        if path.stat().st_nlink != 1:
            raise InputFileError(f"key must have one name, {str(path)!r} has hard links")
        path.rename(spent)
        sync_folder(path.parent)
    except OSError as error:
        text = f"key must be marked spent, {str(path)!r} cannot be ({error.strerror})"
        raise InputFileError(text) from error
    return key


def _told(path: Path) -> dict[str, object]:
    """Return what a file of JSON tells, nothing where there is none."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
