"""Proofs of random designs against an evaluation of their lengths to 60 digits by other means."""

from __future__ import annotations

import pytest
from extremes import KINDS, drawn, verdict
from independent import (
    DIGITS,
    closed_other,
    closed_square,
    exact,
    largest_square,
    other_coherence,
)
from mpmath import mp, mpf

from postprocessing.certificate import UNITS_A_BIT, NotProvedError, prove


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(12))
def test_proofs_are_exact(kind: str, seed: int) -> None:
    """Never above what there is, and not below: see `tests/acceptance/certificates.py`."""
    assert verdict(kind, seed) in {"proved", "refused, rightly"}


@pytest.mark.parametrize("beta", ["0.4", "0.97", "1", "1.03", "3"])
@pytest.mark.parametrize("e", ["0.05", "0.5", "0.95"])
def test_the_closed_forms_of_the_evaluation(beta: str, e: str) -> None:
    with mp.workdps(DIGITS):
        at = mpf(e), mpf(beta)
        assert abs(largest_square(*at) - closed_square(*at)) < mpf(10) ** -55
        assert abs(other_coherence(*at) - closed_other(*at)) < mpf(10) ** -30


@pytest.mark.parametrize("kind", ["renyi_weighted", "eat_rpa"])
@pytest.mark.parametrize("seed", range(6))
def test_whole_scores_are_rounded_against_the_key(kind: str, seed: int) -> None:
    """What tests add down, what they cost up, by less than 2⁻³² bits."""
    values = drawn(kind, seed)
    free = values["length"]["parameters"]
    try:
        units = prove(values).score_units
    except NotProvedError:
        return
    with mp.workdps(DIGITS):
        wins = [exact(w) for w in free["published_wins"]]
        costs = [1 - mp.log(share, 2) for w in wins for share in (w, 1 - w)]
        for i, (unit, cost) in enumerate(zip(units, costs, strict=True)):
            if kind == "eat_rpa":
                assert 0 <= unit - UNITS_A_BIT * cost < 1
                continue
            credit = exact(free["loss_credits" if i % 2 else "win_credits"][i // 2])
            assert 0 <= UNITS_A_BIT * (credit - cost) - unit < 1


def test_names_of_what_is_out_of_range() -> None:
    """Where the worst device would not be bounded at all."""
    values = drawn("eat_rpa", 7)
    credits_ = values["length"]["parameters"]["loss_credits"]
    for bad in ([-credits_[0], credits_[1]], [credits_[0], 0.0]):
        values["length"]["parameters"]["loss_credits"] = bad
        with pytest.raises(NotProvedError, match="loss_credits are not positive"):
            prove(values)
    values = drawn("renyi_weighted", 3)
    won = values["length"]["parameters"]["win_credits"]
    values["length"]["parameters"]["loss_credits"][1] = won[1]
    with pytest.raises(NotProvedError, match="no less credit than a win"):
        prove(values)
