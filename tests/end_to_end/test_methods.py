"""Keys by every method, from rounds to equal keys, with each method's disclosure and acceptance."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import pytest

from emulator.report import RunReport
from emulator.runner import distill_emulated, run
from emulator.sampling.emulation import emulate
from emulator.sampling.sampler import Sampler
from emulator.schemes.behaviour import Behaviour
from emulator.schemes.cavity_cat import CavityCat
from emulator.schemes.cavity_link import CavityLink
from postprocessing.bits import PackedBits
from postprocessing.design.design import Design
from postprocessing.design.request import Security
from postprocessing.errors import InvalidArgumentError, ProtocolError
from postprocessing.protocol.conversation import Conversation
from postprocessing.protocol.messages import (
    DisclosedTests,
    RoundMarks,
    SettingsAnnouncement,
    ThinningCoins,
)
from postprocessing.protocol.randomness import PartyRandomness
from postprocessing.scheme import AnnouncedMarks
from postprocessing.security import METHODS, Counts, RenyiParameters
from postprocessing.sifting.sift import packed_settings
from postprocessing.testing import GameTally

ROUNDS = 1_000_000
MODEL = Behaviour.from_state(2.7, 0.005)
CAVITY = CavityCat(CavityLink(distance_km=1), loss_order=1, travel_times=2)
LABEL = (
    "Rényi entropy accumulation against coherent attacks; derived and checked for this project, "
    "not peer reviewed; conditional on the stated assumptions"
)


def security(method: Any, **changed: Any) -> Security:
    return Security(soundness=1e-6, method=method, **changed)


@cache
def finished(method: Any, noise: float = 0.0) -> RunReport:
    wanted = security(method, noisy_preprocessing=noise)
    return run(MODEL, heralded_rounds=ROUNDS, security=wanted, seed=1)


def designed(method: Any) -> Design:
    design = finished(method).design
    assert design is not None
    return design


@pytest.mark.parametrize("method", [name for name in METHODS if METHODS[name].composable])
@pytest.mark.parametrize("noise", [0.0, 0.004])
def test_equal_keys(method: str, noise: float) -> None:
    report = finished(method, noise)
    assert report.keys_match
    assert report.design is not None
    if METHODS[method].varies:
        assert report.key_length == pytest.approx(report.design.key_length, rel=0.25)
    else:
        assert report.key_length == report.design.key_length > 0
    assert report.qber.deviation is not None
    assert abs(report.qber.deviation) < 5
    assert sum(report.key_terms.values()) == pytest.approx(report.key_length, abs=9)
    assert {"reconciliation", "verification", "amplification"} <= report.key_terms.keys()


def test_noise_is_what_the_corrector_corrects() -> None:
    """The reference's noise reaches the corrector's error count, and differs with its seed."""
    plain, noisy = finished("geat"), finished("geat", 0.01)
    rounds, errors = noisy.key_rounds, noisy.errors
    assert noisy.design is not None
    assert plain.design is not None
    assert errors is not None
    expected = noisy.design.key_error_rate
    assert expected == pytest.approx(0.005 * 0.99 + 0.01 * 0.995)
    assert errors / rounds == pytest.approx(expected, abs=6 * np.sqrt(expected / rounds))
    assert plain.design.key_error_rate == 0.005


def test_optimal_noise_is_chosen_before_the_run() -> None:
    wanted = security("tan22", noisy_preprocessing="optimal")
    design = wanted.design(Behaviour.from_state(2.5, 0.03), 10**8)
    none = security("tan22").design(Behaviour.from_state(2.5, 0.03), 10**8)
    assert design.key_length >= none.key_length * (1 - 1e-3)
    assert 0 <= design.noisy_preprocessing < 0.5


@pytest.mark.parametrize(
    ("method", "publishers"),
    [("tan22", 1), ("geat", 1), ("eat_rpa", 1), ("renyi", 2), ("renyi_weighted", 2)],
)
def test_who_publishes_tests(method: str, publishers: int) -> None:
    report = finished(method)
    entries = report.transcript.entries
    tests = [e for e in entries if isinstance(e.message, DisclosedTests)]
    assert len(tests) == len({entry.sender for entry in tests}) == publishers
    tally = report.tally
    assert tally is not None
    published = report.transcript.leaked_by(DisclosedTests)
    assert published == publishers * tally.rounds


def test_varying_length_is_the_affine_function_of_the_counts() -> None:
    """(R5), written out from the transcript and the frozen parameters."""
    report = finished("renyi")
    design, tally = report.design, report.tally
    assert design is not None
    assert tally is not None
    assert design.length is not None
    parameters = design.length.parameters
    assert isinstance(parameters, RenyiParameters)
    at_design = design.length.terms
    tests = ROUNDS * design.setting_choice.round_probabilities.test
    win = parameters.published_win
    leaked = report.leaked_bits - 2 * tally.rounds
    moved = parameters.score(Counts(tally.rounds - tally.lost, tally.lost))
    moved -= parameters.score(Counts(tests * win, tests * (1 - win)))
    length = design.length.unclipped - at_design["leakage"] - leaked + moved
    assert report.key_length == int(length) // 8 * 8
    # Published tests are paid for by the score; each further leaked bit costs a bit.
    more = report.leaked_bits + 800
    arguments = (report.key_rounds, tally, more)
    assert design.final_key_length(*arguments) == report.key_length - 800


def test_varying_length_never_exceeds_what_is_left_of_the_key_rounds() -> None:
    design = designed("renyi")
    assert design.final_key_length(50_000, GameTally(400_000, 0), 800_000 + 10_000) == 40_000
    assert design.final_key_length(5_000, GameTally(400_000, 0), 800_000 + 10_000) == 0


def test_a_coin_of_its_own_leaves_tests_of_two_kinds_apart() -> None:
    """More tests with the reference's key setting than inputs of the CHSH game alike would have."""
    for method in ("eat_rpa", "renyi_weighted"):
        report, design = finished(method), designed(method)
        tally, marks = report.tally, design.setting_choice.round_probabilities
        assert tally is not None
        assert tally.at_key_setting is not None
        kinds = tally.at_key_setting[0], tally.rounds - tally.at_key_setting[0]
        for count, probability in zip(kinds, marks.kinds, strict=True):
            deviation = np.sqrt(ROUNDS * probability * (1 - probability))
            assert abs(count - ROUNDS * probability) < 5 * deviation
        assert kinds[0] > 1.05 * kinds[1]
        assert report.chsh.estimate == tally.chsh_of_kinds
        assert report.chsh.deviation is not None
        assert abs(report.chsh.deviation) < 5


