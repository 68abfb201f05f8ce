"""The validation report: honest rounds pass, each fault is named."""

from __future__ import annotations

import numpy as np
import pytest
from plain_rounds import XIE_SCHEME as SCHEME
from plain_rounds import draw_rounds
from scipy import stats

from postprocessing.files.validation import FALSE_ALARM, WINDOWS, validate
from postprocessing.records import PartyRecord
from postprocessing.scheme import LocalSettings

LOCAL = LocalSettings(0.3, 0.3)
ROUNDS = 200_000


@pytest.fixture(scope="module")
def rounds(strong):
    return draw_rounds(strong, LOCAL, ROUNDS, seed=2)


def _with(record: PartyRecord, **columns) -> PartyRecord:
    kept = {name: getattr(record, name) for name in ("settings", "outcomes", "heralds")}
    return PartyRecord.of(**{**kept, **columns})


def test_honest_rounds_pass(rounds, strong):
    found = validate(rounds.alice, rounds.bob, SCHEME, LOCAL)
    assert found.warnings == ()
    assert found.rounds == ROUNDS
    assert abs(found.chsh - strong.chsh) < 5 * found.chsh_error
    assert abs(found.qber - strong.qber) < 5 * np.sqrt(strong.qber / (0.49 * ROUNDS))
    assert sum(found.settings["bob"].values()) == ROUNDS
    assert len(found.chsh_over_time) == WINDOWS
    assert found.to_dict()["warnings"] == []


def test_p_values_are_uniform(strong):
    """Kolmogorov-Smirnov on 60 runs of each test, false alarm 1e-6 in all."""
    values = {}
    for seed in range(60):
        part = draw_rounds(strong, LOCAL, 20_000, seed)
        for finding in validate(part.alice, part.bob, SCHEME, LOCAL).findings:
            values.setdefault(finding.name, []).append(finding.p_value)
    assert len(values) == 10
    for name, found in values.items():
        assert stats.kstest(found, "uniform").pvalue > 1e-7, name


@pytest.mark.parametrize(
    ("spoil", "warning"),
    [
        ("settings", "settings of Alice as designed"),
        ("correlated settings", "settings of Alice and Bob independent"),
        ("herald", "heralds independent of settings"),
        ("signal", "outcomes of B1 independent of the other's setting"),
        ("drift", "correlations steady over time"),
    ],
)
def test_each_fault_is_named(rounds, spoil, warning):
    alice, bob = rounds.alice, rounds.bob
    chance = np.random.default_rng(4)
    some = chance.random(ROUNDS) < 0.05
    if spoil == "settings":
        alice = _with(alice, settings=np.where(some, 2, alice.settings).astype(np.uint8))
    elif spoil == "correlated settings":
        both = some & (alice.settings == 1)
        bob = _with(bob, settings=np.where(both, 1, bob.settings).astype(np.uint8))
    elif spoil == "herald":
        heralds = np.where(some & (alice.settings == 1), 1, alice.heralds).astype(np.uint8)
        alice, bob = _with(alice, heralds=heralds), _with(bob, heralds=heralds)
    elif spoil == "signal":
        told = some & (alice.settings == 0)
        bob = _with(bob, outcomes=np.where(told, 1, bob.outcomes).astype(np.uint8))
    else:
        late = (np.arange(ROUNDS) > ROUNDS // 2) & some
        noise = chance.integers(0, 2, ROUNDS, np.uint8)
        bob = _with(bob, outcomes=np.where(late, noise, bob.outcomes).astype(np.uint8))
    assert warning in validate(alice, bob, SCHEME, LOCAL).warnings


def test_without_rounds_or_designed_settings():
    empty = PartyRecord(np.empty(0, np.uint8))
    found = validate(empty, empty, SCHEME, LOCAL)
    assert (found.rounds, found.chsh, found.qber, found.warnings) == (0, None, None, ())
    names = {finding.name for finding in validate(empty, empty, SCHEME).findings}
    assert not any("designed" in name for name in names)
    assert FALSE_ALARM < 1e-3
