"""`diqkd attack`: what the pipeline does to devices that cheat."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from emulator.cli.flags import EXIT_ABORTED, scenario_flags
from emulator.cli.lab import AsJson
from emulator.cli.progress import StageProgress
from emulator.scenario.scenario import Scenario
from postprocessing.errors import InvalidArgumentError


@scenario_flags
def attack_command(
    scenario: Scenario,
    name: Annotated[str, typer.Argument(metavar="NAME", help="of the attack, or list for all")],
    runs: Annotated[
        int, typer.Option(min=0, max=10**6, help="runs whose counts alone are drawn")
    ] = 1000,
    as_json: AsJson = False,
) -> None:
    """Attack a link: one run of the whole pipeline, and how often many runs pass the test."""
    import secrets
    from collections import Counter

    from emulator.attacks import ATTACKS, Target, attack_named, play, play_tallies

    if name == "list":
        for attack in ATTACKS.values():
            typer.echo(f"{attack.name:<20}{attack.summary}")
        return
    attack = attack_named(name)
    rounds = scenario.stopping_rule().get("heralded_rounds")
    if rounds is None:
        raise InvalidArgumentError("rounds", None, "given: attacks are made on heralded rounds")
    security = scenario.build_security()
    model = scenario.build_model().working_point()
    seed = secrets.randbits(63) if scenario.seed is None else scenario.seed
    with StageProgress() as progress:
        target = Target(model, security.design(model, rounds))
        chsh, qber = attack.expected(target, seed)
        progress.show("one whole run", None)
        trial = play(attack, target, seed)
        progress.show("counts of many", None)
        many = [play_tallies(attack, target, seed + 1 + i) for i in range(runs)]
    values = {
        "attack": attack.name,
        "summary": attack.summary,
        "broken_assumption": attack.broken_assumption,
        "unknown_to_eavesdropper": attack.entropy,
        "expected_chsh": chsh,
        "expected_qber": qber,
        "seed": seed,
        "outcome": trial.end,
        "key_length": trial.key_length,
        "extractable_bits": trial.extractable_bits,
        "is_sound": trial.is_sound,
        "runs": runs,
        "ends": dict(Counter(one.end for one in many)),
        "unsound_runs": sum(not one.is_sound for one in many),
    }
    if as_json:
        typer.echo(json.dumps(values, indent=2, allow_nan=False))
    else:
        for label, value in values.items():
            typer.echo(f"{label.replace('_', ' ')}: {'none' if value is None else value}")
    if trial.key_length == 0:
        raise typer.Exit(EXIT_ABORTED)
