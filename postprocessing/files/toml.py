"""The one way in which TOML files are read: scenarios, sweeps, layouts."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from postprocessing.errors import InputFileError


def read_toml(argument: str, path: Path) -> dict[str, Any]:
    """Return what a TOML file says.

    Parameters
    ----------
    argument : str
        What the file is to the caller; errors begin with it.
    path : Path
        A file in UTF-8; a byte order mark at its beginning, as some editors write it, is skipped.

    Raises
    ------
    InputFileError
        If the file cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        message = f"{argument} must be a readable TOML file, got {str(path)!r} ({error.strerror})"
        raise InputFileError(message) from error
    except (ValueError, RecursionError) as error:
        # Of the values, besides malformed text: numbers of too many digits, tables nested too deep.
        message = f"{argument} must be valid TOML, {str(path)!r} is not: {error}"
        raise InputFileError(message) from error
