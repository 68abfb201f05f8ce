"""Proofs of random extreme designs against an evaluation of their lengths to 60 digits.

Run: ``python tests/acceptance/certificates.py [EACH]``, 500 of each of three kinds by default, some
ten minutes on one core. Extrema at 0, next to 1, on both branches, weights of both kinds of tests
within rounding of 1, orders and credits over many sizes. Exits with 1 if a proof claims more than
there is, or visibly less, or does not come to an end.
"""

from __future__ import annotations

import sys
from collections import Counter

from extremes import KINDS, verdict
from rich.console import Console
from rich.progress import track

FINE = {"proved", "refused, rightly"}


def main() -> int:
    """Count what becomes of the designs."""
    each = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    console, wrong = Console(stderr=True), 0
    for kind in KINDS:
        seeds = track(range(each), kind, console=console, disable=not console.is_terminal)
        found = Counter(verdict(kind, seed) for seed in seeds)
        wrong += sum(count for said, count in found.items() if said not in FINE)
        for said, count in found.most_common():
            Console().print(f"{kind}: {count} {said}", highlight=False)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
