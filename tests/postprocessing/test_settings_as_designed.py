"""Settings that were not drawn as the design has them: both parties see it, and make no key."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from plain_rounds import LI_SCHEME, STRONG, XIE_SCHEME, draw_rounds
from scipy.stats import binom

from postprocessing.design.announced import PAIR_SHARE
from postprocessing.design.design import Design
from postprocessing.design.request import ExpectedValues, Security
from postprocessing.errors import InputFileError
from postprocessing.files.designs import read_design
from postprocessing.protocol.conversation import Conversation
from postprocessing.protocol.distillation import distill
from postprocessing.protocol.messages import SettingsAnnouncement
from postprocessing.protocol.randomness import PartyRandomness
from postprocessing.quantiles import lower_quantile, upper_quantile
from postprocessing.records import PartyRecord
from postprocessing.scheme import BellScheme, Party

ROUNDS, RECORDS = 20_000, 1000
REASON = "settings not as designed"
FROZEN = Path(__file__).parents[1] / "reference" / "frozen"
PARTIES: tuple[Party, Party] = ("alice", "bob")
Settings = npt.NDArray[np.uint8]


def small(scheme: BellScheme, settings: str = "local") -> tuple[ExpectedValues, Design]:
    """Devices and a design that makes a key of few rounds."""
    devices = dataclasses.replace(STRONG, scheme=scheme, qber=0.0)
    if settings == "local":
        return devices, Security(method="asymptotic").design(devices, ROUNDS)
    wanted = Security(1e-6, method="geat", settings="announced")
    return devices, wanted.design(devices, 2_000_000)


def pairs_of(design: Design, alice: PartyRecord, bob: PartyRecord) -> npt.NDArray[np.int64]:
    counts = np.zeros_like(design.setting_choice.pair_law(design.scheme), np.int64)
    np.add.at(counts, (alice.settings, bob.settings), 1)
    return counts


def spoiled(
    how: str, settings: Settings, party: Party, design: Design, chance: np.random.Generator
) -> Settings:
    """Return the settings of a generator that is stuck, or lacks or prefers one of them."""
    one = int(chance.integers(len(design.scheme.labels(party))))
    if how == "stuck":
        return np.full_like(settings, one)
    if how == "missing":
        others = [s for s in range(len(design.scheme.labels(party))) if s != one]
        return np.where(settings == one, chance.choice(others), settings).astype(np.uint8)
    # A third of the rounds, which takes some pair beyond its quantile.
    preferred = chance.random(len(settings)) < 1 / 3
    return np.where(preferred, one, settings).astype(np.uint8)


@pytest.mark.parametrize("scheme", [XIE_SCHEME, LI_SCHEME], ids=["xie", "li"])
def test_no_key_of_settings_that_were_not_drawn_as_designed(scheme: BellScheme) -> None:
    devices, design = small(scheme)
    assert design.key_length > 0
    rounds = draw_rounds(devices, design.setting_choice, ROUNDS, seed=1)
    assert distill(rounds.alice, rounds.bob, design).abort_reason is None
    chance = np.random.default_rng(2)
    for at in range(RECORDS // 2):
        how = ("stuck", "missing", "biased")[at % 3]
        party = PARTIES[at // 3 % 2]
        record = getattr(rounds, party)
        settings = spoiled(how, record.settings, party, design, chance)
        changed = PartyRecord.of(settings, record.outcomes, record.heralds)
        records = {"alice": rounds.alice, "bob": rounds.bob} | {party: changed}
        if how == "biased" and design.settings_as_designed(pairs_of(design, **records)):
            pytest.fail(f"{settings} are within the quantiles")
        report = distill(records["alice"], records["bob"], design)
        assert (report.abort_reason, report.key_length) == (REASON, 0), (how, party)
        said = [type(entry.message) for entry in report.transcript.entries]
        assert said == [SettingsAnnouncement, SettingsAnnouncement]
        assert report.transcript.leaked_bits == 0


@pytest.mark.parametrize("marked", [False, True])
def test_each_party_stops_by_itself(marked: bool) -> None:
    """By public data alone, without a message; what else the peer sends is not expected."""
    devices, design = small(LI_SCHEME, "announced" if marked else "local")
    rounds = draw_rounds(devices, design.setting_choice, design.heralded_rounds, seed=1)
    # The corrector tests when it should, and always with the same setting.
    tests = rounds.bob.settings != design.scheme.key_setting("bob")
    stuck = np.where(tests, np.uint8(0), rounds.bob.settings)
    bob = PartyRecord.of(stuck, rounds.bob.outcomes, rounds.bob.heralds)
    conversations = {
        "alice": Conversation("alice", rounds.alice, design, PartyRandomness()),
        "bob": Conversation("bob", bob, design, PartyRandomness()),
    }
    opening = {party: conversations[party].start() for party in PARTIES}
    for party, peer in (PARTIES, PARTIES[::-1]):
        assert [conversations[party].receive(message) for message in opening[peer]][-1] == ()
    results = [conversations[party].result for party in PARTIES]
    assert [result.abort_reason for result in results if result] == [REASON, REASON]
    assert [result.leaked_bits for result in results if result] == [0, 0]


@pytest.mark.parametrize("settings", ["local", "announced"])
def test_the_bounds_are_exact_quantiles_of_every_pair(settings: str) -> None:
    """The quantile itself is honest, one round beyond it is not; by a second implementation."""
    _, design = small(XIE_SCHEME, settings)
    n, law = design.heralded_rounds, design.setting_choice.pair_law(design.scheme)
    mean = np.round(n * law).astype(np.int64)
    for pair in np.argwhere(law > 0).tolist():
        p = float(law[tuple(pair)])
        high, low = upper_quantile(n, p, PAIR_SHARE), lower_quantile(n, p, PAIR_SHARE)
        assert binom.sf(high, n, p) <= PAIR_SHARE < binom.sf(high - 1, n, p) * (1 + 1e-6)
        for count, honest in ((high, True), (high + 1, False), (low, True), (low - 1, False)):
            counts = mean.copy()
            counts[tuple(pair)] = count
            assert design.settings_as_designed(counts) == honest, (pair, count)
    for pair in np.argwhere(law == 0).tolist():
        counts = mean.copy()
        counts[tuple(pair)] = 1
        assert not design.settings_as_designed(counts)


@pytest.mark.parametrize("completeness", [1e-12, 1e-2, 0.5])
def test_honest_settings_hardly_ever_fail(completeness: float) -> None:
    """Both tails of each pair: a billionth in all, and a small part of the completeness."""
    design = Security(1e-6, completeness).design(STRONG, 10**7)
    n, law = design.heralded_rounds, design.setting_choice.pair_law(design.scheme).ravel()
    failing = 0.0
    for p in law.tolist():
        share = min(PAIR_SHARE, 1e-6 * completeness)
        failing += float(binom.sf(upper_quantile(n, p, share), n, p))
        failing += float(binom.cdf(lower_quantile(n, p, share) - 1, n, p))
    assert 0 < failing <= min(1e-9, 1e-4 * completeness)


@pytest.mark.parametrize("least", [0, 1, 98_951, "98952", None])
def test_a_smaller_number_of_tests_is_not_believed(least: object, tmp_path: Path) -> None:
    """It follows from rounds, settings and completeness: 98,952 tests here."""
    path = FROZEN / "design-tan22.json"
    values = json.loads(path.read_text())
    assert values["least_test_rounds"] == read_design(path).least_test_rounds
    (tmp_path / "design.json").write_text(json.dumps(values | {"least_test_rounds": least}))
    with pytest.raises(InputFileError, match="least_test_rounds must be"):
        read_design(tmp_path / "design.json")


@pytest.mark.parametrize("completeness", [0.0, 1e-300, 0.51, 0.999])
def test_a_completeness_that_moves_the_least_tests_is_refused(
    completeness: float, tmp_path: Path
) -> None:
    values = json.loads((FROZEN / "design-tan22.json").read_text())
    (tmp_path / "design.json").write_text(json.dumps(values | {"completeness": completeness}))
    with pytest.raises(InputFileError, match="completeness must be in"):
        read_design(tmp_path / "design.json")
