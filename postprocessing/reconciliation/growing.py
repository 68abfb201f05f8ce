"""Base matrices by progressive edge growth on the lifted graph.

Every block goes where the shortest cycle it closes in the lifted graph is longest (Hu, Eleftheriou,
Arnold, IEEE Trans. Inf. Theory 51, 386 (2005); on quasi-cyclic graphs Li and Kumar, Proc. ITW
2004), columns of weight two first, so that their chains close late.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from postprocessing.reconciliation.kernels import growth as _growth_kernels

Shifts = npt.NDArray[np.int16]
Integers = npt.NDArray[np.int64]


def column_weights(fractions: Mapping[int, float], columns: int) -> Integers:
    """Return the weights of the columns, each weight at even distances.

    Parameters
    ----------
    fractions : mapping of int to float
        λ: share of the edges on bits of each degree.
    columns : int
        Number of columns.

    Returns
    -------
    ndarray of int64, shape (columns,)
        Weights, whose numbers are the fractions' to within one column.
    """
    degrees = np.array(sorted(fractions))
    shares = np.array([fractions[degree] for degree in degrees]) / degrees
    wanted = shares / shares.sum() * columns
    counts = np.floor(wanted).astype(np.int64)
    missing = np.round(wanted - counts, 9)
    counts[np.argsort(-missing, kind="stable")[: columns - counts.sum()]] += 1
    places = np.concatenate([(np.arange(count) + 0.5) / count for count in counts if count])
    return np.repeat(degrees, counts)[np.argsort(places, kind="stable")].astype(np.int64)


def grow(
    weights: Integers, rows: int, lifting: int, most_bits: Integers, draws: Integers
) -> Shifts:
    """Return a base matrix with as many blocks in each column, −1 for the zero block.

    Parameters
    ----------
    weights : ndarray of int64, shape (columns,)
        Blocks of each column, at most one a row.
    rows, lifting : int
        Block rows and block size.
    most_bits : ndarray of int64, shape (columns,)
        Bits that the search for cycles through a block of a column looks at, and a last depth more.
    draws : ndarray of int64, shape (blocks, 2)
        Numbers of at least 0 that settle what is equal.

    Returns
    -------
    ndarray of int16, shape (rows, columns)
        Shifts in [0, lifting); the same at every call.
    """
    shifts = np.full((rows, len(weights)), -1, np.int16)
    order = np.argsort(weights != 2, kind="stable")
    _growth_kernels.grow(weights, order, most_bits, shifts, lifting, draws)
    return shifts
