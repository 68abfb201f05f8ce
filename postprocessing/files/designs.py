"""Design files: JSON, checked as strictly as a design made in memory."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from postprocessing.checks import file_path, flag, instance_of
from postprocessing.design.design import Design
from postprocessing.design.stored import design_of, values_of
from postprocessing.errors import InputFileError
from postprocessing.files.atomic import write_output
from postprocessing.files.design_values import EMULATED, file_content, no_design, read_values


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
    values = {EMULATED: True} if flag("emulated", emulated) else {}
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
        values = json.loads(file_content(path))
    except (OSError, ValueError) as error:
        raise InputFileError(f"design must be a readable file, got {str(path)!r}") from error
    # Anything but a plain no counts as yes.
    return isinstance(values, dict) and values.get(EMULATED, False) is not False


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
    values = read_values(path)
    try:
        return design_of(values)
    except (ValueError, ArithmeticError) as error:
        raise no_design(path, _reason(error)) from error


def _reason(error: ValueError | ArithmeticError) -> str:
    """Return what is wrong with a design, and where."""
    if isinstance(error, ArithmeticError):
        return f"a number is out of range ({error})"
    if not isinstance(error, ValidationError):
        return str(error)
    problem = error.errors()[0]
    place = ".".join(map(str, problem["loc"]))
    return f"{place}: {problem['msg']}" if place else problem["msg"]
