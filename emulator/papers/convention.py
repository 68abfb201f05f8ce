"""The convention behind the published figures of Li et al., which has no derivation.

It redraws the figures and nothing else: `emulator.schemes.cat_code` has the physics, and no round
is ever drawn from this.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emulator.schemes.cat_code import (
    CatCode,
    LossSegments,
    RealLike,
    Reals,
    discrimination_probabilities,
    residue_probabilities,
)
from postprocessing.errors import InvalidArgumentError


@dataclass(frozen=True, eq=False)
class ConventionPerformance:
    """Success and fidelity as the published curves seem to have them.

    Parameters
    ----------
    success_probability : ndarray of float64
        P of one attempt.
    fidelity : ndarray of float64
        F with a perfect memory.
    """

    success_probability: Reals
    fidelity: Reals

    @property
    def visibility(self) -> Reals:
        """V = 2F − 1; a memory multiplies it."""
        visibility: Reals = 2 * self.fidelity - 1
        return visibility


def convention_performance(
    code: CatCode, segments: LossSegments, mean_photon_number: RealLike
) -> ConventionPerformance:
    """Return success and fidelity under the convention that fits the published curves.

    F = Σ_s p_s F_s is not weighted by success, P is that of codewords that lost no photon, and the
    0-loss code has half of it, against the paper's own account of its discrimination. The
    published curves also have the placement "lumped", η_c as both the down- and the up-conversion
    efficiency, and η_dc = 0.8 from the paper's Table I.

    Parameters
    ----------
    code : CatCode
        The code, of photon class 0.
    segments : LossSegments
        Transmittances, of which the first and third must be 1; broadcast against the next argument.
    mean_photon_number : float or ndarray
        x = |α|² > 0.

    Returns
    -------
    ConventionPerformance
        Arrays of the broadcast shape.

    Raises
    ------
    InvalidArgumentError
        If the code has another photon class, or the first or third transmittance is not 1.

    Examples
    --------
    >>> from emulator.schemes.cavity_link import CavityLink
    >>> segments = CavityLink(distance_km=10).segments(1, "lumped")
    >>> found = convention_performance(CatCode(1), segments, 1.0)
    >>> print(found.success_probability.round(4), found.fidelity.round(4))
    0.3303 0.9431
    """
    if code.photon_class != 0:
        raise InvalidArgumentError("photon_class", code.photon_class, "0 under this convention")
    for name in ("before_alice", "to_bob"):
        if not np.all(np.asarray(getattr(segments, name)) == 1):
            raise InvalidArgumentError(name, getattr(segments, name), "1 under this convention")
    mean, before, after = np.broadcast_arrays(
        mean_photon_number, segments.to_syndrome, segments.to_detection
    )
    lost, left = (1 - before) * mean, before * mean
    coherent = residue_probabilities(lost, code.components, alternating=True)
    partner = residue_probabilities(left, code.components)[code.unseen_loss[:, 0]]
    sent = residue_probabilities(mean, code.components)[0]
    # Σ p_s V_s, where V_s = g_s/f_s and p_s is proportional to f_s.
    visibility = (coherent * partner).sum(axis=0) / sent
    success = convention_success(code, after * before, mean)
    return ConventionPerformance(success, (1 + visibility) / 2)


def convention_success(
    code: CatCode, transmittance: RealLike, mean_photon_number: RealLike
) -> Reals:
    """Return P under the convention: P_0 of undamaged codewords, halved for the 0-loss code.

    With `functools.partial` it is what `smallest_amplitude` takes.

    Parameters
    ----------
    code : CatCode
        The code.
    transmittance : float or ndarray
        Of all segments together.
    mean_photon_number : float or ndarray
        x = |α|² > 0.

    Returns
    -------
    ndarray of float64
        Probability of a success.
    """
    detected = np.multiply(transmittance, mean_photon_number)
    success, failure = discrimination_probabilities(code, detected)
    probability: Reals = success[0] / (success[0] + failure[0])
    return probability / 2 if code.loss_order == 0 else probability
