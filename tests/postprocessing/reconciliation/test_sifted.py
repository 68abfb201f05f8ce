"""Sifted keys by themselves: the reference's bits or none, every bit sent counted."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postprocessing.bits import Bits
from postprocessing.errors import InvalidArgumentError
from postprocessing.reconciliation import (
    Correction,
    RateAdaptation,
    candidates,
    expected_bits,
    reconcile,
    sifted,
)
from postprocessing.reconciliation.cost import StepPlan, budget_bits
from postprocessing.reconciliation.performance import binary_entropy


def keys(length: int, qber: float, seed: int) -> tuple[Bits, Bits]:
    generator = np.random.default_rng(seed)
    key = generator.integers(0, 2, length, dtype=np.uint8)
    return key, key ^ (generator.random(length) < qber).astype(np.uint8)


@pytest.mark.parametrize("optimise", ["mean", "budget"])
@pytest.mark.parametrize("mode", ["auto", "throughput", "efficiency"])
@pytest.mark.parametrize(("length", "qber"), [(30_000, 0.036), (105_976, 0.036), (1_000_003, 0.02)])
def test_keys_become_equal_at_the_cost_that_was_planned(length, qber, mode, optimise):
    """More than the budget has a probability of 1/400 each; these seeds stay within it."""
    reference, received = keys(length, qber, seed=1)
    found = reconcile(reference, received, qber=qber, mode=mode, optimise=optimise)
    assert found.verified
    np.testing.assert_array_equal(found.corrected_bits, reference)
    assert found.corrected_errors == (reference != received).sum()
    assert found.efficiency == found.leaked_bits / (length * binary_entropy(qber))
    assert found.seconds > 0
    assert found.iterations > 0
    assert found.disclosed_frames == 0
    assert found.leaked_bits <= found.budget_bits
    assert not found.is_spent
    once = -(-length // 128) * 2.0**-50
    on_ladder = found.code.startswith(("light", "heavy"))
    assert on_ladder == (mode != "throughput")
    assert once <= found.undetected_probability <= (100 if on_ladder else 1) * once
    modes = (mode,) if mode != "auto" else ("throughput", "efficiency")
    plans = [plan for each in modes for plan in candidates(each, length, qber)]
    least = min(budget_bits(plan, length, qber, 1 / 400) for plan in plans)
    slack = 1.2 if optimise == "mean" else 1
    assert found.leaked_bits <= slack * least + 51


def test_the_code_is_the_cheapest_of_all_modes():
    for length, qber in ((3_000, 0.05), (100_000, 0.0144), (300_000, 0.078)):
        cost = {}
        for mode in ("auto", "throughput", "efficiency"):
            found = reconcile(*keys(length, qber, seed=2), qber=qber, mode=mode)
            cost[mode] = found.leaked_bits
            assert found.attempts >= 1
        assert cost["auto"] == min(cost.values())
        modes = ("throughput", "efficiency")
        plans = [plan for mode in modes for plan in candidates(mode, length, qber)]
        assert cost["auto"] <= 1.1 * min(expected_bits(p, length, qber) for p in plans) + 51


def test_every_attempt_and_every_disclosed_bit_is_counted(monkeypatch: pytest.MonkeyPatch):
    """Too many errors for all attempts: syndromes and a flag each, then the key itself."""
    rates = RateAdaptation("fast0.02-512-32x200", 64_000, (0, 2, 16))
    plan = StepPlan(rates, 120_000, 0.02, 64)
    monkeypatch.setattr(sifted, "cheapest", lambda *_, **__: plan)
    reference, received = keys(120_000, 0.1, seed=3)
    found = reconcile(reference, received, qber=0.02, verification_bits=64)
    syndromes = sum(rates.syndrome_bits(attempt) for attempt in range(3))
    assert found.leaked_bits == 2 * (syndromes + 3) + 120_000 + 65
    assert (found.attempts, found.frames, found.disclosed_frames) == (3, 2, 2)
    assert math.isnan(found.iterations)
    assert found.is_spent
    assert found.to_dict()["is_spent"]
    np.testing.assert_array_equal(found.corrected_bits, reference)


def test_a_word_of_the_wrong_coset_is_never_handed_out(monkeypatch: pytest.MonkeyPatch):
    """Whatever the decoder believes, the tag decides; a tag of 64 bits lies once in 2^-50."""
    further = Correction.further

    def flipped(self, *arguments):
        after, failed = further(self, *arguments)
        after.frames.words[0, 0] ^= np.uint64(1)
        return after, failed

    monkeypatch.setattr(Correction, "further", flipped)
    arguments = {"qber": 0.02, "verification_bits": 64, "mode": "throughput"}
    found = reconcile(*keys(90_000, 0.02, seed=4), **arguments)
    assert (found.verified, found.corrected_bits, found.corrected_errors) == (False, None, None)
    assert repr(found).startswith("ReconciledKey(failed, 1 frame of ")
    assert found.leaked_bits > 0


def test_nothing_depends_on_threads_but_the_time():
    reference, received = keys(400_000, 0.03, seed=5)
    one, many = (reconcile(reference, received, qber=0.03, threads=t) for t in (1, 3))
    np.testing.assert_array_equal(one.corrected_bits, many.corrected_bits)
    costs = [(f.leaked_bits, f.attempts, f.iterations, f.code) for f in (one, many)]
    assert costs[0] == costs[1]


def test_no_bit_of_a_key_is_shown():
    shown = repr(reconcile(*keys(70_000, 0.02, seed=6), qber=0.02))
    assert "array" not in shown
    assert "corrected_bits" not in shown
    assert len(shown) < 160


@settings(max_examples=25, deadline=None)
@given(length=st.integers(1, 3_000), qber=st.floats(0, 0.12), wrong=st.floats(0, 0.5))
def test_any_keys_are_equal_in_the_end_or_none(length: int, qber: float, wrong: float):
    """Error rates that are not as expected cost more, and never give another key."""
    reference, received = keys(length, wrong, seed=7)
    found = reconcile(reference, received, qber=qber)
    assert not found.verified or np.array_equal(found.corrected_bits, reference)
    assert found.leaked_bits >= 51
    assert found.efficiency == math.inf or qber > 0


ONE, LONG, TEN = (np.ones(length, np.uint8) for length in (4, 1000, 10_000))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reference_bits": np.zeros(0, np.uint8)}, "reference_bits must be at least one"),
        ({"corrector_bits": np.ones(5, np.uint8)}, r"corrector_bits must be as long as .* \(4\)"),
        ({"reference_bits": 2 * ONE}, "reference_bits must be"),
        ({"corrector_bits": ONE.astype(float)}, "corrector_bits must be"),
        ({"qber": 0.21}, "qber must be at most 0.2, got 0.21"),
        ({"qber": 0.13}, "qber must be at most 0.12 for keys of this length, .* got 0.13"),
        ({"qber": 0.13, "mode": "throughput"}, "qber must be at most 0.12 .* got 0.13"),
        ({"qber": -0.1}, "qber must be"),
        ({"mode": "fast"}, "mode must be"),
        ({"optimise": "speed"}, "optimise must be"),
        ({"verification_bits": 0}, "verification_bits must be"),
        (
            {"reference_bits": LONG, "corrector_bits": LONG, "verification_bits": 3},
            "verification_bits must be enough to tell strings of 1000 bits apart, got 3",
        ),
        (
            {"reference_bits": TEN, "corrector_bits": TEN, "verification_bits": 8, "qber": 0.036},
            "verification_bits must be enough to tell strings of 10000 bits apart, got 8",
        ),
        ({"verification_bits": 129}, "verification_bits must be"),
        ({"threads": 0}, "threads must be"),
    ],
)
def test_refused(change: dict[str, object], message: str):
    arguments: dict[str, object] = {"reference_bits": ONE, "corrector_bits": ONE, "qber": 0.02}
    with pytest.raises(InvalidArgumentError, match=message):
        reconcile(**(arguments | change))
