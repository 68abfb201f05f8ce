"""Mistakes made on purpose in the checker of key lengths: each has to fail some test.

Run: ``python tests/acceptance/certificate_mutations.py [NAME ...]``, half an hour for all. Each is
made in a copy of the sources, in which the tests of the checker are then run until one fails. Exits
with 1 if all tests pass in spite of a mistake, or if a mistake does not fit the sources any more.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).parents[2]
FOLDER = Path("postprocessing/certificate")
COPIED = ("emulator", "postprocessing", "tests", "pyproject.toml")
CHECKER = "tests/postprocessing/certificate"
# The quickest first.
TESTS = (
    *(
        f"{CHECKER}/test_{name}.py"
        for name in ("cells", "weighted_rows", "refusals", "independent")
    ),
    "tests/postprocessing/test_proofs.py",
    f"{CHECKER}/test_finite_size_rows.py",
)

# Name: file, what stands there, what is put in its place.
MUTATIONS = {
    "lost terms of a series taken for zeros": (
        "balls.py",
        "    if series.prec < ORDER:\n        raise UnclearError\n",
        "",
    ),
    "tags of any length": ("claim.py", "1 <= tag <= MOST_TAG_BITS", "1 <= tag"),
    "F on its first branch everywhere": (
        "balls.py",
        "if 1 - at * at <= square * square:\n        return",
        "if True:\n        return",
    ),
    "E' = E": ("balls.py", "    gap, other = 1 - at * at, None\n", "    return e\n"),
    "E' on its first branch everywhere": (
        "balls.py",
        "if gap <= square * square and gap <= 1 / square:",
        "if True:",
    ),
    "E' of an unclear point 1": ("balls.py", "arb(0) if other is None", "arb(1) if other is None"),
    "noise of entropies left out": ("balls.py", "4 * noise * (1 - noise)) * (1 - e * e)", "0) * e"),
    "noise half as large": (
        "balls.py",
        "share = ball(4 * noise * (1 - noise)) * product",
        "share = ball(2 * noise * (1 - noise)) * product",
    ),
    "delta for delta/alpha": ("balls.py", "ball(order / (1 + order))", "ball(order)"),
    "q_alpha without its factor": (
        "balls.py",
        "return change * (-delta * LN2).exp() +",
        "return change +",
    ),
    "ends of a bracket swapped": (
        "supremum.py",
        "bracket = arb(falling(ends[0]) + growing(ends[1]))",
        "bracket = arb(falling(ends[1]) + growing(ends[0]))",
    ),
    "monotone: the other end": (
        "supremum.py",
        "end = ends[1] if slope >= 0 else ends[0]",
        "end = ends[0] if slope >= 0 else ends[1]",
    ),
    "curvature forgotten": ("supremum.py", "bend.max(arb(0)) * reach * reach", "arb(0)"),
    "curvature of the middle": (
        "supremum.py",
        "value, slope, _ = series(falling, growing, at)",
        "value, slope, bend = series(falling, growing, at)",
    ),
    "drop of the tangent forgotten": ("supremum.py", "abs(slope) * reach +", "0 * reach +"),
    "half of the reach": ("supremum.py", "(ends[1] - at).max(at - ends[0])", "(ends[1] - at) / 2"),
    "the greater of two bounds for the lesser, below": (
        "supremum.py",
        "bracket.min(taylor)",
        "bracket.min(taylor) - abs(bracket - taylor)",
    ),
    "a ball half as wide": (
        "supremum.py",
        "span, at = ends[0].union(ends[1]),",
        "span, at = ends[0].union((ends[0] + ends[1]) / 2),",
    ),
    "balls that are not looked at": (
        "supremum.py",
        "need(span.contains(ends[0]) and span.contains(ends[1]),",
        "need(True,",
    ),
    "half of a cell left out": (
        "supremum.py",
        "for half in ((low, middle), (middle, high)):",
        "for half in ((low, middle),):",
    ),
    "what waits forgotten": (
        "supremum.py",
        "reached.union(bound.upper().max(highest.upper()))",
        "reached.union(bound.upper())",
    ),
    "the wrong end of the queue": (
        "supremum.py",
        "return -float(bound.upper())",
        "return float(bound.upper())",
    ),
    "far from good enough": ("supremum.py", "ENOUGH = 1e-15", "ENOUGH = 1e-3"),
    "no end": ("supremum.py", "need(cells < MOST_CELLS,", "need(True,"),
    "cells that are nothing": (
        "supremum.py",
        'if bound.is_finite() else arb("inf")',
        'if bound.is_finite() else arb("-inf")',
    ),
    "the length from what is reached": (
        "supremum.py",
        "reached.union(bound.upper().max(highest.upper()))",
        "reached",
    ),
    "whatever is not false holds": ("supremum.py", "if holds is not True:", "if holds is False:"),
    "the upper end for the length": ("lengths.py", "value.lower().floor()", "value.upper().ceil()"),
    "theta without its smoothing": ("lengths.py", "- 2 * e.log()) / LN2", "- e.log()) / LN2"),
    "log 9 for log 33": ("balls.py", "for k in (5, 33)", "for k in (5, 9)"),
    "epsilon split not looked at": ("lengths.py", "need(beyond <= 0,", "need(True,"),
    "acceptance at no price": ("lengths.py", "(price + (1 + x) * acceptance) / x", "price / x"),
    "announcements at no price": ("lengths.py", "(price + acceptance if announced else 0)", "0"),
    "no device below the local bound": ("lengths.py", "violating.max(other)", "violating"),
    "threshold beyond quantum devices": ("lengths.py", "threshold.min(top)", "threshold"),
    "third order left out": (
        "lengths.py",
        "    return x * x * (x * reach).exp()",
        "    return 0 * (x * reach).exp()",
    ),
    "tests at no price": ("lengths.py", '"tests": -n * ball(claim.most_test)', '"tests": arb(0)'),
    "half of R's spread": (
        "lengths.py",
        "(one * one + two * two).sqrt()) / 2",
        "(one * one + two * two).sqrt()) / 4",
    ),
    "kinds exchanged": (
        "lengths.py",
        "largest_chsh(e, gains[0] / gains[1])",
        "largest_chsh(e, gains[1] / gains[0])",
    ),
    "winning that does not count": ("lengths.py", "all(share > 0 for share in shares)", "True"),
    "variance without its linear part": ("lengths.py", "(ball(k) - 2 * mean)", "ball(k)"),
    "losses not taken off": ("lengths.py", '-ball(claim.free("most_lost"))', "arb(0)"),
    "test bits not taken off": ("lengths.py", '-ball(claim.free("most_test_bits"))', "arb(0)"),
    "budget not taken off": (
        "lengths.py",
        '"leakage budget": -claim.budget',
        '"leakage budget": arb(0)',
    ),
    "2/x for (1 + 2x)/x": (
        "lengths.py",
        "2 - (1 / x + 2) * claim.acceptance",
        "2 - 2 / x * claim.acceptance",
    ),
    "discarded rounds forgotten": (
        "lengths.py",
        "(p * expm1(delta * ball(g)) for p, _, g in kinds)",
        "(p * (delta * ball(g)).exp() for p, _, g in kinds)",
    ),
    "score of a won test rounded up": (
        "lengths.py",
        "tuple(floor(UNITS_A_BIT * score) for score in scores)",
        "tuple(floor(UNITS_A_BIT * score) + 1 for score in scores)",
    ),
    "costs rounded down": (
        "lengths.py",
        "tuple(-floor(-UNITS_A_BIT * cost)",
        "tuple(floor(UNITS_A_BIT * cost)",
    ),
    "loss credits of any sign": ("lengths.py", "need(min(taken) > 0,", "need(True,"),
    "noise up to 1": ("claim.py", "need(0 <= noise < HALF,", "need(0 <= noise < ONE,"),
    "tags not looked at": ("claim.py", "missed <= correctness,", "True,"),
    "marks for everyone": ("claim.py", "need(announced,", "need(True,"),
    "tolerance for everyone": ("claim.py", "need(tolerant or not off,", "need(True,"),
    "coins for everyone": ("claim.py", "need(own_coin,", "need(True,"),
    "coins above 1": ("claim.py", "need(0 < coin <= 1,", "need(True,"),
    "tests half as often": (
        "claim.py",
        "kinds = gamma * (1 - p) * coin, gamma * p",
        "kinds = gamma * (1 - p) * coin / 2, gamma * p",
    ),
    "discarded rounds as key rounds": (
        "claim.py",
        "key = (1 - gamma - 2 * off) * (1 - p - off)",
        "key = (1 - gamma - 2 * off)",
    ),
    "bools are numbers": (
        "claim.py",
        "isinstance(value, bool) or not isinstance",
        "not isinstance",
    ),
    "claims not compared": ("__init__.py", "proof.varies or claimed <= proof.bits", "True"),
    "one bit more": ("__init__.py", "claimed <= proof.bits", "claimed <= proof.bits + 1"),
    "digits of a double": ("balls.py", "PRECISION_BITS = 192", "PRECISION_BITS = 53"),
}


def survives(name: str, copy: Path) -> str | None:
    """Make a mistake; say what is wrong if no test sees it."""
    file, there, put = MUTATIONS[name]
    path = copy / FOLDER / file
    right = path.read_text(encoding="utf-8")
    if right.count(there) < 1:
        return "does not fit the sources"
    path.write_text(right.replace(there, put), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *TESTS]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, check=False)
    path.write_text(right, encoding="utf-8")
    return "no test fails" if done.returncode == 0 else None


def main() -> int:
    """Make each mistake in turn."""
    chosen, wrong = sys.argv[1:] or list(MUTATIONS), 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, copy / name)
        for name in chosen:
            said = survives(name, copy)
            wrong += said is not None
            Console().print(f"{name}: {said or 'a test fails'}", highlight=False)
    Console().print(f"{len(chosen) - wrong} of {len(chosen)} are seen", highlight=False)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
