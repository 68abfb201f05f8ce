"""The report of a folder, read back: of a run, of a laboratory's rounds, or of a party."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from emulator.report import RunReport
from postprocessing.checks import file_path
from postprocessing.errors import InputFileError, InvalidArgumentError
from postprocessing.files.lab_report import LabReport
from postprocessing.network.report import SessionReport
from postprocessing.protocol.report import DistillationReport, parse_json
from postprocessing.protocol.terms import claimed_epsilons, designed_terms, key_terms, no_secret
from postprocessing.testing import GameTally

Values = dict[str, Any]

# What tells a kind of report from the others.
_KINDS: dict[str, type[DistillationReport]] = {
    "prediction": RunReport,
    "validation": LabReport,
    "party": SessionReport,
}
# Fields of version 0.1.0 by what they are called now.
_RENAMED = {"security": "label"}
_NAMES = ("report.json", "alice.report.json", "bob.report.json")


def report_file(source: Path | str) -> Path:
    """Return the file of a report.

    Parameters
    ----------
    source : Path or str
        What was given to ``diqkd run --out``, ``distill --out`` or ``party --out``; or the file.

    Raises
    ------
    InputFileError
        If there is none.
    InvalidArgumentError
        If there are several: both parties may use one folder.
    """
    source = file_path("run", source)
    if source.is_file():
        return source
    found = [source / name for name in _NAMES if (source / name).is_file()]
    if len(found) > 1:
        allowed = f"one of {', '.join(path.name for path in found)} in it"
        raise InvalidArgumentError("run", str(source), allowed)
    if not found:
        allowed = "a folder with a report.json, alice.report.json or bob.report.json"
        raise InputFileError(f"run must be {allowed}, got {str(source)!r}")
    return found[0]


def read_report(source: Path | str) -> DistillationReport:
    """Read and check the report of a folder.

    Parameters
    ----------
    source : Path or str
        The folder, or the file in it; also of version 0.1.0.

    Returns
    -------
    RunReport, LabReport, SessionReport or DistillationReport
        The report, without keys.

    Raises
    ------
    InputFileError
        If there is no report, it cannot be read, or it is none.
    InvalidArgumentError
        If there are several.

    Examples
    --------
    >>> read_report(Path("missing"))
    Traceback (most recent call last):
    postprocessing.errors.InputFileError: run must be a folder with a report.json, ...
    """
    path = report_file(source)
    try:
        values = parse_json(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        message = f"report must be a readable file, got {str(path)!r} ({error.strerror})"
        raise InputFileError(message) from error
    except (ValueError, RecursionError) as error:
        raise _foreign(path, f"not JSON: {error}") from error
    if not isinstance(values, dict):
        raise _foreign(path, "the whole: Input should be an object")
    kind = next((kind for name, kind in _KINDS.items() if name in values), DistillationReport)
    known = _renewed(values)
    if kind is RunReport:
        # Version 0.1.0 did not say what is so of every run.
        warning = no_secret(known.get("seed"), emulated=True)
        known = {"emulated": True, "warning": warning} | known
    try:
        report = kind.from_dict(known)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"]) or "the whole"
        raise _foreign(path, f"{place}: {problem['msg']}") from error
    return report if "epsilons" in values else _completed(report)


def _renewed(values: Values) -> Values:
    """Return the values of a report with the names of today; those of today stay."""
    new = {_RENAMED.get(name, name): value for name, value in values.items()}
    if "seconds" in new:
        new["timings_s"] = {"total": new.pop("seconds")}
    return new


def _completed(report: DistillationReport) -> DistillationReport:
    """Return a report of version 0.1.0 with what follows from its values and was not written."""
    design, rounds = report.design, report.heralded_rounds
    if design is None:
        return report
    terms: dict[str, float] = {}
    if report.key_length and report.leaked_bits is not None:
        tests = report.tally or GameTally(report.test_rounds, 0)
        terms = key_terms(design, report.key_rounds, tests, report.leaked_bits)
    return replace(
        report,
        epsilons=claimed_epsilons(design),
        heralded_rounds=report.validation.rounds if isinstance(report, LabReport) else rounds,
        key_terms=terms,
        designed_terms=designed_terms(design),
    )


def _foreign(path: Path, detail: str) -> InputFileError:
    """Return the error of a file that is not the report of anything."""
    allowed = "one that diqkd run, distill or party has written"
    return InputFileError(f"report must be {allowed}, {str(path)!r} is not ({detail})")