def test_fixed_score_decides_acceptance() -> None:
    design = designed("renyi_fixed")
    assert design.least_score is not None
    assert design.length is not None
    parameters = design.length.parameters
    assert isinstance(parameters, RenyiParameters)
    tests = round(ROUNDS * design.setting_choice.round_probabilities.test)
    accepted = [design.accepts(GameTally(tests, lost)) for lost in range(0, tests, 7)]
    assert accepted == sorted(accepted, reverse=True)
    lost = 7 * sum(accepted)
    assert parameters.score(Counts(tests - lost, lost)) < design.least_score + 7 * (
        parameters.win_credit - parameters.loss_credit + 10
    )
    assert accepted[0]
    assert not accepted[-1]


@pytest.mark.parametrize("method", [name for name in METHODS if METHODS[name].composable])
def test_classical_devices_get_no_key(method: Any, classical: Any, strong: Any) -> None:
    design = security(method).design(strong, ROUNDS)
    rounds = emulate(Sampler(classical, design.setting_choice, 3), heralded_rounds=ROUNDS)
    report = distill_emulated(rounds, design, 3)
    assert report.abort_reason == "too many lost tests"
    assert report.alice_key is None


@pytest.mark.parametrize(
    "method", ["geat", "geat_counted", "eat_rpa", "renyi_fixed", "renyi_weighted_fixed"]
)
def test_longer_lengths_than_follow_are_refused(method: str) -> None:
    design = designed(method)
    assert design.length is not None
    longer = dataclasses.replace(design.length, bits=design.length.bits + 1)
    with pytest.raises(InvalidArgumentError, match="length must be at most"):
        dataclasses.replace(design, length=longer)


