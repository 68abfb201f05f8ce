"""What a link gives by the papers' protocol and by the best one, with the budgets of real runs.

Run: ``python tests/acceptance/protocol_tables.py [PROCESSES]``, an hour. For each link, error rate
and number of heralded rounds: key bits per pulse of `tan22` with the paper's directions at its best
intensity, and of other methods with intensity and directions optimised together; designs with
quantiles for tests and leakage, as runs are made of. Prints the table of docs/finite-size.md.
"""

from __future__ import annotations

import math
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from scipy.optimize import minimize

from emulator import EntangledCoherent, Link
from postprocessing import Security

POINTS = (
    *product((100,), (0.0,), (10**6, 10**7, 10**8)),
    *product((100,), (0.03,), (10**6, 10**7)),
)
METHODS = ("tan22_counted", "eat_rpa", "renyi_fixed", "renyi_weighted_fixed", "renyi_weighted")
_MOST_WEIGHT = math.log(3)


def bits_per_pulse(
    method: str, distance_km: float, e_d: float, rounds: int, place: npt.NDArray[np.float64]
) -> float:
    """Return key bits per pulse at a logarithm of the intensity and, if given, of the weight."""
    log_mu, *log_weight = place.tolist()
    if not -6 < log_mu < -0.5 or any(abs(each) > _MOST_WEIGHT for each in log_weight):
        return -1.0
    model = EntangledCoherent(
        Link(distance_km), misalignment_error=e_d, mean_photon_number=math.exp(log_mu)
    )
    if log_weight:
        directions = str(model.best_directions(math.exp(log_weight[0])))
        model = EntangledCoherent(
            Link(distance_km),
            misalignment_error=e_d,
            mean_photon_number=math.exp(log_mu),
            directions=directions,
        )
    joint = model.joint_distribution()
    design = Security(method=method).design(joint, rounds)
    if design.length is None:
        return -1.0
    return float(design.length.unclipped / rounds * joint.gain)


def best(task: tuple[str, bool, float, float, int]) -> float:
    """Return the most bits per pulse; 0 without a key."""
    method, is_free, distance_km, e_d, rounds = task
    start = np.array([-3.5, 0.0][: 2 if is_free else 1])

    def shortfall(place: npt.NDArray[np.float64]) -> float:
        return -1e6 * bits_per_pulse(method, distance_km, e_d, rounds, place)

    simplex = start + np.vstack([0 * start, 0.6 * np.eye(len(start))])
    options: Any = {"initial_simplex": simplex, "xatol": 0.02, "fatol": 1e-3, "maxfev": 50}
    found = minimize(shortfall, start, method="Nelder-Mead", options=options)
    return max(0.0, -float(found.fun) / 1e6)


def main() -> None:
    """Print the table."""
    processes = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    print_line = Console(width=200, highlight=False).print
    columns = [("tan22", False), *((name, True) for name in METHODS)]
    print_line("| km, e_d, n | `tan22`, paper | " + " | ".join(f"`{m}`" for m in METHODS) + " |")
    print_line("|---" * (len(METHODS) + 2) + "|")
    with ProcessPoolExecutor(processes) as pool:
        for distance_km, e_d, rounds in POINTS:
            tasks = [(*column, distance_km, e_d, rounds) for column in columns]
            numbers = " | ".join(f"{bits:.3g}" if bits else "0" for bits in pool.map(best, tasks))
            print_line(f"| {distance_km}, {e_d:g}, {rounds:.0e} | {numbers} |")


if __name__ == "__main__":
    main()
