"""DistillationReport: what became of the rounds, as values, as JSON and as sections."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.metadata import version
from typing import Any, NoReturn, Self

from pydantic import (
    TypeAdapter,
)

from postprocessing.design.design import Design
from postprocessing.protocol.messages import DisclosedFrames, FrameStatus, Syndromes
from postprocessing.protocol.report_fields import ReportFields
from postprocessing.protocol.report_sections import accounts, details, summary
from postprocessing.protocol.terms import (
    claimed_epsilons,
    designed_terms,
    efficiency,
    key_terms,
    no_secret,
)
from postprocessing.protocol.transcript import NOTHING_SAID, Transcript
from postprocessing.sections import Section, summary_html
from postprocessing.security.assumptions import assumptions
from postprocessing.testing import GameTally


@dataclass(frozen=True, kw_only=True)
class DistillationReport(ReportFields):
    """What became of two records.

    A report is its JSON, both ways; one that was read from JSON lacks the keys and the contents of
    messages.

    Notes
    -----
    Its fields are those of `postprocessing.protocol.report_fields.ReportFields`.

    Examples
    --------
    >>> report = DistillationReport.of(None, "too few heralded rounds")
    >>> report.outcome, report.key_length
    ('aborted', 0)
    """

    @classmethod
    def of(
        cls,
        design: Design | None,
        abort_reason: str | None,
        *,
        alice_key: bytes | None = None,
        bob_key: bytes | None = None,
        tally: GameTally | None = None,
        errors: int | None = None,
        key_rounds: int = 0,
        transcript: Transcript = NOTHING_SAID,
        seed: int | None = None,
        emulated: bool = False,
        **known: Any,
    ) -> Self:
        """Return the report of a distillation, with everything that follows from what is given.

        Parameters
        ----------
        design : Design or None
            The frozen design.
        abort_reason : str or None
            Why there is no key.
        alice_key, bob_key, key_rounds, transcript, seed, emulated : optional
            Fields of the report.
        tally : GameTally, optional
            Score of the CHSH game.
        errors : int, optional
            Corrected errors.
        **known
            Other fields of the report.
        """
        leaked = transcript.leaked_bits
        sent = transcript.leaked_by(Syndromes, FrameStatus, DisclosedFrames)
        told = told_by(design, seed, emulated=emulated)
        tests = tally or GameTally(0, 0)
        if design is not None and abort_reason is None:
            told["key_terms"] = key_terms(design, key_rounds, tests, leaked)
        if design is not None and errors is not None:
            length = design.asymptotic_key_length(key_rounds, tests.rounds, leaked)
            told["asymptotic_key_length"] = length
        return cls(
            outcome="key" if abort_reason is None else "aborted",
            abort_reason=abort_reason,
            keys_match=None if alice_key is None else alice_key == bob_key,
            key_length=8 * len(alice_key or b""),
            key_rounds=key_rounds,
            test_rounds=tests.rounds,
            lost_tests=tests.lost if tally else None,
            tests_at_key_setting=tests.at_key_setting,
            corrected_errors=errors,
            leaked_bits=leaked,
            reconciliation_efficiency=efficiency(errors, key_rounds, sent),
            transcript=transcript,
            alice_key=alice_key,
            bob_key=bob_key,
            **told,
            **known,
        )

    @classmethod
    def extending(cls, report: DistillationReport, **more: Any) -> Self:
        """Return a report with the fields of another, and more."""
        return cls(**{each.name: getattr(report, each.name) for each in fields(report)} | more)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the keys as JSON values; null where undefined."""
        values: dict[str, Any] = json.loads(TypeAdapter(type(self)).dump_json(self))
        return values

    def to_json(self) -> str:
        """Return everything but the keys as JSON text."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def files(self) -> dict[str, bytes]:
        """Return what is kept of it by name: the report, and the keys if there are any."""
        keys = {"alice.key": self.alice_key, "bob.key": self.bob_key}
        held = {name: key for name, key in keys.items() if key is not None}
        return {"report.json": f"{self.to_json()}\n".encode(), **held}

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Self:
        """Return the report that has given JSON values.

        Raises
        ------
        ValidationError
            If a value is missing or impossible; it is a ValueError.
        """
        # No key comes from JSON, whatever is in it.
        told = {name: value for name, value in values.items() if not name.endswith("_key")}
        report: Self = TypeAdapter(cls).validate_python(told)
        return report

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the report that `to_json` has made a text of.

        Raises
        ------
        ValueError
            If the text is no JSON, or no report of this kind.
        """
        return cls.from_dict(parse_json(text))

    @property
    def heading(self) -> str:
        """What the report is of, in words."""
        return "Distillation of recorded rounds"

    def present(self) -> tuple[Section, ...]:
        """Return what the report says, for any output to show: a summary, then the details."""
        return (Section("distillation", summary(self)), *accounts(self), *details(self))

    def _repr_html_(self) -> str:
        """Return the summary as HTML, for notebooks."""
        return summary_html(self.present())


def told_by(design: Design | None, seed: int | None, *, emulated: bool) -> dict[str, Any]:
    """Return the fields of a report that are known before there is any data.

    Parameters
    ----------
    design : Design or None
        The frozen design.
    seed : int or None
        What the randomness is reproducible from.
    emulated : bool
        Whether the rounds are known to be emulated.
    """
    return {
        "label": design.label if design else None,
        "epsilons": claimed_epsilons(design) if design else None,
        "assumptions": assumptions(design.setting_choice if design else None),
        "seed": seed,
        "emulated": emulated,
        "warning": no_secret(seed, emulated),
        "design": design,
        "design_sha256": design.fingerprint() if design else None,
        "designed_terms": designed_terms(design) if design else {},
        "versions": _versions(),
    }


def parse_json(text: str) -> Any:
    """Return the values of JSON text.

    Raises
    ------
    ValueError
        If it is none: NaN and infinities are not.
    """
    return json.loads(text, parse_constant=_refuse)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


@cache
def _versions() -> dict[str, str]:
    """Return the versions that a result may depend on."""
    packages = ("diqkd", "numpy", "numba", "scipy")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
