"""Files of secrets: refused where others can read them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from postprocessing.errors import InputFileError


def check_private(argument: str, path: Path, descriptor: int | None = None) -> None:
    """Refuse a file whose content others may have seen.

    Parameters
    ----------
    argument : str
        What the file was given as.
    path : Path
        The file.
    descriptor : int, optional
        The same, open.

    Raises
    ------
    InputFileError
        If other users can read or write it, or it is another user's.
    """
    try:
        found = path.stat() if descriptor is None else os.fstat(descriptor)
    except OSError as error:
        text = f"{argument} must be a readable file, got {str(path)!r} ({error.strerror})"
        raise InputFileError(text) from error
    mode = stat.S_IMODE(found.st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        text = f"{argument} must be its owner's alone (0600), {str(path)!r} has mode {mode:04o}"
        raise InputFileError(f"{text}: chmod 600, if nobody else has read it")
    if found.st_uid != os.geteuid():
        text = f"{argument} must be the user's own file, {str(path)!r} is of user {found.st_uid}"
        raise InputFileError(text)
