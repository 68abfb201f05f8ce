"""Classical devices under the honest 100 km design: every run must abort on lost tests.

Run: ``python tests/acceptance/classical_devices.py [SEEDS]``. The devices always answer +1 (the
best local strategy at QBER 0, S = 2). Honest devices get a key under the same design, shown first.
Exits with 1 if a run ends otherwise.
"""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np
from rich.console import Console
from rich.progress import track

from emulator import EntangledCoherent, JointDistribution, Link, Sampler, emulate
from emulator.runner import distill_emulated
from postprocessing import Security
from postprocessing.protocol.messages import Syndromes

ROUNDS, SOUNDNESS = 4_000_000, 1e-6


def main() -> int:
    """Count how runs of classical devices end."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    honest = EntangledCoherent(Link(distance_km=100)).joint_distribution()
    table = np.zeros((3, 2, 3, 2, 2))
    table[:, :, 1, 0, 0] = honest.gain
    table[:, :, 0, 0, 0] = 1 - honest.gain
    classical = JointDistribution(honest.scheme, ("none", "D1", "D2"), table)
    design = Security(soundness=SOUNDNESS).design(honest, ROUNDS)

    def end(devices: JointDistribution, seed: int) -> tuple[str, int, int]:
        sampler = Sampler(devices, design.setting_choice, seed)
        report = distill_emulated(emulate(sampler, heralded_rounds=ROUNDS, threads=2), design, seed)
        equal = report.alice_key == report.bob_key
        outcome = report.abort_reason or (f"key, {'equal' if equal else 'UNEQUAL'}")
        return outcome, report.key_length, report.transcript.leaked_by(Syndromes)

    console = Console()
    console.print(f"classical: S = {classical.chsh}, QBER = {classical.qber}")
    honest_end = end(honest, 0)
    console.print(f"honest devices: {honest_end} (outcome, key length, syndrome bits)")
    ends = Counter(
        end(classical, seed)
        for seed in track(range(seeds), console=Console(stderr=True), transient=True)
    )
    console.print(f"classical devices, {seeds} seeds: {dict(ends)}")
    honest_key = honest_end[0] == "key, equal" and honest_end[1] > 0
    return 0 if honest_key and list(ends) == [("too many lost tests", 0, 0)] else 1


if __name__ == "__main__":
    sys.exit(main())
