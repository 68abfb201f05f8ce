"""The key fraction of infinitely long blocks."""

from __future__ import annotations

import math

from postprocessing.errors import InvalidArgumentError
from postprocessing.security.entropy import binary_entropy, chsh_entropy, win_probability


def asymptotic_key_fraction(chsh: float, qber: float, *, efficiency: float = 1.0) -> float:
    """Return the secret bits per key round of an infinitely long block, never negative.

    max(0, 1 − h((1 + √((S/2)² − 1))/2) − f h(Q)), 0 for S ≤ 2: Eq. (1) of Xie et al., "Overcoming
    the rate-distance limit of DIQKD", without the gain, from Acín et al., PRL 98, 230501 (2007).
    It holds against coherent attacks in the limit of many rounds, by entropy accumulation.

    Parameters
    ----------
    chsh : float
        CHSH value S in [−2√2, 2√2], beyond it within 1e-12.
    qber : float
        Error rate Q of the key rounds, in [0, 1].
    efficiency : float, optional
        Reconciliation efficiency f ≥ 1: leaked bits over the Shannon limit h(Q).

    Returns
    -------
    float
        Secret bits per key round, in [0, 1].

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range.

    Examples
    --------
    >>> round(asymptotic_key_fraction(2.7, 0.01), 4)
    0.6477
    """
    return max(0.0, unclipped_key_fraction(chsh, qber, efficiency=efficiency))


def unclipped_key_fraction(chsh: float, qber: float, *, efficiency: float = 1.0) -> float:
    """Return `asymptotic_key_fraction` before it is cut off at 0, for searches and plots.

    Parameters
    ----------
    chsh, qber, efficiency : float
        As for `asymptotic_key_fraction`.

    Returns
    -------
    float
        Entropy minus leakage in bits per key round; negative where no key is left.

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range.
    """
    if not 0 <= qber <= 1:
        raise InvalidArgumentError("qber", qber, "in [0, 1]")
    if not 1 <= efficiency < math.inf:
        raise InvalidArgumentError("efficiency", efficiency, "a finite number of at least 1")
    entropy = chsh_entropy(win_probability(chsh))
    return float(entropy - efficiency * binary_entropy(qber))
