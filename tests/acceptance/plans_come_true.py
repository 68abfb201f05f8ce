"""Run plans through the emulator and hold the keys against what was planned.

Usage: python tests/acceptance/plans_come_true.py [SEEDS]
"""

from __future__ import annotations

import math
import sys

import numpy as np
from scipy.stats import binomtest

from emulator.loading import load_scenario
from emulator.planning import plan
from emulator.runner import run
from postprocessing.design import Design
from postprocessing.security import RenyiParameters


def spread(design: Design) -> float:
    """Return the standard deviation of a varying length, from the counts of tests."""
    parameters = design.length.parameters if design.length else None
    if design.method != "renyi" or not isinstance(parameters, RenyiParameters):
        return 0.0
    tests = design.local_settings.rounds.test
    win = 0.5 + design.expected_chsh / 8
    chances = np.array([tests * win, tests * (1 - win)])
    scores = np.array([parameters.score(1, 0), parameters.score(0, 1)])
    mean = float(chances @ scores)
    return math.sqrt(design.heralded_rounds * (float(chances @ scores**2) - mean**2))


def main() -> None:
    """Print one line a method; fail when a plan does not come true."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    for method in ("tan22", "renyi_fixed", "renyi"):
        changes = {"distance_km": 20, "security": method, "soundness": 1e-6}
        scenario = load_scenario("ecs-100km", changes)
        chosen = plan(scenario, key_bits=100_000)
        model = scenario.replace(mean_photon_number=chosen.intensity).build_model()
        reports = [
            run(model, pulses=chosen.pulses, security=scenario.build_security(), seed=seed)
            for seed in range(seeds)
        ]
        lengths = np.array([report.key_length for report in reports if report.keys_match])
        aborts = seeds - len(lengths)
        design = reports[0].design
        assert design is not None
        deviation = spread(design)
        error = deviation / math.sqrt(len(lengths))
        line = (
            f"{method}: planned {chosen.key_length} bits from {chosen.pulses} pulses, got "
            f"{lengths.mean():.0f} on average, spread {lengths.std():.0f} against "
            f"{deviation:.0f} predicted, {aborts} of {seeds} aborted"
        )
        sys.stdout.write(f"{line}\n")
        # Chance of a false alarm below 1e-4 each.
        assert abs(lengths.mean() - chosen.key_length) <= 4 * error + 0.03 * chosen.key_length
        assert binomtest(aborts, seeds, chosen.abort_probability, "greater").pvalue > 1e-4
        if method != "renyi":
            assert set(lengths) == {chosen.key_length}
        else:
            assert 0.6 < lengths.std() / deviation < 1.5


if __name__ == "__main__":
    main()
