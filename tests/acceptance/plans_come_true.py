"""Run plans through the emulator and hold the keys against what was planned.

ECS at four distances and the cavity preset by the default method, and the other methods at one
distance, those with announced marks on the cavity preset too. Usage:

    python tests/acceptance/plans_come_true.py [SEEDS [KEY_BITS [PROCESSES]]]
"""

from __future__ import annotations

import math
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
from scipy.stats import binomtest

from emulator.report import RunReport
from emulator.runner import run
from emulator.scenario.loading import load_scenario
from emulator.scenario.scenario import Scenario
from emulator.theory.planning import LinkPlan, plan
from postprocessing.design.design import Design
from postprocessing.security import METHODS, Counts

POINTS: tuple[tuple[str, dict[str, Any]], ...] = (
    *(("ecs-100km", {"distance_km": distance}) for distance in (50, 100, 200, 300)),
    ("cavity-1-loss-10km", {}),
    *(("ecs-100km", {"security": name}) for name in METHODS if name not in ("tan22", "asymptotic")),
    *(
        ("cavity-1-loss-10km", {"security": name, "settings": "announced", "travel_times": 2})
        for name in METHODS
        if "announced" in METHODS[name].rules and METHODS[name].composable
    ),
)


def spread(design: Design) -> float:
    """Return the standard deviation of a varying length, from the counts of tests."""
    if design.length is None or not METHODS[design.method].varies:
        return 0.0
    marks, win = design.setting_choice.round_probabilities, 0.5 + design.expected_chsh / 8
    part = design.expected_chsh_at_key_setting
    first = win if part is None else 0.5 + part / 4
    wins = first, 2 * win - first
    chances = np.array(
        [p * w for p, one in zip(marks.kinds, wins, strict=True) for w in (one, 1 - one)]
    )
    parameters = design.length.parameters
    outcomes = (
        Counts(1, 0, (1, 0)),
        Counts(0, 1, (0, 1)),
        Counts(1, 0, (0, 0)),
        Counts(0, 1, (0, 0)),
    )
    scores = np.array([parameters.score(one) for one in outcomes])
    mean = float(chances @ scores)
    return math.sqrt(design.heralded_rounds * (float(chances @ scores**2) - mean**2))


def play(scenario: Scenario, chosen: LinkPlan, seed: int) -> RunReport:
    """Run the plan once."""
    parameter = scenario.intensity_parameter
    planned = scenario.replace(**{parameter: chosen.intensity}) if parameter else scenario
    model, security = planned.build_model(), scenario.build_security()
    return run(model, pulses=chosen.pulses, security=security, seed=seed, threads=1)


def check(preset: str, changes: dict[str, Any], seeds: int, key_bits: int, processes: int) -> str:
    """Run one plan with many seeds; fail when it does not come true."""
    scenario = load_scenario(preset, changes)
    chosen = plan(scenario, key_bits=key_bits)
    with ProcessPoolExecutor(processes) as pool:
        reports = list(pool.map(play, [scenario] * seeds, [chosen] * seeds, range(seeds)))
    assert all(report.keys_match is not False for report in reports)
    lengths = np.array([report.key_length for report in reports if report.keys_match])
    aborts = seeds - len(lengths)
    design = reports[0].design
    assert design is not None
    deviation = spread(design)
    # Chance of a false alarm below 1e-4 each.
    error = 4 * deviation / math.sqrt(len(lengths))
    varies = METHODS[design.method].varies
    leak = 0.03 * chosen.key_length if varies else 0
    assert abs(lengths.mean() - chosen.key_length) <= error + leak
    assert binomtest(aborts, seeds, chosen.abort_probability, "greater").pvalue > 1e-4
    if not varies:
        assert set(lengths) == {chosen.key_length}
    else:
        assert 0.6 < lengths.std() / deviation < 1.5
    return (
        f"{preset} {changes}: planned {chosen.key_length} bits from {chosen.pulses} pulses, got "
        f"{lengths.mean():.0f} on average, spread {lengths.std():.0f} against {deviation:.0f} "
        f"predicted, {aborts} of {seeds} aborted ({chosen.abort_probability:.4f} predicted)"
    )


def main() -> None:
    """Print one line a plan."""
    arguments = [int(float(argument)) for argument in sys.argv[1:]]
    seeds, key_bits, processes = (*arguments, *(50, 100_000, 2)[len(arguments) :])
    for preset, changes in POINTS:
        line = check(preset, changes, seeds, key_bits, processes)
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
