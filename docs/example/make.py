"""Make events.csv: attempts of an event-ready Bell test, in the layout of lab.toml.

Run: ``python docs/example/make.py [FILE]``. The devices are those of ``--scheme behaviour --chsh
2.6 --qber 0.015``; of 25 outcomes one is missing, as of a detector that did not click.
"""

from __future__ import annotations

import bisect
import itertools
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from emulator.schemes.behaviour import Behaviour

ATTEMPTS, SEED = 2000, 7
HERALDS = {"psi_minus": 0.11, "psi_plus": 0.11, "none": 0.78}
ALICE = {"Z": 0.6, "X": 0.2, "D": 0.2}
BOB = {"P": 0.6, "M": 0.4}
MISSING = 0.04
SIGNS = ((1, 1), (1, -1), (-1, 1), (-1, -1))


def content() -> str:
    """Return the text of the file, always the same."""
    chance = random.Random(SEED)
    rows = (",".join([str(number), *row]) for number, row in enumerate(attempts(chance), 1))
    head = "attempt,herald,alice_basis,bob_basis,alice_result,bob_result"
    return "\n".join([head, *rows, ""])


def attempts(chance: random.Random) -> Iterator[list[str]]:
    """Yield herald, settings and results of each attempt."""
    table = Behaviour.from_state(2.6, 0.015).probabilities
    for _ in range(ATTEMPTS):
        herald, x, y = (drawn(chance, list(law.values())) for law in (HERALDS, ALICE, BOB))
        names = [list(law)[i] for law, i in ((HERALDS, herald), (ALICE, x), (BOB, y))]
        joint = [0.25] * 4 if names[0] == "none" else table[x, y].ravel().tolist()
        a, b = SIGNS[drawn(chance, joint)]
        # The other state, whose outcomes of P are opposite.
        if names[0] == "psi_plus" and names[2] == "P":
            b = -b
        yield [*names, *("" if chance.random() < MISSING else str(sign) for sign in (a, b))]


def drawn(chance: random.Random, probabilities: Sequence[float]) -> int:
    """Return an index with its probability, from a number that is the same in every version."""
    bounds = list(itertools.accumulate(probabilities))
    return min(bisect.bisect(bounds, chance.random()), len(bounds) - 1)


if __name__ == "__main__":
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("events.csv")
    path.write_text(content(), encoding="utf-8", newline="\n")
