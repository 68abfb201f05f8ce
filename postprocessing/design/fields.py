"""The fields of a design, each of its kind and in its range, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Any

from postprocessing.checks import instance_of, real_number, whole_number
from postprocessing.design.leakage import LeakageBudget
from postprocessing.limits import MOST_PLANNED_ROUNDS
from postprocessing.scheme import AnnouncedMarks, BellScheme, LocalSettings
from postprocessing.security import EpsilonSplit, KeyLength
from postprocessing.security.entropy import TSIRELSON_BOUND, check_noisy_preprocessing

# Quantiles below which tests and settings are refused follow from it: they come neither near the
# mean nor near nothing.
LEAST_COMPLETENESS, MOST_COMPLETENESS = 1e-12, 0.5
_MOST_CHSH = TSIRELSON_BOUND * (1 + 1e-12)
_RANGES = {
    "completeness": (LEAST_COMPLETENESS, MOST_COMPLETENESS),
    "predicted_abort_probability": (0.0, 1.0),
    "expected_chsh": (-_MOST_CHSH, _MOST_CHSH),
    "expected_qber": (0.0, 1.0),
}


def plain_fields(given: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the numbers of a design as plain ones, whatever they came as.

    Parameters
    ----------
    given : mapping of str to object
        The fields of a design by name.

    Raises
    ------
    InvalidArgumentError
        If a number is outside its range, or a field of another kind.
    """
    instance_of("scheme", given["scheme"], BellScheme)
    instance_of("setting_choice", given["setting_choice"], LocalSettings, AnnouncedMarks)
    instance_of("epsilons", given["epsilons"], EpsilonSplit)
    instance_of("leakage", given["leakage"], LeakageBudget, NoneType)
    instance_of("length", given["length"], KeyLength, NoneType)
    rounds = whole_number("heralded_rounds", given["heralded_rounds"], 1, MOST_PLANNED_ROUNDS)
    part, at_key = given["expected_chsh_at_key_setting"], "expected_chsh_at_key_setting"
    lost, score = "tolerated_test_losses", given["least_score"]
    return {
        "heralded_rounds": rounds,
        lost: whole_number(lost, given[lost], 0, rounds),
        **{name: _within(name, given[name], *ends) for name, ends in _RANGES.items()},
        "noisy_preprocessing": check_noisy_preprocessing(given["noisy_preprocessing"]),
        at_key: None if part is None else _within(at_key, part, -2.0, 2.0),
        "least_score": None if score is None else real_number("least_score", score),
    }


def _within(name: str, value: Any, low: float, high: float) -> float:
    allowed = f"in [{low:g}, {high:g}]"
    return real_number(name, value, allowed, within=lambda number: low <= number <= high)
