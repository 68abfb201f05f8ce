"""`diqkd plan`: what to set for a key of finite size, and how long it takes."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import typer

from emulator.cli.errors import EXIT_ABORTED
from emulator.cli.flags import scenario_flags
from emulator.cli.options import AsCsv, AsJson, check_format
from emulator.cli.progress import StageProgress
from emulator.scenario.axes import parse_axis
from emulator.scenario.scenario import Scenario
from postprocessing.errors import InvalidArgumentError


@scenario_flags
def command(
    scenario: Scenario,
    key_bits: Annotated[float | None, typer.Option(help="wanted key length in bits")] = None,
    seconds: Annotated[
        float | None, typer.Option(help="duration of the quantum phase instead")
    ] = None,
    over: Annotated[
        str | None, typer.Option(help="a table: NAME=START:STOP:POINTS, or NAME=VALUE,VALUE,...")
    ] = None,
    protocol: Annotated[
        Literal["paper", "best"],
        typer.Option(help="directions as given, or chosen with the intensity for the most key"),
    ] = "paper",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Print a plan, or a table of plans."""
    check_format(as_json, as_csv)
    if key_bits is not None and not math.isfinite(key_bits):
        raise InvalidArgumentError("key_bits", key_bits, "a finite number")
    import pandas as pd

    from emulator.pages.laboratory import print_outdone
    from emulator.pages.terminal import print_frame, print_json, print_values, worth
    from emulator.theory.planning import plan, plan_table, planned_scenario

    wanted = None if key_bits is None else math.ceil(key_bits)
    if over is not None:
        name, values = parse_axis("over", over)
        with StageProgress() as progress:
            steps = progress.steps("plans", values)
            frame = plan_table(
                scenario, name, steps, key_bits=wanted, seconds=seconds, protocol=protocol
            )
        print_frame(frame, as_json=as_json, as_csv=as_csv)
        if not frame["key_length"].any():
            raise typer.Exit(EXIT_ABORTED)
        return
    with StageProgress() as progress:
        progress.show("plan", None)
        chosen = plan(scenario, key_bits=wanted, seconds=seconds, protocol=protocol)
    shown = chosen.to_dict() | worth(scenario)
    if as_json:
        print_json(shown)
    elif as_csv:
        print_frame(pd.DataFrame([shown]), as_json=False, as_csv=True)
    elif chosen.reason is not None:
        typer.echo(f"no key: {chosen.reason}")
    else:
        print_values({name: value for name, value in shown.items() if name != "reason"})
    if chosen.heralded_rounds:
        there = planned_scenario(scenario, chosen)
        design = there.build_security().design(there.build_model(), chosen.heralded_rounds)
        print_outdone(design, there, err=as_json or as_csv)
    if chosen.reason is not None:
        raise typer.Exit(EXIT_ABORTED)
