"""What is proved of a design, and what a run decides by it: whole numbers, no floating point."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from postprocessing.certificate import METHODS as PROOFS
from postprocessing.certificate import UNITS_A_BIT, NotProvedError, Proof, prove
from postprocessing.checks import real_number
from postprocessing.errors import InvalidArgumentError
from postprocessing.security import METHODS, Counts, KeyLength, Terms
from postprocessing.testing import GameTally

if TYPE_CHECKING:
    from postprocessing.design.design import Design

# A float's margin for rounding, which a proof does without.
_MARGIN = "rounding"
_CACHED = 256


def is_proved(method: str) -> bool:
    """Tell whether keys of a method have the length that is proved, rather than its own."""
    return method in PROOFS


def proof_of(design: Design, length: KeyLength[Any] | None) -> Proof | None:
    """Prove a key length of a design; None where none is claimed, or the method has no proof here.

    Raises
    ------
    InvalidArgumentError
        If nothing can be proved, or less than is claimed.
    """
    if not (is_proved(design.method) and design.leakage and length and length.bits):
        return None
    choice = {name: value for name, value in vars(design.setting_choice).items() if value}
    budget = {name: getattr(design.leakage, name) for name in ("tag_bits", "budget_bits")}
    values = {
        "method": design.method,
        "heralded_rounds": design.heralded_rounds,
        "setting_choice": choice,
        "tolerated_test_losses": design.tolerated_test_losses,
        "leakage": budget,
        "epsilons": vars(design.epsilons),
        "noisy_preprocessing": design.noisy_preprocessing,
        "least_score": design.least_score,
        "length": {"parameters": vars(length.parameters)},
    }
    try:
        proof = _proved(json.dumps(values))
    except NotProvedError as error:
        raise InvalidArgumentError("length", length.bits, f"one that is proved: {error}") from error
    proved = proof.bits
    if METHODS[design.method].varies:
        proved = _expected_bits(design, proof, length.terms)
    if length.bits > proved:
        raise InvalidArgumentError("length", length.bits, f"at most {proved} bits, as are proved")
    return proof


@lru_cache(maxsize=_CACHED)
def _proved(values: str) -> Proof:
    return prove(json.loads(values))


def with_proved_length(design: Design, length: KeyLength[Any] | None) -> Design:
    """Return a design with the length that is proved at the free parameters of a proposed one."""
    if length is None or not (is_proved(design.method) and length.bits):
        return replace(design, length=length)
    try:
        proof = proof_of(design, replace(length, bits=1))
    except InvalidArgumentError:
        return design
    if proof is None:
        return replace(design, length=length)
    terms = as_proved(length.terms)
    bits = proof.bits
    if METHODS[design.method].varies:
        bits = _expected_bits(design, proof, terms)
    proved = KeyLength(max(bits, 0), terms.total, terms, length.parameters)
    return replace(design, length=proved)


def as_proved(terms: Terms) -> Terms:
    """Return terms without the margin that floats need and a proof does without."""
    return Terms({name: bits for name, bits in terms.items() if name != _MARGIN})


def check_length(design: Design, length: KeyLength[Any]) -> None:
    """Check that a length is no more than is proved at its free parameters.

    Where the method has no proof here, that it is no more than what the method says.

    Raises
    ------
    InvalidArgumentError
        If not.
    """
    method = METHODS[design.method]
    if not method.composable or design.leakage is None:
        raise InvalidArgumentError("length", length.bits, "None without a finite size")
    if not isinstance(length.parameters, method.parameters):
        given = type(length.parameters).__name__
        raise InvalidArgumentError("length", given, f"one with {method.parameters.__name__}")
    leaked: float = design.leakage.budget_bits
    if method.varies:
        leaked = max(0.0, -length.terms.get("leakage", 0.0))
    derived = method.length(replace(design.block, leaked_bits=leaked), length.parameters)
    if as_proved(length.terms).keys() != as_proved(derived.terms).keys():
        raise InvalidArgumentError("terms", [*length.terms], f"{[*derived.terms]}")
    for name, bits in {**length.terms, "unclipped": length.unclipped}.items():
        real_number(f"{name} of the length", bits)
    proof = proof_of(design, length)
    if proof is None and length.bits > derived.bits:
        raise InvalidArgumentError("length", length.bits, f"at most {derived.bits} bits")


def _expected_bits(design: Design, proof: Proof, terms: Mapping[str, float]) -> int:
    """Return a varying length at the expected counts, and at the leakage it was stated for."""
    return varying_bits(proof, design.block.tests, math.ceil(-terms.get("leakage", 0.0)))


def varying_bits(proof: Proof, tests: Counts, leaked_bits: float) -> int:
    """Return the length of a finished run where it varies; 0 or less where there is no key."""
    return (proof.units + math.floor(_units(proof, tests))) // UNITS_A_BIT - math.ceil(leaked_bits)


def _units(proof: Proof, tests: Counts) -> Fraction:
    """Return what tests add to the length, or cost where they are counted, in 2⁻³² bits."""
    kinds = tests.by_kind if METHODS[proof.method].tells_kinds_apart else (tests,)
    counts = [count for kind in kinds for count in (kind.won, kind.lost)]
    each = zip(counts, proof.score_units[: len(counts)], strict=True)
    return sum((Fraction(count) * unit for count, unit in each), Fraction(0))


def counts_of(tally: GameTally) -> Counts:
    """Return the tests of a run as methods count them."""
    kind = tally.at_key_setting
    at_key = None if kind is None else (kind[0] - kind[1], kind[1])
    return Counts(tally.rounds - tally.lost, tally.lost, at_key)


def accepts(design: Design, proof: Proof, tests: Counts) -> bool:
    """Tell whether a run passes its test, exactly: by a score, by weights and costs, or a count."""
    method = METHODS[proof.method]
    if method.varies:
        return varying_bits(proof, tests, 0) > 0
    if method.scored:
        return _units(proof, tests) >= Fraction(design.least_score or 0) * UNITS_A_BIT
    if not proof.score_units or design.length is None:
        return tests.lost <= design.tolerated_test_losses
    free, kinds = design.length.parameters, tests.by_kind
    weights = zip(free.loss_credits, kinds, strict=True)
    lost = sum((Fraction(k) * Fraction(kind.lost) for k, kind in weights), Fraction(0))
    affordable = Fraction(free.most_test_bits) * UNITS_A_BIT
    return lost <= Fraction(free.most_lost) and _units(proof, tests) <= affordable
