"""Key files: written whole or not at all, readable by their owner only, never over another file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from postprocessing.errors import InputFileError

KEY_NAMES = ("alice.key", "bob.key")
OUTPUT_NAMES = (*KEY_NAMES, "report.json")
# Of folders for drafts; only a crash leaves one behind.
UNFINISHED = ".unfinished-"


def check_output_folder(folder: Path, names: Sequence[str] = OUTPUT_NAMES) -> None:
    """Refuse a folder that holds the output of another run, or cannot hold one.

    Parameters
    ----------
    folder : Path
        Where keys and report are to go; it need not exist.
    names : sequence of str
        The files to come; by default those of a run.

    Raises
    ------
    InputFileError
        If the path is not a folder, cannot be written, or already holds a key or a report.
    """
    held = [name for name in names if os.path.lexists(folder / name)]
    if held:
        raise InputFileError(f"out must be a folder without earlier output, {folder} holds {held}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _try_links(folder)
    except OSError as error:
        message = f"out must be a folder, got {str(folder)!r} ({error.strerror})"
        raise InputFileError(message) from error


def write_output(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write all files or none, each complete and readable by its owner only (0600).

    Parameters
    ----------
    folder : Path
        An existing folder.
    files : mapping of str to bytes
        Contents by name. They appear in this order, each down to the disk before the next: a file
        that others vouch for comes last.

    Raises
    ------
    InputFileError
        If a file of that name exists, which stays as it is, or the folder cannot be written to;
        then none of the files is there.
    """
    linked: list[Path] = []
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=UNFINISHED) as unfinished:
            for name, content in files.items():
                _write_private(Path(unfinished) / name, content)
            for name in files:
                # A link, unlike a rename, fails where the name is taken.
                (folder / name).hardlink_to(Path(unfinished) / name)
                linked.append(folder / name)
                sync_folder(folder)
    except OSError as error:
        _remove(linked)
        message = f"out must be a folder one can write to, got {str(folder)!r} ({error.strerror})"
        raise InputFileError(message) from error
    except BaseException:
        _remove(linked)
        raise


def replace_output(path: Path, content: bytes) -> None:
    """Write a file (0600) in place of an earlier one: the one or the other is there, and whole.

    Raises
    ------
    InputFileError
        If the folder cannot be written to.
    """
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=UNFINISHED) as unfinished:
            _write_private(Path(unfinished) / path.name, content)
            (Path(unfinished) / path.name).replace(path)
            sync_folder(path.parent)
    except OSError as error:
        message = f"out must be a file one can write to, got {str(path)!r} ({error.strerror})"
        raise InputFileError(message) from error


@contextmanager
def new_private_file(path: Path) -> Iterator[Path]:
    """Let a file be written elsewhere, readable by its owner only, and put it in place if it is.

    Parameters
    ----------
    path : Path
        Where the file is to be; nothing may be there.

    Yields
    ------
    Path
        An empty file to write to.

    Raises
    ------
    InputFileError
        If something is there, or the folder cannot be written to.
    """
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=UNFINISHED) as unfinished:
            # The name tells some libraries what to write.
            draft = Path(unfinished) / path.name
            _write_private(draft, b"")
            yield draft
            path.hardlink_to(draft)
            sync_folder(path.parent)
    except OSError as error:
        message = f"out must be a new file, got {str(path)!r} ({error.strerror})"
        raise InputFileError(message) from error


def sync_folder(folder: Path) -> None:
    """Write the names in a folder down to the disk: a new or renamed file survives a crash."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _try_links(folder: Path) -> None:
    """Make and remove a file and a link to it, as `write_output` will."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=UNFINISHED) as trial:
        _write_private(Path(trial) / "draft", b"")
        (Path(trial) / "final").hardlink_to(Path(trial) / "draft")


def _write_private(path: Path, content: bytes) -> None:
    """Write a new file that only its owner can read, down to the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _remove(paths: list[Path]) -> None:
    """Take back the files of an output that could not be completed."""
    for path in paths:
        path.unlink(missing_ok=True)
