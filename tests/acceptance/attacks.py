"""Every attack against the design of honest devices: keys never exceed what stays unknown.

Run: ``python tests/acceptance/attacks.py [--runs 1000] [--method tan22] [--processes 2]``, minutes.
Each attack has RUNS runs of the whole pipeline, at about the least size at which honest devices get
a key, and as many of the counts alone at 10⁸ rounds, where keys come closest to what stays unknown.
Prints the table of docs/attacks.md. Exits with 1 if an attack within the assumptions gets a key
longer than what the eavesdropper cannot know, an attack without any entropy gets a key at all, one
that breaks an assumption unseen does not, settings that are not as designed do, or honest devices
abort more often than the design promises.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial

from rich.console import Console
from rich.progress import track
from scipy import stats

from emulator import EntangledCoherent, Link
from emulator.attacks import ATTACKS, Target, Trial, play, play_tallies
from postprocessing import Security
from postprocessing.protocol.abort_reasons import SETTINGS_NOT_AS_DESIGNED

LEAST_ROUNDS = {
    "tan22": 2_000_000,
    "tan22_counted": 1_400_000,
    "geat_counted": 1_400_000,
    "eat_rpa": 800_000,
    "renyi": 400_000,
    "renyi_fixed": 600_000,
    "renyi_weighted": 400_000,
    "renyi_weighted_fixed": 600_000,
}
MANY_ROUNDS, SOUNDNESS = 100_000_000, 1e-6
FALSE_ALARM = 1e-6
SEEDS_A_TASK = 25


@cache
def target_of(method: str, rounds: int) -> Target:
    """Return honest devices and their design, made once a process."""
    model = EntangledCoherent(Link(distance_km=100))
    return Target(model, Security(soundness=SOUNDNESS, method=method).design(model, rounds))


def some_trials(name: str, method: str, rounds: int, seeds: range) -> list[Trial]:
    """Make runs of an attack: whole ones at the least size, of counts alone above."""
    target = target_of(method, rounds)
    run = play if rounds == LEAST_ROUNDS[method] else play_tallies
    return [run(ATTACKS[name], target, seed) for seed in seeds]


def trials(
    pool: ProcessPoolExecutor, name: str, method: str, rounds: int, runs: int
) -> Iterator[Trial]:
    """Make as many runs of an attack as asked for, in all processes."""
    tasks = [range(s, min(s + SEEDS_A_TASK, runs)) for s in range(0, runs, SEEDS_A_TASK)]
    done = pool.map(partial(some_trials, name, method, rounds), tasks)
    console = Console(stderr=True)
    shown = track(done, name, len(tasks), console=console, disable=not console.is_terminal)
    for some in shown:
        yield from some


def main() -> int:
    """Count how runs under attack end."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--method", choices=list(LEAST_ROUNDS), default="tan22")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    sizes = (LEAST_ROUNDS[given.method], MANY_ROUNDS)
    print_line = Console(width=250, highlight=False).print
    for rounds in sizes:
        design = target_of(given.method, rounds).design
        promised = design.predicted_abort_probability
        print_line(f"{rounds} rounds, key {design.key_length}, honest abort ≤ {promised:.3g}")
    print_line("| attack | S | QBER | unknown | key | aborts | most taken | at 1e8 | most taken |")
    print_line("|---|---|---|---|---|---|---|---|---|")
    failures = []
    with ProcessPoolExecutor(given.processes) as pool:
        for name in ATTACKS:
            whole, counted = (
                list(trials(pool, name, given.method, rounds, given.runs)) for rounds in sizes
            )
            print_line(row(name, target_of(given.method, sizes[0]), whole, counted))
            for found, rounds in ((whole, sizes[0]), (counted, sizes[1])):
                if not as_expected(name, target_of(given.method, rounds), found):
                    failures.append((name, rounds))
    print_line(f"failures: {failures}")
    return 1 if failures else 0


def row(name: str, target: Target, whole: list[Trial], counted: list[Trial]) -> str:
    """Return a line of the table."""
    chsh, qber = ATTACKS[name].expected(target)
    unknown = sum(trial.extractable_bits for trial in whole) / len(whole)
    ends = Counter(trial.end for trial in whole)
    keys = ends.pop("key", 0)
    aborts = ", ".join(f"{end} {times}" for end, times in ends.most_common()) or "none"
    passed = sum(trial.key_length > 0 for trial in counted)
    return (
        f"| {name} | {chsh:.4f} | {qber:.2g} | {unknown:.0f} | {keys} of {len(whole)} | {aborts} "
        f"| {most_taken(whole)} | {passed} of {len(counted)} | {most_taken(counted)} |"
    )


def most_taken(found: list[Trial]) -> str:
    """Return the greatest share of what is unknown that a key of some runs takes."""
    keys = [trial for trial in found if trial.key_length]
    if not keys:
        return "no key"
    if any(not trial.extractable_bits for trial in keys):
        return f"**{sum(not trial.is_sound for trial in keys)} keys known**"
    return f"{max(trial.key_length / trial.extractable_bits for trial in keys):.1%}"


def as_expected(name: str, target: Target, found: list[Trial]) -> bool:
    """Tell whether runs of an attack end as they must."""
    if name == "biased-settings":
        # Seen in the announcements, before any outcome.
        return all(trial.end == SETTINGS_NOT_AS_DESIGNED for trial in found)
    if ATTACKS[name].broken_assumption is not None:
        # Shown to be a loss: keys are made, and known.
        return any(not trial.is_sound for trial in found)
    sound = all(trial.is_sound for trial in found)
    if name == "none":
        aborts = sum(trial.key_length == 0 for trial in found)
        promised = target.design.predicted_abort_probability
        test = stats.binomtest(aborts, len(found), promised, alternative="greater")
        return sound and test.pvalue > FALSE_ALARM
    return sound


if __name__ == "__main__":
    sys.exit(main())
