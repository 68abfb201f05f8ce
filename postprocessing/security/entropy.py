"""What the CHSH game says about the entropy of the reference outcome, round by round."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeVar, cast

import numpy as np
import numpy.typing as npt
from scipy.special import xlog1py, xlogy

from postprocessing.checks import one_of, real_number, real_numbers
from postprocessing.errors import InvalidArgumentError

Real = TypeVar("Real", float, npt.NDArray[np.float64])

TSIRELSON_BOUND = 2 * math.sqrt(2)
LOCAL_WIN_PROBABILITY = 0.75
QUANTUM_WIN_PROBABILITIES = ((2 - math.sqrt(2)) / 4, (2 + math.sqrt(2)) / 4)

# Values computed elsewhere may leave the quantum range by rounding alone; this much is forgiven.
_ROUNDING = 1e-12
# Fainter noise changes no entropy of double precision, and its square would leave the range of it.
_LEAST_NOISE = 1e-15


def binary_entropy(probability: Real) -> Real:
    """Return the binary entropy h(x) = −x log2 x − (1 − x) log2(1 − x).

    Parameters
    ----------
    probability : float or ndarray
        x in [0, 1].

    Returns
    -------
    float or ndarray
        Entropy in bits, accurate relative to itself near 0 and near 1.

    Raises
    ------
    InvalidArgumentError
        If a value is outside [0, 1].

    Examples
    --------
    >>> float(binary_entropy(0.5))
    1.0
    """
    probability = real_numbers("probability", probability)
    if not np.all((probability >= 0) & (probability <= 1)):
        raise InvalidArgumentError("probability", probability, "in [0, 1]")
    # 1 − x is exact for x ≥ 1/2, so the smaller of the two loses nothing.
    small = np.minimum(probability, 1 - probability)
    entropy = (0.0 - xlogy(small, small) - xlog1py(1 - small, -small)) / math.log(2)
    return cast(Real, _plain(entropy))


def win_probability(chsh: Real) -> Real:
    """Return the probability w = 1/2 + S/8 of winning the CHSH game at the CHSH value S.

    Parameters
    ----------
    chsh : float or ndarray
        S in [−2√2, 2√2]; excess within 1e-12 is taken for rounding and removed.

    Returns
    -------
    float or ndarray
        w in [(2 − √2)/4, (2 + √2)/4].

    Raises
    ------
    InvalidArgumentError
        If a value is outside the quantum range.

    Examples
    --------
    >>> float(win_probability(2.0))
    0.75
    """
    chsh = real_numbers("chsh", chsh)
    if not np.all(np.abs(chsh) <= TSIRELSON_BOUND * (1 + _ROUNDING)):
        raise InvalidArgumentError("chsh", chsh, "in [−2√2, 2√2]")
    return cast(Real, _plain(np.clip(0.5 + chsh / 8, *QUANTUM_WIN_PROBABILITIES)))


def win_at_key_setting(chsh: float | None) -> float | None:
    """Return w₁ = 1/2 + X/4 of tests with the reference's key setting, X their part of S.

    None where the part is not known.
    """
    return None if chsh is None else min(max(0.5 + chsh / 4, 0.0), 1.0)


def _plain(values: Any) -> Any:
    """Return the plain number where there is but one."""
    return values if np.ndim(values) else float(values)


def chsh_value(win_probability: Real) -> Real:
    """Return the CHSH value S = 8w − 4 at the win probability w.

    Parameters
    ----------
    win_probability : float or ndarray
        w in [(2 − √2)/4, (2 + √2)/4]; excess within 1e-12 is taken for rounding and removed.

    Returns
    -------
    float or ndarray
        S in [−2√2, 2√2].

    Raises
    ------
    InvalidArgumentError
        If a value is outside the quantum range.
    """
    return cast(
        Real, np.clip(8 * _in_range(win_probability) - 4, -TSIRELSON_BOUND, TSIRELSON_BOUND)
    )


def chsh_entropy(win_probability: Real, noisy_preprocessing: float = 0.0) -> Real:
    """Return η_q(w), the least von Neumann entropy of the reference outcome given everything else.

    η_q(w) = 1 − h((1 + C)/2) + h((1 + e)/2) with C = √(S²/4 − 1), e = √(1 − q(1 − q)(8 − S²)) and
    S = 8w − 4: Acín et al., PRL 98, 230501 (2007), and with noise Ho et al., PRL 124, 230502
    (2020). h(q) for w ≤ 3/4. It is convex and increasing, and tight: 1 at the Tsirelson bound.

    Parameters
    ----------
    win_probability : float or ndarray
        w in [(2 − √2)/4, (2 + √2)/4]; excess within 1e-12 is taken for rounding and removed.
    noisy_preprocessing : float, optional
        q in [0, 1/2): probability with which the reference inverts the outcome beforehand.

    Returns
    -------
    float or ndarray
        Entropy in bits per round, in [0, 1].

    Raises
    ------
    InvalidArgumentError
        If a value is outside its range.
    """
    check_noisy_preprocessing(noisy_preprocessing)
    return entropy_of_coherence(coherence(_in_range(win_probability)), noisy_preprocessing)


def chsh_entropy_slope(win_probability: Real, noisy_preprocessing: float = 0.0) -> Real:
    """Return dη_q/dw of `chsh_entropy`; 0 for w ≤ 3/4, infinite at the Tsirelson bound.

    Parameters
    ----------
    win_probability, noisy_preprocessing
        As for `chsh_entropy`.

    Returns
    -------
    float or ndarray
        Slope in bits per round and unit of win probability. At the kink w = 3/4 the left
        derivative; the right one is 4/ln 2 without noise.

    Raises
    ------
    InvalidArgumentError
        If a value is outside its range.
    """
    check_noisy_preprocessing(noisy_preprocessing)
    c = coherence(_in_range(win_probability))
    with np.errstate(divide="ignore"):
        slope: Real = slope_of_coherence(np.maximum(c, 1e-150), noisy_preprocessing) * (c > 0)
    return slope


def noisy_error_rate(qber: float, noisy_preprocessing: float) -> float:
    """Return Q_q = Q(1 − q) + q(1 − Q), the error rate of key bits after noisy preprocessing."""
    q = noisy_preprocessing
    return qber * (1 - q) + q * (1 - qber)


def check_noisy_preprocessing(noisy_preprocessing: float) -> float:
    """Return a flip probability as a float.

    Raises
    ------
    InvalidArgumentError
        If it is neither 0 nor in [1e-15, 1/2).
    """
    return real_number(
        "noisy_preprocessing",
        noisy_preprocessing,
        f"0, or a probability in [{_LEAST_NOISE}, 1/2)",
        within=lambda q: q == 0 or _LEAST_NOISE <= q < 0.5,
    )


def noise_choice(noisy_preprocessing: float | str) -> float | Literal["optimal"]:
    """Return a flip probability as a float, or the word for the best one.

    Raises
    ------
    InvalidArgumentError
        If it is neither.
    """
    if isinstance(noisy_preprocessing, str):
        one_of("noisy_preprocessing", noisy_preprocessing, ["optimal"])
        return "optimal"
    return check_noisy_preprocessing(noisy_preprocessing)


def coherence(win_probability: Real) -> Real:
    """Return C = √(S²/4 − 1) for w in the quantum range, 0 for w ≤ 3/4, 1 at the Tsirelson bound.

    The product form keeps its relative accuracy down to the local bound.
    """
    squared = np.maximum(4 * win_probability - 3, 0.0) * (4 * win_probability - 1)
    at_top = win_probability >= QUANTUM_WIN_PROBABILITIES[1]
    return cast(Real, np.sqrt(np.minimum(squared + at_top, 1.0)))


def entropy_of_coherence(c: Real, noisy_preprocessing: float = 0.0) -> Real:
    """Return η_q = 1 − h((1 + C)/2) + h((1 + e)/2), e² = 1 − 4q(1 − q)(1 − C²), C in [0, 1]."""
    entropy = cast(Real, (xlog1py(1 + c, c) + xlog1py(1 - c, -c)) / (2 * math.log(2)))
    if not noisy_preprocessing:
        return entropy
    blur = _blur(c, noisy_preprocessing)
    return cast(Real, entropy + binary_entropy(blur / (2 * (1 + np.sqrt(1 - blur)))))


def slope_of_coherence(c: Real, noisy_preprocessing: float = 0.0) -> Real:
    """Return dη_q/dw for C in (0, 1), where w = 1/2 + √(1 + C²)/4."""
    steepness = steepness_of_coherence(c, noisy_preprocessing)
    slope: Real = 4 / math.log(2) * np.sqrt(1 + c * c) * steepness
    return slope


def steepness_of_coherence(c: Real, noisy_preprocessing: float = 0.0) -> Real:
    """Return 2 ln 2 dη_q/dC² for C in (0, 1): artanh C/C without noise."""
    steepness: Real = np.arctanh(c) / c
    if noisy_preprocessing:
        blur = _blur(c, noisy_preprocessing)
        e = np.sqrt(1 - blur)
        # artanh e, which e alone would lose to rounding near 1.
        q = noisy_preprocessing
        steepness = steepness - 4 * q * (1 - q) * (np.log1p(e) - np.log(blur) / 2) / e
    return steepness


def _blur(c: Real, q: float) -> Real:
    """Return 1 − e² = 4q(1 − q)(1 − C²)."""
    return 4 * q * (1 - q) * (1 - c) * (1 + c)


def _in_range(win_probability: Real) -> Real:
    """Check the quantum range and remove an excess that is rounding alone."""
    low, high = QUANTUM_WIN_PROBABILITIES
    if not np.all((win_probability >= low - _ROUNDING) & (win_probability <= high + _ROUNDING)):
        raise InvalidArgumentError(
            "win_probability", win_probability, "in [(2 − √2)/4, (2 + √2)/4]"
        )
    return cast(Real, np.clip(win_probability, low, high))
