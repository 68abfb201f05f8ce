"""What limits a link: by how much its key changes with each of its parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from emulator.parameters import Light
from emulator.scenario.scenario import Scenario
from emulator.schemes.flat import fields_of
from emulator.schemes.registry import SCHEMES
from emulator.theory.prediction import prediction_of_point
from postprocessing.checks import instance_of
from postprocessing.errors import InvalidArgumentError

# A parameter changes by this share of itself; one that is 0, by this much.
STEP = 0.01
# Of no consequence for secret bits per pulse.
_IRRELEVANT = {"repetition_rate_hz"}


def sensitivities(scenario: Scenario) -> pd.DataFrame:
    """Return by how much the asymptotic key rate changes for a 1 % change of each parameter.

    What the scenario leaves to be optimised, intensity or directions, is so for each change.

    Parameters
    ----------
    scenario : Scenario
        The link. A parameter that is 0, as imperfections are by default, changes by 0.01, and of a
        pair both numbers together. One that drifts has no change of its own.

    Returns
    -------
    DataFrame
        One row a parameter of the scheme, the most telling first: ``parameter``, ``value``,
        ``lower``, ``upper`` (what it is changed to; NaN where that is impossible), ``rate_lower``,
        ``rate_upper`` in secret bits per pulse, and ``change_lower``, ``change_upper`` as shares
        of the rate.

    Raises
    ------
    InvalidArgumentError
        If the link has no key whose changes could be told.

    Examples
    --------
    >>> import diqkd
    >>> table = sensitivities(diqkd.load_scenario("ecs-100km"))
    >>> table["parameter"][0], f"{table['change_upper'][0]:.3f}"
    ('readout_error_alice', '-0.325')
    """
    instance_of("scenario", scenario, Scenario)
    start = scenario.build_model()
    rate = prediction_of_point(start).key_rate_per_pulse
    if not rate:
        raise InvalidArgumentError("scenario", scenario.scheme, "of a link with a key")
    drifting = (getattr(scenario, "drift", None) or "").partition("=")[0].replace("-", "_").strip()
    rows = []
    for name in fields_of(SCHEMES[scenario.scheme]):
        value = getattr(scenario, name)
        if not isinstance(value, float | tuple) or value == math.inf:
            continue
        if name in _IRRELEVANT or name == drifting:
            continue
        row: dict[str, object] = {"parameter": name, "value": value}
        for side, share in (("lower", -STEP), ("upper", STEP)):
            row |= _changed(scenario, name, _moved(value, share), side, rate)
        rows.append(row)
    table = pd.DataFrame(rows)
    extent = table[["change_lower", "change_upper"]].abs().max(axis=1)
    order = extent.sort_values(ascending=False, kind="stable").index
    return table.loc[order].reset_index(drop=True)


def _moved(value: Light, share: float) -> Light:
    """Return a value changed by a share of itself, 0 by that much; of a pair both numbers."""
    if isinstance(value, tuple):
        first, second = value
        return first + share * (abs(first) or 1), second + share * (abs(second) or 1)
    return value + share * (abs(value) or 1)


def _changed(
    scenario: Scenario, name: str, value: Light, side: str, rate: float
) -> Mapping[str, object]:
    """Return the columns of one change; NaN where the parameter cannot have that value."""
    try:
        found = prediction_of_point(scenario.replace(**{name: value}).build_model())
    except InvalidArgumentError:
        return dict.fromkeys((side, f"rate_{side}", f"change_{side}"), float("nan"))
    changed = found.key_rate_per_pulse or 0.0
    return {side: value, f"rate_{side}": changed, f"change_{side}": changed / rate - 1}
