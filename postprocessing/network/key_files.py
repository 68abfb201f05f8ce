"""A party's key on disk: confirmed once the other party is known to hold it too.

::

    alice.key                the key: both parties hold it
    alice.key.unconfirmed    the key, of which Alice does not know yet that Bob holds it
    alice.session.json       the session it was made in, written with it
    alice.report.json        what happened, without secrets

No protocol of messages that may get lost can make both parties sure of the same at the same time
(the two generals' problem). The party that writes first, the corrector, therefore marks its key
unconfirmed until it hears from the other; that one writes only once it knows of this.
"""

from __future__ import annotations

import json
from pathlib import Path

from postprocessing.errors import InputFileError
from postprocessing.keys import check_output_folder, write_output
from postprocessing.rounds import Party

UNCONFIRMED = ".unconfirmed"


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
    def _waiting(self) -> Path:
        return self._folder / (self._key + UNCONFIRMED)

    def check_free(self) -> None:
        """Refuse a folder that holds an earlier key of this party, or cannot hold one.

        Raises
        ------
        InputFileError
            If so.
        """
        names = (self._key, self._waiting.name, self._session, self._report)
        check_output_folder(self._folder, names)

    def write(self, key: bytes, session: bytes, *, confirmed: bool) -> None:
        """Write the key and its session, down to the disk.

        Raises
        ------
        InputFileError
            If there is a key already, or the folder cannot be written to.
        """
        name = self._key if confirmed else self._waiting.name
        text = json.dumps({"session": session.hex()}).encode()
        write_output(self._folder, {name: key, self._session: text})

    def confirm(self) -> None:
        """Take the mark off the key: both parties hold it."""
        if self.is_confirmed:
            return
        try:
            self.path.hardlink_to(self._waiting)
            self._waiting.unlink()
        except OSError as error:
            text = f"out must hold {self._waiting.name}, {str(self._folder)!r} ({error.strerror})"
            raise InputFileError(text) from error

    def write_report(self, report: dict[str, object]) -> None:
        """Write what happened.

        Raises
        ------
        InputFileError
            If there is a report already, or the folder cannot be written to.
        """
        text = json.dumps(report, indent=2, allow_nan=False)
        write_output(self._folder, {self._report: f"{text}\n".encode()})

    def session(self) -> bytes:
        """Return the session in which the key was made; empty where there is no key.

        Raises
        ------
        InputFileError
            If the file that tells of it cannot be read.
        """
        path = self._folder / self._session
        if not path.exists():
            return b""
        try:
            return bytes.fromhex(json.loads(path.read_text(encoding="utf-8"))["session"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputFileError(f"out must tell of a session, {str(path)!r} does not") from error

    def read(self) -> bytes:
        """Return the confirmed key.

        Raises
        ------
        InputFileError
            If there is none, or the other party may lack it.
        """
        if self.is_unconfirmed:
            text = f"key must be confirmed, {str(self._waiting)!r} is not: run party --confirm"
            raise InputFileError(text)
        return read_key(self.path)


def read_key(path: Path) -> bytes:
    """Return the content of a key file that both parties hold.

    Raises
    ------
    InputFileError
        If it cannot be read, or is marked unconfirmed.
    """
    if path.name.endswith(UNCONFIRMED):
        text = f"key must be confirmed, {str(path)!r} is not: run party --confirm"
        raise InputFileError(text)
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"key must be a readable file, got {str(path)!r} ({error.strerror})"
        raise InputFileError(message) from error
