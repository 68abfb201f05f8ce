"""`diqkd design`: everything that decides security, fixed before any data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emulator.cli.errors import EXIT_ABORTED
from emulator.cli.flags import scenario_flags
from emulator.cli.options import LayoutFile, ProtocolChoice
from emulator.cli.protocol import by_protocol
from emulator.scenario.scenario import Scenario


@scenario_flags
def command(
    scenario: Scenario,
    out: Annotated[Path, typer.Option("--out", help="JSON file of the design")],
    layout: LayoutFile = None,
    protocol: ProtocolChoice = "paper",
) -> None:
    """Write a design and say what it promises."""
    from emulator.laboratory import design_for
    from emulator.pages.laboratory import print_cost, print_design, print_outdone
    from emulator.pages.terminal import print_values, worth
    from postprocessing.files.designs import write_design

    scenario = by_protocol(scenario, protocol)
    design = design_for(scenario, layout)
    write_design(out, design)
    typer.echo(out)
    print_values(worth(scenario))
    print_design(design)
    if scenario.test_probability_alice is not None:
        best = design_for(
            scenario.replace(test_probability_alice=None, test_probability_bob=None), layout
        )
        print_cost(design, best)
    print_outdone(design, scenario)
    if design.key_length == 0:
        raise typer.Exit(EXIT_ABORTED)
