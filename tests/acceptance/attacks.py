"""Every attack against the design of honest devices: keys never exceed what stays unknown.

Run: ``python tests/acceptance/attacks.py [SEEDS] [WHOLE]``. For each attack the counts of SEEDS
runs (1000 by default) decide the test, and WHOLE runs (3) go through the whole pipeline.
A run that passes the test is taken to make a key. Honest devices must get keys as often as the
design promises. Prints the table of docs/attacks.md. Exits with 1 if an attack within the
assumptions gets a key longer than what the eavesdropper cannot know, an attack that breaks one does
not, or honest devices fail.
"""

from __future__ import annotations

import sys
from collections import Counter

from rich.console import Console
from rich.progress import track
from scipy import stats

from emulator import EntangledCoherent, Link
from emulator.adversary import ATTACKS, Attack, Target, Trial, play, play_tallies
from postprocessing import Security

ROUNDS, SOUNDNESS = 4_000_000, 1e-6
FALSE_ALARM = 1e-6


def main() -> int:
    """Count how runs under attack end."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    whole = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    model = EntangledCoherent(Link(distance_km=100))
    target = Target(model, Security(soundness=SOUNDNESS).design(model, ROUNDS))
    promised = target.design.predicted_abort_probability
    print_line = Console(width=160, highlight=False).print
    print_line(f"{ROUNDS} rounds, key {target.design.key_length}, honest abort ≤ {promised:.3g}")
    print_line("| attack | S | QBER | unknown bits | aborts by counts | whole runs | sound |")
    print_line("|---|---|---|---|---|---|---|")
    failures = []
    for attack in ATTACKS.values():
        shown = track(range(seeds), attack.name, console=Console(stderr=True), transient=True)
        counted = [play_tallies(attack, target, seed) for seed in shown]
        played = [play(attack, target, seed, threads=2) for seed in range(whole)]
        print_line(_row(attack, target, counted, played))
        if not _as_expected(attack, counted, played, promised):
            failures.append(attack.name)
    print_line(f"failures: {failures}")
    return 1 if failures else 0


def _row(attack: Attack, target: Target, counted: list[Trial], played: list[Trial]) -> str:
    chsh, qber = attack.expected(target)
    unknown = sum(trial.extractable_bits for trial in counted) / len(counted)
    aborts = sum(trial.key_length == 0 for trial in counted)
    ends = ", ".join(f"{end} {times}" for end, times in Counter(t.end for t in played).items())
    unsound = sum(not trial.is_sound for trial in counted + played)
    sound = "yes" if not unsound else f"no: {unsound} keys known"
    numbers = f"{chsh:.4f} | {qber:.2g} | {unknown:.0f} | {aborts} of {len(counted)}"
    return f"| {attack.name} | {numbers} | {ends} | {sound} |"


def _as_expected(
    attack: Attack, counted: list[Trial], played: list[Trial], promised: float
) -> bool:
    trials = counted + played
    if attack.broken_assumption is not None:
        # Shown to be a loss: keys are made, and known.
        return any(not trial.is_sound for trial in counted) and any(
            not trial.is_sound for trial in played
        )
    if attack.name == "none":
        aborts = sum(trial.key_length == 0 for trial in counted)
        test = stats.binomtest(aborts, len(counted), promised, alternative="greater")
        return test.pvalue > FALSE_ALARM and any(trial.end == "key" for trial in played)
    return all(trial.is_sound for trial in trials)


if __name__ == "__main__":
    sys.exit(main())
