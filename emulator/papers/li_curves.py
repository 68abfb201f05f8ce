"""What the figures of Li et al. plot: S at a fixed rate and the key rate, in two accounts.

"First principles" is the physics of `emulator.schemes`, with the losses where `CavityLink`
puts them by default. "Figure convention" redraws the published curves and has no derivation; see
`emulator.papers.convention`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal

import numpy as np

from emulator.papers.convention import (
    ConventionPerformance,
    convention_performance,
    convention_success,
)
from emulator.papers.figure import Values
from emulator.schemes.cat_amplitude import smallest_amplitude
from emulator.schemes.cat_code import (
    CatCode,
    CatPerformance,
    LossSegments,
    RealLike,
    Reals,
    cat_performance,
    success_probability,
)
from emulator.schemes.cavity_link import CavityLink, Placement
from postprocessing.security import asymptotic_key_fraction

Account = Literal["first principles", "figure convention"]
Devices = Mapping[str, float]

ACCOUNTS: tuple[Account, ...] = ("first principles", "figure convention")

_PLACEMENT: Mapping[Account, Placement] = {
    "first principles": "alice",
    "figure convention": "lumped",
}
_SUCCESS: Mapping[Account, Callable[[CatCode, RealLike, RealLike], Reals]] = {
    "first principles": success_probability,
    "figure convention": convention_success,
}
_PERFORMANCE: Mapping[
    Account, Callable[[CatCode, LossSegments, RealLike], CatPerformance | ConventionPerformance]
] = {
    "first principles": cat_performance,
    "figure convention": convention_performance,
}


def alike(**devices: float) -> dict[Account, Devices]:
    """Return devices that both accounts take as they are: `CavityLink` arguments."""
    return dict.fromkeys(ACCOUNTS, devices)


def conversion(efficiency: float) -> dict[Account, Devices]:
    """Return devices of conversion efficiency η_c, which the figure convention counts twice."""
    once = {"down_conversion_efficiency": efficiency}
    twice = {**once, "up_conversion_efficiency": efficiency}
    return {"first principles": once, "figure convention": twice}


def table_1(up_conversion_efficiency: float = 0.05) -> dict[Account, Devices]:
    """Return the devices of Table I, which lists two values of η_dc.

    The lower one fits the published key rates from first principles, the higher one under the
    figure convention.
    """
    common = {
        "interaction_efficiency": 0.81,
        "up_conversion_efficiency": up_conversion_efficiency,
        "detector_efficiency": 0.97,
    }
    return {
        "first principles": {**common, "down_conversion_efficiency": 0.356},
        "figure convention": {**common, "down_conversion_efficiency": 0.8},
    }


def chsh_at_rate(
    account: Account, code: CatCode, links: Sequence[CavityLink], rate_hz: float
) -> Values:
    """Return S with the faintest light that entangles at a wanted rate.

    Parameters
    ----------
    account : {"first principles", "figure convention"}
        Whose numbers.
    code : CatCode
        The code.
    links : sequence of CavityLink
        One a point.
    rate_hz : float
        Wanted R_eg in Hz.

    Returns
    -------
    ndarray of float64, shape (links,)
        S; NaN where no amplitude reaches the rate.

    Examples
    --------
    >>> links = [CavityLink(distance_km=5), CavityLink(distance_km=80)]
    >>> print(chsh_at_rate("first principles", CatCode(1), links, 3e3).round(4))
    [2.821   nan]
    """
    segments = _segments(account, code, links)
    wanted = np.array([rate_hz / link.repetition_rate_hz for link in links])
    success = partial(_SUCCESS[account], code)
    amplitudes = smallest_amplitude(success, segments.total, wanted)
    reached = np.isfinite(amplitudes)
    visibility = np.full(reached.shape, np.nan)
    within = LossSegments(*(tau[reached] for tau in vars(segments).values()))
    _, visibility[reached] = _performance(account, code, within, amplitudes[reached])
    memory = np.array([1 - link.dephasing() for link in links])
    chsh: Values = 2 * np.hypot(1, memory * visibility)
    return chsh


def key_rates_hz(account: Account, code: CatCode, link: CavityLink, amplitudes: Values) -> Values:
    """Return the secret key rate in bit/s (Li et al., Eq. (7)) with Q = 0.

    Parameters
    ----------
    account : {"first principles", "figure convention"}
        Whose numbers.
    code : CatCode
        The code.
    link : CavityLink
        The devices.
    amplitudes : ndarray of float64, shape (points,)
        α > 0.

    Returns
    -------
    ndarray of float64, shape (points,)
        Secret bits per second, at least 0.

    Examples
    --------
    >>> link = CavityLink(distance_km=10)
    >>> print(key_rates_hz("first principles", CatCode(1), link, np.array([1.2])).round(0))
    [4776.]
    """
    segments = _segments(account, code, [link])
    success, visibility = _performance(account, code, segments, amplitudes)
    chsh = 2 * np.hypot(1, (1 - link.dephasing()) * visibility)
    fraction = asymptotic_key_fraction(chsh, np.zeros_like(chsh))
    rates: Values = link.repetition_rate_hz * success * fraction
    return rates


def _segments(account: Account, code: CatCode, links: Sequence[CavityLink]) -> LossSegments:
    """Return the transmittances of several links as arrays."""
    each = [link.segments(code.loss_order, _PLACEMENT[account]) for link in links]
    columns = zip(*(vars(segments).values() for segments in each), strict=True)
    return LossSegments(*(np.array(column, dtype=np.float64) for column in columns))


def _performance(
    account: Account, code: CatCode, segments: LossSegments, amplitudes: Values
) -> tuple[Values, Values]:
    """Return success probability and visibility with a perfect memory."""
    found = _PERFORMANCE[account](code, segments, amplitudes**2)
    return found.success_probability, found.visibility
