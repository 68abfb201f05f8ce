"""Density evolution on the binary symmetric channel, on a grid of log-likelihood ratios.

Messages are symmetric densities: a grid of magnitudes with their probabilities says all, the sign
being wrong with probability 1/(1 + e^x) (Richardson, Shokrollahi, Urbanke, IEEE Trans. Inf. Theory
47, 619 (2001)).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from postprocessing.reconciliation.construction.kernels import evolution as _evolution_kernels

Floats = npt.NDArray[np.float64]

_GREATEST_LLR = 24.0
_MOST_ITERATIONS = 1500
# Where decoding has won, and progress an iteration below which it is stuck.
_CORRECTED, _STUCK = 1e-7, 1e-5


@dataclass(frozen=True)
class Evolution:
    """What became of an ensemble under density evolution.

    Parameters
    ----------
    converged : bool
        Whether the error probability went to zero.
    errors : ndarray, shape (iterations + 1,)
        Error probability of a message from a bit, before and after each iteration.
    by_degree : ndarray, shape (iterations, greatest degree)
        What it would be for bits of each degree.
    """

    converged: bool
    errors: Floats
    by_degree: Floats


@dataclass(frozen=True)
class Channel:
    """The binary symmetric channel with a grid of LLR magnitudes on which its own value lies.

    Parameters
    ----------
    qber : float
        Crossover probability, in (0, 1/2).
    points : int
        Grid points up to an LLR of 24.
    """

    qber: float
    points: int = 300

    @cached_property
    def _own_point(self) -> int:
        llr = math.log1p(-self.qber) - math.log(self.qber)
        return max(1, round(llr / (_GREATEST_LLR / self.points)))

    @cached_property
    def magnitudes(self) -> Floats:
        """Grid of magnitudes, shape (points + 1,)."""
        llr = math.log1p(-self.qber) - math.log(self.qber)
        return np.arange(self.points + 1, dtype=np.float64) * (llr / self._own_point)

    @cached_property
    def density(self) -> Floats:
        """Signed density of the channel's LLR, shape (2 points + 1,)."""
        density = np.zeros(2 * self.points + 1)
        density[self.points + self._own_point] = 1 - self.qber
        density[self.points - self._own_point] = self.qber
        return density

    @cached_property
    def _check_table(self) -> tuple[npt.NDArray[np.int32], Floats]:
        """Grid point below x_i ⊞ x_j, and its share."""
        tangents = np.tanh(self.magnitudes / 2)
        products = np.multiply.outer(tangents, tangents)
        cells = np.searchsorted(tangents, products.ravel(), side="right") - 1
        cells = np.clip(cells, 0, self.points - 1).reshape(products.shape)
        steps = np.maximum(tangents[cells + 1] - tangents[cells], 1e-300)
        shares = np.clip((tangents[cells + 1] - products) / steps, 0, 1)
        return cells.astype(np.int32), shares

    def after_checks(self, magnitude: Floats, check_degree: float) -> Floats:
        """Return the magnitude density of messages from checks of a mean degree.

        Degrees are the two whole numbers around the mean.
        """
        low = math.floor(check_degree)
        share = (check_degree - low) * (low + 1) / check_degree
        power = self._check_power(magnitude, low - 1)
        return (1 - share) * power + share * self._combine(power, magnitude)

    def _combine(self, a: Floats, b: Floats) -> Floats:
        combined: Floats = _evolution_kernels.combine(a, b, *self._check_table)
        return combined

    def _check_power(self, magnitude: Floats, count: int) -> Floats:
        result, square = None, magnitude
        while True:
            if count & 1:
                result = square if result is None else self._combine(result, square)
            count >>= 1
            if count == 0:
                assert result is not None
                return result
            square = self._combine(square, square)

    def after_bits(self, magnitude: Floats, greatest_degree: int) -> list[Floats]:
        """Return the signed densities of messages from bits of degree 1, 2, …."""
        k = self.points
        right = 1 / (1 + np.exp(-self.magnitudes))
        signed = np.zeros(2 * k + 1)
        signed[k:] = magnitude * right
        signed[: k + 1] += (magnitude * (1 - right))[::-1]
        size = 1 << math.ceil(math.log2(4 * k + 2))
        spectrum = np.fft.rfft(signed, size)
        densities = [self.density]
        for _ in range(greatest_degree - 1):
            full = np.fft.irfft(np.fft.rfft(densities[-1], size) * spectrum, size)[: 4 * k + 1]
            folded = full[k : 3 * k + 1].copy()
            folded[0] += full[:k].sum()
            folded[-1] += full[3 * k + 1 :].sum()
            densities.append(np.maximum(folded, 0))
        return densities

    def error(self, density: Floats) -> float:
        """Return the error probability of a signed density."""
        return float(density[: self.points].sum() + 0.5 * density[self.points])

    def evolve(self, fractions: Mapping[int, float], check_degree: float) -> Evolution:
        """Follow the messages until they are right or stuck.

        Parameters
        ----------
        fractions : mapping of int to float
            λ: share of the edges on bits of each degree.
        check_degree : float
            Mean degree of the checks.

        Returns
        -------
        Evolution
            Its course.
        """
        greatest = max(fractions)
        weights = np.array([fractions.get(degree + 1, 0.0) for degree in range(greatest)])
        density = self.density
        errors = [self.error(density)]
        by_degree: list[list[float]] = []
        while len(by_degree) < _MOST_ITERATIONS:
            magnitude = density[self.points :].copy()
            magnitude[1:] += density[: self.points][::-1]
            outgoing = self.after_bits(self.after_checks(magnitude, check_degree), greatest)
            by_degree.append([self.error(one) for one in outgoing])
            density = np.tensordot(weights, np.array(outgoing), axes=1)
            density /= density.sum()
            errors.append(self.error(density))
            stuck = len(errors) > 5 and errors[-2] - errors[-1] < _STUCK * errors[-2]
            if errors[-1] < _CORRECTED or stuck:
                break
        return Evolution(errors[-1] < _CORRECTED, np.array(errors), np.array(by_degree))
