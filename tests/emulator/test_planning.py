"""Plans: they are what a run of theirs designs, and nothing near them is better."""

from __future__ import annotations

import math
from typing import Any

import pytest

from emulator.runner import run
from emulator.scenario.loading import load_scenario
from emulator.scenario.scenario import Scenario
from emulator.theory.planning import plan, plan_table, planned_scenario
from postprocessing.errors import InvalidArgumentError


def scenario(**changes: Any) -> Scenario:
    common = {"distance_km": 10, "soundness": 1e-6, "repetition_rate_hz": 1e8}
    return load_scenario("ecs-100km", {**common, **changes})


def test_the_planned_key_comes_out() -> None:
    """Three seeds; tests/acceptance/plans_come_true.py runs fifty."""
    asked = scenario(security="renyi_fixed", mean_photon_number=0.09)
    chosen = plan(asked, key_bits=50_000)
    assert 50_000 <= chosen.key_length < 60_000
    assert chosen.seconds == chosen.pulses / 1e8
    model = asked.build_model()
    for seed in range(3):
        report = run(model, pulses=chosen.pulses, security=asked.build_security(), seed=seed)
        assert report.keys_match
        assert report.key_length == chosen.key_length


def test_intensity_is_chosen_for_the_finite_block() -> None:
    """A short block wants fainter light than the asymptotic rate, and other light gives less."""
    asked = scenario(security="tan22")
    chosen = plan(asked, seconds=0.05)
    asymptotic = asked.build_model().intensity
    assert chosen.intensity is not None
    assert asymptotic is not None
    assert chosen.intensity < asymptotic
    for factor in (0.8, asymptotic / chosen.intensity):
        other = plan(asked.replace(mean_photon_number=chosen.intensity * factor), seconds=0.05)
        assert other.key_length <= chosen.key_length


def test_no_key_at_any_size() -> None:
    chosen = plan(scenario(distance_km=600), key_bits=1000)
    assert (chosen.pulses, chosen.key_length) == (0, 0)
    assert chosen.reason == "no positive key rate at any mean photon number"


def test_why_there_is_no_key() -> None:
    few = plan(scenario(mean_photon_number=0.09), seconds=1e-5)
    assert (few.key_length, few.reason) == (0, "no key from 1,000 pulses")
    dim = plan(scenario(mean_photon_number=2.0), key_bits=1000)
    assert dim.reason == "no key of 1,000 bits from 9e+15 pulses, the most there can be"
    assert plan(scenario(mean_photon_number=0.09), seconds=1).reason is None


def test_the_best_noise_is_never_worse_than_none() -> None:
    asked = scenario(mean_photon_number=0.09)
    none = plan(asked, seconds=0.1)
    best = plan(asked.replace(noisy_preprocessing="optimal"), seconds=0.1)
    assert best.key_length >= none.key_length > 0
    assert none.noisy_preprocessing == 0
    assert best.to_dict()["noisy_preprocessing"] == best.noisy_preprocessing


def test_the_best_noise_of_a_design_is_never_worse_than_none() -> None:
    for rounds in (200_000, 300_000, 600_000):
        model = scenario().build_model()
        lengths = [
            scenario(noisy_preprocessing=q).build_security().design(model, rounds).key_length
            for q in (0.0, "optimal")
        ]
        assert lengths[1] >= lengths[0]


def test_table_has_a_row_a_value() -> None:
    table = plan_table(scenario(mean_photon_number=0.08), "distance_km", [0.0, 20.0], seconds=0.1)
    assert list(table["distance_km"]) == [0.0, 20.0]
    assert table["key_length"].is_monotonic_decreasing


@pytest.mark.parametrize(
    ("changes", "wanted", "message"),
    [
        ({"rounds": None}, {}, "rounds must be given, or else pulses"),
        ({}, {"key_bits": 8, "seconds": 1.0}, "seconds, and not both, got"),
        ({}, {"key_bits": 7}, "key_bits must be a whole number in .8, "),
        ({}, {"seconds": 0.0}, "seconds must be"),
        ({"repetition_rate_hz": None}, {"seconds": 1.0}, "seconds must be given with a repetition"),
        ({"security": "asymptotic"}, {"seconds": 1.0}, "method must be a finite-size method"),
    ],
)
def test_rejects(changes: dict[str, Any], wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        plan(scenario(**changes), **wanted)


def test_the_best_protocol_is_worth_more_than_the_papers() -> None:
    """Directions chosen with the intensity; the plan says which, and a design with them has it."""
    asked = scenario(security="eat_rpa", repetition_rate_hz=1e9)
    paper, best = (plan(asked, seconds=0.002, protocol=how) for how in ("paper", "best"))
    assert paper.directions is None
    assert best.key_length > 1.05 * paper.key_length
    there = planned_scenario(asked, best)
    design = there.build_security().design(there.build_model(), best.heralded_rounds)
    assert design.key_length == best.key_length


def test_a_plan_of_neither_key_nor_time_is_for_the_block_of_the_scenario() -> None:
    """The most key bits per pulse of the rounds, with fainter light than without any limit."""
    asked = scenario(security="eat_rpa", rounds=600_000)
    best = plan(asked)
    there = planned_scenario(asked, best)
    joint = there.build_model().joint_distribution()
    design = there.build_security().design(joint, 600_000)
    assert (best.heralded_rounds, best.key_length) == (600_000, design.key_length)
    assert best.pulses == math.ceil(600_000 / joint.gain)
    for factor in (0.8, 1.25):
        moved = there.replace(mean_photon_number=there.mean_photon_number * factor)
        other = moved.build_model().joint_distribution()
        length = moved.build_security().design(other, 600_000).key_length
        assert length * other.gain <= best.key_length * joint.gain * (1 + 1e-3)
    pulses = plan(asked.replace(rounds=None, pulses=best.pulses))
    assert pulses.pulses == best.pulses
    # Brighter light heralds more rounds, of which so many pulses have a longer key.
    assert pulses.heralded_rounds > 600_000
    assert pulses.key_length > best.key_length


def test_a_scheme_without_directions_has_no_best_protocol() -> None:
    with pytest.raises(InvalidArgumentError, match="protocol"):
        plan(load_scenario("trapped-ions-2022"), key_bits=1000, protocol="best")
