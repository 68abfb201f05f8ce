"""Cat codes under photon loss and their unambiguous state discrimination (Li et al.).

A cat code of loss order l has M = l + 1 components; a conditional rotation turns its light by
φ = π/M. All that loss does to it follows from photon numbers modulo M and 2M of independent
Poisson distributions, so that every quantity here is a sum of positive terms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from postprocessing.errors import InvalidArgumentError

Reals: TypeAlias = npt.NDArray[np.float64]
Complexes: TypeAlias = npt.NDArray[np.complex128]
RealLike: TypeAlias = float | Reals
LossOrder = Literal[0, 1, 3]
Discrimination = Literal["bound", "linear_optics"]

# Below this mean the Poisson series converges at once; above it no class is rare enough for the
# sum over roots of unity to lose digits.
_SERIES_BELOW = 2.0
_SERIES_TERMS = 28


@dataclass(frozen=True)
class CatCode:
    """A cat code, the photon class of its light and how its two states are told apart.

    Parameters
    ----------
    loss_order : {0, 1, 3}
        Photon losses l = M − 1 that the code corrects; M = 1, 2 or 4 components.
    photon_class : int
        r0 in 0..M − 1: the heralded photon number of Alice's light modulo M.
    discrimination : {"bound", "linear_optics"}
        Unambiguous state discrimination: the optimal one, 1 − |overlap|, or local oscillators with
        on-off detectors. The two agree for the 0-loss code; the 3-loss code has no such circuit.

    Raises
    ------
    InvalidArgumentError
        If an argument is outside its range, or for the 3-loss code with linear optics.
    """

    loss_order: LossOrder
    photon_class: int = 0
    discrimination: Discrimination = "bound"

    def __post_init__(self) -> None:
        """Check the arguments."""
        if isinstance(self.loss_order, bool) or self.loss_order not in get_args(LossOrder):
            raise InvalidArgumentError("loss_order", self.loss_order, "0, 1 or 3")
        if self.discrimination not in get_args(Discrimination):
            allowed = '"bound" or "linear_optics"'
            raise InvalidArgumentError("discrimination", self.discrimination, allowed)
        if self.discrimination == "linear_optics" and self.loss_order == 3:
            allowed = '"bound" for the 3-loss code, which has no linear-optics circuit'
            raise InvalidArgumentError("discrimination", self.discrimination, allowed)
        whole = isinstance(self.photon_class, int) and not isinstance(self.photon_class, bool)
        if not whole or not 0 <= self.photon_class < self.components:
            allowed = f"a whole number from 0 to {self.components - 1}"
            raise InvalidArgumentError("photon_class", self.photon_class, allowed)

    @property
    def components(self) -> int:
        """M, the number of coherent states in a codeword."""
        return self.loss_order + 1

    @property
    def rotation_angle(self) -> float:
        """φ = π/M, the angle of a conditional rotation in rad."""
        return math.pi / self.components

    @property
    def unseen_loss(self) -> npt.NDArray[np.intp]:
        """Photons lost after syndrome s if class r is left, (r0 − s − r) mod M; shape (s, r)."""
        number = np.arange(self.components)
        return (self.photon_class - number[:, np.newaxis] - number) % self.components


@dataclass(frozen=True)
class LossSegments:
    """Transmittances of the four segments in which photons are lost, in the order of travel.

    Parameters
    ----------
    before_alice : float or ndarray
        τ0, up to Alice's last rotation. A photon lost here shifts the syndrome unnoticed.
    to_syndrome : float or ndarray
        τ1, from there to Bob's syndrome measurement: up to M − 1 lost photons are corrected.
    to_bob : float or ndarray
        τ2, from there to Bob's rotation: the first lost photon dephases.
    to_detection : float or ndarray
        τ3, from there on, detectors included: only the success probability drops.

    Raises
    ------
    InvalidArgumentError
        If a transmittance is outside [0, 1].
    """

    before_alice: RealLike = 1.0
    to_syndrome: RealLike = 1.0
    to_bob: RealLike = 1.0
    to_detection: RealLike = 1.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, value in vars(self).items():
            if not np.all((np.asarray(value) >= 0) & (np.asarray(value) <= 1)):
                raise InvalidArgumentError(name, value, "in [0, 1]")

    @property
    def total(self) -> RealLike:
        """τ0 τ1 τ2 τ3."""
        return self.before_alice * self.to_syndrome * self.to_bob * self.to_detection


@dataclass(frozen=True, eq=False)
class CatPerformance:
    """What becomes of a code's light and of the two atoms' coherence; see `cat_performance`.

    Parameters
    ----------
    code : CatCode
        The code.
    success : ndarray of float64, shape (s, r, ...)
        p(s, r) P_r: probability of syndrome s, remaining photon class r and a conclusive
        discrimination; its two outcomes share it equally.
    inconclusive : ndarray of float64, shape (s, ...)
        Probability of syndrome s and an inconclusive discrimination.
    syndrome_dephasing : ndarray of complex128, shape (s, ...)
        1 − C_s, C_s the coherence left by losses before the syndrome measurement.
    unseen_dephasing : ndarray of complex128, shape (k, ...)
        1 − h_k, h_k the coherence left by losses after it.
    """

    code: CatCode
    success: Reals
    inconclusive: Reals
    syndrome_dephasing: Complexes
    unseen_dephasing: Complexes

    @cached_property
    def success_probability(self) -> Reals:
        """P of one attempt, shape (...)."""
        total: Reals = self.success.sum(axis=(0, 1))
        return total

    @cached_property
    def infidelity(self) -> Reals:
        """Success-averaged 1 − F with a perfect memory, shape (...); NaN where P is 0."""
        before = self.syndrome_dephasing.real[:, np.newaxis]
        after = self.unseen_dephasing.real[self.code.unseen_loss]
        # Re(C h) averaged over both outcomes is Re C Re h, as they see h and its conjugate.
        weighted = (self.success * (before + (1 - before) * after)).sum(axis=(0, 1)) / 2
        total = self.success_probability
        unknown = np.full_like(total, np.nan)
        infidelity: Reals = np.divide(weighted, total, out=unknown, where=total > 0)
        return infidelity

    @property
    def visibility(self) -> Reals:
        """V = 2F − 1 with a perfect memory, shape (...); a memory multiplies it."""
        visibility: Reals = 1 - 2 * self.infidelity
        return visibility


def residue_probabilities(mean: RealLike, modulus: int, *, alternating: bool = False) -> Reals:
    """Return the probabilities that a Poisson number n is k modulo `modulus`.

    Parameters
    ----------
    mean : float or ndarray
        Mean of the Poisson distribution, at least 0.
    modulus : int
        K ≥ 1.
    alternating : bool
        Weigh n = k + jK by (−1)^j instead: g_k e^(−mean) in place of f_k e^(−mean).

    Returns
    -------
    ndarray of float64, shape (K, ...)
        One row for each k in 0..K − 1, accurate relative to itself for any mean.

    Examples
    --------
    >>> print(residue_probabilities(0.5, 2).round(6))
    [0.68394 0.31606]
    """
    mean = np.asarray(mean, dtype=np.float64)
    result = np.empty((modulus, *mean.shape))
    faint = mean < _SERIES_BELOW
    result[:, faint] = _residues_by_series(mean[faint], modulus, alternating)
    result[:, ~faint] = _residues_by_roots(mean[~faint], modulus, alternating)
    return result


def _residues_by_series(mean: Reals, modulus: int, alternating: bool) -> Reals:
    """Add up the Poisson probabilities of each class."""
    result = np.zeros((modulus, *mean.shape))
    term = np.exp(-mean)
    for number in range(modulus + _SERIES_TERMS):
        turns, residue = divmod(number, modulus)
        if alternating and turns % 2:
            result[residue] -= term
        else:
            result[residue] += term
        term = term * mean / (number + 1)
    return result


def _residues_by_roots(mean: Reals, modulus: int, alternating: bool) -> Reals:
    """Average e^(mean (ω − 1)) ω^(−k) over the roots of ω^K = 1, or of ω^K = −1."""
    number = np.arange(modulus)
    angles = 2 * math.pi * (number + (0.5 if alternating else 0.0)) / modulus
    roots = np.exp(1j * angles)
    # Half the circle suffices: a root and its conjugate add up to twice the real part.
    upper = np.sin(angles) > -1e-12
    multiplicity = np.where(np.abs(np.sin(angles)) < 1e-12, 1, 2) / modulus
    characters = (multiplicity * np.exp(-1j * np.outer(number, angles)))[:, upper]
    waves = np.exp(np.multiply.outer(roots[upper] - 1, mean))
    result: Reals = np.real(characters) @ waves.real - np.imag(characters) @ waves.imag
    return result


def discrimination_probabilities(
    code: CatCode, mean_photon_number: RealLike
) -> tuple[Reals, Reals]:
    """Return how often light left in a photon class is told apart, and how often it is not.

    Optimal discrimination fails with |⟨0̄|1̄⟩| = |g_r/f_r|; f ± g are twice the sums over n ≡ r and
    n ≡ r + M modulo 2M, so that 1 − |g|/f = 2 min(even, odd)/f. Linear optics on the 1-loss code:
    50:50 split, local oscillators of phase 0 and π/2, both detectors of an arm exclude its state.

    Parameters
    ----------
    code : CatCode
        The code.
    mean_photon_number : float or ndarray
        y, mean photon number of the coherent states at the detection, at least 0.

    Returns
    -------
    success, failure : ndarray of float64, shape (M, ...)
        π_r P_r and π_r (1 − P_r), where π_r is the probability of class r in Poissonian light.
    """
    modulus = code.components
    if code.discrimination == "linear_optics" and code.loss_order == 1:
        return _one_loss_linear_optics(np.asarray(mean_photon_number, dtype=np.float64))
    halves = residue_probabilities(mean_photon_number, 2 * modulus)
    success = 2 * np.minimum(halves[:modulus], halves[modulus:])
    failure = np.abs(residue_probabilities(mean_photon_number, modulus, alternating=True))
    return success, failure


def _one_loss_linear_optics(mean: Reals) -> tuple[Reals, Reals]:
    """Return π_r P_r and π_r (1 − P_r) of the four on-off detectors, free of cancellation."""
    quarter, dark = mean / 4, np.exp(-mean / 2)
    interference = 2 * dark**2 * np.sin(quarter)
    clicks = -np.expm1(-mean / 2)
    even = (clicks**2 + interference**2) / 2
    # clicks − interference, with sinh t − sin t as the series Σ 2 t^(4j+3)/(4j+3)!.
    difference = 4 * residue_probabilities(quarter, 4)[3] - 2 * np.exp(-quarter) * np.expm1(
        -3 * quarter
    ) * np.sin(quarter)
    odd = difference * (clicks + interference) / 2
    success = np.stack([even, odd])
    wave = dark**3 * (2 * np.cos(mean / 2) - 1)
    bright = dark * np.stack([2 - dark + wave, 2 - dark - wave]) / 2
    failure = np.where(mean < 1, residue_probabilities(mean, 2) - success, bright)
    return success, failure


def success_probability(
    code: CatCode, transmittance: RealLike, mean_photon_number: RealLike
) -> Reals:
    """Return P of one attempt, which depends on the total transmittance alone.

    Parameters
    ----------
    code : CatCode
        The code.
    transmittance : float or ndarray
        τ0 τ1 τ2 τ3 in [0, 1].
    mean_photon_number : float or ndarray
        x = |α|² > 0, broadcast against `transmittance`.

    Returns
    -------
    ndarray of float64
        Probability of a conclusive discrimination, in [0, 1].
    """
    mean, tau = np.broadcast_arrays(mean_photon_number, transmittance)
    success, _ = discrimination_probabilities(code, tau * mean)
    lost = residue_probabilities((1 - tau) * mean, code.components)
    sent = residue_probabilities(mean, code.components)[code.photon_class]
    # Class r is left when r0 − r photons are lost, modulo M: the first row of unseen_loss.
    probability: Reals = (success * lost[code.unseen_loss[0]]).sum(axis=0) / sent
    return probability


def cat_performance(
    code: CatCode, segments: LossSegments, mean_photon_number: RealLike
) -> CatPerformance:
    """Return success and dephasing of a code behind lossy segments.

    With photons l_i lost in segment i, the relative phase of the atoms after Bob's correction is
    e^(±iφ(l1 − s)) e^(±iφ l2); l0 + l1 ≡ s is the syndrome. Averaging over Poisson numbers gives
    C_s and h_k.

    Parameters
    ----------
    code : CatCode
        The code.
    segments : LossSegments
        Transmittances, broadcast against `mean_photon_number`.
    mean_photon_number : float or ndarray
        x = |α|² of the coherent states that Alice starts from, finite and above 0.

    Returns
    -------
    CatPerformance
        Arrays of the broadcast shape.

    Raises
    ------
    InvalidArgumentError
        If a mean photon number is not finite or not above 0.

    Examples
    --------
    >>> found = cat_performance(CatCode(1), LossSegments(to_syndrome=0.8), 0.81)
    >>> print(found.success_probability.round(4), found.visibility.round(4))
    0.3271 0.9747
    """
    if not np.all(np.isfinite(mean_photon_number) & (np.asarray(mean_photon_number) > 0)):
        raise InvalidArgumentError("mean_photon_number", mean_photon_number, "finite and above 0")
    mean, *taus = np.broadcast_arrays(mean_photon_number, *vars(segments).values())
    sent = residue_probabilities(mean, code.components)[code.photon_class]
    lost = []
    for tau in taus:
        lost.append((1 - tau) * mean)
        mean = tau * mean
    seen, syndrome_dephasing = _dephasing(code, unnoticed=lost[0], phases=lost[1], detected=True)
    unseen, unseen_dephasing = _dephasing(code, unnoticed=lost[3], phases=lost[2], detected=False)
    conclusive, inconclusive = discrimination_probabilities(code, mean)
    weights = seen[:, np.newaxis] * unseen[code.unseen_loss] / sent
    return CatPerformance(
        code=code,
        success=weights * conclusive,
        inconclusive=(weights * inconclusive).sum(axis=1),
        syndrome_dephasing=syndrome_dephasing,
        unseen_dephasing=unseen_dephasing,
    )


def _dephasing(
    code: CatCode, *, unnoticed: Reals, phases: Reals, detected: bool
) -> tuple[Reals, Complexes]:
    """Return the probability of each class of lost photons and the coherence it costs.

    Of the l lost photons those with mean number `phases` turn the atoms' phase by φ each; Bob
    undoes the turn by φ l mod M if he has `detected` the class.
    """
    modulus = code.components
    turning = residue_probabilities(phases, 2 * modulus)
    silent = residue_probabilities(unnoticed, modulus)
    number = np.arange(modulus)[:, np.newaxis]
    turns = np.arange(2 * modulus)
    joint = turning * silent[(number - turns) % modulus]
    angles = code.rotation_angle * (turns - number * detected)
    losses = 2 * np.sin(angles / 2) ** 2 - 1j * np.sin(angles)
    probability: Reals = joint.sum(axis=1)
    weighted = np.einsum("kt...,kt->k...", joint, losses)
    out = np.zeros_like(weighted)
    return probability, np.divide(weighted, probability, out=out, where=probability > 0)
