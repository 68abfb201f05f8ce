"""`diqkd run`: a link becomes rounds, the rounds become keys, the keys are held against theory."""

from __future__ import annotations

import typer

from emulator.cli.errors import EXIT_ABORTED, EXIT_FAILURE
from emulator.cli.flags import scenario_flags
from emulator.cli.options import AsJson, KeyFolder, ProtocolChoice
from emulator.cli.progress import StageProgress
from emulator.cli.protocol import by_protocol
from emulator.scenario.scenario import Scenario


@scenario_flags
def command(
    scenario: Scenario,
    out: KeyFolder = None,
    protocol: ProtocolChoice = "paper",
    as_json: AsJson = False,
) -> None:
    """Run a scenario and tell what came of it."""
    # Imported here, as in every command, so that help and bad input answer at once.
    from emulator.pages.laboratory import print_outdone
    from emulator.pages.terminal import print_report
    from emulator.runner import run_scenario

    scenario = by_protocol(scenario, protocol)
    with StageProgress() as progress:
        report = run_scenario(scenario, out=out, on_progress=progress.show)
    typer.echo(report.to_json()) if as_json else print_report(report)
    if report.design is not None:
        print_outdone(report.design, scenario, err=as_json)
    if report.outcome == "aborted":
        raise typer.Exit(EXIT_ABORTED)
    if not report.keys_match:
        typer.echo("error: the keys differ although they were verified", err=True)
        raise typer.Exit(EXIT_FAILURE)
