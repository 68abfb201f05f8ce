"""`diqkd attack`: what the pipeline does to devices that cheat."""

from __future__ import annotations

from typing import Annotated

import typer

from emulator.cli.errors import EXIT_ABORTED
from emulator.cli.flags import scenario_flags
from emulator.cli.options import AsJson
from emulator.cli.progress import StageProgress
from emulator.scenario.scenario import Scenario


@scenario_flags
def command(
    scenario: Scenario,
    name: Annotated[str, typer.Argument(metavar="NAME", help="of the attack, or list for all")],
    runs: Annotated[
        int, typer.Option(help="runs whose counts alone are drawn, at most 1000000")
    ] = 1000,
    as_json: AsJson = False,
) -> None:
    """Attack a link and tell what came of it."""
    from emulator.attacks import ATTACKS, run_attack
    from emulator.pages.terminal import print_json, print_values, worth

    if name == "list":
        for attack in ATTACKS.values():
            typer.echo(f"{attack.name:<20}{attack.summary}")
        return
    with StageProgress() as progress:
        report = run_attack(name, scenario, runs=runs, on_progress=progress.show)
    shown = report.to_dict() | worth(scenario)
    print_json(shown) if as_json else print_values(shown)
    if report.key_length == 0:
        raise typer.Exit(EXIT_ABORTED)
