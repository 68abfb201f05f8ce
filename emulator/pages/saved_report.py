"""The report of a finished run, read back from its folder and checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, ValidationError

from postprocessing.errors import InputFileError

Values = dict[str, Any]


class SavedEstimate(BaseModel):
    """An observed quantity beside its expectation, as `emulator.report.Estimate` has it."""

    estimate: float | None
    standard_error: float | None
    expected: float | None
    deviation: float | None


class SavedMessage(BaseModel):
    """A public message: who sent it, its kind, and the bits that depend on outcomes."""

    sender: str
    message: str
    leaked_bits: int


class SavedReport(BaseModel):
    """What `emulator.report.RunReport.to_dict` gave, with the scenario of the run."""

    model_config = ConfigDict(frozen=True)

    scenario: Values
    scheme: str
    outcome: Literal["key", "aborted"]
    abort_reason: str | None
    seed: int
    pulses: int
    heralded_rounds: int
    key_rounds: int
    test_rounds: int
    lost_tests: int | None
    gain: SavedEstimate
    chsh: SavedEstimate
    qber: SavedEstimate
    corrected_errors: int | None
    leaked_bits: int
    reconciliation_efficiency: float | None
    frames: int
    failed_frames: int
    design: Values | None
    design_sha256: str | None
    security: str | None
    assumptions: list[str]
    key_length: int
    asymptotic_key_length: int | None
    key_terms: dict[str, float]
    designed_terms: dict[str, float]
    keys_match: bool | None
    key_sha256: str | None
    rates_per_pulse: dict[str, float | None]
    rates_per_second: dict[str, float | None]
    prediction: Values
    transcript: list[SavedMessage]
    timings_s: dict[str, float]
    versions: dict[str, str]

    @property
    def designed_rounds(self) -> int | None:
        """Heralded rounds that the design counts on; None without a design."""
        rounds = (self.design or {}).get("heralded_rounds")
        return rounds if isinstance(rounds, int) and rounds > 0 else None

    @property
    def waterfall(self) -> tuple[str, dict[str, float]]:
        """What the bits of the waterfall are, and the bits by term; empty where there are none.

        An aborted run has no terms of its own; the terms of its design tell what it aimed at.
        """
        if self.key_terms:
            return "where the key went", self.key_terms
        return "what the design counted on (the run aborted)", self.designed_terms


def read_report(folder: Path) -> tuple[SavedReport, Values]:
    """Read and check the report of a run.

    Parameters
    ----------
    folder : Path
        What was given to ``diqkd run --out``.

    Returns
    -------
    SavedReport
        The report.
    dict
        Every value of the file.

    Raises
    ------
    InputFileError
        If there is no report, it cannot be read, or it is not the report of a run.

    Examples
    --------
    >>> read_report(Path("missing"))
    Traceback (most recent call last):
    postprocessing.errors.InputFileError: run must be a folder with a report.json, got 'missing' ...
    """
    path = folder / "report.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
        return SavedReport.model_validate(values), values
    except OSError as error:
        message = f"run must be a folder with a report.json, got {str(folder)!r}"
        raise InputFileError(f"{message} ({error.strerror})") from error
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"]) or "the whole"
        detail = f"{place}: {problem['msg']}"
    except (ValueError, RecursionError) as error:
        detail = f"not JSON: {error}"
    raise InputFileError(f"{str(path)!r} is not the report of a run ({detail})")


def _refuse(constant: str) -> NoReturn:
    """Refuse NaN and infinities, which JSON has not."""
    raise ValueError(f"{constant} is no JSON")
