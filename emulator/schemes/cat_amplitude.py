"""The amplitude of a cat code's light: for a wanted rate, or for the highest key rate."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np

from emulator.schemes.cat_code import (
    CatCode,
    LossSegments,
    RealLike,
    Reals,
    cat_performance,
    success_probability,
)

Success: TypeAlias = Callable[[RealLike, RealLike], Reals]

# Mean photon numbers at the detection between which a wanted rate is looked for: from rates of one
# in 1e-10 attempts on, up to light that is always told apart. One step is 2 %.
_DETECTED_RANGE = (1e-10, 150.0)
_DETECTED_GRID = 1500
# Logarithmic width of the bracket below the faintest grid point.
_FAINTER = 60.0

_AMPLITUDE_RANGE = (0.01, 10.0)
_AMPLITUDE_GRID = 1000
_AMPLITUDE_TOLERANCE = 1e-9


def amplitude_for_rate(
    code: CatCode,
    segments: LossSegments,
    repetition_rate_hz: RealLike,
    entanglement_rate_hz: RealLike,
) -> Reals:
    """Return the smallest amplitude α at which R_eg = P × repetition rate is the wanted rate.

    P rises from 0 but not always evenly: the first crossing on a grid of 2 % in |α|² is refined to
    rounding.

    Parameters
    ----------
    code : CatCode
        The code.
    segments : LossSegments
        Transmittances, of a product above 0.
    repetition_rate_hz : float or ndarray
        Attempts per second, above 0.
    entanglement_rate_hz : float or ndarray
        Wanted R_eg in Hz, above 0. All arguments broadcast against each other.

    Returns
    -------
    ndarray of float64
        Amplitudes; NaN where no amplitude reaches the rate.

    Examples
    --------
    >>> segments = LossSegments(to_syndrome=np.array([0.8, 0.1]))
    >>> print(amplitude_for_rate(CatCode(0), segments, 20e3, 3e3).round(4))
    [0.3187 0.9014]
    """
    wanted = np.divide(entanglement_rate_hz, repetition_rate_hz)
    return smallest_amplitude(partial(success_probability, code), segments.total, wanted)


def smallest_amplitude(success: Success, transmittance: RealLike, wanted: RealLike) -> Reals:
    """Return the smallest amplitude α at which an attempt succeeds with the wanted probability.

    Parameters
    ----------
    success : callable
        P of total transmittance and mean photon number, on arrays; it rises from 0.
    transmittance : float or ndarray
        Above 0.
    wanted : float or ndarray
        Success probability above 0, broadcast against `transmittance`.

    Returns
    -------
    ndarray of float64
        Amplitudes; NaN where none will do.
    """
    tau, wanted = np.broadcast_arrays(transmittance, wanted)
    log_detected = np.log(np.geomspace(*_DETECTED_RANGE, _DETECTED_GRID))
    grid = np.subtract.outer(log_detected, np.log(tau))
    successes = success(tau, np.exp(grid))
    grid[1:-1], successes[1:-1] = _with_peaks(success, tau, grid, successes)
    reached = successes >= wanted
    first = reached.argmax(axis=0)[np.newaxis]
    high = np.take_along_axis(grid, first, axis=0)[0]
    below = np.take_along_axis(grid, np.maximum(first - 1, 0), axis=0)[0]
    low = np.where(first[0] == 0, high - _FAINTER, below)

    # Help and bad input do not wait for scipy.
    from scipy.optimize.elementwise import find_root

    def excess(log_mean: Reals, tau: Reals, wanted: Reals) -> Reals:
        return success(tau, np.exp(log_mean)) - wanted

    found = find_root(
        excess, (low, high), args=(tau, wanted), tolerances={"xatol": 1e-15, "xrtol": 4e-16}
    )
    # No root is in a bracket below which the wanted light would be fainter than anything looked at,
    # nor where the wanted probability is not reached.
    amplitude: Reals = np.where(found.success, np.exp(found.x / 2), np.nan)
    return amplitude


def _with_peaks(success: Success, tau: Reals, grid: Reals, successes: Reals) -> tuple[Reals, Reals]:
    """Return the inner points of a grid, along its first axis, with maxima moved to their tops.

    The unambiguous discrimination's bound has kinks, narrower than any grid.
    """
    inner, peaks = grid[1:-1].copy(), successes[1:-1].copy()
    tops = (peaks >= successes[:-2]) & (peaks >= successes[2:]) & (successes[:-2] < peaks)
    brackets = (grid[:-2][tops], inner[tops], grid[2:][tops])

    from scipy.optimize.elementwise import find_minimum

    def failure(log_mean: Reals, tau: Reals) -> Reals:
        return -success(tau, np.exp(log_mean))

    found = find_minimum(failure, brackets, args=(np.broadcast_to(tau, inner.shape)[tops],))
    better = -found.f_x > peaks[tops]
    inner[tops] = np.where(better, found.x, inner[tops])
    peaks[tops] = np.where(better, -found.f_x, peaks[tops])
    return inner, peaks


def optimal_amplitude(
    code: CatCode, segments: LossSegments, key_rates: Callable[[Reals, Reals], Reals]
) -> float | None:
    """Return the amplitude α of highest asymptotic key rate per attempt.

    Parameters
    ----------
    code : CatCode
        The code.
    segments : LossSegments
        Transmittances, numbers.
    key_rates : callable
        The rates of success probabilities P and visibilities V, arrays of one axis.

    Returns
    -------
    float or None
        α in [0.01, 10]; None where no rate is positive.
    """
    # Help and bad input do not wait for scipy.
    from scipy.optimize import minimize_scalar

    def key_rate(amplitude: RealLike) -> Reals:
        found = cat_performance(code, segments, np.square(np.atleast_1d(amplitude)))
        success = found.success_probability
        possible = success > 0
        rates = np.zeros_like(success)
        rates[possible] = key_rates(success[possible], found.visibility[possible])
        return rates

    grid = np.linspace(*_AMPLITUDE_RANGE, _AMPLITUDE_GRID)
    best = int(np.clip(key_rate(grid).argmax(), 1, _AMPLITUDE_GRID - 2))
    found = minimize_scalar(
        lambda amplitude: -float(key_rate(amplitude)[0]),
        bounds=(grid[best - 1], grid[best + 1]),
        method="bounded",
        options={"xatol": _AMPLITUDE_TOLERANCE},
    )
    return float(found.x) if found.fun < 0 else None
