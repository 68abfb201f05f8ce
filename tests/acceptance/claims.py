"""Values of designs to prove, put together from what decides."""

from __future__ import annotations

from typing import Any

Values = dict[str, Any]
SECRECY = 9e-11


def claim(
    method: str,
    rounds: int,
    choice: dict[str, float],
    parameters: dict[str, Any],
    *,
    noise: float = 0.0,
    leaked: int = 0,
    losses: int = 0,
    score: float | None = None,
    secrecy: float = SECRECY,
) -> Values:
    """Return the values of a design with just what a proof reads."""
    return {
        "method": method,
        "heralded_rounds": rounds,
        "setting_choice": choice,
        "tolerated_test_losses": losses,
        "leakage": {"tag_bits": 128, "budget_bits": leaked},
        "epsilons": {"secrecy": secrecy, "correctness": 5e-12},
        "noisy_preprocessing": noise,
        "least_score": score,
        "length": {"bits": 0, "parameters": parameters},
    }


def local(gamma: float, p: float, coin: float | None = None) -> dict[str, float]:
    """Return settings that each side draws alone."""
    choice = {"corrector_test_probability": gamma, "reference_test_probability": p}
    return choice if coin is None else choice | {"coin_probability": coin}
