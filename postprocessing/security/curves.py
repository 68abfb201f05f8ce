"""Lengths that draw curves: the limit of long blocks, and a bound of 2018. No key rests on them."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from scipy.optimize import minimize_scalar

from postprocessing.errors import InvalidArgumentError
from postprocessing.security.entropy import (
    binary_entropy,
    chsh_entropy,
    entropy_of_coherence,
    slope_of_coherence,
)


@dataclass(frozen=True)
class CurveTerms:
    """The contributions to a length in bits, costs negative; they add up to it.

    Parameters
    ----------
    entropy : float
        Entropy of the rounds.
    fluctuation : float
        Minus the cost of a finite block.
    tests : float
        Minus that of the other party's test outcomes.
    leakage : float
        Minus everything sent in public that depends on the raw keys.
    amplification : float
        Minus the loss of privacy amplification.
    """

    entropy: float
    fluctuation: float
    tests: float
    leakage: float
    amplification: float

    @property
    def total(self) -> float:
        """Their sum in bits."""
        return math.fsum(getattr(self, field.name) for field in fields(self))


def asymptotic_terms(
    rounds: int, win_probability: float, leaked_bits: float, noise: float = 0.0
) -> CurveTerms:
    """Return n η_q(w) less the leakage: every round a key round, no fluctuation."""
    entropy = rounds * float(chsh_entropy(win_probability, noise))
    return CurveTerms(entropy, 0.0, 0.0, -leaked_bits, 0.0)


def af18_terms(
    rounds: int,
    test_probability: float,
    win_probability: float,
    leaked_bits: float,
    soundness: float,
    completeness: float,
) -> CurveTerms:
    """Return the bound of Arnon-Friedman et al., Nat. Commun. 9, 459 (2018), round by round.

    The soundness is split evenly into ε_s, ε_EA, ε_EC and ε_PA. Its constants are unchecked
    history: for curves only.

    Parameters
    ----------
    rounds : int
        Heralded rounds n.
    test_probability : float
        γ in (0, 1).
    win_probability : float
        w of honest devices.
    leaked_bits : float
        Public bits of error correction, see `af18_leakage`.
    soundness, completeness : float
        ε_sound and ε_com in (0, 1).
    """
    root, part = math.sqrt(rounds), soundness / 4
    margin = math.sqrt(math.log(2 / completeness) / (2 * rounds))
    accepted = win_probability * test_probability - margin
    deviation = math.sqrt(1 - 2 * math.log2(part / 4 * (part + part)))

    def entropy(t: float) -> tuple[float, float]:
        """Entropy and fluctuation in bits per round at the tangent C = tanh t."""
        c = math.tanh(t)
        tangent = 0.5 + math.sqrt(1 + c * c) / 4
        slope = float(slope_of_coherence(c)) / test_probability
        height = float(entropy_of_coherence(c)) + slope * (accepted - test_probability * tangent)
        return height, -2 / root * (math.log2(13) + slope) * deviation

    found = minimize_scalar(lambda t: -sum(entropy(t)), bounds=(1e-3, 12.0), method="bounded")
    height, fluctuation = entropy(float(found.x))
    # 1 − √(1 − x²) without cancellation.
    share = part / 4
    smoothing = math.log2(share**2 / (1 + math.sqrt(1 - share**2)))
    second = 2 * root * math.log2(7) * deviation
    return CurveTerms(
        entropy=float(rounds * height),
        fluctuation=rounds * fluctuation + 3 * smoothing - second,
        tests=-rounds * test_probability,
        leakage=-leaked_bits,
        amplification=2 * math.log2(part),
    )


def af18_leakage(
    rounds: int, shannon_bits: float, soundness: float, completeness: float, efficiency: float
) -> float:
    """Return the error correction that `af18_terms` allows for, in bits.

    Parameters
    ----------
    rounds : int
        Heralded rounds n.
    shannon_bits : float
        n [(1 − γ) h(Q) + γ h(w)].
    soundness, completeness : float
        ε_sound and ε_com in (0, 1).
    efficiency : float
        Leaked bits over the Shannon limit, at least 1.
    """
    share = completeness / 2
    fluctuation = 4 * math.sqrt(rounds) * math.log2(2 * math.sqrt(2) + 1)
    fluctuation *= math.sqrt(2 * math.log2(8 / share**2))
    constant = math.log2(8 / share**2 + 2 / (2 - share)) - math.log2(soundness / 4)
    return efficiency * shannon_bits + fluctuation + constant


def shannon_bits(
    rounds: int, test_probability: float, qber: float, win_probability: float
) -> float:
    """Return n [(1 − γ) h(Q) + γ h(w)]: key and test rounds reconciled at the Shannon limit."""
    if not 0 <= test_probability <= 1:
        raise InvalidArgumentError("test_probability", test_probability, "in [0, 1]")
    key = (1 - test_probability) * float(binary_entropy(qber))
    return rounds * (key + test_probability * float(binary_entropy(win_probability)))
