"""Links as they are built, from photons to keys: arms, phases, readout errors, memories."""

from __future__ import annotations

import pytest
from scipy import stats

from emulator import load_scenario, run
from postprocessing import Security

# Two-sided, per statistical check; seeds are fixed.
FALSE_ALARM = 1e-6

READOUT = {"readout_error_alice": 0.01, "readout_error_bob": 0.01}
ARMS = {"arm_alice_km": 30, "arm_bob_km": 110, "distance_km": None}
UNEQUAL = {"detector_efficiency": (0.8, 0.7), "dark_count_probability": (1e-7, 3e-7)}
WORN = {"white_noise_visibility": 0.99, "dephasing_alice": 0.002, "dephasing_bob": 0.001}
MEMORY = {"measurement": "after_herald", "coherence_time_s": 0.2}

LINKS = {
    "ecs unequal arms": ("ecs-100km", ARMS | UNEQUAL | {"directions": "optimal"}),
    "ecs phase noise": ("ecs-100km", {"phase_noise_rad": 0.15, "directions": "optimal"}),
    "ecs known phase": ("ecs-100km", {"phase_offset_rad": 0.4, "directions": "optimal"}),
    "ecs readout": ("ecs-100km", READOUT | {"directions": "optimal"}),
    "ecs memory": ("ecs-100km", MEMORY | {"directions": "optimal"}),
    "ecs paper's directions": ("ecs-100km", WORN | UNEQUAL),
    "bell state unequal arms": ("bell-state-50km", ARMS | UNEQUAL),
    "bell state readout": ("bell-state-50km", READOUT | {"mode_overlap": 0.99}),
    "bell state memory": ("bell-state-50km", MEMORY | WORN | {"directions": "optimal"}),
    "single photon unequal arms": ("single-photon-100km", ARMS | UNEQUAL),
    "single photon phase noise": (
        "single-photon-100km",
        {"phase_noise_rad": 0.1, "measurement": "before_herald", "coherence_time_s": "unlimited"},
    ),
    "single photon readout": ("single-photon-100km", READOUT),
    "single photon known phase": (
        "single-photon-11km",
        {"phase_offset_rad": 0.4, "bright_population": (0.02, 0.03)},
    ),
    "cavity readout": ("cavity-1-loss-10km", READOUT | {"directions": "optimal"}),
    "cavity worn": ("cavity-1-loss-10km", WORN),
}


@pytest.mark.parametrize(("preset", "changes"), LINKS.values(), ids=LINKS)
def test_a_real_link_makes_equal_keys(preset, changes):
    scenario = load_scenario(preset, {name: v for name, v in changes.items() if v is not None})
    model = scenario.build_model()
    security = Security(soundness=1e-6, method="renyi")
    report = run(model, heralded_rounds=3_000_000, security=security, seed=11)
    assert report.outcome == "key"
    assert report.alice_key == report.bob_key
    assert report.key_length > 0
    assert report.leaked_bits <= report.design.leakage_budget_bits
    # Five standard errors and better.
    limit = stats.norm.isf(FALSE_ALARM / 2)
    assert abs(report.chsh.deviation) < limit
    assert abs(report.gain.deviation or 0.0) < limit
    expected = report.qber.expected
    assert stats.binomtest(report.errors, report.key_rounds, expected).pvalue > FALSE_ALARM
