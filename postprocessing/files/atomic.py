"""Files written whole or not at all: keys, records, designs, reports, tables, pictures.

A file is drafted in a folder beside its place, down to the disk, and put there by one operation.
Unless its writer says otherwise it never takes another's place. It is readable by its owner only,
for keys, outcomes and the seeds that make them again are everywhere: only a picture that stands by
itself is as readable as the user's other files.
"""

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
        with _drafts(folder) as drafts:
            for name, content in files.items():
                _write_new(drafts / name, content)
            for name in files:
                _link(drafts / name, folder / name)
                linked.append(folder / name)
                sync_folder(folder)
    except FileExistsError as error:
        _remove(linked)
        held = [str(folder / name) for name in files if os.path.lexists(folder / name)]
        message = f"out must be a new file, {', '.join(held)} is there ({error.strerror})"
        raise InputFileError(message) from error
    except OSError as error:
        _remove(linked)
        message = f"out must be a folder one can write to, got {str(folder)!r} ({error.strerror})"
        raise InputFileError(message) from error
    except BaseException:
        _remove(linked)
        raise


@contextmanager
def atomic_write(path: Path, *, replace: bool = False, private: bool = True) -> Iterator[Path]:
    """Let a file be written elsewhere, and put it in place, down to the disk, if it is.

    Parameters
    ----------
    path : Path
        Where the file is to be.
    replace : bool
        Whether it may take the place of an earlier one, which is there until then.
    private : bool
        Whether only its owner can read it (0600).

    Yields
    ------
    Path
        An empty file of the same name to write to.

    Raises
    ------
    InputFileError
        If something is there that must stay, or the file cannot be written, whole: then nothing of
        it is there.
    """
    try:
        with _drafts(path.parent) as drafts:
            # The name tells some libraries what to write.
            draft = drafts / path.name
            _write_new(draft, b"", 0o600 if private else 0o666)
            yield draft
            _check_private(draft, private=private)
            _sync(draft, os.O_RDONLY)
            new = not os.path.lexists(path)
            draft.replace(path) if replace else _link(draft, path)
            try:
                sync_folder(path.parent)
            except BaseException:
                # What has taken the place of another is whole, and the other gone.
                _remove([path] if new else [])
                raise
    except FileExistsError as error:
        message = f"out must be a new file, got {str(path)!r} ({error.strerror})"
        raise InputFileError(message) from error
    except OSError as error:
        raise InputFileError(f"cannot write {str(path)!r} ({error.strerror or error})") from error


def _check_private(draft: Path, *, private: bool) -> None:
    """Refuse a draft that its writer has made anew, for others to read."""
    if private and draft.stat().st_mode & 0o077:
        raise PermissionError(f"{draft.name} is no longer its owner's alone")


@contextmanager
def all_or_none(paths: Sequence[Path]) -> Iterator[None]:
    """Take back the files that were not there before, if not all of them can be written."""
    new = [path for path in paths if not os.path.lexists(path)]
    try:
        yield
    except BaseException:
        _remove(new)
        raise


def check_new_file(path: Path, *, replace: bool) -> None:
    """Refuse, before the work, a file that is there and must stay, or has no folder to be in.

    Raises
    ------
    InputFileError
        If something is there that is not to be replaced, or the folder is not there.
    """
    if not path.parent.is_dir():
        message = f"out must be in a folder that is there, got {str(path)!r}"
        raise InputFileError(message)
    if not replace and os.path.lexists(path):
        message = f"out must be a new file, {str(path)!r} is there (--replace puts another there)"
        raise InputFileError(message)


def replace_output(path: Path, content: bytes) -> None:
    """Write a file (0600) in place of an earlier one: the one or the other is there, and whole.

    Raises
    ------
    InputFileError
        If the file cannot be written.
    """
    with atomic_write(path, replace=True) as draft:
        draft.write_bytes(content)


def sync_folder(folder: Path) -> None:
    """Write the names in a folder down to the disk: a new or renamed file survives a crash."""
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _drafts(folder: Path) -> Iterator[Path]:
    """Yield a folder in a folder for files that are not finished."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=UNFINISHED) as drafts:
        yield Path(drafts)


def _link(draft: Path, path: Path) -> None:
    """Put a draft in its place; a link, unlike a rename, fails where the name is taken."""
    path.hardlink_to(draft)


def _try_links(folder: Path) -> None:
    """Make and remove a file and a link to it, as `write_output` will."""
    with _drafts(folder) as trial:
        _write_new(trial / "draft", b"")
        _link(trial / "draft", trial / "final")


def _write_new(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a new file down to the disk, by default for its owner alone."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _remove(paths: list[Path]) -> None:
    """Take back the files of an output that could not be completed."""
    for path in paths:
        path.unlink(missing_ok=True)
