"""The fields of a report, written once: what a finished distillation has to say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, GetPydanticSchema, PlainSerializer
from pydantic_core import core_schema

from postprocessing.design.design import Design
from postprocessing.design.stored import design_of
from postprocessing.protocol.transcript import NOTHING_SAID, Transcript, TranscriptRow
from postprocessing.security import EpsilonSplit
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
class ReportFields:
    """The fields of every report: but for the keys they are those of its JSON.

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
    tests_at_key_setting : (int, int) or None
        Number of test rounds in which the reference had its key setting, and of lost ones; None
        where nobody counted them.
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
    tests_at_key_setting: tuple[int, int] | None = None
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

    @property
    def tally(self) -> GameTally | None:
        """Score of the CHSH game, known to the corrector."""
        if self.lost_tests is None:
            return None
        return GameTally(self.test_rounds, self.lost_tests, self.tests_at_key_setting)

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
