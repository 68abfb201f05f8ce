"""The figures of Li et al.: S and key rates of cat codes, each in two accounts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from emulator.papers.figure import Axis, Curve, Figure, Style, Values
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
from emulator.schemes.cat_code import CatCode
from emulator.schemes.cavity_link import CavityLink

ZERO_LOSS, ONE_LOSS, THREE_LOSS = CatCode(0), CatCode(1), CatCode(3)
ONE_LOSS_LINEAR = CatCode(1, discrimination="linear_optics")

_CODES = {"0-loss": ZERO_LOSS, "1-loss": ONE_LOSS, "3-loss": THREE_LOSS}
_CIRCUITS = {
    "0-loss": ZERO_LOSS,
    "1-loss, bound": ONE_LOSS,
    "1-loss, linear optics": ONE_LOSS_LINEAR,
}
_STYLES = {
    ZERO_LOSS: Style("blue", marker="circle"),
    ONE_LOSS: Style("vermillion", marker="square"),
    THREE_LOSS: Style("green", marker="triangle"),
    ONE_LOSS_LINEAR: Style("purple", marker="diamond"),
}
_CHSH = Axis("chsh", "CHSH value S", limits=(1.95, 2.85))
_CHSH_RATE_HZ = 3e3
_POINTS = 100


@dataclass(frozen=True)
class Panel:
    """One panel: S or the key rate of several codes over the same devices.

    Parameters
    ----------
    subtitle : str
        What sets the panel apart.
    codes : mapping of str to CatCode
        The codes shown, by their names in the legend; "bound" is that of the discrimination.
    devices : mapping of account to mapping of str to float
        `CavityLink` arguments in each account.
    reach : float
        End of the x axis: km, or an amplitude.
    rate_hz : float
        R_eg at which S is taken, in Hz.
    y_axis : Axis
        The y axis.
    """

    subtitle: str
    codes: Mapping[str, CatCode]
    devices: Mapping[Account, Devices]
    reach: float
    rate_hz: float = _CHSH_RATE_HZ
    y_axis: Axis = _CHSH


_DISTANCE_PANELS = {
    "li-fig2a": Panel("fibre loss alone, R = 3000 Hz", _CODES, alike(), 25),
    "li-fig3a": Panel("η_int = 0.87, R = 3000 Hz", _CODES, alike(interaction_efficiency=0.87), 10),
    "li-fig3b": Panel("η_c = 0.67, R = 3000 Hz", _CODES, conversion(0.67), 10),
    "li-fig3c": Panel("linear optics, η_d = 1, R = 3000 Hz", _CIRCUITS, alike(), 12),
    "li-fig3d": Panel("η_int = 0.91, R = 3000 Hz", _CODES, alike(interaction_efficiency=0.91), 10),
    "li-fig3e": Panel("η_c = 0.62, R = 3000 Hz", _CODES, conversion(0.62), 10),
    "li-fig3f": Panel(
        "linear optics, η_d = 0.5, R = 3000 Hz", _CIRCUITS, alike(detector_efficiency=0.5), 10
    ),
    "li-fig3g": Panel("devices of Table I, R = 3 Hz", _CIRCUITS, table_1(), 100, rate_hz=3),
}


def _key_rate(scale_top: float, bottom: float | None = None) -> Axis:
    """Return a key-rate axis, logarithmic where it has a bottom above 0."""
    if bottom is None:
        return Axis("key_rate_per_second", "key rate (bit/s)", limits=(0, scale_top))
    return Axis("key_rate_per_second", "key rate (bit/s)", "log", (bottom, scale_top))


_AMPLITUDE_PANELS = {
    "li-fig4a": Panel("fibre loss alone", _CODES, alike(), 4, y_axis=_key_rate(16e3)),
    "li-fig4b": Panel("devices of Table I", _CIRCUITS, table_1(), 2, y_axis=_key_rate(1e2, 1e-3)),
    "li-fig4c": Panel(
        "Table I with η_uc = 0.2", _CIRCUITS, table_1(0.2), 2, y_axis=_key_rate(1e3, 1e-2)
    ),
}


def _curves(
    codes: Mapping[str, CatCode], x: Values, y: Callable[[Account, CatCode], Values]
) -> tuple[Curve, ...]:
    """Return a curve for each account and code; ``y(account, code)`` are its values."""
    curves = []
    for account in ACCOUNTS:
        for label, code in codes.items():
            style = _STYLES[code]
            if account == "figure convention":
                style = Style(style.colour, "dashed", width=1.1)
            curves.append(Curve(label, x, y(account, code), group=account, style=style))
    return tuple(curves)


def _over_distance(name: str) -> Figure:
    """Return S against distance."""
    panel = _DISTANCE_PANELS[name]
    x = np.linspace(0, panel.reach, _POINTS + 1)[1:]

    def chsh(account: Account, code: CatCode) -> Values:
        links = [CavityLink(distance, **panel.devices[account]) for distance in x.tolist()]
        return chsh_at_rate(account, code, links, panel.rate_hz)

    axis = Axis("distance_km", "distance L between Alice and Bob (km)", limits=(0, panel.reach))
    return Figure(name, _title(name, panel.subtitle), axis, _CHSH, _curves(panel.codes, x, chsh))


def _over_coherence_time() -> Figure:
    """Return Fig. 2(b), S against the coherence time of Alice's memory."""
    x = np.geomspace(1e-5, 1e-1, _POINTS + 1)

    def chsh(account: Account, code: CatCode) -> Values:
        links = [CavityLink(5, coherence_time_s=time) for time in x.tolist()]
        return chsh_at_rate(account, code, links, _CHSH_RATE_HZ)

    axis = Axis("coherence_time_s", "coherence time t_c (s)", "log", (1e-5, 1e-1))
    title = _title("li-fig2b", "a memory that fades, L = 5 km, R = 3000 Hz")
    return Figure("li-fig2b", title, axis, _CHSH, _curves(_CODES, x, chsh))


def _over_amplitude(name: str) -> Figure:
    """Return the key rate against the amplitude."""
    panel = _AMPLITUDE_PANELS[name]
    x = np.linspace(0, panel.reach, 4 * _POINTS + 1)[1:]

    def key_rate(account: Account, code: CatCode) -> Values:
        link = CavityLink(10, **panel.devices[account])
        return key_rates_hz(account, code, link, x)

    axis = Axis("amplitude", "amplitude α", limits=(0, panel.reach))
    title = _title(name, f"{panel.subtitle}, L = 10 km")
    return Figure(name, title, axis, panel.y_axis, _curves(panel.codes, x, key_rate))


def _title(name: str, subtitle: str) -> str:
    """Return the title of "li-fig3a" as "Li et al., Fig. 3(a): ..."."""
    number, letter = name[-2], name[-1]
    return f"Li et al., Fig. {number}({letter}): {subtitle}"


LI_FIGURES: Mapping[str, Callable[[], Figure]] = {
    "li-fig2a": partial(_over_distance, "li-fig2a"),
    "li-fig2b": _over_coherence_time,
    **{f"li-fig3{x}": partial(_over_distance, f"li-fig3{x}") for x in "abcdefg"},
    **{name: partial(_over_amplitude, name) for name in _AMPLITUDE_PANELS},
}
