"""The papers' statements about their figures beside what the models give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import TypeAlias

import numpy as np
import pandas as pd
from scipy.optimize import bisect, brentq, minimize_scalar

from emulator.papers.figure import Values
from emulator.papers.li import ONE_LOSS, ONE_LOSS_LINEAR, THREE_LOSS, ZERO_LOSS
from emulator.papers.li_curves import (
    ACCOUNTS,
    Account,
    Devices,
    alike,
    chsh_at_rate,
    conversion,
    key_rates_hz,
    table_1,
)
from emulator.papers.xie import bell_state_rates, entangled_coherent_points, plob_bounds
from emulator.schemes.cat_code import CatCode
from emulator.schemes.cavity_link import CavityLink

Statement: TypeAlias = tuple[str, str, Callable[[Account], str]]

COLUMNS = ("paper", "statement", "published", "computed", "figure_convention")

_RATE_HZ = 3e3
_DISTANCE_KM = 5.0
_VISIBLE_CHSH = 2.001
_SATURATED = 0.99
_SEARCH_POINTS = 41
_FARTHEST_KM = 1000.0


def statements() -> pd.DataFrame:
    """Return what the papers say of their figures and what the models say.

    Returns
    -------
    DataFrame
        One row a statement: ``paper``, ``statement``, ``published``, ``computed`` (exact for Xie
        et al., from first principles for Li et al.) and ``figure_convention`` (the convention that
        redraws the figures of Li et al.; missing for Xie et al.), all as text.

    Examples
    --------
    >>> table = statements()
    >>> table.loc[table.statement == "Fig. 3(b): critical η_c, 3-loss, at 5 km", "computed"].item()
    '0.670'
    """
    return pd.DataFrame(_rows(), columns=list(COLUMNS))


@cache
def _rows() -> tuple[tuple[str, str, str, str, str | None], ...]:
    """Return all rows, computed once."""
    return (*_of_xie(), *_of_li())


def _of_xie() -> Iterator[tuple[str, str, str, str, None]]:
    """Return the rows of Xie et al."""
    first = _first_root(_lead_over_bell_states, 1, 300)
    last = _first_root(_lead_over_bell_states, 470, 300)
    at_400 = np.array([400.0])
    ours, theirs = _entangled_coherent_rates(at_400)[0], bell_state_rates(at_400)[0]
    orders = np.log10(ours / theirs)
    ends = (_last_key_km(_entangled_coherent_rates), _last_key_km(bell_state_rates))
    rows = (
        (
            "Fig. 2: ECS beats Bell states for",
            "100 km < L < 450 km",
            f"{first:.1f} km < L < {last:.1f} km",
        ),
        (
            "Fig. 2: ECS against Bell states at 400 km",
            "4 orders of magnitude",
            f"{_scientific(ours)} against {_scientific(theirs)} bit/pulse: {orders:.1f} orders",
        ),
        (
            "Fig. 3: ECS beats the PLOB bound",
            "L > 150 km",
            f"e_d = 0: L > {_first_beyond_plob_km(0.0):.1f} km; "
            f"e_d = 0.07: L > {_first_beyond_plob_km(0.07):.1f} km",
        ),
        (
            "maximum distance of ECS below that of Bell states",
            "yes",
            f"{'yes' if ends[0] < ends[1] else 'no'}: {ends[0]:.1f} km and {ends[1]:.1f} km",
        ),
    )
    for statement, published, computed in rows:
        yield "Xie et al.", statement, published, computed, None


def _of_li() -> Iterator[tuple[str, str, str, str, str]]:
    """Return the rows of Li et al."""
    for statement, published, compute in (*_on_violation(), *_on_key_rates()):
        exact, convention = (compute(account) for account in ACCOUNTS)
        yield "Li et al.", statement, published, exact, convention


def _on_violation() -> tuple[Statement, ...]:
    """Return the statements on S, Figs. 2 and 3."""
    return (
        ("Fig. 2(a): 3-loss > 1-loss > 0-loss, R = 3000 Hz", "holds", _order_of_codes),
        ("Fig. 2(b): S saturates at t_c of 1e-3 to 1e-2 s, L = 5 km", "yes", _saturation),
        (
            "Fig. 3(d): η_int where 3-loss = 0-loss at 5 km",
            "0.91",
            partial(_critical_efficiency, THREE_LOSS, _interaction),
        ),
        (
            "Fig. 3(a): η_int where 1-loss = 0-loss at 5 km",
            "0.87",
            partial(_critical_efficiency, ONE_LOSS, _interaction),
        ),
        (
            "Fig. 3(b): critical η_c, 3-loss, at 5 km",
            "0.67",
            partial(_critical_efficiency, THREE_LOSS, conversion),
        ),
        (
            "Fig. 3(e): critical η_c, 1-loss, at 5 km",
            "0.62",
            partial(_critical_efficiency, ONE_LOSS, conversion),
        ),
        ("Fig. 3(c): linear-optics 1-loss still ahead below", "10 km", _linear_optics_reach),
        (
            "Fig. 3(f): η_d where linear-optics 1-loss = 0-loss at 5 km",
            "0.5",
            partial(_critical_efficiency, ONE_LOSS_LINEAR, _detector),
        ),
        ("Fig. 3(g): S > 2 (S = 2.001), R = 3 Hz, Table I", "~80 km", _violation_reach),
    )


def _on_key_rates() -> tuple[Statement, ...]:
    """Return the statements on key rates, Fig. 4."""
    return (
        (
            "Fig. 4(a): maximum of 1-loss / 0-loss, bit/s",
            "~6000 / ~2000",
            partial(_greatest_rates, alike(), {ONE_LOSS: 0, ZERO_LOSS: 0}),
        ),
        (
            "Fig. 4(b): maximum of 0-loss / linear-optics 1-loss, bit/s",
            "~25 / ~0",
            partial(_greatest_rates, table_1(), {ZERO_LOSS: 1, ONE_LOSS_LINEAR: 2}),
        ),
        (
            "Fig. 4(c): maximum of 0-loss, bit/s",
            "~100",
            partial(_greatest_rates, table_1(0.2), {ZERO_LOSS: 1}),
        ),
    )


def _entangled_coherent_rates(distances_km: Values) -> Values:
    """Return key rates of the aligned scheme in bits per pulse."""
    return entangled_coherent_points(distances_km, 0.0).key_rate_per_pulse


def _lead_over_bell_states(distances_km: Values) -> Values:
    """Return how far the rate of entangled coherent states exceeds that of Bell states."""
    return _entangled_coherent_rates(distances_km) - bell_state_rates(distances_km)


def _first_beyond_plob_km(misalignment_error: float) -> float | None:
    """Return the distance from which on the key rate exceeds the PLOB bound."""

    def lead(distances_km: Values) -> Values:
        points = entangled_coherent_points(distances_km, misalignment_error)
        return points.key_rate_per_pulse - plob_bounds(distances_km)

    return _first_root(lead, 0, 300)


def _last_key_km(rates: Callable[[Values], Values]) -> float:
    """Return the distance at which a key rate ends."""

    def has_key(distance_km: float) -> float:
        return 0.5 if rates(np.array([distance_km]))[0] > 0 else -0.5

    return float(bisect(has_key, 0, _FARTHEST_KM))


def _order_of_codes(account: Account) -> str:
    """Say how far each code beats those that correct fewer losses."""

    def least_lead(distances_km: Values) -> Values:
        links = [CavityLink(distance) for distance in distances_km.tolist()]
        zero, one, three = (
            chsh_at_rate(account, code, links, _RATE_HZ)
            for code in (ZERO_LOSS, ONE_LOSS, THREE_LOSS)
        )
        return np.minimum(three - one, one - zero)

    end = _first_root(least_lead, 0.5, 50)
    return "holds" if end is None else f"holds to {end:.1f} km"


def _saturation(account: Account) -> str:
    """Say where the slowest code's S reaches 99 % of its value with a perfect memory."""
    codes = (ZERO_LOSS, ONE_LOSS, THREE_LOSS)
    perfect = [chsh_at_rate(account, c, [CavityLink(_DISTANCE_KM)], _RATE_HZ) for c in codes]

    def least_fraction(exponents: Values) -> Values:
        links = [CavityLink(_DISTANCE_KM, coherence_time_s=10**e) for e in exponents.tolist()]
        fractions = [
            chsh_at_rate(account, code, links, _RATE_HZ) / limit
            for code, limit in zip(codes, perfect, strict=True)
        ]
        least: Values = np.min(fractions, axis=0)
        return least - _SATURATED

    exponent = _first_root(least_fraction, -5, -1)
    if exponent is None or not -3 <= exponent <= -2:
        return "no"
    return f"yes (99 % at {_scientific(10**exponent, 1)} s)"


