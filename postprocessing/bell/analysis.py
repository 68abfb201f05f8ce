"""A whole Bell test: blocks of trials in, counts, S and p-values out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from postprocessing.bell import estimates
from postprocessing.bell.binomial import binomial_p_value
from postprocessing.bell.game import Game, SettingLaw
from postprocessing.bell.parts import Part, parts_of
from postprocessing.bell.ratio import log_ratios, ratio_p_value
from postprocessing.bell.result import BellTest, Stretch
from postprocessing.bell.trials import Counts, Trials
from postprocessing.checks import callback, instance_of, whole_number
from postprocessing.errors import InvalidArgumentError
from postprocessing.limits import MOST_COUNTED

TRAINING_TRIALS = 50


def bell_test(
    blocks: Iterable[Trials],
    game: Game | None = None,
    *,
    predictability: float = 0.0,
    setting_probability_alice: float = 0.5,
    setting_probability_bob: float = 0.5,
    training_trials: int = TRAINING_TRIALS,
    most_trials: int | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> BellTest:
    """Test local realism on trials, read once and a block at a time.

    Everything but the blocks must have been fixed before the data, see ``docs/bell-tests.md``.

    Parameters
    ----------
    blocks : iterable of Trials
        The trials in order, all of them; how they are cut into blocks changes nothing.
    game : Game, optional
        Which products of outcomes win; by default a·b = (−1)^(xy).
    predictability : float, optional
        τ in [0, 1/2), by which the probability of a setting may be off, given all that was before.
    setting_probability_alice, setting_probability_bob : float, optional
        Probabilities of setting 1, in [1e-6, 1 − 1e-6].
    training_trials : int, optional
        Trials in the first parts; later ones have a tenth of all before. Factors of the
        prediction-based ratio are made anew after each.
    most_trials : int, optional
        The most that there could have been, where the test was stopped by a rule that looks at
        the trials: the binomial bound takes those that are missing as lost. By default those there
        are, whose number must have been fixed then.
    on_progress : callable, optional
        Called with the number of trials so far, after each block.

    Returns
    -------
    BellTest
        Counts, estimates and p-values.

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range, a herald of the game is unknown, there is no trial, or
        there are more than `most_trials`.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x, y = rng.integers(0, 2, (2, 1000), dtype=np.uint8)
    >>> a = np.where(rng.random(1000) < 0.5, 1, -1).astype(np.int8)
    >>> won = np.where(rng.random(1000) < 0.85, 1, -1).astype(np.int8)
    >>> b = np.where(x & y, -1, 1).astype(np.int8) * a * won
    >>> test = bell_test([Trials(x, y, a, b)])
    >>> test.trials, test.wins, test.p_value_binomial < 1e-10
    (1000, 866, True)
    """
    played = instance_of("game", Game() if game is None else game, Game)
    law = SettingLaw(setting_probability_alice, setting_probability_bob, predictability)
    first = whole_number("training_trials", training_trials, 1, MOST_COUNTED)
    told = callback("on_progress", on_progress) or (lambda trials: None)
    try:
        iter(blocks)
    except TypeError:
        raise InvalidArgumentError("blocks", blocks, "an iterable of Trials") from None
    parts = list(parts_of(blocks, first, told))
    if not parts:
        raise InvalidArgumentError("blocks", "none", "at least one trial")
    trials = sum(int(part.counts.sum()) for part in parts)
    given = trials if most_trials is None else most_trials
    most = whole_number("most_trials", given, 1, MOST_COUNTED)
    if most < trials:
        raise InvalidArgumentError("most_trials", most, f"at least the {trials} trials there are")
    return _result(parts, played, law, first, most)


def _result(
    parts: list[Part], game: Game, law: SettingLaw, training_trials: int, most_trials: int
) -> BellTest:
    """Return what parts of a test show."""
    names = parts[0].herald_names
    signs = game.table(names)
    counts = np.sum([part.counts for part in parts], axis=0)
    ratios = log_ratios([part.counts for part in parts], signs, law)
    scored = [estimates.won_and_lost(part.counts, signs) for part in parts]
    local = law.local_win_probability
    trials, wins = int(counts.sum()), int(sum(part[..., 0].sum() for part in scored))
    binomial, ratio = binomial_p_value(most_trials, wins, local), ratio_p_value(ratios[-1])
    s = estimates.chsh_value(np.sum(scored, axis=0))
    values: dict[str, Any] = {
        "trials": trials,
        "wins": wins,
        "local_win_probability": local,
        "chsh": None if s is None else s[0],
        "chsh_standard_error": None if s is None else s[1],
        "p_value_binomial": binomial.value,
        "log10_p_value_binomial": binomial.log10,
        "p_value_pbr": ratio.value,
        "log10_p_value_pbr": ratio.log10,
        "no_signalling_p_values": estimates.no_signalling(counts, names),
        "setting_p_values": estimates.settings_as_stated(counts, law),
        "drift_p_value": estimates.drift(scored),
        "counts": {
            name: estimates.counts_by_pair(counts[herald]) for herald, name in enumerate(names)
        },
        "correlators": {
            name: estimates.correlators(counts[herald]) for herald, name in enumerate(names)
        },
        "over_time": _over_time(parts, scored, ratios, local, most_trials),
    }
    return BellTest(
        **values, game=game, law=law, training_trials=training_trials, most_trials=most_trials
    )


def _over_time(
    parts: list[Part],
    scored: list[Counts],
    ratios: list[float],
    local: float,
    most_trials: int,
) -> tuple[Stretch, ...]:
    """Return S and wins of each part, and the p-values from the first trial to its last."""
    wins = list(itertools.accumulate(int(part[..., 0].sum()) for part in scored))
    found = []
    missing, done = most_trials - sum(int(part.sum()) for part in scored), 0
    for part, won_lost, so_far, ratio in zip(parts, scored, wins, ratios, strict=True):
        done += int(won_lost.sum())
        s = estimates.chsh_value(won_lost)
        found.append(
            Stretch(
                trials=int(won_lost.sum()),
                wins=int(won_lost[..., 0].sum()),
                chsh=None if s is None else s[0],
                chsh_standard_error=None if s is None else s[1],
                end_s=part.end_s,
                log10_p_value_binomial=binomial_p_value(done + missing, so_far, local).log10,
                log10_p_value_pbr=ratio_p_value(ratio).log10,
            )
        )
    return tuple(found)
