"""The key-length methods by name: what each proves, and what it has the parties publish."""

from __future__ import annotations

from typing import Literal

Method = Literal["tan22", "geat", "renyi", "renyi_fixed", "asymptotic"]
# "af18" draws a curve of history; no key is made by it.
CurveMethod = Literal["tan22", "geat", "renyi", "renyi_fixed", "asymptotic", "af18"]

_RENYI = (
    "Rényi entropy accumulation against coherent attacks; derived and checked for this project, "
    "not peer reviewed; conditional on the stated assumptions"
)
LABELS: dict[CurveMethod, str] = {
    "tan22": "composable finite-size security against coherent attacks (Tan et al. 2022)",
    "geat": "composable finite-size security against coherent attacks, with announcements round by "
    "round (generalised entropy accumulation, Metger et al. 2022)",
    "renyi": _RENYI,
    "renyi_fixed": _RENYI,
    "asymptotic": "asymptotic: not secure at finite size",
    "af18": "history (Arnon-Friedman et al. 2018): constants not checked, no keys",
}


def is_renyi(method: CurveMethod) -> bool:
    """Tell whether both parties publish their test outcomes, paid for by the credits' costs."""
    return method in ("renyi", "renyi_fixed")


def published_per_test(method: CurveMethod) -> int:
    """Return how many outcome bits are published of each test: the reference's, or both."""
    return 2 if is_renyi(method) else 1


def leaked_per_test(method: CurveMethod) -> int:
    """Return how many bits of each test count as leaked; otherwise the tests have a cost."""
    return 0 if is_renyi(method) else 1