def test_labels_and_default() -> None:
    assert Security().method == "tan22"
    assert Security().noisy_preprocessing == 0
    report = finished("renyi").to_dict()
    assert report["label"] == LABEL
    assert designed("renyi_fixed").label == LABEL


def test_soundness_is_split_in_the_report() -> None:
    values = finished("tan22").to_dict()["epsilons"]
    assert values == pytest.approx(
        {"secrecy": 0.9e-6, "correctness_twice": 0.1e-6, "soundness": 1e-6}
    )


@cache
def marked_design() -> Design:
    return security("geat", settings="announced").design(CAVITY, ROUNDS)


def test_marks_are_announced_before_settings_and_nothing_is_discarded() -> None:
    wanted = security("geat", settings="announced")
    report = run(CAVITY, heralded_rounds=ROUNDS, security=wanted, seed=5)
    kinds = [type(entry.message) for entry in report.transcript.entries]
    first = kinds.index(RoundMarks)
    senders = [entry.sender for entry in report.transcript.entries]
    assert senders[first] == "bob"
    bobs = [k for k, s in zip(kinds, senders, strict=True) if s == "bob"]
    assert bobs.index(RoundMarks) < bobs.index(SettingsAnnouncement)
    assert ThinningCoins not in kinds
    assert report.keys_match
    tally = report.tally
    assert tally is not None
    assert report.key_rounds + tally.rounds == ROUNDS
    values: Any = report.to_dict()
    texts = " ".join(values["assumptions"])
    assert "from mark to outcome" in texts


def test_settings_that_do_not_follow_the_marks_are_refused() -> None:
    design = marked_design()
    assert isinstance(design.setting_choice, AnnouncedMarks)
    joint = CAVITY.joint_distribution()
    rounds = emulate(Sampler(joint, design.setting_choice, 5), heralded_rounds=ROUNDS)
    settings = packed_settings(rounds.bob)
    for marks in (PackedBits.from_bits(np.zeros(n, np.uint8)) for n in (ROUNDS, 24)):
        alice = Conversation("alice", rounds.alice, design, PartyRandomness())
        alice.start()
        alice.receive(RoundMarks(marks))
        with pytest.raises(ProtocolError, match="settings of the marks"):
            alice.receive(SettingsAnnouncement(settings, design.fingerprint()))


def test_marks_need_a_theorem_and_a_memory() -> None:
    with pytest.raises(InvalidArgumentError, match="method must be geat"):
        security("tan22", settings="announced")
    with pytest.raises(InvalidArgumentError, match="method must be geat"):
        dataclasses.replace(marked_design(), method="tan22")
    wanted = security("geat", settings="announced")
    for model in (MODEL, dataclasses.replace(CAVITY, travel_times=1)):
        with pytest.raises(InvalidArgumentError, match="settings must be local"):
            run(model, heralded_rounds=1000, security=wanted, seed=1)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"method": "af18"}, "method must be one of"),
        ({"settings": "shared"}, "settings must be one of"),
        ({"noisy_preprocessing": 0.5}, "noisy_preprocessing must be"),
    ],
)
def test_security_rejects(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        Security(**changed)


def test_predicted_aborts_follow_the_completeness() -> None:
    methods: tuple[Any, ...] = ("tan22", "geat", "renyi_fixed")
    for method in methods:
        for completeness in (1e-1, 1e-3):
            design = Security(1e-6, completeness, method).design(MODEL, ROUNDS)
            assert 0 < design.predicted_abort_probability <= completeness
