"""Proofs of random designs against an evaluation of their lengths to 60 digits by other means."""

from __future__ import annotations

import pytest
from extremes import KINDS, verdict
from independent import (
    DIGITS,
    closed_other,
    closed_square,
    largest_square,
    other_coherence,
)
from mpmath import mp, mpf


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
