"""Design files as plain values: JSON, unchecked."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

from postprocessing.errors import InputFileError

# Beside the fields of the design, and no part of it.
EMULATED = "emulated"


def file_content(path: Path) -> bytes:
    """Return the content of a file without the byte order mark that some editors write."""
    return path.read_bytes().removeprefix(codecs.BOM_UTF8)


def read_values(path: Path) -> dict[str, Any]:
    """Return the values of a design file.

    Raises
    ------
    InputFileError
        If the file cannot be read, or is no JSON object with each name once.
    """
    try:
        values = json.loads(file_content(path), object_pairs_hook=_once)
    except OSError as error:
        message = f"design must be a readable file, got {str(path)!r} ({error.strerror})"
        raise InputFileError(message) from error
    except (ValueError, RecursionError) as error:
        raise no_design(path, f"Invalid JSON, {error}") from error
    if not isinstance(values, dict):
        raise no_design(path, "it holds no object")
    return {name: value for name, value in values.items() if name != EMULATED}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a name stands twice")
    return values


def no_design(path: Path, reason: str) -> InputFileError:
    """Return the error of a file that is no design."""
    message = f"design must be one that diqkd design writes, {str(path)!r} is not"
    return InputFileError(f"{message}: {reason}")
