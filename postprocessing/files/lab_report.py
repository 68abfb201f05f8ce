"""LabReport: what became of a laboratory's rounds, and what they look like."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import PlainSerializer

from postprocessing.files.validation import Validation
from postprocessing.protocol.report import DistillationReport
from postprocessing.protocol.report_sections import accounts, details, summary
from postprocessing.protocol.terms import no_secret
from postprocessing.sections import Row, Section, count, number
from postprocessing.security import asymptotic_key_fraction

EXPLORATORY = "exploratory, no key"
PRIVATE = "statistics of outcomes, for your eyes only: what is published of them is not paid for"

_Validation = Annotated[Validation, PlainSerializer(Validation.to_dict)]


@dataclass(frozen=True, kw_only=True)
class LabReport(DistillationReport):
    """The report of a distillation from files, which one trusted place has both of.

    Parameters
    ----------
    validation : Validation
        What the rounds look like.
    private : str
        Who may see it.

    Notes
    -----
    It has the fields of `DistillationReport` too.

    Examples
    --------
    >>> import tempfile
    >>> import diqkd
    >>> scenario = diqkd.load_scenario("ecs-100km", {"rounds": 500, "seed": 1})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = diqkd.emulate_to(folder, scenario, joint=True)
    ...     files = {"design": f"{folder}/design.json", "seed": 1}
    ...     diqkd.distill_files(f"{folder}/rounds.parquet", **files).warning
    'reproducible from a seed: not a secret key'
    """

    validation: _Validation
    private: str = PRIVATE

    @classmethod
    def from_files(
        cls,
        report: DistillationReport,
        validation: Validation,
        *,
        emulated: bool,
        warning: str | None = None,
    ) -> LabReport:
        """Return the report of rounds from files.

        Parameters
        ----------
        report : DistillationReport
            What became of them.
        validation : Validation
            What they look like.
        emulated : bool
            Whether they are known to be emulated.
        warning : str, optional
            What else is to be said of keys that may be secret.
        """
        told = no_secret(report.seed, emulated) or warning
        return cls.extending(report, emulated=emulated, warning=told, validation=validation)

    def present(self) -> tuple[Section, ...]:
        """Return what the report says, for any output to show: a summary, then the details."""
        more: list[Row] = []
        if self.tally is not None:
            more.append(("tests lost", f"{self.tally.lost:,} of {self.tally.rounds:,}"))
        if self.design is not None:
            more.append(("acceptance", self.design.acceptance_rule))
        if self.warning is not None:
            more.append(("warning", self.warning))
        rows = summary(self, None, *more)
        shown = (*accounts(self), *validation_sections(self.validation))
        return (Section("distillation", rows), *shown, *details(self))


@dataclass(frozen=True)
class Exploration:
    """What rounds look like without a design: nothing of it is a key.

    Parameters
    ----------
    validation : Validation
        Estimates, tests and warnings.

    Examples
    --------
    >>> import numpy as np
    >>> import diqkd
    >>> from postprocessing.files.validation import validate
    >>> scheme = diqkd.BellState(diqkd.Link(distance_km=10)).joint_distribution().scheme
    >>> record = diqkd.PartyRecord(np.zeros(100, np.uint8))
    >>> Exploration(validate(record, record, scheme)).asymptotic_key_fraction is None
    True
    """

    validation: Validation = field(repr=False)

    def __repr__(self) -> str:
        """Return what is to be seen at once."""
        seen = self.validation
        return f"Exploration({seen.rounds:,} heralded rounds, S {seen.chsh}, QBER {seen.qber})"

    @property
    def asymptotic_key_fraction(self) -> float | None:
        """Key bits per heralded round at the observed values; None where one is undefined."""
        chsh, qber = self.validation.chsh, self.validation.qber
        if chsh is None or qber is None:
            return None
        return float(asymptotic_key_fraction(chsh, qber))

    def to_dict(self) -> dict[str, object]:
        """Return JSON values; null where undefined."""
        return {
            "private": PRIVATE,
            "outcome": EXPLORATORY,
            "key_length": 0,
            "asymptotic_key_fraction": self.asymptotic_key_fraction,
            "validation": self.validation.to_dict(),
        }


def validation_sections(validation: Validation) -> tuple[Section, ...]:
    """Return what rounds look like: S and QBER, the tests, and S over time."""
    over_time = ", ".join(number(chsh, 4) for chsh in validation.chsh_over_time)
    rows = (
        ("heralded rounds", count(validation.rounds)),
        ("S", f"{number(validation.chsh)} ± {number(validation.chsh_error, 2)}"),
        ("QBER", number(validation.qber)),
        ("S over time", over_time),
    )
    findings = tuple(
        (finding.name, f"{finding.p_value:.3g}{'  WARNING' if finding.suspicious else ''}")
        for finding in validation.findings
    )
    return (
        Section("validation", rows, bullets=(PRIVATE,)),
        Section("tests of the rounds", findings, ("test", "p")),
    )
