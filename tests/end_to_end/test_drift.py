"""Devices that drift: the run agrees with the average over its parts, and makes equal keys."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from emulator import BellState, EntangledCoherent, Link, Sampler, emulate, load_scenario, run
from emulator.schemes.drifting import Drifting
from postprocessing import InvalidArgumentError, LocalSettings, Security

FALSE_ALARM = 1e-6
# Five standard errors, on one side or the other.
LIMIT = 5
LINK = Link(distance_km=100)


def _part(misalignment_error: float) -> EntangledCoherent:
    return EntangledCoherent(LINK, 0.03, misalignment_error)


@pytest.mark.parametrize(
    "rule", [{"heralded_rounds": 4_000_000}, {"pulses": 800_000_000}], ids=["rounds", "pulses"]
)
def test_a_ramp_of_misalignment_gives_the_analytic_averages(rule):
    model = load_scenario("ecs-drifting").build_model()
    report = run(model, **rule, security=Security(method="asymptotic"), seed=21)
    theory = [_part(e).theory() for e in np.linspace(0, 0.07, 50)]
    gains = np.array([part.gain for part in theory])
    for estimate, values in (
        (report.chsh, [part.chsh for part in theory]),
        (report.qber, [part.qber for part in theory]),
    ):
        expected = np.average(values, weights=gains)
        assert estimate.expected == pytest.approx(expected, rel=1e-12)
        assert abs(estimate.estimate - expected) < LIMIT * estimate.standard_error
    assert report.gain.expected == pytest.approx(gains.mean(), rel=1e-12)
    assert abs(report.gain.deviation) < LIMIT
    assert report.alice_key == report.bob_key
    assert report.key_length > 0


def test_parts_are_what_they_should_be_in_time():
    """The key errors of each fifth of the run follow the misalignment of its parts."""
    errors = (0.0, 0.02, 0.04, 0.06, 0.08)
    joints = [_part(e).joint_distribution() for e in errors]
    local = LocalSettings(0.1, 0.1)
    samplers = [Sampler(joint, local, seed=5) for joint in joints]
    rounds = emulate(samplers, pulses=200_000_000, threads=2)
    alice, bob = rounds.alice, rounds.bob
    flipped = bob.outcomes ^ ((bob.heralds == 1) & (bob.settings == 0))
    wrong = (alice.outcomes ^ flipped)[(alice.settings == 0) & (bob.settings == 0)]
    # Parts have equal numbers of pulses, hence rounds in proportion to their gain.
    bounds = np.cumsum([0.0, *(joint.gain for joint in joints)])
    cuts = np.round(bounds / bounds[-1] * len(wrong)).astype(int)
    for joint, start, stop in zip(joints, cuts[:-1], cuts[1:], strict=True):
        middle = wrong[start + 2000 : stop - 2000]
        test = stats.binomtest(int(middle.sum()), len(middle), joint.qber)
        assert test.pvalue > FALSE_ALARM


def test_one_part_is_no_drift():
    steady, single = _part(0.01), Drifting((_part(0.01),))
    keys = [run(model, heralded_rounds=10**6, seed=2, security=Security(1e-6, method="asymptotic"))
            for model in (steady, single)]  # fmt: skip
    assert keys[0].alice_key == keys[1].alice_key
    assert keys[0].pulses == keys[1].pulses


def test_the_senders_keep_their_intensity_as_devices_drift():
    scenario = load_scenario("ecs-100km", {"drift": "misalignment_error=0:0.02:3"})
    parts = scenario.build_model().parts
    start = load_scenario("ecs-100km").build_model().intensity
    assert [part.intensity for part in parts] == [start] * 3
    assert [part.misalignment_error for part in parts] == [0.0, 0.01, 0.02]


def test_loss_may_drift_too():
    scenario = load_scenario("bell-state-50km", {"drift": "detector-efficiency=0.8,0.6,0.7"})
    assert [part.link.detector_efficiency for part in scenario.build_model().parts] == [
        0.8,
        0.6,
        0.7,
    ]


@pytest.mark.parametrize(
    ("drift", "match"),
    [
        ("misalignment_error", r"drift must be NAME=START:STOP:POINTS"),
        ("misalignment_error=0:1", r"drift must be NAME=START:STOP:POINTS"),
        ("misalignment_error=0,nan", r"drift must be NAME=START:STOP:POINTS"),
        (
            "chsh=0:1:3",
            r"drift must be of one of .*attenuation_db_per_km, .*dark_count_probability",
        ),
        ("drift=1:2:3", r"drift must be of one of .*attenuation_db_per_km"),
        ("rounds=1:3:3", r"drift must be of one of .*attenuation_db_per_km"),
        ("repetition_rate_hz=1,2", r"drift must be of one of .*attenuation_db_per_km"),
        ("misalignment_error=0:2:3", r"misalignment_error must be in \[0, 1\], got 2"),
    ],
)
def test_impossible_drifts_are_refused(drift, match):
    with pytest.raises(InvalidArgumentError, match=match):
        load_scenario("ecs-100km", {"drift": drift}).build_model()


def test_parts_must_be_of_one_scheme():
    bell = BellState(LINK)
    with pytest.raises(InvalidArgumentError, match=r"parts must be models of the same settings"):
        Drifting((_part(0.0), bell)).joint_distribution()
    with pytest.raises(InvalidArgumentError, match=r"parts must be at least one model"):
        Drifting(())
