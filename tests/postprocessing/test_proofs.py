"""Runs decide by the whole numbers of a proof: what is designed, accepted and made is proved."""

from __future__ import annotations

import dataclasses
import json
import math
from fractions import Fraction

import pytest
from plain_rounds import XIE_SCHEME

from postprocessing.certificate import METHODS as PROOFS
from postprocessing.certificate import UNITS_A_BIT
from postprocessing.design.design import Design
from postprocessing.design.request import ExpectedValues, Security
from postprocessing.design.stored import design_of, values_of
from postprocessing.errors import InvalidArgumentError
from postprocessing.security import METHODS
from postprocessing.testing import GameTally

EXPECTED = ExpectedValues(XIE_SCHEME, 2.7, 0.01, 1.4)
ROUNDS = 2_000_000


@pytest.fixture(scope="module", params=sorted(PROOFS))
def design(request: pytest.FixtureRequest) -> Design:
    return Security(method=request.param, soundness=1e-8).design(EXPECTED, ROUNDS)


def split(tests: int, lost: int) -> GameTally:
    """Return a tally of which either kind has a half."""
    return GameTally(tests, lost, (tests // 2, lost // 2))


def test_every_method_that_makes_composable_keys_is_proved() -> None:
    own = {name for name in METHODS if METHODS[name].composable}
    assert own == PROOFS.keys()


def test_a_design_has_the_length_that_is_proved(design: Design) -> None:
    proof = design.proof
    assert proof is not None
    assert design.length is not None
    assert design.length.bits > 1000
    assert math.isclose(design.length.terms.total, design.length.unclipped, abs_tol=1e-6)
    assert "rounding" not in design.length.terms
    if not METHODS[design.method].varies:
        assert design.length.bits == proof.bits
        # Floats propose much the same.
        assert abs(design.length.unclipped - proof.enclosure[0]) < 1e-3
    more = dataclasses.replace(design.length, bits=design.length.bits + 2)
    with pytest.raises(InvalidArgumentError, match="as are proved"):
        dataclasses.replace(design, length=more)


def test_a_file_is_proved_anew(design: Design) -> None:
    values = json.loads(json.dumps(values_of(design)))
    assert design_of(values) == design
    values["leakage"]["budget_bits"] -= 8 if METHODS[design.method].varies else -8
    values["length"]["bits"] += 9 * METHODS[design.method].varies
    with pytest.raises(InvalidArgumentError, match="length must be at most"):
        design_of(values)


def test_what_cannot_be_proved_is_no_design(design: Design) -> None:
    assert design.length is not None
    bad = dataclasses.replace(design.epsilons, secrecy=1e-300)
    with pytest.raises(InvalidArgumentError, match=r"length must be|parameters must be"):
        dataclasses.replace(design, epsilons=bad)


def test_the_length_is_an_exact_function_of_the_counts() -> None:
    """A thousand tests more or less, by integers: no two machines round differently."""
    for method in ("renyi", "renyi_weighted"):
        design = Security(method=method, soundness=1e-8).design(EXPECTED, ROUNDS)
        proof, leaked = design.proof, 10_000
        assert proof is not None
        units = [Fraction(each) for each in proof.score_units]
        for tests in (60_000, 61_000):
            for lost in (9_000, 9_001):
                tally = split(tests, lost)
                first, second = tests // 2, lost // 2
                counts = (first - second, second, tests - first - (lost - second), lost - second)
                score = sum(c * u for c, u in zip(counts, units, strict=True))
                bits = math.floor((proof.units + score) / UNITS_A_BIT) - leaked
                outcome_bits = leaked + 2 * tests
                expected = max(0, bits // 8 * 8)
                assert design.final_key_length(10**9, tally, outcome_bits) == expected
                # The cap: no more than is left of the key rounds.
                assert design.final_key_length(20_000, tally, outcome_bits) == 10_000


@pytest.mark.parametrize("method", ["renyi_fixed", "renyi_weighted_fixed"])
def test_scores_reach_the_least_one_exactly(method: str) -> None:
    """One more lost test: the score is below F_min, though it may be by less than a float tells."""
    design = Security(method=method, soundness=1e-8).design(EXPECTED, ROUNDS)
    proof = design.proof
    assert proof is not None
    assert design.least_score is not None
    tests = 60_000
    lost = next(k for k in range(tests) if not design.accepts(split(tests, k)))
    first = tests // 2

    def score(k: int) -> Fraction:
        rest = k - k // 2
        counts = (first - k // 2, k // 2, tests - first - rest, rest)
        return Fraction(sum(c * u for c, u in zip(counts, proof.score_units, strict=True)))

    least = Fraction(design.least_score) * UNITS_A_BIT
    assert score(lost) < least <= score(lost - 1)


def test_without_a_proof_nothing_is_made(design: Design) -> None:
    """A design that claims no key makes none, whatever the counts say."""
    assert design.length is not None
    none = dataclasses.replace(design, length=dataclasses.replace(design.length, bits=0))
    assert none.proof is None
    assert none.final_key_length(10**9, split(60_000, 0), 120_000) == 0