def _critical_efficiency(
    code: CatCode, devices: Callable[[float], dict[Account, Devices]], account: Account
) -> str:
    """Return the efficiency below which a code no longer beats the 0-loss code at 5 km."""

    def lead(efficiencies: Values) -> Values:
        links = [CavityLink(_DISTANCE_KM, **devices(e)[account]) for e in efficiencies.tolist()]
        return _lead_over_zero_loss(account, code, links)

    found = _first_root(lead, 1, 0.3)
    return "none" if found is None else f"{found:.3f}"


def _interaction(efficiency: float) -> dict[Account, Devices]:
    """Return devices that lack interaction efficiency alone."""
    return alike(interaction_efficiency=efficiency)


def _detector(efficiency: float) -> dict[Account, Devices]:
    """Return devices that lack detector efficiency alone."""
    return alike(detector_efficiency=efficiency)


def _linear_optics_reach(account: Account) -> str:
    """Return the distance up to which the 1-loss code beats the 0-loss code by linear optics."""

    def lead(distances_km: Values) -> Values:
        links = [CavityLink(distance) for distance in distances_km.tolist()]
        return _lead_over_zero_loss(account, ONE_LOSS_LINEAR, links)

    return f"{_first_root(lead, 0.5, 20):.1f} km"


def _lead_over_zero_loss(account: Account, code: CatCode, links: list[CavityLink]) -> Values:
    """Return how far S of a code exceeds that of the 0-loss code."""
    chsh, baseline = (chsh_at_rate(account, c, links, _RATE_HZ) for c in (code, ZERO_LOSS))
    return chsh - baseline


