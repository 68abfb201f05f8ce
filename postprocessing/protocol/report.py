"""DistillationReport: what became of the rounds, as values, as JSON and as sections."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.metadata import version
from typing import Annotated, Any, Literal, NoReturn, Self

from pydantic import (
    BeforeValidator,
    Field,
    GetPydanticSchema,
    PlainSerializer,
    TypeAdapter,
)
from pydantic_core import core_schema

from postprocessing.design.design import Design
from postprocessing.design.stored import design_of
from postprocessing.protocol.messages import DisclosedFrames, FrameStatus, Syndromes
from postprocessing.protocol.report_sections import accounts, details, summary
from postprocessing.protocol.terms import (
    claimed_epsilons,
    designed_terms,
    efficiency,
    key_terms,
    no_secret,
)
from postprocessing.protocol.transcript import NOTHING_SAID, Transcript, TranscriptRow
from postprocessing.sections import Section, summary_html
from postprocessing.security import EpsilonSplit
from postprocessing.security.assumptions import assumptions
from postprocessing.testing import GameTally

Outcome = Literal["key", "unconfirmed key", "aborted", "failed"]


def _read_back(design: object) -> object:
    """Return the design of JSON values; one that claims no secrecy gets the split it must have."""
    if not isinstance(design, dict):
        return design
    match design.get("epsilons"):
        case {"secrecy": None, "correctness": float(correctness)}:
            split = EpsilonSplit.from_soundness(min(20 * correctness, 0.5))
            whole = {"secrecy": split.secrecy, "correctness": correctness}
            return design_of({**design, "epsilons": whole})
    return design_of(design)


_Key = Annotated[bytes | None, Field(exclude=True)]
_Design = Annotated[
    Design | None,
    BeforeValidator(_read_back),
    PlainSerializer(lambda design: None if design is None else design.to_dict()),
]
_Transcript = Annotated[
    Transcript,
    GetPydanticSchema(
        lambda _, handler: core_schema.no_info_after_validator_function(
            Transcript,
            handler(tuple[TranscriptRow, ...]),
            serialization=core_schema.plain_serializer_function_ser_schema(Transcript.to_list),
        )
    ),
]


@dataclass(frozen=True, kw_only=True)
class DistillationReport:
    """What became of two records.

    Its fields, but for the keys, are those of its JSON; a report that was read from JSON lacks
    the keys and the contents of messages.

    Parameters
    ----------
    outcome : {"key", "unconfirmed key", "aborted", "failed"}
        How it ended; a key can be unconfirmed, and a conversation fail, in a session alone.
    abort_reason : str or None
        Why there is no key.
    keys_match : bool or None
        Whether both keys are equal, None without keys or where one of them is known.
    key_length : int
        Length of the key in bits, 0 after an abort.
    asymptotic_key_length : int or None
        What the asymptotic formula gives for the same rounds; None if not reconciled.
    label : str or None
        What the key is worth, in words; None without a design.
    epsilons : dict or None
        ε_sec, 2 ε_cor and their sum, the soundness; None where nothing is claimed.
    assumptions : tuple of str
        What the key takes for granted.
    seed : int or None
        What the randomness is reproducible from; the key is then no secret.
    emulated : bool
        Whether the rounds are known to be emulated, by which the key is no secret either.
    warning : str or None
        Why the key is no secret, None where it may be one.
    heralded_rounds : int
        Heralded rounds there were; 0 when the run stopped before them.
    key_rounds, test_rounds : int
        Number of key and of test rounds; 0 when the parties stopped before them.
    lost_tests : int or None
        Lost rounds of the CHSH game, known after it.
    corrected_errors : int or None
        Key bits that the corrector had to change, known after verification.
    leaked_bits : int or None
        Outcome-dependent bits on the transcript; None where the conversation failed.
    reconciliation_efficiency : float or None
        f: everything sent to reconcile over n h(errors/n); None where there was no error.
    frames, failed_frames : int
        Frames reconciled, and those disclosed whole.
    design : Design or None
        The frozen design; None when there was none to make or it is not known.
    design_sha256 : str or None
        Its fingerprint.
    key_terms : dict of str to float
        Contributions to the key length in bits, costs negative; empty without a key.
    designed_terms : dict of str to float
        Those that the design counts on; empty where it has none.
    transcript : Transcript
        Every public message; in JSON without contents.
    timings_s : dict of str to float
        Seconds spent in each stage, and in all where known.
    versions : dict of str to str
        The versions that the result may depend on.
    alice_key, bob_key : bytes or None
        The keys; None after an abort, and never in JSON.

    Examples
    --------
    >>> report = DistillationReport.of(None, "too few heralded rounds")
    >>> report.outcome, report.key_length
    ('aborted', 0)
    """

    outcome: Outcome
    abort_reason: str | None
    keys_match: bool | None = None
    key_length: int
    asymptotic_key_length: int | None = None
    label: str | None = field(repr=False)
    epsilons: dict[str, float | None] | None = field(default=None, repr=False)
    assumptions: tuple[str, ...] = field(default=(), repr=False)
    seed: int | None
    emulated: bool = False
    warning: str | None = None
    heralded_rounds: int = 0
    key_rounds: int = 0
    test_rounds: int = 0
    lost_tests: int | None = None
    corrected_errors: int | None = None
    leaked_bits: int | None
    reconciliation_efficiency: float | None = None
    frames: int = 0
    failed_frames: int = 0
    design: _Design = field(default=None, repr=False)
    design_sha256: str | None = field(repr=False)
    key_terms: dict[str, float] = field(default_factory=dict, repr=False)
    designed_terms: dict[str, float] = field(default_factory=dict, repr=False)
    transcript: _Transcript = field(default=NOTHING_SAID, repr=False)
    timings_s: dict[str, float] = field(default_factory=dict, repr=False)
    versions: dict[str, str] = field(default_factory=dict, repr=False)
    alice_key: _Key = field(default=None, repr=False, compare=False)
    bob_key: _Key = field(default=None, repr=False, compare=False)

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
        tests, lost = (tally.rounds, tally.lost) if tally else (0, 0)
        if design is not None and abort_reason is None:
            told["key_terms"] = key_terms(design, key_rounds, tests, lost, leaked)
        if design is not None and errors is not None:
            length = design.asymptotic_key_length(key_rounds, tests, leaked)
            told["asymptotic_key_length"] = length
        return cls(
            outcome="key" if abort_reason is None else "aborted",
            abort_reason=abort_reason,
            keys_match=None if alice_key is None else alice_key == bob_key,
            key_length=8 * len(alice_key or b""),
            key_rounds=key_rounds,
            test_rounds=tests,
            lost_tests=lost if tally else None,
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

    @property
    def tally(self) -> GameTally | None:
        """Score of the CHSH game, known to the corrector."""
        return None if self.lost_tests is None else GameTally(self.test_rounds, self.lost_tests)

    @property
    def errors(self) -> int | None:
        """Key bits the corrector had to change, known after verification."""
        return self.corrected_errors

    @property
    def waterfall(self) -> tuple[str, dict[str, float]]:
        """What the bits of the waterfall are, and the bits by term; empty where there are none.

        Without a key there are no terms; those of the design tell what it aimed at.
        """
        if self.key_terms:
            return "where the key went", self.key_terms
        ended = "" if self.key_length else f" (the run {self.outcome})"
        return f"what the design counted on{ended}", self.designed_terms

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
