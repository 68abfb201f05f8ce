"""Theory over the values of a parameter: predictions, and lines to hold results against."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from emulator.sampling.stopping import stopping_rule
from emulator.scenario.scenario import STOPPING_RULES, Scenario, overridden
from emulator.schemes.base import ProtocolModel
from emulator.theory.prediction import Prediction, prediction_of_point
from postprocessing.design.design import RARE_SHARE
from postprocessing.errors import InvalidArgumentError
from postprocessing.security import METHODS


def prediction_curve(scenario: Scenario, parameter: str, values: Iterable[float]) -> pd.DataFrame:
    """Return predictions over the values of one parameter.

    Parameters
    ----------
    scenario : Scenario
        The other parameters.
    parameter : str
        Name of the parameter.
    values : iterable of float
        Its values.

    Returns
    -------
    DataFrame
        One row a value: the parameter, then the columns of `Prediction.to_dict`.

    Raises
    ------
    InvalidArgumentError
        If the parameter is unknown or one of every run, or a value impossible.
    """
    if parameter in Scenario.model_fields:
        raise InvalidArgumentError("parameter", parameter, "one of the scheme, not of the run")
    rows = []
    for value in values:
        model = scenario.replace(**{parameter: value}).build_model()
        rows.append({parameter: value, **prediction_of_point(model).to_dict()})
    return pd.DataFrame(rows)


def theory_line(
    scenario: Scenario, parameter: str, values: Iterable[float], *, finite_size: bool = False
) -> pd.DataFrame:
    """Return what theory says over the values of a parameter, beside results.

    Parameters
    ----------
    scenario : Scenario
        The other parameters.
    parameter : str
        Name of the parameter, of the scheme or of the run.
    values : iterable of float
        Its values.
    finite_size : bool
        Also design the key of each point, half a second (tan22) to some seconds (renyi).

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
        own = scenario.model_dump(exclude_none=True)
        point = type(scenario).from_parameters(overridden(own, {parameter: value}, STOPPING_RULES))
        model = point.build_model()
        row = {parameter: value, **_numbers(prediction_of_point(model))}
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
    prediction = prediction_of_point(model)
    if not METHODS[scenario.method].composable or prediction.key_rate_per_pulse is None:
        return math.nan
    if prediction.gain is None:
        return 0.0
    security, rule = scenario.build_security(), stopping_rule(**scenario.stopping_rule())
    share = security.completeness * RARE_SHARE
    rounds = rule.rounds_to_count_on(prediction.gain, share)
    if not rounds:
        return 0.0
    return security.design(model.joint_distribution(), rounds).key_length / rounds


def _numbers(prediction: Prediction) -> dict[str, float]:
    """Return a prediction as the numbers of a line, NaN for what it has not."""
    known = {
        "gain": prediction.gain,
        "chsh": prediction.chsh,
        "qber": prediction.qber,
        "rate_asymptotic": prediction.key_rate_per_pulse,
        "plob_bound": prediction.plob_bound,
    }
    return {
        name: math.nan if value is None or math.isinf(value) else value
        for name, value in known.items()
    }
