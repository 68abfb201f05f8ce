"""A party's key on disk: confirmed once the other party is known to hold it too.

::

    alice.key                the key: both parties hold it
    alice.key.unconfirmed    the key, of which Alice does not know yet that Bob holds it
    alice.key.spent          the key, once it has become a pool of keys: of no other use
    alice.session.json       the session it was made in, and what it is worth; written before it
    alice.report.json        what happened, without secrets

No protocol of messages that may get lost can make both parties sure of the same at the same time
(the two generals' problem). The party that writes first, the corrector, therefore marks its key
unconfirmed until it hears from the other; that one writes only once it knows of this.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from postprocessing.errors import InputFileError
from postprocessing.files.atomic import (
    check_output_folder,
    replace_output,
    sync_folder,
    write_output,
)
from postprocessing.network.saved_keys import SPENT, UNCONFIRMED, is_file, read_key, told_in
from postprocessing.scheme import Party
from postprocessing.security import METHODS

FAILED = "failed"
_WITH_A_KEY = ("key", "unconfirmed key")


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
        return is_file(self.path)

    @property
    def is_unconfirmed(self) -> bool:
        """Whether there is a key that the other party may lack."""
        return is_file(self._waiting) and not self.is_confirmed

    @property
    def is_spent(self) -> bool:
        """Whether there was a key that both parties held, and that has become a pool."""
        return is_file(self._spent)

    @property
    def _waiting(self) -> Path:
        return self._folder / (self._key + UNCONFIRMED)

    @property
    def _spent(self) -> Path:
        return self._folder / (self._key + SPENT)

    def check_free(self) -> None:
        """Refuse a folder that holds an earlier key of this party, or cannot hold one.

        The report of a session that failed is in nobody's way, nor is a draft: whether it is one of
        a running session or what a crash has left behind, nobody can tell.

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
        self,
        key: bytes,
        session: bytes,
        *,
        confirmed: bool,
        method: str,
        soundness: float | None,
        seed: int | None = None,
        emulated: bool = False,
    ) -> None:
        """Write the session and then its key, down to the disk.

        Parameters
        ----------
        key, session : bytes
            The key, and the identifier of the session that it was made in.
        confirmed : bool
            Whether the other party is known to hold it.
        method : str
            How its length was computed.
        soundness : float or None
            Its soundness, that of its authentication included; None where none is claimed.
        seed : int, optional
            The seed of the emulation that it was made in, by which it is no secret.
        emulated : bool
            Whether its rounds were emulated, by which it is none either.

        Raises
        ------
        InputFileError
            If there is a key already, or the folder cannot be written to.
        """
        name = self._key if confirmed else self._waiting.name
        told = {
            "session": session.hex(),
            "seed": seed,
            "emulated": emulated,
            "method": method,
            "composable": METHODS[method].composable,
            "soundness": soundness,
        }
        write_output(self._folder, {self._session: json.dumps(told).encode(), name: key})

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
        if self._tells_of_failure():
            replace_output(self._folder / self._report, _text(report))
        else:
            write_output(self._folder, {self._report: _text(report)})

    def amend_report(self, *, confirmed: bool, key_bits: int, forgery_probability: float) -> None:
        """Bring what is told of a key up to date after a later session about it; others stay.

        Parameters
        ----------
        confirmed : bool
            Whether both parties are known to hold the key.
        key_bits : int
            Bits of the pool that the later session has used up.
        forgery_probability : float
            Bound on the probability that anything in it was forged.

        Raises
        ------
        InputFileError
            If the folder cannot be written to.
        """
        report = told_in(self._folder / self._report)
        if report.get("outcome") not in _WITH_A_KEY:
            return
        if confirmed:
            report["outcome"] = "key"
        more = {
            "authentication_key_bits": key_bits,
            "net_key_bits": -key_bits,
            "authentication_failure_probability": forgery_probability,
            "soundness_with_authentication": forgery_probability,
        }
        # What is undefined stays so.
        known = {name: report[name] for name in more if report.get(name) is not None}
        report |= {name: value + more[name] for name, value in known.items()}
        replace_output(self._folder / self._report, _text(report))
        told = told_in(self._folder / self._session)
        if isinstance(told.get("soundness"), float):
            told["soundness"] += forgery_probability
            replace_output(self._folder / self._session, json.dumps(told).encode())

    def _tells_of_failure(self) -> bool:
        return told_in(self._folder / self._report).get("outcome") == FAILED

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
        session = told_in(path).get("session")
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


def _text(report: dict[str, Any]) -> bytes:
    return f"{json.dumps(report, indent=2, allow_nan=False)}\n".encode()
