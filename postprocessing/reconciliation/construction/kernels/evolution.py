"""Kernel of density evolution: the density of a message that a check makes of two."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from postprocessing.simd.compile import kernel

Floats = npt.NDArray[np.float64]

# Cells of less probability do not count.
_NEGLIGIBLE = 1e-18


@kernel(fastmath=True)
def combine(a: Floats, b: Floats, cells: npt.NDArray[np.int32], weights: Floats) -> Floats:
    """Return the density of the magnitude of x ⊞ y for independent magnitudes x ~ a, y ~ b.

    ``cells[i, j]`` is the grid point below x_i ⊞ x_j and ``weights[i, j]`` its share.
    """
    size = a.shape[0]
    result = np.zeros(size)
    for i in range(size):
        if a[i] < _NEGLIGIBLE:
            continue
        for j in range(size):
            mass = a[i] * b[j]
            below = mass * weights[i, j]
            result[cells[i, j]] += below
            result[cells[i, j] + 1] += mass - below
    return result
