"""What other methods would make of the same rounds, where the chosen one gives little."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from postprocessing.design.design import Design
from postprocessing.design.request import ExpectedValues, Security
from postprocessing.errors import InvalidArgumentError
from postprocessing.scheme import BellScheme, LocalSettings
from postprocessing.security import METHODS

# Below this part of another method's key, the chosen one's is worth a word.
_LITTLE = 0.5
# From this part of a quick estimate on it is not looked for.
_CLOSE = 0.53


def keys_by_method(
    security: Security, expected: ExpectedValues, heralded_rounds: int
) -> dict[str, int]:
    """Return the key length that each method would design, in bits.

    Parameters
    ----------
    security : Security
        What is asked of the keys; every method that covers its settings is tried.
    expected : ExpectedValues
        What honest devices are expected to do.
    heralded_rounds : int
        Number n of heralded rounds.

    Returns
    -------
    dict of str to int
        By method, in the order of `METHODS`; expected lengths where they vary.

    Examples
    --------
    >>> import diqkd
    >>> joint = diqkd.BellState(diqkd.Link(distance_km=10)).joint_distribution()
    >>> expected = diqkd.ExpectedValues(joint.scheme, chsh=2.6, qber=0.03)
    >>> keys = keys_by_method(Security(), expected, 1_200_000)
    >>> keys["tan22"], keys["renyi"] > keys["eat_rpa"] > 0
    (0, True)
    """
    return {
        request.method: request.design(expected, heralded_rounds).key_length
        for request in _requests(security)
    }


def outdone(design: Design, security: Security, expected: ExpectedValues) -> dict[str, int]:
    """Return what each method would design, where the design has less than half of the best.

    Parameters
    ----------
    design : Design
        The design of the chosen method.
    security : Security
        What was asked for.
    expected : ExpectedValues
        What it was designed for.

    Returns
    -------
    dict of str to int
        As `keys_by_method`; empty where the design has at least half of what others would have.
    """
    if not METHODS[design.method].composable or design.leakage is None:
        return {}
    rounds = design.heralded_rounds
    if design.key_length >= _CLOSE * _quickly(design, security, expected):
        return {}
    keys = keys_by_method(security, expected, rounds)
    return keys if design.key_length < _LITTLE * max(keys.values()) else {}


def _quickly(design: Design, security: Security, expected: ExpectedValues) -> int:
    """Return the longest key of methods that are quick to design at the settings of a design.

    Settings are found in no time there, and tests of one kind soon scored; the best keys are a
    little longer.
    """
    choice, rounds = design.setting_choice, design.heralded_rounds
    if not isinstance(choice, LocalSettings):
        return max(keys_by_method(security, expected, rounds).values())
    quick = [
        request.design(expected, rounds).key_length
        for request in _requests(_with_settings(security, choice, design.scheme))
        if not METHODS[request.method].tells_kinds_apart
    ]
    return max(quick)


def _with_settings(security: Security, choice: LocalSettings, scheme: BellScheme) -> Security:
    """Return the same request at given settings."""
    by_party: dict[str, float] = {
        f"test_probability_{scheme.corrector}": choice.corrector_test_probability,
        f"test_probability_{scheme.reference}": choice.reference_test_probability,
    }
    changed: Any = by_party
    return replace(security, **changed)


def _requests(security: Security) -> Iterator[Security]:
    """Yield the request for each method whose proof covers it."""
    for name, method in METHODS.items():
        if not method.composable:
            continue
        try:
            yield replace(security, method=name)
        except InvalidArgumentError:
            # Its proof does not cover these settings, or their tolerance.
            continue
