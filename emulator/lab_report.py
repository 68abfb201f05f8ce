"""What came of recorded rounds, as values and as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from postprocessing.design.design import Design
from postprocessing.files.validation import Validation
from postprocessing.network.key_files import no_secret
from postprocessing.protocol.distillation import DistillationReport
from postprocessing.security import asymptotic_key_fraction
from postprocessing.security.assumptions import assumptions

EXPLORATORY = "exploratory, no key"
PRIVATE = "statistics of outcomes, for your eyes only: what is published of them is not paid for"


@dataclass(frozen=True)
class EmulatedFiles:
    """What `emulate_to` has written.

    Parameters
    ----------
    design : Design
        The design that the rounds fall under.
    pulses, heralded_rounds : int
        Emitted pulses, and those of them that were heralded.
    seed : int
        Seed of the emulation.

    Examples
    --------
    >>> import tempfile
    >>> import diqkd
    >>> scenario = diqkd.load_scenario("ecs-100km", {"rounds": 500, "seed": 1})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     diqkd.emulate_to(folder, scenario)
    EmulatedFiles(pulses=34662, heralded_rounds=500, seed=1)
    """

    design: Design = field(repr=False)
    pulses: int
    heralded_rounds: int
    seed: int


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


@dataclass(frozen=True)
class LabReport:
    """What `distill_files` has made of recorded rounds.

    Parameters
    ----------
    distillation : DistillationReport
        Keys or the reason of the abort.
    design : Design
        The design.
    validation : Validation
        What the rounds look like.
    seed : int or None
        Seed of coins and hash seeds, by which the key is no secret.
    emulated : bool
        Whether the rounds were emulated, by which the key is no secret either.

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

    distillation: DistillationReport
    design: Design = field(repr=False)
    validation: Validation = field(repr=False)
    seed: int | None
    emulated: bool

    @property
    def warning(self) -> str | None:
        """Why the key is no secret, None where it may be one."""
        return no_secret(self.seed, self.emulated)

    def to_dict(self) -> dict[str, object]:
        """Return everything but the keys as JSON values."""
        report = self.distillation
        return {
            "private": PRIVATE,
            "outcome": "key" if report.abort_reason is None else "aborted",
            "abort_reason": report.abort_reason,
            "key_length": report.key_length,
            "key_rounds": report.key_rounds,
            "test_rounds": report.tally.rounds if report.tally else 0,
            "lost_tests": report.tally.lost if report.tally else None,
            "corrected_errors": report.errors,
            "leaked_bits": report.transcript.leaked_bits,
            "security": self.design.label,
            "seed": self.seed,
            "emulated": self.emulated,
            "warning": self.warning,
            "assumptions": assumptions(self.design.setting_choice),
            "design": self.design.to_dict(),
            "design_sha256": self.design.fingerprint(),
            "validation": self.validation.to_dict(),
            "transcript": report.transcript.to_list(),
            "timings_s": report.timings_s,
        }


def json_text(values: object) -> str:
    """Return JSON as reports are printed and written: indented, without NaN."""
    return json.dumps(values, indent=2, allow_nan=False)
