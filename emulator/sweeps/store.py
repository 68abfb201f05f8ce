"""The store of a sweep: a CSV file that only grows, by whole rows, under a lock."""

from __future__ import annotations

import codecs
import csv
import errno
import io
import os
import re
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock

from emulator.scenario.parameters import parameters_by_scheme
from emulator.scenario.scenario import former_name
from postprocessing.errors import InputFileError

STORE_VERSION = 1
STATUSES = ("key", "aborted", "failed")

Cell = str | int | float | None
Row = dict[str, Cell]

IDENTITY = ("store_version", "task", "status", "reason")
RESULTS = (
    "pulses", "heralded_rounds", "key_rounds", "test_rounds", "lost_tests", "gain",
    "gain_expected", "chsh", "chsh_expected", "qber", "qber_expected", "key_length",
    "asymptotic_key_length", "designed_key_length", "leaked_bits", "reconciliation_efficiency",
    "predicted_abort_probability", "rate_asymptotic", "rate_finite_size", "rate_achieved",
    "plob_bound", "key_sha256",
)  # fmt: skip
TIMINGS = ("seconds", "finished_at")
# A parameter that shares its name with a result is told apart by a prefix.
PARAMETERS = {
    name: f"scenario_{name}" if name in RESULTS else former_name(name)
    for name in parameters_by_scheme()
}
COLUMNS = (
    *IDENTITY, *PARAMETERS.values(), "files_sha256", *RESULTS, "diqkd_version", *TIMINGS,
)  # fmt: skip

_HEADER = (",".join(COLUMNS) + "\n").encode()
# A row takes milliseconds; beyond, the lock cannot be had at all.
_LOCK_TIMEOUT_S = 20.0


class Store:
    """Rows of finished tasks in a CSV file, shared by any number of processes.

    A row reaches the file as one write of a whole line, under the lock of a second file,
    ``<path>.lock``. A line without its end is what a killed writer left: it counts for nothing, and
    the next row takes its place. Until the first row there is no file.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    InputFileError
        By every method: if the file is not a store of this version, or cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # The lock is held for well under a millisecond.
        self._lock = FileLock(f"{path}.lock", timeout=_LOCK_TIMEOUT_S, poll_interval=0.001)
        self._end = 0
        self._columns: tuple[str, ...] = COLUMNS
        self._statuses: dict[str, str] = {}

    def statuses(self) -> Mapping[str, str]:
        """Read what is new in the file; return the status of each task in it, the newest.

        Raises
        ------
        InputFileError
            If the file is no store or cannot be read.
        """
        try:
            self._read_on()
        except OSError as error:
            raise self._unusable(error) from error
        return self._statuses

    def check_lock(self) -> None:
        """Take the lock once: better now than after the first task.

        Raises
        ------
        InputFileError
            If the lock cannot be had.
        """
        try:
            with self._lock:
                pass
        except OSError as error:
            raise self._unusable(error) from error

    def append(self, row: Row, *, replace_failed: bool = False) -> bool:
        """Add the row of a task unless the store has one.

        Parameters
        ----------
        row : dict
            A value for each of `COLUMNS`; None for null.
        replace_failed : bool
            Add the row also if that in the store is of a failure.

        Returns
        -------
        bool
            Whether the row was added.
        """
        try:
            with self._lock:
                self._read_on()
                present = self._statuses.get(str(row["task"]))
                if present is not None and not (replace_failed and present == "failed"):
                    return False
                self._write(self._line(row))
        except OSError as error:
            raise self._unusable(error) from error
        return True

    def _write(self, line: bytes) -> None:
        """Write a line behind the last whole one."""
        # The seed in a row makes its key again.
        self.path.touch(mode=0o600)
        with self.path.open("ab", buffering=0) as file:
            if file.tell() != self._end:
                file.truncate(self._end)
            data = line if self._end else _HEADER + line
            try:
                if file.write(data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                # Whoever reads the file without us must not take half a row for one.
                file.truncate(self._end)
                raise
        self._take(line)
        self._end += len(data)

    def _read_on(self) -> None:
        """Take in the whole lines that were added since the last call."""
        check_regular(self.path)
        try:
            with self.path.open("rb") as file:
                if file.seek(0, io.SEEK_END) < self._end:
                    self._end, self._statuses = 0, {}
                file.seek(self._end)
                data = file.read()
        except FileNotFoundError:
            if not self.path.parent.is_dir():
                raise
            self._end, self._statuses = 0, {}
            return
        whole = data[: data.rfind(b"\n") + 1]
        rows = whole
        if self._end == 0:
            header, _, rows = whole.partition(b"\n")
            columns = columns_of(header.removeprefix(codecs.BOM_UTF8)) if whole else COLUMNS
            if columns is None or not (whole or _HEADER.startswith(data)):
                raise self._foreign()
            self._columns = columns
        self._take(rows)
        self._end += len(whole)

    def _take(self, rows: bytes) -> None:
        """Note the tasks of whole lines."""
        # Some editors leave an empty line at the end.
        for line in filter(None, rows.splitlines()):
            cells = line.split(b",", 3)
            if len(cells) != 4 or cells[0] != str(STORE_VERSION).encode():
                raise self._foreign()
            task, status = (cell.decode(errors="replace") for cell in cells[1:3])
            check_status(self.path, status)
            self._statuses[task] = status

    def _foreign(self) -> InputFileError:
        message = f"store must be a new file or a store of version {STORE_VERSION} with its columns"
        return InputFileError(f"{message}, got {str(self.path)!r}")

    def _unusable(self, error: OSError) -> InputFileError:
        problem = error.strerror or str(error)
        message = f"store must be a file to read and append to, got {str(self.path)!r} ({problem})"
        return InputFileError(message)

    def _line(self, row: Row) -> bytes:
        """Return a row as one line of the file; floats round-trip exactly."""
        cells = [row.get(column) for column in self._columns]
        for column in row.keys() - set(self._columns):
            if row[column] is not None:
                message = f"store must have a column {column!r}, {str(self.path)!r} has none"
                raise InputFileError(message)
        text = io.StringIO()
        # Readers, and the repair of a broken line, rely on one line a row.
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([re.sub(r"[\r\n]+", " ", c) if isinstance(c, str) else c for c in cells])
        return text.getvalue().encode(errors="backslashreplace")


def check_regular(path: Path) -> None:
    """Refuse devices, of which some can be read for ever.

    Raises
    ------
    OSError
        If there is something else than a file.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "no regular file", str(path))


def check_status(path: Path, status: object) -> None:
    """Refuse a row that says nothing known of its task.

    Raises
    ------
    InputFileError
        If the status is none of `STATUSES`.
    """
    if status not in STATUSES:
        allowed = f"the status {', '.join(STATUSES[:-1])} or {STATUSES[-1]}"
        message = f"every row of a store must have {allowed}, {str(path)!r} has one of {status!r}"
        raise InputFileError(message)


def columns_of(header: bytes) -> tuple[str, ...] | None:
    """Return the columns of a store from its first line, None for any other file.

    Their order, and the parameters among them, are those of the schemes that were installed when
    the store was begun.
    """
    columns = tuple(header.decode(errors="replace").split(","))
    needed = set(COLUMNS) - set(PARAMETERS.values())
    is_store = columns[: len(IDENTITY)] == IDENTITY and needed <= set(columns)
    return columns if is_store else None
