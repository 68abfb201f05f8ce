"""How often to test, and how much noise to add: what gives the longest key of a finite block."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np
from scipy.optimize import minimize_scalar

from postprocessing.errors import InvalidArgumentError
from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.scheme import AnnouncedMarks, LocalSettings, SettingChoice
from postprocessing.security.block import Block
from postprocessing.security.methods import Method, SettingsRule
from postprocessing.tolerance import round_bounds

# Flip probabilities looked at first; the best is refined between its neighbours.
_FLIP_PROBABILITIES = (0.0, *np.geomspace(2e-3, 0.35, 12).tolist())
_PLACES = 6
# The coin of the longest key over that of uniform inputs: a typical one, and where it is sought.
_COIN, _COIN_RANGE = 1.25, (0.7, 2.2)


def settings_with_tests(
    rule: SettingsRule, test_probability: float, tolerance: float = 0.0
) -> SettingChoice:
    """Return the settings of a rule that make a round a test with a given probability.

    Local settings test equally often on both sides, γ = p: of all pairs with the same rate of
    tests 2γp this one leaves the most key rounds, (1 − γ)(1 − p), and where there is a key, a
    further key round adds more entropy than leakage.

    Raises
    ------
    InvalidArgumentError
        If the probability is outside (0, 1), or (0, 1/2] for local settings, or too small for the
        tolerance of the settings.
    """
    if rule == "announced":
        return AnnouncedMarks(test_probability, tolerance)
    if not 0 < test_probability <= 0.5:
        raise InvalidArgumentError("test_probability", test_probability, "in (0, 1/2]")
    side = math.sqrt(test_probability / 2)
    return LocalSettings(side, side, tolerance)


def optimise_settings(
    method: Method[Any],
    block_at: Callable[[RoundProbabilities], Block],
    *,
    rule: SettingsRule,
    tolerance: float = 0.0,
) -> SettingChoice:
    """Return the settings with the longest key.

    Parameters
    ----------
    method : Method
        How the length is computed.
    block_at : callable
        Gives the block at given round probabilities, with what it leaks; smooth.
    rule : {"local", "announced"}
        Whether each side chooses its settings alone, or both follow a shared mark.
    tolerance : float, optional
        By how much the probability of a setting may be off.

    Returns
    -------
    LocalSettings or AnnouncedMarks
        Test probability good to about 1e-3 of itself. Where no key is possible, that which comes
        closest to one.

    Raises
    ------
    InvalidArgumentError
        If a number of the block is outside its range.
    """

    def settings(log_test: float) -> SettingChoice:
        uniform = settings_with_tests(rule, math.exp(log_test), tolerance)
        return _with_coin(method, uniform, _COIN)

    def shortfall(log_test: float) -> float:
        return -method.settings_rating(block_at(round_bounds(settings(log_test))))

    # From √n expected tests in the block, far fewer than serve, up to the largest probability.
    rounds = block_at(RoundProbabilities.announced(0.5)).rounds
    bounds = (min(-math.log(rounds) / 2, math.log(0.125)), math.log(0.5) - 2e-9)
    if tolerance:
        # The least γ/2, or mark, is twice the tolerance.
        least = 32 * tolerance**2 if rule == "local" else 2 * tolerance
        bounds = (max(bounds[0], math.log(least)), bounds[1])
    # Where tests are too rare for a key the length is flat, and a search alone would stay there.
    places = np.linspace(*bounds, _PLACES).tolist()
    best = int(np.argmin([shortfall(place) for place in places]))
    around = (places[max(best - 1, 0)], places[min(best + 1, _PLACES - 1)])
    found = minimize_scalar(shortfall, bounds=around, method="bounded", options={"xatol": 2e-3})
    return settings(float(found.x))


def optimise_choices(
    method: Method[Any],
    block_at: Callable[[float, RoundProbabilities], Block],
    *,
    rule: SettingsRule,
    noisy_preprocessing: float | Literal["optimal"],
    test_probability: float | None = None,
    settings: SettingChoice | None = None,
    tolerance: float = 0.0,
) -> tuple[float, SettingChoice]:
    """Return how much noise to add and how to choose settings for the longest key.

    Parameters
    ----------
    method, rule
        As for `optimise_settings`.
    block_at : callable
        Gives the block at a flip probability and given round probabilities.
    noisy_preprocessing : float or "optimal"
        q in [0, 1/2), taken as it is unless "optimal".
    test_probability : float, optional
        p_test; the best one by default.
    settings : LocalSettings or AnnouncedMarks, optional
        Settings to take as they are, but for the coin.
    tolerance : float, optional
        As for `optimise_settings`, of settings that are chosen here.

    Returns
    -------
    float
        q.
    LocalSettings or AnnouncedMarks
        The settings.

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range.
    """

    def choice(q: float) -> SettingChoice:
        at_noise = partial(block_at, q)
        if settings is not None:
            return _with_best_coin(method, at_noise, settings)
        if test_probability is not None:
            return settings_with_tests(rule, test_probability, tolerance)
        found = optimise_settings(method, at_noise, rule=rule, tolerance=tolerance)
        return _with_best_coin(method, at_noise, found)

    if noisy_preprocessing != "optimal":
        return noisy_preprocessing, choice(noisy_preprocessing)
    # The best rate of tests hardly depends on the noise.
    typical = round_bounds(choice(0.0))
    q = optimal_noisy_preprocessing(lambda q: method.rating(block_at(q, typical)))
    return q, choice(q)


def _with_coin(method: Method[Any], settings: SettingChoice, factor: float) -> SettingChoice:
    """Return the settings with a coin that keeps more tests, where inputs need not be uniform.

    Rounds that the coin drops are lost to the key as well.
    """
    if not (method.tells_kinds_apart and isinstance(settings, LocalSettings)):
        return settings
    return replace(settings, coin_probability=min(factor * settings.thinning_probability, 1.0))


def _with_best_coin(
    method: Method[Any], block_at: Callable[[RoundProbabilities], Block], settings: SettingChoice
) -> SettingChoice:
    """Return the settings with the coin of the longest key, to about a twentieth of itself."""
    typical = _with_coin(method, settings, _COIN)
    if typical is settings:
        return settings
    rating = method.rating_near(block_at(typical.round_probabilities))

    def shortfall(log_factor: float) -> float:
        moved = _with_coin(method, settings, math.exp(log_factor))
        return -rating(block_at(moved.round_probabilities))

    bounds = (math.log(_COIN_RANGE[0]), math.log(_COIN_RANGE[1]))
    found = minimize_scalar(shortfall, bounds=bounds, method="bounded", options={"xatol": 0.05})
    return _with_coin(method, settings, math.exp(found.x))


def optimal_noisy_preprocessing(length: Callable[[float], float]) -> float:
    """Return the flip probability of the longest key, 0 where noise does not help.

    Parameters
    ----------
    length : callable
        Gives the length in bits at a flip probability in [0, 1/2).

    Returns
    -------
    float
        q, to about 1e-3.
    """
    places = _FLIP_PROBABILITIES
    lengths = [length(q) for q in places]
    best = int(np.argmax(lengths))
    around = (places[max(best - 1, 0)], places[min(best + 1, len(places) - 1)])
    found = minimize_scalar(
        lambda q: -length(q), bounds=around, method="bounded", options={"xatol": 1e-3}
    )
    return float(found.x) if -float(found.fun) > lengths[best] else places[best]
