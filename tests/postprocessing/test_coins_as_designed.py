"""Coins and marks that were not drawn as designed: seen before any outcome, and no key."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from plain_rounds import LI_SCHEME, STRONG, XIE_SCHEME, Rounds, draw_rounds
from scipy.stats import binom

from postprocessing.bits import PackedBits
from postprocessing.design.announced import PAIR_SHARE
from postprocessing.design.design import Design
from postprocessing.design.request import Security
from postprocessing.protocol import steps
from postprocessing.protocol.conversation import Conversation
from postprocessing.protocol.distillation import distill
from postprocessing.protocol.messages import Abort, DisclosedTests, ThinningCoins
from postprocessing.protocol.randomness import PartyRandomness, draw_coins
from postprocessing.quantiles import lower_quantile, upper_quantile
from postprocessing.records import PartyRecord
from postprocessing.scheme import LocalSettings

REASON, TOO_FEW = "coins not as designed", "too few test rounds"
ROUNDS = 100_000

Draw = Callable[[Any, int, Fraction], PackedBits]


@pytest.fixture(scope="module", params=[XIE_SCHEME, LI_SCHEME], ids=["xie", "li"])
def session(request: pytest.FixtureRequest) -> tuple[Design, Rounds]:
    devices = dataclasses.replace(STRONG, scheme=request.param)
    design = Security(method="asymptotic").design(devices, ROUNDS)
    return design, draw_rounds(devices, design.setting_choice, ROUNDS, seed=1)


def surplus_of(design: Design, rounds: Rounds) -> int:
    scheme = design.scheme
    records = {"alice": rounds.alice.settings, "bob": rounds.bob.settings}
    at_key = records[scheme.reference] == scheme.key_setting(scheme.reference)
    tests = records[scheme.corrector] != scheme.key_setting(scheme.corrector)
    return int((at_key & tests).sum())


def with_coins(monkeypatch: pytest.MonkeyPatch, kept: Callable[[int], int]) -> None:
    """Let so many of the coins be 1, the first ones."""

    def draw(source: Any, count: int, probability: Fraction) -> PackedBits:
        return PackedBits.from_bits((np.arange(count) < kept(count)).astype(np.uint8))

    monkeypatch.setattr(steps, "draw_coins", draw)


@pytest.mark.parametrize(
    ("share", "reason"), [(0.0, TOO_FEW), (1.0, REASON), (0.05, TOO_FEW), (0.5, REASON)]
)
def test_no_key_of_coins_that_are_stuck_or_biased(
    session: tuple[Design, Rounds], share: float, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings are as designed, and nothing of the outcomes has been said when it ends."""
    design, rounds = session
    with_coins(monkeypatch, lambda count: round(share * count))
    report = distill(rounds.alice, rounds.bob, design)
    assert (report.abort_reason, report.alice_key, report.bob_key) == (reason, None, None)
    kinds = [type(entry.message) for entry in report.transcript.entries]
    assert kinds[-2:] == [ThinningCoins, Abort]
    assert DisclosedTests not in kinds
    assert report.transcript.leaked_bits == 0


def test_the_bounds_are_exact_quantiles(
    session: tuple[Design, Rounds], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With as many as honest coins give with a probability of 1e-12 it goes on, not beyond."""
    design, rounds = session
    assert isinstance(design.setting_choice, LocalSettings)
    surplus, p = surplus_of(design, rounds), design.setting_choice.thinning_probability
    high, low = upper_quantile(surplus, p, PAIR_SHARE), lower_quantile(surplus, p, PAIR_SHARE)
    assert binom.sf(high, surplus, p) <= PAIR_SHARE < binom.sf(high - 1, surplus, p) * (1 + 1e-6)
    for kept, honest in ((low - 1, False), (low, True), (high, True), (high + 1, False)):
        assert design.coins_as_designed(kept, surplus) == honest
    for kept, refused in ((high, False), (high + 1, True)):
        with_coins(monkeypatch, lambda count, kept=kept: kept)
        report = distill(rounds.alice, rounds.bob, design)
        assert (report.abort_reason == REASON) == refused
        said = [type(entry.message) for entry in report.transcript.entries]
        assert (DisclosedTests in said) != refused


def test_honest_coins_make_a_key_and_hardly_ever_fail(session: tuple[Design, Rounds]) -> None:
    design, rounds = session
    report = distill(rounds.alice, rounds.bob, design)
    assert report.abort_reason is None
    assert report.alice_key == report.bob_key
    assert isinstance(design.setting_choice, LocalSettings)
    surplus, p = surplus_of(design, rounds), design.setting_choice.thinning_probability
    failing = binom.sf(upper_quantile(surplus, p, PAIR_SHARE), surplus, p)
    failing += binom.cdf(lower_quantile(surplus, p, PAIR_SHARE) - 1, surplus, p)
    assert 0 < failing <= 1e-9


@pytest.mark.parametrize("count", [0, 1, 5000])
def test_a_coin_that_is_always_1_by_design(count: int) -> None:
    """Switches of 50 to 50 leave nothing to thin: a single 0 is none of this coin."""
    own = {"test_probability_alice": 0.5, "test_probability_bob": 0.5}
    design = Security(method="asymptotic", **own).design(STRONG, ROUNDS)
    assert design.coins_as_designed(count, count)
    assert not count or not design.coins_as_designed(count - 1, count)


@pytest.mark.parametrize("stuck_at", [0, 1])
def test_no_key_of_marks_that_are_stuck(stuck_at: int) -> None:
    """Every round a key round, or every round a test: the settings show it."""
    devices = dataclasses.replace(STRONG, scheme=LI_SCHEME, qber=0.0)
    design = Security(1e-6, method="geat", settings="announced").design(devices, 2_000_000)
    assert design.key_length > 0
    rounds = draw_rounds(devices, design.setting_choice, design.heralded_rounds, seed=1)
    chance, key = np.random.default_rng(2), design.scheme.key_pair
    count = len(rounds)
    changed = {}
    for party, one in (("alice", key[0]), ("bob", key[1])):
        record = getattr(rounds, party)
        tests = np.array(design.scheme.test_settings(party), np.uint8)
        settings = chance.choice(tests, count) if stuck_at else np.full(count, one, np.uint8)
        changed[party] = PartyRecord.of(settings, record.outcomes, record.heralds)
    report = distill(changed["alice"], changed["bob"], design)
    assert (report.abort_reason, report.key_length) == ("settings not as designed", 0)
    assert report.transcript.leaked_bits == 0


def test_the_reference_sees_it_by_itself(session: tuple[Design, Rounds]) -> None:
    """The corrector's computer may be the one at fault: the other one counts its coins."""
    design, rounds = session
    reference, corrector = design.scheme.reference, design.scheme.corrector
    conversation = Conversation(reference, getattr(rounds, reference), design, PartyRandomness())
    conversation.start()
    other = Conversation(corrector, getattr(rounds, corrector), design, PartyRandomness())
    conversation.receive(other.start()[0])
    surplus = surplus_of(design, rounds)
    half = draw_coins(np.random.default_rng(1).bytes, surplus, Fraction(1, 2))
    (answer,) = conversation.receive(ThinningCoins(half))
    assert isinstance(answer, Abort)
    assert answer.reason == REASON
    assert conversation.result is not None
    assert conversation.result.key is None
