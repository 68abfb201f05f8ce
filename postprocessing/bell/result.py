"""What a Bell test has shown, as values and as sections of a page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal

from postprocessing.bell.estimates import Estimate
from postprocessing.bell.game import Game, SettingLaw
from postprocessing.sections import Row, Section, count, number

ASSUMPTIONS = (
    "the game, the settings' probabilities and their predictability were fixed before the data",
    "all trials are there: none was left out because of a setting or an outcome",
    "a herald was known before the settings, and settings before the other side's outcome",
    "binomial: the number of trials was fixed beforehand, or the most there could be is given; "
    "prediction-based ratio: any stopping rule",
)


# Smaller p-values are shown by their exponents.
_LEAST_EXPONENT = -3


@dataclass(frozen=True)
class Stretch:
    """A part of a test, between two numbers of trials.

    Parameters
    ----------
    trials, wins : int
        Of the part.
    chsh, chsh_standard_error : float or None
        S of the part; None where a pair of settings never came.
    end_s : float or None
        When its last trial was, in seconds.
    log10_p_value_binomial, log10_p_value_pbr : float
        From the first trial of the test to the last of the part; to be looked at alone.
    """

    trials: int
    wins: int
    chsh: float | None
    chsh_standard_error: float | None
    end_s: float | None
    log10_p_value_binomial: float
    log10_p_value_pbr: float


@dataclass(frozen=True)
class BellTest:
    """What a Bell test has shown.

    Parameters
    ----------
    trials, wins : int
        All trials, and those won.
    local_win_probability : float
        What local devices win a trial with at most.
    chsh, chsh_standard_error : float or None
        S with the signs of the game, over all heralds; None where a pair of settings never came.
    p_value_binomial, p_value_pbr : float
        Bounds on the probability that local devices with memory do as well: by the number of wins,
        and by the prediction-based ratio. Of two tests on the same data one must be chosen
        beforehand.
    log10_p_value_binomial, log10_p_value_pbr : float
        Their logarithms, also where the numbers are too small for double precision.
    no_signalling_p_values : dict of str to float
        Tests of a side's outcomes being the same whatever the other side's setting.
    setting_p_values : dict of str to float
        Tests of the settings being drawn as stated, and by each side alone.
    drift_p_value : float
        Test of every pair being won as often in all parts.
    counts : dict
        Counts by herald, pair of settings "xy" and outcomes "ab".
    correlators : dict
        ⟨A_x B_y⟩ and standard error by herald and pair; None where it never came.
    over_time : tuple of Stretch
        S, wins and growth of the p-values by parts.
    game : Game
        Which products win.
    law : SettingLaw
        How settings are drawn.
    training_trials, most_trials : int
        As they were given.

    Examples
    --------
    >>> import diqkd
    >>> import numpy as np
    >>> ones, signs = np.ones(9, np.uint8), np.ones(9, np.int8)
    >>> diqkd.bell_test([diqkd.Trials(ones, ones, signs, -signs)])
    BellTest(9 trials, 9 won, S -, p binomial 0.0751, p ratio 1)
    """

    trials: int
    wins: int
    local_win_probability: float
    chsh: float | None
    chsh_standard_error: float | None
    p_value_binomial: float
    log10_p_value_binomial: float
    p_value_pbr: float
    log10_p_value_pbr: float
    no_signalling_p_values: Mapping[str, float] = field(repr=False)
    setting_p_values: Mapping[str, float] = field(repr=False)
    drift_p_value: float = field(repr=False)
    counts: Mapping[str, Mapping[str, Mapping[str, int]]] = field(repr=False)
    correlators: Mapping[str, Mapping[str, Estimate]] = field(repr=False)
    over_time: tuple[Stretch, ...] = field(repr=False)
    game: Game
    law: SettingLaw
    training_trials: int
    most_trials: int

    def __repr__(self) -> str:
        """Return what is to be seen at once."""
        return (
            f"BellTest({self.trials:,} trials, {self.wins:,} won, S {number(self.chsh, 4)}, "
            f"p binomial {_p(self.log10_p_value_binomial)}, "
            f"p ratio {_p(self.log10_p_value_pbr)})"
        )

    def to_dict(self) -> dict[str, object]:
        """Return JSON values; null where undefined."""
        return asdict(self)

    def present(self) -> tuple[Section, ...]:
        """Return the test for any output to show: a summary, then the details."""
        return (
            Section("Bell test", self._summary()),
            Section("correlators", tuple(self._correlators()), ("pair of settings", "⟨ab⟩", "±")),
            Section("counts", tuple(self._counts()), ("settings xy", "++", "+-", "-+", "--")),
            Section("tests of the trials", tuple(self._tests()), ("test", "p")),
            Section("assumptions", bullets=ASSUMPTIONS),
            Section(
                "over time", tuple(self._stretches()), ("trials", "won", "S", "±"), is_detail=True
            ),
        )

    def _summary(self) -> tuple[Row, ...]:
        signs = {"": self.game.signs, **self.game.by_herald}
        game = ", ".join(f"{name} {text}".strip() for name, text in signs.items())
        drawn = f"{self.law.alice:g}, {self.law.bob:g} within {self.law.predictability:g}"
        return (
            ("trials", count(self.trials)),
            ("won", f"{self.wins:,} ({self.wins / self.trials:.4f})"),
            ("local devices win at most", f"{self.local_win_probability:.6g}"),
            ("S", f"{number(self.chsh, 5)} ± {number(self.chsh_standard_error, 2)}"),
            ("p-value, binomial", _p(self.log10_p_value_binomial)),
            ("p-value, prediction-based ratio", _p(self.log10_p_value_pbr)),
            ("game, signs of 00 01 10 11", game),
            ("setting 1 of Alice, Bob", drawn),
            ("most trials", count(self.most_trials)),
            ("training trials", count(self.training_trials)),
        )

    def _correlators(self) -> list[Row]:
        return [
            (f"{herald} {pair}", *(number(part, 4) for part in value or (None, None)))
            for herald, values in self.correlators.items()
            for pair, value in values.items()
        ]

    def _counts(self) -> list[Row]:
        return [
            (f"{herald} {pair}", *map(count, cells.values()))
            for herald, pairs in self.counts.items()
            for pair, cells in pairs.items()
        ]

    def _tests(self) -> list[Row]:
        signalling = self.no_signalling_p_values
        return [
            *((f"no signalling to {name}", f"{p:.3g}") for name, p in signalling.items()),
            *((f"settings: {name}", f"{p:.3g}") for name, p in self.setting_p_values.items()),
            ("steady over time", f"{self.drift_p_value:.3g}"),
        ]

    def _stretches(self) -> list[Row]:
        return [
            (
                count(part.trials),
                f"{part.wins / part.trials:.4f}",
                number(part.chsh, 4),
                number(part.chsh_standard_error, 2),
            )
            for part in self.over_time
        ]


def _p(log10: float) -> str:
    """Return the p-value of a logarithm, rounded up to three digits."""
    exponent = math.floor(log10)
    digits = math.ceil(10 ** (log10 - exponent + 2) - 1e-6)
    value = Decimal(digits).scaleb(exponent - 2).normalize()
    return f"{value:.2e}" if exponent < _LEAST_EXPONENT else f"{value:.3g}"
