"""Array codes over finite fields, for error rates so low that a few block rows are enough.

Bit column b meets row a with the shift log_g(b − a), g a primitive element of GF(q), the a and b
all different (quasi-cyclic codes on finite fields: Lan, Zeng, Tai, Chen, Lin, Abdel-Ghaffar, IEEE
Trans. Inf. Theory 53, 2429 (2007)). Rows a and c would close a cycle of length four with columns b
and d if (b − a)/(b − c) = (d − a)/(d − c); but that ratio takes no value twice. So R rows have
q − R columns of full weight without such a cycle, nearly as many as is possible at all: a pair of
rows has q − 1 different differences of shifts.
"""

from __future__ import annotations

import galois
import numpy as np
import numpy.typing as npt

from postprocessing.errors import InvalidArgumentError


def array_shifts(order: int, rows: int) -> npt.NDArray[np.int16]:
    """Return the base matrix of an array code whose lifting is ``order − 1``.

    Parameters
    ----------
    order : int
        Size q of the field, a prime power below 2^15.
    rows : int
        Block rows R, 1 to q − 1.

    Returns
    -------
    ndarray of int16, shape (rows, order - rows)
        Shifts in [0, q − 2]; no block is zero.

    Raises
    ------
    InvalidArgumentError
        If there are more rows than elements to tell them apart.
    """
    if not 1 <= rows < order:
        raise InvalidArgumentError("rows", rows, f"between 1 and {order - 1}")
    field = galois.GF(order)
    by_power = field.primitive_element ** np.arange(order - 1)
    row_elements = by_power[:rows]
    column_elements = np.append(by_power[rows:], field(0))
    return np.array([np.log(column_elements - a) for a in row_elements], np.int16)
