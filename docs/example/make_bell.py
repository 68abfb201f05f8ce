"""Make bell.csv: trials of a Bell test with settings 50:50, columns x, y, a, b.

Run: ``python docs/example/make_bell.py [FILE]``. A trial is won with probability 0.82.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

TRIALS, SEED, WIN = 1000, 7, 0.82


def content() -> str:
    """Return the text of the file, always the same."""
    chance = random.Random(SEED)
    rows = []
    for _ in range(TRIALS):
        x, y = int(chance.random() < 0.5), int(chance.random() < 0.5)
        a = 1 if chance.random() < 0.5 else -1
        sign = (-1) ** (x * y) * (1 if chance.random() < WIN else -1)
        rows.append(f"{x},{y},{a},{sign * a}")
    return "\n".join(["x,y,a,b", *rows, ""])


if __name__ == "__main__":
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("bell.csv")
    path.write_text(content(), encoding="utf-8", newline="\n")
