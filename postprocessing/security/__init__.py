"""How many secret bits a block holds: entropy bounds and composable key lengths."""

from postprocessing.security.asymptotic import asymptotic_key_fraction, unclipped_key_fraction
from postprocessing.security.entropy import (
    binary_entropy,
    chsh_entropy,
    chsh_entropy_slope,
    chsh_value,
    noisy_error_rate,
    win_probability,
)
from postprocessing.security.finite_size import (
    EpsilonSplit,
    KeyLength,
    renyi_key_length,
    tan22_key_length,
    threshold_win_probability,
    tolerated_test_losses,
)
from postprocessing.security.honest_block import HonestBlock
from postprocessing.security.key_length import ExpectedKey, key_length
from postprocessing.security.methods import LABELS, CurveMethod, Method
from postprocessing.security.renyi import RenyiParameters, RenyiTerms, renyi_entropy
from postprocessing.security.settings import SettingsRule, optimal_noise, optimise_settings
from postprocessing.security.tan22 import Extractor, Tan22Parameters, Tan22Terms

__all__ = [
    "LABELS",
    "CurveMethod",
    "EpsilonSplit",
    "ExpectedKey",
    "Extractor",
    "HonestBlock",
    "KeyLength",
    "Method",
    "RenyiParameters",
    "RenyiTerms",
    "SettingsRule",
    "Tan22Parameters",
    "Tan22Terms",
    "asymptotic_key_fraction",
    "binary_entropy",
    "chsh_entropy",
    "chsh_entropy_slope",
    "chsh_value",
    "key_length",
    "noisy_error_rate",
    "optimal_noise",
    "optimise_settings",
    "renyi_entropy",
    "renyi_key_length",
    "tan22_key_length",
    "threshold_win_probability",
    "tolerated_test_losses",
    "unclipped_key_fraction",
    "win_probability",
]
