"""Design files: JSON, checked as strictly as a design made in memory."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from postprocessing.checks import file_path, flag, instance_of
from postprocessing.design.design import Design
from postprocessing.design.stored import design_of, values_of
from postprocessing.errors import InputFileError
from postprocessing.files.atomic import write_output

# Beside the fields of the design, and no part of it.
_EMULATED = "emulated"


def write_design(path: Path | str, design: Design, *, emulated: bool = False) -> None:
    """Write a design to a new file.

    Parameters
    ----------
    path : Path or str
        Where; nothing may be there.
    design : Design
        The design.
    emulated : bool
        Whether its rounds come from an emulator: the keys are then no secret.

    Raises
    ------
    InputFileError
        If something is there, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import diqkd
    >>> model = diqkd.BellState(diqkd.Link(distance_km=10))
    >>> design = diqkd.Security(method="asymptotic").design(model, 10**6)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_design(Path(folder, "design.json"), design)
    ...     read_design(Path(folder, "design.json")) == design
    True
    """
    path = file_path("path", path)
    instance_of("design", design, Design)
    if not path.parent.is_dir():
        raise InputFileError(f"out must be in an existing folder, got {str(path)!r}")
    values = {_EMULATED: True} if flag("emulated", emulated) else {}
    values |= values_of(design)
    write_output(path.parent, {path.name: f"{json.dumps(values, indent=2)}\n".encode()})


def is_emulated(path: Path | str) -> bool:
    """Tell whether a file that `read_design` reads says that its rounds are emulated.

    Raises
    ------
    InputFileError
        If the file cannot be read.
    """
    path = file_path("path", path)
    try:
        values = json.loads(_content(path))
    except (OSError, ValueError) as error:
        raise InputFileError(f"design must be a readable file, got {str(path)!r}") from error
    # Anything but a plain no counts as yes.
    return isinstance(values, dict) and values.get(_EMULATED, False) is not False


def read_design(path: Path | str) -> Design:
    """Read a design; whoever wrote it, its key length must follow from the rest.

    Raises
    ------
    InputFileError
        If the file cannot be read, or holds no sound design.

    Examples
    --------
    >>> read_design(Path("missing.json"))
    Traceback (most recent call last):
    postprocessing.errors.InputFileError: design must be a readable file, got 'missing.json' ...
    """
    path = file_path("path", path)
    try:
        values = TypeAdapter(dict[str, Any]).validate_json(_content(path))
        return design_of({name: value for name, value in values.items() if name != _EMULATED})
    except OSError as error:
        message = f"design must be a readable file, got {str(path)!r} ({error.strerror})"
        raise InputFileError(message) from error
    except (ValueError, ArithmeticError) as error:
        message = f"design must be one that diqkd design writes, {str(path)!r} is not"
        raise InputFileError(f"{message}: {_reason(error)}") from error


def _content(path: Path) -> bytes:
    """Return the content of a file without the byte order mark that some editors write."""
    return path.read_bytes().removeprefix(codecs.BOM_UTF8)


def _reason(error: ValueError | ArithmeticError) -> str:
    """Return what is wrong with a design, and where."""
    if isinstance(error, ArithmeticError):
        return f"a number is out of range ({error})"
    if not isinstance(error, ValidationError):
        return str(error)
    problem = error.errors()[0]
    place = ".".join(map(str, problem["loc"]))
    return f"{place}: {problem['msg']}" if place else problem["msg"]