def _violation_reach(account: Account) -> str:
    """Return the distance up to which the 0-loss code visibly violates the Bell inequality."""

    def excess(distances_km: Values) -> Values:
        links = [CavityLink(d, **table_1()[account]) for d in distances_km.tolist()]
        return chsh_at_rate(account, ZERO_LOSS, links, 3.0) - _VISIBLE_CHSH

    return f"{_first_root(excess, 1, 100):.1f} km"


def _greatest_rates(
    devices: dict[Account, Devices], decimals: dict[CatCode, int], account: Account
) -> str:
    """Return the greatest key rates of codes, each to its number of decimals."""
    rates = (
        f"{_greatest_rate(account, code, devices):.{digits}f}" for code, digits in decimals.items()
    )
    return " / ".join(rates)


def _greatest_rate(account: Account, code: CatCode, devices: dict[Account, Devices]) -> float:
    """Return the greatest key rate over the amplitude at 10 km, in bit/s."""
    link = CavityLink(10, **devices[account])
    grid = np.linspace(0.02, 4, 200)
    best = int(key_rates_hz(account, code, link, grid).argmax())
    found = minimize_scalar(
        lambda amplitude: -key_rates_hz(account, code, link, np.array([amplitude]))[0],
        bounds=(grid[best - 1], grid[best + 1]),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return -float(found.fun)


def _first_root(function: Callable[[Values], Values], start: float, stop: float) -> float | None:
    """Return where a function first changes sign on the way from `start` to `stop`, if it does."""
    grid = np.linspace(start, stop, _SEARCH_POINTS)
    signs = np.sign(function(grid))
    changes = np.flatnonzero(signs[:-1] * signs[1:] < 0)
    if not changes.size:
        return None
    bracket = grid[changes[0]], grid[changes[0] + 1]
    return float(brentq(lambda x: function(np.array([x]))[0], *bracket, xtol=1e-6))


def _scientific(value: float, digits: int = 3) -> str:
    """Return a number such as 3.516e-6."""
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    return f"{mantissa}e{int(exponent)}"
