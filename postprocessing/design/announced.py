"""How often announced settings and coins may come, if they were drawn as the design has them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from postprocessing.quantiles import exceedance
from postprocessing.scheme import BellScheme, LocalSettings, SettingChoice
from postprocessing.tolerance import coin_bounds, pair_bounds

# A pair of settings, or coins that are 1, may be as rare or as frequent as honest ones are with
# this probability, or with a millionth of the completeness if that is less.
PAIR_SHARE, PAIR_SHARE_OF_COMPLETENESS = 1e-12, 1e-6


def pair_share(completeness: float) -> float:
    """Return how unlikely a number of rounds of a pair, or of coins, must be, to be refused."""
    return min(PAIR_SHARE, PAIR_SHARE_OF_COMPLETENESS * completeness)


def settings_share(choice: SettingChoice, scheme: BellScheme, completeness: float) -> float:
    """Bound how often honest settings and coins are refused: both tails of each number."""
    return 2 * (choice.pair_law(scheme).size + 1) * pair_share(completeness)


def settings_are_likely(
    choice: SettingChoice,
    scheme: BellScheme,
    pairs: npt.NDArray[np.int64],
    rounds: int,
    share: float,
) -> bool:
    """Tell whether each pair of settings, shape (x, y), is neither too rare nor too frequent."""
    least, most = pair_bounds(choice, scheme)
    bounds = zip(least.ravel().tolist(), most.ravel().tolist(), strict=True)
    return all(
        _is_likely(rounds, bound, count, share)
        for bound, count in zip(bounds, pairs.ravel().tolist(), strict=True)
    )


def coins_are_likely(choice: LocalSettings, kept: int, surplus: int, share: float) -> bool:
    """Tell whether coins keep neither too few nor too many of the surplus rounds."""
    return _is_likely(surplus, coin_bounds(choice), kept, share)


def _is_likely(trials: int, bounds: tuple[float, float], count: int, share: float) -> bool:
    """Tell whether neither so few nor so many are less likely than a share, within the bounds.

    Trials whose probabilities differ within the bounds come no oftener than at the upper one.
    """
    least, most = bounds
    return (
        exceedance(trials, most, count - 1) >= share
        and exceedance(trials, 1 - least, trials - count - 1) >= share
    )
