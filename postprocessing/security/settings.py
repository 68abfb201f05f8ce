"""How often to test: the biased settings that give the longest key of a finite block."""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.optimize import minimize_scalar

from postprocessing.errors import InvalidArgumentError
from postprocessing.rounds import LocalSettings, RoundProbabilities
from postprocessing.security.finite_size import approximate_test_losses, tan22_key_length


def optimise_local_settings(
    *,
    rounds: int,
    win_probability: float,
    secrecy: float,
    completeness_share: float,
    leakage: Callable[[RoundProbabilities], float],
) -> LocalSettings:
    """Return the local, independent settings with the longest `tan22` key.

    Both parties test equally often, γ = p: of all pairs with the same rate of tests 2γp this one
    leaves the most key rounds, (1 − γ)(1 − p), and where there is a key, a further key round adds
    more entropy than leakage.

    Parameters
    ----------
    rounds : int
        Heralded rounds n ≥ 1.
    win_probability : float
        w of the honest devices, in [0, 1].
    secrecy : float
        ε_sec in (0, 1).
    completeness_share : float
        Probability, in (0, 1), that honest devices lose too many tests.
    leakage : callable
        Gives the public bits that depend on the raw keys at given round probabilities; smooth.

    Returns
    -------
    LocalSettings
        Test probabilities good to about 1e-3 of themselves. Where no key is possible, those with
        γ = p that come closest to one.

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range.
    """
    if not 1 <= rounds < math.inf:
        raise InvalidArgumentError("rounds", rounds, "at least 1")

    def settings(log_probability: float) -> LocalSettings:
        probability = math.exp(log_probability)
        return LocalSettings(probability, probability)

    def shortfall(log_probability: float) -> float:
        marks = settings(log_probability).rounds
        losses = approximate_test_losses(rounds, marks.test, win_probability, completeness_share)
        return -tan22_key_length(
            rounds=rounds,
            probabilities=marks,
            tolerated_losses=losses,
            leaked_bits=leakage(marks),
            secrecy=secrecy,
        ).unclipped

    # From one expected test in the block, or less, up to the largest probability there is.
    bounds = (min(-math.log(2 * rounds) / 2, math.log(0.25)), math.log(0.5) - 1e-9)
    found = minimize_scalar(shortfall, bounds=bounds, method="bounded", options={"xatol": 1e-3})
    return settings(float(found.x))
