"""What the proof of a method covers: ways of choosing settings, and whether these may be off."""

from __future__ import annotations

from postprocessing.errors import InvalidArgumentError
from postprocessing.security import METHODS, SettingsRule


def check_settings_rule(method: str, rule: SettingsRule) -> None:
    """Refuse settings that the proof of a method does not cover.

    Raises
    ------
    InvalidArgumentError
        If so.
    """
    if rule not in METHODS[method].rules:
        covering = ", ".join(name for name in METHODS if rule in METHODS[name].rules)
        where = "where marks are announced" if rule == "announced" else "for local settings"
        raise InvalidArgumentError("method", method, f"{covering}, {where}")


def check_tolerance(method: str, tolerance: float) -> None:
    """Refuse a tolerance of the settings that the proof of a method does not cover.

    Raises
    ------
    InvalidArgumentError
        If so.
    """
    if tolerance and not METHODS[method].covers_tolerance:
        name, allowed = "setting_probability_tolerance", f"0 for the method {method!r}"
        raise InvalidArgumentError(name, tolerance, allowed)
