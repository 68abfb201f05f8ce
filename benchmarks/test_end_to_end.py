"""Time of a whole run: 1e7 heralded rounds to equal keys."""

import pytest
from sizes import repeats

from emulator import EntangledCoherent, Link, run
from postprocessing import Security

ROUNDS = 10_000_000


@pytest.mark.benchmark(group="end to end")
@pytest.mark.parametrize("misalignment_error", [0.0, 0.03])
def test_run(benchmark, misalignment_error):
    model = EntangledCoherent(Link(distance_km=100), misalignment_error=misalignment_error)
    security = Security(method="asymptotic" if misalignment_error else "tan22")

    def once():
        return run(model, heralded_rounds=ROUNDS, security=security, seed=1)

    once()
    report = benchmark.pedantic(once, rounds=repeats(3))
    assert report.keys_match
    rate = ROUNDS / benchmark.stats.stats.median / 1e6
    benchmark.extra_info["Mrounds_per_s"] = round(rate, 2)
    benchmark.extra_info["timings_s"] = {k: round(v, 2) for k, v in report.timings_s.items()}
    print(f"  {rate:.2f} Mrounds/s", benchmark.extra_info["timings_s"])
