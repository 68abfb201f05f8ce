"""How many secret bits a block holds: entropy bounds and composable key lengths."""

from postprocessing.security.asymptotic import asymptotic_key_fraction, unclipped_key_fraction
from postprocessing.security.entropy import (
    binary_entropy,
    chsh_entropy,
    chsh_entropy_slope,
    chsh_value,
    win_probability,
)
from postprocessing.security.finite_size import (
    EpsilonSplit,
    KeyLength,
    tan22_key_length,
    threshold_win_probability,
    tolerated_test_losses,
)
from postprocessing.security.settings import optimise_local_settings
from postprocessing.security.tan22 import Extractor, Tan22Parameters, Tan22Terms

__all__ = [
    "EpsilonSplit",
    "Extractor",
    "KeyLength",
    "Tan22Parameters",
    "Tan22Terms",
    "asymptotic_key_fraction",
    "binary_entropy",
    "chsh_entropy",
    "chsh_entropy_slope",
    "chsh_value",
    "optimise_local_settings",
    "tan22_key_length",
    "threshold_win_probability",
    "tolerated_test_losses",
    "unclipped_key_fraction",
    "win_probability",
]
