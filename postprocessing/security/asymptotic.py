"""The key fraction of infinitely long blocks."""

from __future__ import annotations

import math
from typing import cast

import numpy as np

from postprocessing.errors import InvalidArgumentError
from postprocessing.security.entropy import Real, binary_entropy, chsh_entropy, win_probability


def asymptotic_key_fraction(chsh: Real, qber: Real, *, efficiency: float = 1.0) -> Real:
    """Return the secret bits per key round of an infinitely long block, never negative.

    max(0, 1 − h((1 + √((S/2)² − 1))/2) − f h(Q)), 0 for S ≤ 2: Eq. (1) of Xie et al., "Overcoming
    the rate-distance limit of DIQKD", without the gain, from Acín et al., PRL 98, 230501 (2007).
    It holds against coherent attacks in the limit of many rounds, by entropy accumulation.

    Parameters
    ----------
    chsh : float or ndarray
        CHSH value S in [−2√2, 2√2], beyond it within 1e-12.
    qber : float or ndarray
        Error rate Q of the key rounds, in [0, 1].
    efficiency : float, optional
        Reconciliation efficiency f ≥ 1: leaked bits over the Shannon limit h(Q).

    Returns
    -------
    float or ndarray
        Secret bits per key round, in [0, 1].

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range.

    Examples
    --------
    >>> f"{asymptotic_key_fraction(2.7, 0.01):.4f}"
    '0.6477'
    """
    unclipped = unclipped_key_fraction(chsh, qber, efficiency=efficiency)
    return cast(Real, np.maximum(0.0, unclipped))


def unclipped_key_fraction(chsh: Real, qber: Real, *, efficiency: float = 1.0) -> Real:
    """Return `asymptotic_key_fraction` before it is cut off at 0, for searches and plots.

    Parameters
    ----------
    chsh, qber, efficiency
        As for `asymptotic_key_fraction`.

    Returns
    -------
    float or ndarray
        Entropy minus leakage in bits per key round; negative where no key is left.

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range.
    """
    if not np.all((qber >= 0) & (qber <= 1)):
        raise InvalidArgumentError("qber", qber, "in [0, 1]")
    if not 1 <= efficiency < math.inf:
        raise InvalidArgumentError("efficiency", efficiency, "a finite number of at least 1")
    entropy = chsh_entropy(win_probability(chsh))
    return entropy - efficiency * binary_entropy(qber)


def asymptotic_bits(
    key_rounds: int, win_probability: float, noisy_preprocessing: float, *, leaked_bits: int
) -> int:
    """Return what the asymptotic formula leaves of finitely many key rounds; may be negative.

    Parameters
    ----------
    key_rounds : int
        Number of key rounds.
    win_probability : float
        w that is *expected*, in the quantum range.
    noisy_preprocessing : float
        q in [0, 1/2), the probability with which the reference inverts a key bit.
    leaked_bits : int
        Public bits about the key rounds.
    """
    entropy = float(chsh_entropy(win_probability, noisy_preprocessing))
    return math.floor(key_rounds * entropy) - leaked_bits
