"""Links as an experimenter types them: nothing ignored, refusals by name, pairs in every place."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import diqkd
from emulator.plotting.sensitivity import plot_sensitivities
from emulator.scenario.loading import load_scenario
from emulator.scenario.scenario import Scenario
from emulator.schemes.drifting import Drifting
from emulator.schemes.midway import MidwayModel
from emulator.sweeps.plan import SweepPlan
from emulator.sweeps.results import load_results, scenario_of
from emulator.theory.sensitivity import sensitivities
from postprocessing.errors import InvalidArgumentError

ARMS = {"arm_alice_km": 5, "arm_bob_km": 25}


@pytest.mark.parametrize(
    ("scheme", "name", "value"),
    [
        ("bell_state", "phase_noise_rad", 0.1),
        ("ecs", "mode_overlap", 0.9),
        ("cavity_cat", "arm_alice_km", 5.0),
        ("behaviour", "readout_error_bob", 0.01),
        ("behaviour", "drift", "readout_error_bob=0:0.1:3"),
    ],
)
def test_what_a_scheme_lacks_is_refused_by_its_name(scheme: str, name: str, value: object) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        load_scenario(None, {"scheme": scheme, name: value})
    assert (caught.value.argument, caught.value.value) == (name, value)
    assert caught.value.allowed == f"left out for {scheme}, to which it means nothing"


def test_a_change_of_what_drifts_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="misalignment_error must be left out where it"):
        load_scenario("ecs-drifting", {"misalignment_error": 0.02})


def test_drift_displaces_a_value_beside_it() -> None:
    changes = {"misalignment_error": 0.02, "drift": "misalignment-error=0:0.07:5"}
    model = load_scenario(None, changes).build_model()
    assert model == load_scenario(None, {"drift": changes["drift"]}).build_model()


def test_drift_of_an_arm_displaces_the_distance() -> None:
    changes = {"drift": "arm_alice_km=5:10:2", "arm_bob_km": 8}
    model = load_scenario("ecs-100km", changes).build_model()
    assert isinstance(model, Drifting)
    links = [part.link for part in model.parts if isinstance(part, MidwayModel)]
    assert [link.arms_km for link in links] == [(5, 8), (10, 8)]
    with pytest.raises(InvalidArgumentError, match="together with arm_bob_km"):
        load_scenario("ecs-100km", {"drift": "arm_alice_km=5:10:2"}).build_model()


def test_the_arm_that_is_too_long_is_named() -> None:
    with pytest.raises(InvalidArgumentError, match="arm_bob_km must be short enough"):
        diqkd.Link(arm_alice_km=1, arm_bob_km=20000)


def test_words_for_directions_are_among_what_is_allowed() -> None:
    with pytest.raises(InvalidArgumentError, match='"paper", "optimal", or θ'):
        diqkd.EntangledCoherent(diqkd.Link(10), directions="best")


def test_light_of_both_sides_is_told_and_can_be_given_back() -> None:
    scenario = load_scenario(None, {**ARMS, "mean_photon_number": "[0.03, 0.1]"})
    found = diqkd.predict(scenario.build_model())
    assert found.mean_photon_number == (0.03, 0.1)
    assert found.amplitude == pytest.approx((0.03**0.5, 0.1**0.5))
    assert found.to_frame()["mean_photon_number"][0] == (0.03, 0.1)


def test_pairs_of_a_store_make_the_scenario_again(tmp_path: Path) -> None:
    pair = [0.8, 0.7]
    base = {**ARMS, "detector_efficiency": pair, "rounds": 1000}
    plan = SweepPlan.from_parameters({"scenario": base, "seeds": [1]})
    store = tmp_path / "store.csv"
    with ThreadPoolExecutor(1) as executor:
        diqkd.sweep(plan, store, executor)
    (row,) = load_results(store).to_dict("records")
    assert scenario_of(row).model_dump()["detector_efficiency"] == (0.8, 0.7)


def test_pairs_have_sensitivities_and_what_drifts_has_none() -> None:
    changes = {**ARMS, "detector_efficiency": (0.8, 0.7), "drift": "phase_noise_rad=0:0.1:3"}
    table = sensitivities(_without_search(changes)).set_index("parameter")
    assert table["upper"]["detector_efficiency"] == pytest.approx((0.808, 0.707))
    assert table["change_upper"]["detector_efficiency"] > 0 > table["change_upper"]["arm_bob_km"]
    assert "phase_noise_rad" not in table.index
    assert plot_sensitivities(table.reset_index()).get_yticklabels()


def test_a_link_without_key_is_told_in_a_line() -> None:
    scenario = _without_search({**ARMS, "readout_error_alice": 0.3})
    with pytest.raises(InvalidArgumentError, match="of a link with a key, got 'ecs'"):
        sensitivities(scenario)


@pytest.mark.parametrize("changes", [ARMS, {"detector_efficiency": (0.8, 0.7)}])
def test_attacks_on_the_papers_light_refuse_other_links(changes: dict[str, object]) -> None:
    scenario = load_scenario(None, {"mean_photon_number": 0.05, "rounds": 1000, **changes})
    with pytest.raises(InvalidArgumentError, match="equal arms, detectors and light"):
        diqkd.run_attack("fibre-tap", scenario, runs=1)


def _without_search(changes: dict[str, object]) -> Scenario:
    return load_scenario(None, {"mean_photon_number": (0.05, 0.12), **changes})
