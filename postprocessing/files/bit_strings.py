"""Files of bits: sifted keys and seeds, as characters 0 and 1 or as an array of numpy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from tokenize import TokenError

import numpy as np

from postprocessing.bits import Bits
from postprocessing.checks import check_bits, file_path
from postprocessing.errors import InputFileError
from postprocessing.files.atomic import all_or_none, atomic_write

_ARRAY = ".npy"
_SPACE = b" \t\n\r\v\f"
_OTHER = re.compile(rb"[^01\s]")


def read_bits(path: Path | str) -> Bits:
    r"""Read a string of bits.

    Parameters
    ----------
    path : Path or str
        A file ``.npy`` of a flat array of uint8 or bool; any other name means characters 0 and 1,
        among which white space is skipped.

    Returns
    -------
    ndarray of uint8, shape (n,)
        The bits, in the order of the file.

    Raises
    ------
    InputFileError
        If the file cannot be read, has no bit, or holds anything else; a character is told by line
        and column.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "alice.bits")
    ...     _ = file.write_text("0110\n1\n")
    ...     read_bits(file)
    array([0, 1, 1, 0, 1], dtype=uint8)
    """
    path = file_path("path", path)
    try:
        content = path.read_bytes()
    except OSError as error:
        message = f"bits must be a readable file, got {str(path)!r} ({error.strerror})"
        raise InputFileError(message) from error
    bits = _array(path, content) if path.suffix == _ARRAY else _characters(path, content)
    if not bits.size:
        raise InputFileError(f"bits must be at least one, {str(path)!r} has none")
    return bits


def _characters(path: Path, content: bytes) -> Bits:
    """Return the bits of a text."""
    if (other := _OTHER.search(content)) is not None:
        before = content[: other.start()]
        line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
        found = f"{str(path)!r} has {other.group()!r} in line {line}, column {column}"
        raise InputFileError(f"bits must be characters 0 and 1, {found}")
    return np.frombuffer(content.translate(None, _SPACE), np.uint8) - np.uint8(ord("0"))


def _array(path: Path, content: bytes) -> Bits:
    """Return the bits of an array."""
    try:
        found = np.lib.format.read_array(BytesIO(content), allow_pickle=False)
        if getattr(found, "dtype", None) == np.bool_:
            found = found.view(np.uint8)
        check_bits("bits", found)
    except (ValueError, EOFError, MemoryError, SyntaxError, TokenError, OverflowError) as error:
        message = f"bits must be a flat array of uint8 or bool, {str(path)!r} is not ({error})"
        raise InputFileError(message) from error
    return np.ascontiguousarray(found, np.uint8)


def write_bits(files: Mapping[Path, Bits], *, replace: bool = False) -> None:
    r"""Write strings of bits to files that only their owner can read: all new ones, or none.

    Parameters
    ----------
    files : mapping of Path to ndarray of uint8, shape (n,)
        The bits by their file: an array where its name ends in ``.npy``, else characters and a
        line feed.
    replace : bool, optional
        Whether they may take the place of earlier ones.

    Raises
    ------
    InputFileError
        If something is there that must stay, or a file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_bits({Path(folder, "key.bits"): np.array([1, 0], np.uint8)})
    ...     Path(folder, "key.bits").read_text()
    '10\n'
    """
    with all_or_none(list(files)), ExitStack() as drafts:
        for path, bits in files.items():
            draft = drafts.enter_context(atomic_write(path, replace=replace))
            if path.suffix == _ARRAY:
                np.save(draft, bits, allow_pickle=False)
            else:
                draft.write_bytes((bits + np.uint8(ord("0"))).tobytes() + b"\n")
