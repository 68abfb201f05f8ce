"""Every preset to its keys.

Run: ``python tests/acceptance/presets.py [FIRST_SEED]``, one seed a preset. Each preset must end
with equal keys, S and gain within 5 standard errors of theory, error counts that agree with the
predicted QBER by an exact binomial test at a false-alarm probability of 1e-6 (no error at all
where it is 0), and leakage within the budget. Exits with 1 otherwise.
"""

from __future__ import annotations

import sys

import pandas as pd
from rich.console import Console
from scipy import stats

from emulator import load_scenario, run
from emulator.scenario.loading import preset_names

FALSE_ALARM = 1e-6
MOST_STANDARD_ERRORS = 5


def one_run(preset: str, seed: int) -> dict[str, object]:
    """Run a preset and return what the table needs."""
    scenario = load_scenario(preset)
    security = scenario.build_security()
    model = scenario.build_model()
    report = run(model, **scenario.stopping_rule(), security=security, seed=seed)
    errors, rounds = report.errors, report.key_rounds
    expected = report.qber.expected
    binomial = float(errors == 0)
    if errors is not None and expected:
        binomial = stats.binomtest(errors, rounds, expected).pvalue
    return {
        "preset": preset,
        "outcome": report.abort_reason or "key",
        "keys_match": report.keys_match,
        "key_length": report.key_length,
        "chsh": report.chsh.estimate,
        "chsh_deviation": report.chsh.deviation,
        "gain": report.gain.estimate,
        # A pulse that is always heralded has a gain without error.
        "gain_deviation": report.gain.deviation or 0.0,
        "errors": errors,
        "qber": expected,
        "qber_p_value": binomial,
        "within_budget": report.leaked_bits <= report.design.leakage_budget_bits,
        "total_s": report.timings_s["total"],
    }


def main() -> None:
    """Run all presets and print the table."""
    first = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    runs = [one_run(preset, seed) for seed, preset in enumerate(preset_names(), first)]
    table = pd.DataFrame(runs)
    console = Console(width=200)
    console.print(table.to_string(index=False, float_format="{:.6g}".format))
    passed = (
        (table["keys_match"] == True)  # noqa: E712 - None is not equal
        & (table["key_length"] > 0)
        & (table[["chsh_deviation", "gain_deviation"]].abs().max(axis=1) < MOST_STANDARD_ERRORS)
        & (table["qber_p_value"] > FALSE_ALARM)
        & table["within_budget"]
    )
    console.print("passed" if passed.all() else "FAILED")
    sys.exit(not passed.all())


if __name__ == "__main__":
    main()
