"""Between what the probabilities of a round lie where those of settings have a tolerance τ.

Of the test settings of each side and of the coin, or of marks and of the settings in marked rounds,
each may have any probability within ± τ of the design's: another one in each round, and known to
the adversary. Key settings have what these leave. Everything here is a product of such intervals.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from postprocessing.round_probabilities import RoundProbabilities
from postprocessing.scheme import AnnouncedMarks, BellScheme, LocalSettings, Party, SettingChoice

Law = npt.NDArray[np.float64]


def round_bounds(choice: SettingChoice) -> RoundProbabilities:
    """Return the least probabilities of key rounds and tests, and how much greater they may be.

    Tests count as four times the rarest, and the most frequent, of the four inputs of the game.
    """
    tolerance = choice.setting_probability_tolerance
    if not tolerance:
        return choice.round_probabilities
    (key, test), (most_key, most_test) = (_rounds(choice, off) for off in (-tolerance, tolerance))
    return RoundProbabilities(key, test, most_key - key, most_test - test)


def _rounds(choice: SettingChoice, off: float) -> tuple[float, float]:
    """Return the probability of a key round, and four times that of an input, at one end."""
    if isinstance(choice, AnnouncedMarks):
        gamma = choice.test_probability
        return 1 - gamma + off, 4 * (gamma + off) * (0.5 + off) ** 2
    gamma, p = choice.corrector_test_probability, choice.reference_test_probability
    thinned = (1 - p + off) * _coin(choice, off)
    extreme = min if off < 0 else max
    test = 4 * (gamma / 2 + off) * extreme(p + off, thinned)
    return (1 - gamma + 2 * off) * (1 - p + off), test


def coin_bounds(choice: LocalSettings) -> tuple[float, float]:
    """Return the least and the greatest probability of the thinning coin."""
    tolerance = choice.setting_probability_tolerance
    return _coin(choice, -tolerance), _coin(choice, tolerance)


def _coin(choice: LocalSettings, off: float) -> float:
    return min(choice.thinning_probability + off, 1.0)


def pair_bounds(choice: SettingChoice, scheme: BellScheme) -> tuple[Law, Law]:
    """Return the least and the greatest probability of each pair of settings, shape (x, y)."""
    tolerance = choice.setting_probability_tolerance
    if not tolerance:
        law = choice.pair_law(scheme)
        return law, law
    return _pairs(choice, scheme, -tolerance), _pairs(choice, scheme, tolerance)


def _pairs(choice: SettingChoice, scheme: BellScheme, off: float) -> Law:
    if isinstance(choice, LocalSettings):
        return np.outer(
            _settings(choice, scheme, "alice", off), _settings(choice, scheme, "bob", off)
        )
    key, test = _rounds(choice, off)
    law = np.zeros((len(scheme.alice_labels), len(scheme.bob_labels)))
    law[scheme.key_pair] = key
    for x, y, _ in scheme.chsh_signs:
        law[x, y] = test / 4
    return law


def _settings(choice: LocalSettings, scheme: BellScheme, party: Party, off: float) -> Law:
    """Return the probability of each setting of a party at one end."""
    law, key = choice.choice(scheme, party), scheme.key_setting(party)
    tests = [setting for setting in scheme.test_settings(party) if setting != key]
    law[tests] += off
    law[key] += len(tests) * off
    return law
