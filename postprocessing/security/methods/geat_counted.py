"""The method "geat_counted": generalised entropy accumulation with counted patterns of losses."""

from __future__ import annotations

from postprocessing.security.methods.tan22_counted import Tan22Counted


class GeatCounted(Tan22Counted):
    """Fixed lengths by the bound of Metger et al. (2022), one step of it replaced."""

    name = "geat_counted"
    label = (
        "composable finite-size security against coherent attacks, with announcements round by "
        "round (this project's form of generalised entropy accumulation, Metger et al. 2022, with "
        "a counted test register of this project, not peer reviewed)"
    )
    rules = frozenset({"local", "announced"})
    with_announcements = True


METHOD = GeatCounted()
