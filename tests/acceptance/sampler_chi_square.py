"""Chi-square of 1e8 sampled rounds against the joint distribution, at three parameter points.

Run: ``python tests/acceptance/sampler_chi_square.py [ROUNDS]``. Each point is tested two-sided at
a false-alarm probability of 2e-6; exits with 1 if one fails.
"""

from __future__ import annotations

import sys

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats

from emulator import EntangledCoherent, Link, Sampler
from postprocessing import LocalSettings

FALSE_ALARM = 1e-6
LOCAL = LocalSettings(0.1, 0.15)
POINTS = [
    EntangledCoherent(Link(distance_km=0), mean_photon_number=0.3, misalignment_error=0.05),
    EntangledCoherent(Link(distance_km=100)),
    EntangledCoherent(Link(distance_km=300), misalignment_error=0.03),
]


def p_value(model: EntangledCoherent, rounds: int, seed: int) -> tuple[float, int, float]:
    """Return statistic, degrees of freedom and p-value; cells expecting < 10 counts are pooled."""
    joint = model.joint_distribution()
    settings = joint.settings
    law = (
        LOCAL.choice(settings, "alice")[:, None, None, None, None]
        * LOCAL.choice(settings, "bob")[:, None, None, None]
        * joint.heralded()
    )
    counts = np.zeros(law.size, np.int64)
    for block in Sampler(joint, LOCAL, seed).blocks(rounds, threads=2):
        x, a, y, b, herald = block.columns
        cells = np.ravel_multi_index((x, y, herald, a, b), law.shape)
        counts += np.bincount(cells, minlength=law.size)
    expected = law.ravel() / law.sum() * rounds
    rare = expected < 10
    observed = np.append(counts[~rare], counts[rare].sum())
    theory = np.append(expected[~rare], expected[rare].sum())
    used = theory > 0
    if observed[~used].any():
        return float("inf"), 0, 0.0
    statistic = float(((observed - theory)[used] ** 2 / theory[used]).sum())
    freedom = int(used.sum()) - 1
    return statistic, freedom, float(stats.chi2.sf(statistic, freedom))


def main() -> int:
    """Test all points and print a table."""
    rounds = int(float(sys.argv[1])) if len(sys.argv) > 1 else 10**8
    table = Table("point", "chi-square", "degrees of freedom", "p-value")
    values = []
    for seed, model in enumerate(POINTS):
        statistic, freedom, p = p_value(model, rounds, seed)
        point = f"{model.link.distance_km} km, e_d = {model.misalignment_error}"
        table.add_row(point, f"{statistic:.2f}", str(freedom), f"{p:.4f}")
        values.append(p)
    Console().print(table)
    return 0 if all(FALSE_ALARM < p < 1 - FALSE_ALARM for p in values) else 1


if __name__ == "__main__":
    sys.exit(main())
