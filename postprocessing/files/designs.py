"""Design files: JSON, checked as strictly as a design made in memory."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from postprocessing.design.design import Design
from postprocessing.errors import InputFileError
from postprocessing.files.atomic import write_output
from postprocessing.security import METHODS, KeyLength

_ADAPTER = TypeAdapter(Design)
# The names of 0.1.0; what it stored beside these follows from the rest.
_OLD_NAMES = {"settings": "scheme", "local_settings": "setting_choice"}
# Beside the fields of the design, and no part of it.
_EMULATED = "emulated"


def write_design(path: Path, design: Design, *, emulated: bool = False) -> None:
    """Write a design to a new file.

    Parameters
    ----------
    path : Path
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
    if not path.parent.is_dir():
        raise InputFileError(f"out must be in an existing folder, got {str(path)!r}")
    values = {_EMULATED: True} if emulated else {}
    values |= json.loads(_ADAPTER.dump_json(design))
    write_output(path.parent, {path.name: f"{json.dumps(values, indent=2)}\n".encode()})


def is_emulated(path: Path) -> bool:
    """Tell whether a file that `read_design` reads says that its rounds are emulated.

    Raises
    ------
    InputFileError
        If the file cannot be read.
    """
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputFileError(f"design must be a readable file, got {str(path)!r}") from error
    # Anything but a plain no counts as yes.
    return isinstance(values, dict) and values.get(_EMULATED, False) is not False


def read_design(path: Path) -> Design:
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
    try:
        return _design(path.read_bytes())
    except OSError as error:
        message = f"design must be a readable file, got {str(path)!r} ({error.strerror})"
        raise InputFileError(message) from error
    except (ValueError, ArithmeticError) as error:
        message = f"design must be one that diqkd design writes, {str(path)!r} is not"
        raise InputFileError(f"{message}: {_reason(error)}") from error


def _design(data: bytes) -> Design:
    """Return the design in a file, whose names may be those of 0.1.0."""
    found = TypeAdapter(dict[str, Any]).validate_json(data)
    values = {_OLD_NAMES.get(name, name): value for name, value in found.items()}
    length = values.pop("length", None)
    design = _ADAPTER.validate_json(json.dumps(values), strict=True)
    if length is None:
        return design
    # What the free parameters are is up to the method.
    of_parameters: Any = KeyLength
    stored = TypeAdapter(of_parameters[METHODS[design.method].parameters])
    return replace(design, length=stored.validate_json(json.dumps(length), strict=True))


def _reason(error: ValueError | ArithmeticError) -> str:
    """Return what is wrong with a design, and where."""
    if isinstance(error, ArithmeticError):
        return f"a number is out of range ({error})"
    if not isinstance(error, ValidationError):
        return str(error)
    problem = error.errors()[0]
    place = ".".join(map(str, problem["loc"]))
    return f"{place}: {problem['msg']}" if place else problem["msg"]
