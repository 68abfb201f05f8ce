"""The search for free parameters where tests are of two kinds: three numbers for any method."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from postprocessing.security.block import Block
from postprocessing.security.entropy import QUANTUM_WIN_PROBABILITIES, coherence

# Far outside what a block with a key needs: of x, of artanh E and of β.
_RANGES = np.log([(1e-14, 0.9), (1e-3, 12.0), (0.05, 20.0)])


@dataclass(frozen=True)
class Place:
    """A place of the search, from which the credits of any block follow.

    Parameters
    ----------
    excess : float
        x or δ, by which the Rényi order is above 1.
    tangent : float
        The coherence E of the worst device.
    weight : float
        β of tests with the reference's key setting.
    """

    excess: float
    tangent: float
    weight: float


def honest_coherence(block: Block) -> float:
    """Return the coherence of the expected win probability, inside (0, 1): where to begin."""
    win = min(max(block.win_probability, 0.75), QUANTUM_WIN_PROBABILITIES[1])
    low, high = np.tanh(np.exp(_RANGES[1])).tolist()
    expected = float(coherence(win))
    return float(min(max(expected, low), high, 1 - 1e-10))


def best_place(
    block: Block,
    length: Callable[[Place], float],
    start: tuple[float, float],
    *,
    equal_weights: bool,
    roughly: bool = False,
) -> Place:
    """Return the place of the longest key of a block.

    Parameters
    ----------
    block : Block
        The block.
    length : callable
        The length at a place, in bits.
    start : (float, float)
        Excess and coherence to begin with.
    equal_weights : bool
        Whether β stays 1, which is quick and nearly as good.
    roughly : bool, optional
        Whether a hundredth of the place will do, by which the length is off by 1e-4 of itself.

    Returns
    -------
    Place
        The best to about 1e-6 of the length. Security does not rest on its being the best.
    """

    def place(logs: npt.NDArray[np.float64]) -> Place:
        # Without a third, the weight is 1.
        logs = np.append(logs, np.zeros(3 - len(logs)))
        excess, rapidity, weight = np.exp(np.clip(logs, *_RANGES.T)).tolist()
        return Place(excess, math.tanh(rapidity), weight)

    def shortfall(logs: Any) -> float:
        return -length(place(logs))

    def best(logs: npt.NDArray[np.float64], steps: list[float]) -> npt.NDArray[np.float64]:
        simplex = logs + np.vstack([0 * logs, np.diag(steps)])
        options: Any = {"initial_simplex": simplex, "xatol": xatol, "fatol": fatol}
        found: Any = minimize(shortfall, logs, method="Nelder-Mead", options=options)
        reached: npt.NDArray[np.float64] = found.x
        return reached

    xatol, fatol = (1e-2, 1e-5) if roughly else (1e-4, 1e-7)
    fatol *= block.rounds
    excess, tangent = start
    logs = best(np.log([excess, math.atanh(tangent)]), [0.2, 0.2])
    if not equal_weights:
        logs = best(np.append(logs, 0.0), [0.05, 0.05, -0.1])
    return place(logs)
