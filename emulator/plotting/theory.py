"""The theory that results are held against, as lines over one parameter."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from emulator.scenario.scenario import Scenario
from emulator.schemes.base import NoPositiveKeyRateError, NoWorkingPointError, ProtocolModel
from emulator.theory.prediction import predict
from postprocessing.design.design import RARE_SHARE
from postprocessing.quantiles import lower_quantile
from postprocessing.security import METHODS


def theory_line(
    scenario: Scenario, parameter: str, values: Iterable[float], *, finite_size: bool = False
) -> pd.DataFrame:
    """Return what theory says over the values of a parameter.

    Parameters
    ----------
    scenario : Scenario
        The other parameters.
    parameter : str
        Name of the parameter, of the scheme or of the run.
    values : iterable of float
        Its values.
    finite_size : bool
        Also design the key of each point, which takes some 70 ms.

    Returns
    -------
    DataFrame
        One row a value: the parameter, then ``gain``, ``chsh``, ``qber``, ``rate_asymptotic`` and
        ``plob_bound`` as `predict` has them, in secret bits per pulse; with `finite_size` also
        ``rate_finite_size``, secret bits per pulse of the design, and ``key_fraction``, its key
        bits per heralded round. NaN where undefined.

    Raises
    ------
    InvalidArgumentError
        If the parameter is unknown or a value impossible.
    """
    rows = []
    for value in values:
        # Only the stopping rules give way to each other: a CHSH value keeps the QBER beside it.
        parameters = Scenario.overridden(scenario.model_dump(exclude_none=True), {parameter: value})
        point = type(scenario).from_parameters(parameters)
        model = point.build_model()
        row = {parameter: value, **_prediction(model)}
        if finite_size:
            fraction = key_fraction(point, model)
            rate = fraction * row["gain"] if fraction else fraction
            row |= {"rate_finite_size": rate, "key_fraction": fraction}
        rows.append(row)
    return pd.DataFrame(rows)


def key_fraction(scenario: Scenario, model: ProtocolModel) -> float:
    """Return the key bits per heralded round of the design of a run.

    Parameters
    ----------
    scenario : Scenario
        When the run stops, and what is asked of its keys.
    model : ProtocolModel
        The scheme of the run.

    Returns
    -------
    float
        0 where there is no key; NaN for keys without finite-size length.
    """
    if not METHODS[scenario.security].composable:
        return math.nan
    try:
        joint = model.joint_distribution()
    except NoPositiveKeyRateError:
        return 0.0
    except NoWorkingPointError:
        return math.nan
    rule = scenario.stopping_rule()
    share = scenario.completeness * RARE_SHARE
    rounds = rule.get("heralded_rounds") or lower_quantile(rule["pulses"], joint.gain, share)
    if not rounds:
        return 0.0
    security = scenario.build_security()
    return security.design(joint, rounds).key_length / rounds


def _prediction(model: ProtocolModel) -> dict[str, float]:
    """Return the prediction of a model, NaN for what it has not."""
    bound = model.plob_bound
    try:
        theory = predict(model)
    except NoWorkingPointError:
        known: list[float | None] = [None, None, None, None, bound]
    else:
        known = [theory.gain, theory.chsh, theory.qber, theory.key_rate_per_pulse, bound]
    names = ("gain", "chsh", "qber", "rate_asymptotic", "plob_bound")
    numbers = (math.nan if value is None or math.isinf(value) else value for value in known)
    return dict(zip(names, numbers, strict=True))
