"""A key that a session or a run has left behind: read, judged, and spent but once."""

from __future__ import annotations

import json
import math
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from postprocessing.errors import InputFileError
from postprocessing.files.atomic import KEY_NAMES, UNFINISHED, sync_folder
from postprocessing.protocol.terms import no_secret
from postprocessing.security import METHODS

UNCONFIRMED = ".unconfirmed"
SPENT = ".spent"


def is_file(path: Path) -> bool:
    """Tell whether a file is there.

    Raises
    ------
    InputFileError
        If nobody can tell, as in a folder that may not be entered.
    """
    try:
        return path.is_file()
    except OSError as error:
        raise InputFileError(f"cannot look for {str(path)!r} ({error.strerror})") from error


def read_key(path: Path) -> bytes:
    """Return the content of a key file that both parties hold.

    Raises
    ------
    InputFileError
        If it cannot be read, is marked unconfirmed or spent, or is no secret, as the session or the
        report beside it tells; a key of a session or a run must have one of them.
    """
    if path.name.endswith(UNCONFIRMED):
        text = f"key must be confirmed, {str(path)!r} is not: run party --confirm"
        raise InputFileError(text)
    if path.name.endswith(SPENT):
        raise InputFileError(f"key must be unspent, {str(path)!r} has become a pool of keys")
    tellers = _tellers(path)
    for told in tellers:
        reason = no_secret(told["seed"], told.get("emulated", False))
        if reason is not None:
            raise InputFileError(f"key must be secret, {str(path)!r} is {reason}")
    if path.name in KEY_NAMES and is_file(path) and not tellers:
        names = f"{path.stem}.session.json or report.json"
        raise InputFileError(f"key must have {names} beside it, {str(path)!r} has neither")
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"key must be a readable file, got {str(path)!r} ({error.strerror})"
        raise InputFileError(message) from error


def key_soundness(path: Path) -> float | None:
    """Return the soundness of a key, by the session and the reports beside it.

    Returns
    -------
    float or None
        The greatest that is told, None where nobody tells: of a key of somewhere else, or of one
        that was authenticated with a pool of unknown soundness.

    Raises
    ------
    InputFileError
        If its method gives keys that are not secure at finite size, or is not told.
    """
    tellers = _tellers(path)
    claims = [claim for told in tellers if (claim := _claim(told)) is not None]
    if tellers and not claims:
        raise InputFileError(_untold(path))
    for method, _ in claims:
        if method not in METHODS or not METHODS[method].composable:
            text = f"key must be secure at finite size, {str(path)!r} is of method {method}"
            raise InputFileError(text)
    # Whatever is not known counts as more than anything.
    greatest = max((soundness for _, soundness in claims), default=math.inf)
    return greatest if greatest < 1 else None


def _untold(path: Path) -> str:
    """Return why nobody tells the method of a key: no report, or one of 0.1.0 without a design."""
    names = (f"{path.stem}.report.json", "report.json")
    reports = [name for name in names if is_file(path.parent / name)]
    if not reports:
        wanted = f"key must have {' or '.join(names)} beside it to tell its method"
        return f"{wanted}, {str(path)!r} has neither"
    told = f"the design is missing in {' and '.join(reports)}, as parties of 0.1.0 wrote it"
    return f"key must be of a known method, that of {str(path)!r} is not: {told}"


def spend_key(path: Path) -> bytes:
    """Return the content of a key file and mark it spent, down to the disk: only once.

    Raises
    ------
    InputFileError
        If `read_key` refuses it, it has been spent, or has a second name (a hard link) under which
        it would stay unspent.
    """
    # The mark must go to the file, not to a link to it.
    path = Path(os.path.realpath(path))
    key = read_key(path)
    spent = path.with_name(path.name + SPENT)
    try:
        if os.path.lexists(spent):
            raise InputFileError(f"key must be unspent, {str(spent)!r} exists")
        for draft in path.parent.glob(f"{UNFINISHED}*/*"):
            # A crash has left it behind; the key itself is complete.
            if draft.samefile(path):
                draft.unlink()
        if path.stat().st_nlink != 1:
            raise InputFileError(f"key must have one name, {str(path)!r} has hard links")
        path.rename(spent)
        try:
            sync_folder(path.parent)
        except OSError:
            give_back_key(path, path.parent)
            raise
    except OSError as error:
        text = f"key must be marked spent, {str(path)!r} cannot be ({error.strerror})"
        raise InputFileError(text) from error
    return key


def give_back_key(path: Path, folder: Path) -> None:
    """Take the mark off a key once the disk knows of no file that was made of it, in a folder."""
    spent = path.with_name(path.name + SPENT)
    with suppress(OSError):
        sync_folder(folder)
        path.hardlink_to(spent)
        spent.unlink()
        sync_folder(path.parent)


def _tellers(path: Path) -> list[dict[str, Any]]:
    """Return what the session and the reports beside a key tell, those that are there."""
    names = (f"{path.stem}.session.json", f"{path.stem}.report.json", "report.json")
    return [told for name in names if "seed" in (told := told_in(path.parent / name))]


def _claim(told: dict[str, Any]) -> tuple[str, float] | None:
    """Return the method and the soundness that a session or a report tells, 1 or more if none."""
    match told:
        case {"method": str(method), "soundness": soundness}:
            pass
        case {"design": {"method": str(method)}, "soundness_with_authentication": soundness}:
            pass
        case {"design": {"method": str(method)}, "epsilons": {"soundness": soundness}}:
            pass
        case _:
            return None
    known = isinstance(soundness, float) and soundness > 0
    return method, soundness if known else math.inf


def told_in(path: Path) -> dict[str, Any]:
    """Return what a file of JSON tells, nothing where there is none."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
