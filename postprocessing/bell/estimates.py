"""What counts of a Bell test look like: correlators, S, signalling, drift, settings."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import stats

from postprocessing.bell.contingency import equal_shares_p_value, independence_p_value
from postprocessing.bell.game import PAIRS, SettingLaw
from postprocessing.bell.trials import Counts

Signs = npt.NDArray[np.int8]
# A value and its standard error; None where nothing was counted.
Estimate = tuple[float, float] | None

_OUTCOMES = ("++", "+-", "-+", "--")
_STRETCHES, _LEAST_STRETCH = 20, 200


def pair_name(x: int, y: int) -> str:
    """Return the name of a pair of settings, "xy"."""
    return f"{x}{y}"


def won_and_lost(counts: Counts, signs: Signs) -> Counts:
    """Return how many trials of each pair were won and lost over all heralds, [x, y, 2]."""
    same = counts[..., 0, 0] + counts[..., 1, 1]
    differ = counts[..., 0, 1] + counts[..., 1, 0]
    both = np.stack([same, differ], axis=-1)
    scored: Counts = np.where(signs[..., np.newaxis] > 0, both, both[..., ::-1]).sum(axis=0)
    return scored


def chsh_value(scored: Counts) -> Estimate:
    """Return S = Σ s_xy ⟨A_x B_y⟩ and its standard error, of the won and lost trials [x, y, 2]."""
    total = scored.sum(axis=-1)
    if not total.all():
        return None
    products = (scored[..., 0] - scored[..., 1]) / total
    return float(products.sum()), math.sqrt(float(((1 - products**2) / total).sum()))


def correlators(counts: Counts) -> dict[str, Estimate]:
    """Return ⟨A_x B_y⟩ and its standard error by pair, of the counts [x, y, a, b] of a herald."""
    found: dict[str, Estimate] = {}
    for x, y in PAIRS:
        table = counts[x, y]
        trials = int(table.sum())
        product = int(table[0, 0] + table[1, 1] - table[0, 1] - table[1, 0]) / max(trials, 1)
        error = math.sqrt((1 - product**2) / max(trials, 1))
        found[pair_name(x, y)] = (product, error) if trials else None
    return found


def counts_by_pair(counts: Counts) -> dict[str, dict[str, int]]:
    """Return the counts [x, y, a, b] of a herald by pair and outcomes, "+" first."""
    return {
        pair_name(x, y): dict(zip(_OUTCOMES, counts[x, y].ravel().tolist(), strict=True))
        for x, y in PAIRS
    }


def no_signalling(counts: Counts, herald_names: Sequence[str]) -> dict[str, float]:
    """Test whether outcomes of each setting have one share whatever the other side's setting.

    Returns
    -------
    dict of str to float
        p-values, each of one test among several, by "alice_x" and "bob_y", behind the name of the
        herald where there are several.
    """
    found = {}
    for herald, name in enumerate(herald_names):
        prefix = f"{name}: " if len(herald_names) > 1 else ""
        for side, outcomes in (
            ("alice", counts[herald].sum(axis=3)),
            ("bob", counts[herald].sum(axis=2).transpose(1, 0, 2)),
        ):
            for own in (0, 1):
                found[f"{prefix}{side}_{own}"] = equal_shares_p_value(outcomes[own])
    return found


def settings_as_stated(counts: Counts, law: SettingLaw) -> dict[str, float]:
    """Test whether settings look as they should: p-values of each side's, and of independence."""
    pairs = counts.sum(axis=(0, 3, 4))
    sides = {"alice": (pairs.sum(axis=1), law.alice), "bob": (pairs.sum(axis=0), law.bob)}
    found = {}
    for side, (drawn, share) in sides.items():
        expected = drawn.sum() * np.array([1 - share, share])
        found[side] = float(stats.chisquare(drawn, expected).pvalue)
    return found | {"independent": independence_p_value([pairs])}


def drift(scored: Sequence[Counts]) -> float:
    """Return the p-value of each pair being won with one share all the time.

    Parts [x, y, 2] are joined to stretches of a twentieth of all trials, or of as many as the test
    can tell apart.
    """
    least = max(int(sum(part.sum() for part in scored)) // _STRETCHES, _LEAST_STRETCH)
    stretches = [np.zeros_like(scored[0])]
    for part in scored:
        if stretches[-1].sum() >= least:
            stretches.append(np.zeros_like(part))
        stretches[-1] = stretches[-1] + part
    if len(stretches) > 1 and stretches[-1].sum() < least:
        last = stretches.pop()
        stretches[-1] = stretches[-1] + last
    stacked = np.stack(stretches)
    return independence_p_value(stacked[:, x, y] for x, y in PAIRS)
