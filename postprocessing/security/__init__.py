"""How many secret bits a block holds: entropy bounds and composable key lengths."""

from postprocessing.security.accumulation import AccumulationParameters
from postprocessing.security.asymptotic import asymptotic_key_fraction, unclipped_key_fraction
from postprocessing.security.block import Block, Counts
from postprocessing.security.entropy import (
    binary_entropy,
    chsh_entropy,
    chsh_entropy_slope,
    chsh_value,
    noisy_error_rate,
    win_probability,
)
from postprocessing.security.epsilons import EpsilonSplit
from postprocessing.security.key_length import ExpectedKey, key_length
from postprocessing.security.methods import METHODS, KeyLength, Method, SettingsRule
from postprocessing.security.renyi import RenyiParameters, renyi_entropy
from postprocessing.security.settings import optimise_choices, optimise_settings
from postprocessing.security.terms import TERM_LABELS, Terms

__all__ = [
    "METHODS",
    "TERM_LABELS",
    "AccumulationParameters",
    "Block",
    "Counts",
    "EpsilonSplit",
    "ExpectedKey",
    "KeyLength",
    "Method",
    "RenyiParameters",
    "SettingsRule",
    "Terms",
    "asymptotic_key_fraction",
    "binary_entropy",
    "chsh_entropy",
    "chsh_entropy_slope",
    "chsh_value",
    "key_length",
    "noisy_error_rate",
    "optimise_choices",
    "optimise_settings",
    "renyi_entropy",
    "unclipped_key_fraction",
    "win_probability",
]
