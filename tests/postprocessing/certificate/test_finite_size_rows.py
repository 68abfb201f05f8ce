"""Designs made for the inputs of reference rows are certified at what the rows have."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from claims import claim
from flint import ctx
from test_reference import Row, block_of, expected, name, rows

from postprocessing.certificate import METHODS
from postprocessing.certificate.balls import PRECISION_BITS
from postprocessing.certificate.claim import claim_of
from postprocessing.certificate.lengths import UNITS_A_BIT
from postprocessing.security import METHODS as OPTIMISERS
from postprocessing.security import Block


def proved(method: str, block: Block, parameters: Any) -> float:
    """Return the proved length of a block with announced marks, whatever the method covers."""
    marks = {"test_probability": block.probabilities.test}
    score = None
    if method == "renyi_fixed":
        score = OPTIMISERS[method].least_score(block, parameters)
    values = claim(
        method,
        block.rounds,
        marks,
        dataclasses.asdict(parameters),
        losses=int(block.accepted_losses),
        score=score,
        secrecy=block.secrecy,
    )
    # The tests of the rows are the tag's and the secrecy's own.
    with ctx.workprec(PRECISION_BITS):
        length = METHODS[method][0](claim_of(values, announced=True, tolerant=True))
        bits = float(sum(length.account.values()).lower())
    if method == "renyi":
        tests = block.tests
        counts = (tests.won, tests.lost)
        bits += (
            sum(c * u for c, u in zip(counts, length.score_units[:2], strict=True)) / UNITS_A_BIT
        )
    return bits - block.leaked_bits


@pytest.mark.parametrize(
    "row",
    [r for m in ("tan22", "geat", "renyi", "renyi_fixed") for r in rows(m)],
    ids=lambda row: f"{row['method']},{name(row)}",
)
def test_rows(row: Row) -> None:
    key, method = expected(row), row["method"]
    secrecy = float(row["eps_sound"]) * (1.0 if row["leak"].startswith("leak=") else 0.9)
    block = dataclasses.replace(block_of(row, -key.terms["leakage"]), secrecy=secrecy)
    bits, value = proved(method, block, key.length.parameters), int(row["key_length_bits"])
    # What was proposed, which has a margin for rounding, is proved.
    assert bits >= key.length.unclipped
    assert bits <= key.length.unclipped + 1 + 1.01e-9 * block.rounds + 1e-7 * abs(bits)
    if value:
        assert bits >= (1 - 1e-3) * value
