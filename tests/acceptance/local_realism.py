"""Local devices with memory against both p-values: neither is below its level too often.

Run: ``python tests/acceptance/local_realism.py [TESTS]``. The devices know the factors that they
are about to be judged by, choose each trial's strategy among those of greatest expectation, draw
the settings as unevenly as the predictability allows, and stop when the ratio is highest. Exits
with 1 if a level is exceeded with a confidence of 1 − 1e-6 (Clopper and Pearson).
"""

from __future__ import annotations

import sys

import numpy as np
from rich.console import Console
from rich.progress import track
from scipy import stats

from postprocessing.bell.binomial import binomial_p_value
from postprocessing.bell.estimates import won_and_lost
from postprocessing.bell.game import Game, SettingLaw
from postprocessing.bell.ratio import log_ratios, trained_factors
from postprocessing.bell.strategies import LOCAL

TRIALS, FIRST = 400, 50
LEVELS = (0.2, 0.05, 0.01)
CONFIDENCE = 1e-6
SIGNS = Game().table(["all"])
_WON = SIGNS[0][:, :, None, None] == np.array([[1, -1], [-1, 1]])
LAWS = {
    "even settings": SettingLaw(),
    "predictable settings": SettingLaw(predictability=0.02),
    "uneven settings": SettingLaw(alice=0.3, bob=0.6, predictability=0.01),
}


def play(rng: np.random.Generator, law: SettingLaw) -> tuple[float, float]:
    """Return the binomial p-value of devices after all trials, and the least ratio p on the way."""
    corners = np.array(law.corners, dtype=float)
    parts, seen = [], np.zeros((2, 2, 2, 2), np.int64)
    while seen.sum() < TRIALS:
        strategies, chosen = _best(trained_factors(seen, SIGNS[0], law), corners)
        shares = np.full(len(strategies), 1 / len(strategies))
        counts = np.zeros_like(seen)
        size = min(max(FIRST, int(seen.sum()) // 10), TRIALS - int(seen.sum()))
        for k, trials in enumerate(rng.multinomial(size, shares)):
            pairs = rng.multinomial(trials, corners[chosen[k]].ravel() / corners[chosen[k]].sum())
            counts += LOCAL[strategies[k]].astype(np.int64) * pairs.reshape(2, 2, 1, 1)
        parts.append(counts[np.newaxis])
        seen = seen + counts
    wins = int(won_and_lost(seen[np.newaxis], SIGNS)[..., 0].sum())
    binomial = binomial_p_value(TRIALS, wins, law.local_win_probability)
    return binomial.value, float(np.exp(-max(0.0, *log_ratios(parts, SIGNS, law))))


def _best(factors: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return strategies, each with the corner of the setting law that suits it."""
    worth = np.einsum("cxy,sxyab,xyab->sc", corners, LOCAL, factors)
    if (factors != 1).any():
        return np.nonzero(worth > worth.max() - 1e-9)
    # Nothing is bet: the eight that lose one pair of the game, as evenly as honest noise.
    score = np.einsum("xy,sxyab,ab->s", SIGNS[0], LOCAL, [[1, -1], [-1, 1]])
    strategies = np.flatnonzero(score == 2)
    wins = np.einsum("cxy,sxyab,xyab->sc", corners, LOCAL, _WON)
    return strategies, wins[strategies].argmax(axis=1)


def exceeded(p_values: np.ndarray) -> dict[float, float]:
    """Return the levels that p-values reach too often, with the least share that explains it."""
    found = {}
    for level in LEVELS:
        below = int((p_values <= level).sum())
        least = stats.beta.ppf(CONFIDENCE, below, len(p_values) - below + 1) if below else 0.0
        if least > level:
            found[level] = float(least)
    return found


def main() -> int:
    """Play tests and count how often each level is reached."""
    tests = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    console, wrong = Console(), False
    for name, law in LAWS.items():
        rng = np.random.default_rng(7)
        p_values = np.array([play(rng, law) for _ in track(range(tests), name)])
        for method, values in zip(("binomial", "ratio"), p_values.T, strict=True):
            shares = ", ".join(f"{(values <= level).mean():.4f} at {level}" for level in LEVELS)
            console.print(f"{name}, {method}: {shares}")
            wrong |= bool(exceeded(values))
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
