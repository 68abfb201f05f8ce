"""Degree distributions: linear programs whose constraints come from density evolution.

At a fixed QBER and check degree the rate grows with Σ λ_j/j, and the error probability after an
iteration is linear in λ to first order; demanding that every iteration of a course that converges
keeps its progress with a margin gives a linear program for λ, solved again around its own solution
(Chung, Forney, Richardson, Urbanke, IEEE Commun. Lett. 5, 58 (2001)). The margin is what finite
frames need to get through. Degree-2 bits are kept to a few times the checks, since their cycles are
codewords.

Run as ``python -m postprocessing.reconciliation.construction.degrees`` to write
``matrices/degrees.json``: a few minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import linprog

from postprocessing.reconciliation.construction.density_evolution import Channel, Evolution

DEGREES_FILE = Path(__file__).parents[1] / "matrices" / "degrees.json"
_DEGREES = (2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40)
_ROUNDS = 8
# Margins shrink from round to round; the last one is the target's own.
_MARGINS = (0.25, 0.12, 0.06, 0.03, 0.015, 0.008)
_FIRST_TRUST, _LEAST_TRUST = 0.2, 5e-3


@dataclass(frozen=True)
class Target:
    """What a degree distribution is made for.

    Parameters
    ----------
    name : str
        Name of the mother code.
    qber : float
        Error rate of the channel.
    check_degree : float
        Mean degree of the checks.
    greatest_degree : int
        Of a bit.
    degree_two : float
        Most degree-2 bits, as a multiple of the checks.
    margin : float
        Least progress an iteration must keep, of the error probability.
    """

    name: str
    qber: float
    check_degree: float
    greatest_degree: int
    degree_two: float
    margin: float


@dataclass(frozen=True)
class Distribution:
    """A degree distribution.

    Parameters
    ----------
    fractions : dict of int to float
        λ: share of the edges on bits of each degree.
    leak_per_bit : float
        Checks per bit.
    efficiency : float
        That over the binary entropy of the QBER for which it was made.
    """

    fractions: dict[int, float]
    leak_per_bit: float
    efficiency: float


def binary_entropy(probability: float) -> float:
    """Return h(p) in bits, p in (0, 1)."""
    return float(
        -probability * np.log2(probability) - (1 - probability) * np.log1p(-probability) / np.log(2)
    )


def distribution(fractions: Mapping[int, float], target: Target) -> Distribution:
    """Return fractions with the leakage they give."""
    bits_per_edge = sum(share / degree for degree, share in fractions.items())
    leak = 1 / (target.check_degree * bits_per_edge)
    return Distribution(dict(fractions), leak, leak / binary_entropy(target.qber))


def optimise(target: Target) -> Distribution:
    """Return the distribution of least leakage found for a target.

    Raises
    ------
    RuntimeError
        If not even the robust distribution that the search starts from converges.
    """
    channel = Channel(target.qber)
    degrees = [degree for degree in _DEGREES if degree <= target.greatest_degree]
    best = distribution({3: 0.2, 8: 0.4, target.greatest_degree: 0.4}, target)
    course = channel.evolve(best.fractions, target.check_degree)
    if not course.converged:
        raise RuntimeError(f"{target.name} must have lighter checks than {target.check_degree}")
    margins = [margin for margin in _MARGINS if margin > 1.2 * target.margin]
    for margin in (*margins, target.margin):
        trust = _FIRST_TRUST
        for _ in range(_ROUNDS):
            fractions = _next_fractions(best, course, target, degrees, margin, trust)
            if fractions is None:
                break
            trial = distribution(fractions, target)
            trial_course = channel.evolve(fractions, target.check_degree)
            if trial_course.converged and trial.efficiency < best.efficiency - 2e-4:
                best, course = trial, trial_course
            else:
                trust *= 0.35
                if trust < _LEAST_TRUST:
                    break
    return best


def _next_fractions(
    current: Distribution,
    course: Evolution,
    target: Target,
    degrees: list[int],
    margin: float,
    trust: float,
) -> dict[int, float] | None:
    """Solve the linear program around a distribution; None where it stays where it is."""
    start = np.array([current.fractions.get(degree, 0.0) for degree in degrees])
    errors = course.errors[1:-1, np.newaxis]
    progress = course.by_degree[1:, np.array(degrees) - 1] / errors
    bounds = np.maximum(1 - margin, np.minimum(progress @ start, 1.0))
    most_two = 2 * target.degree_two / target.check_degree
    solution = linprog(
        -1 / np.array(degrees),
        A_ub=np.vstack([progress, np.array(degrees) == 2]),
        b_ub=np.append(bounds, most_two),
        A_eq=np.ones((1, len(degrees))),
        b_eq=[1.0],
        bounds=[(max(0.0, share - trust), min(1.0, share + trust)) for share in start],
        method="highs",
    )
    if solution.status != 0 or np.abs(np.asarray(solution.x) - start).max() < 1e-3:
        return None
    shares = np.maximum(np.asarray(solution.x), 0)
    shares /= shares.sum()
    return {degree: float(share) for degree, share in zip(degrees, shares, strict=True)}


def _targets() -> tuple[Target, ...]:
    """Return the targets of the family: margins of 3 % for speed, of 1 % for efficiency."""
    fast = (
        (0.0015, 247.5),
        (0.003, 136.5),
        (0.006, 76.0),
        (0.01, 49.75),
        (0.02, 28.5),
        (0.04, 16.5),
        (0.07, 11.0),
    )
    fine = (
        (0.0007, 698.0),
        (0.001, 500.0),
        (0.0015, 358.75),
        (0.003, 197.75),
        (0.006, 110.0),
        (0.01, 72.0),
        (0.02, 41.25),
        (0.03, 30.0),
        (0.05, 20.25),
        (0.08, 13.5),
    )
    return (
        *(Target(f"fast{qber:g}", qber, degree, 20, 1.5, 0.03) for qber, degree in fast),
        *(
            Target(f"fine{qber:g}", qber, degree, 40, 1.8 if qber > 0.008 else 2.5, 0.01)
            for qber, degree in fine
        ),
    )


def main() -> None:
    """Find the degree distributions of the targets named, by default all, and write them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", help="targets to find distributions for")
    arguments = parser.parse_args()
    found = {}
    if DEGREES_FILE.exists():
        found = json.loads(DEGREES_FILE.read_text(encoding="utf-8"))
    for target in _targets():
        if arguments.names and target.name not in arguments.names:
            continue
        best = optimise(target)
        shares = {
            degree: round(share, 4) for degree, share in best.fractions.items() if share > 1e-4
        }
        found[target.name] = asdict(target) | {
            "fractions": shares,
            "leak_per_bit": round(best.leak_per_bit, 5),
            "efficiency": round(best.efficiency, 4),
        }
        DEGREES_FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        sys.stdout.write(f"{target.name} {found[target.name]}\n")


if __name__ == "__main__":
    main()
