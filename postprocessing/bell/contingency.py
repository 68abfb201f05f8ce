"""Whether rows and columns of counts are independent of each other."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from scipy import stats

# Below, a χ² statistic has heavier tails than its distribution.
_LEAST_EXPECTED = 5
# Beyond, the normal distribution is as good, and sums over all tables are long.
_MOST_EXACT = 10_000


def independence_p_value(tables: Iterable[npt.NDArray[np.int64]]) -> float:
    """Return the p-value of rows and columns being independent in all of some tables.

    Tables with too few counts for the χ² distribution are left out.
    """
    statistic, freedom = 0.0, 0
    for table in tables:
        filled = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
        if min(filled.shape) < 2:
            continue
        result = stats.chi2_contingency(filled, correction=False)
        if result.expected_freq.min() < _LEAST_EXPECTED:
            continue
        statistic, freedom = statistic + float(result.statistic), freedom + int(result.dof)
    return float(stats.chi2.sf(statistic, freedom)) if freedom else 1.0


def equal_shares_p_value(table: npt.NDArray[np.int64]) -> float:
    """Return the p-value of two rows of two counts having one share.

    Fisher's exact test, or of more than 10 000 trials the two-sided z test of two proportions.
    """
    if (table.sum(axis=0) == 0).any() or (table.sum(axis=1) == 0).any():
        return 1.0
    if table.sum() <= _MOST_EXACT:
        return min(1.0, float(stats.fisher_exact(table).pvalue))
    return float(stats.chi2_contingency(table, correction=False).pvalue)
