"""`diqkd plan`: what to set for a key of finite size, and how long it takes."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Annotated

import typer

from emulator.cli.flags import scenario_flags
from emulator.scenario.axes import parse_axis
from emulator.scenario.scenario import Scenario
from postprocessing.errors import InvalidArgumentError


@scenario_flags
def plan_command(
    scenario: Scenario,
    key_bits: Annotated[float | None, typer.Option(help="wanted key length in bits")] = None,
    seconds: Annotated[
        float | None, typer.Option(help="duration of the quantum phase instead")
    ] = None,
    over: Annotated[
        str | None, typer.Option(help="a table: NAME=START:STOP:POINTS, or NAME=VALUE,VALUE,...")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="print comma-separated values")] = False,
) -> None:
    """Choose intensity, test probability and block size for a key of finite size."""
    import pandas as pd

    from emulator.pages.terminal import print_frame
    from emulator.theory.planning import plan, plan_table
    from postprocessing.security import METHODS

    if as_json and as_csv:
        raise InvalidArgumentError("options", "--json --csv", "one of the two")
    if key_bits is not None and not math.isfinite(key_bits):
        raise InvalidArgumentError("key_bits", key_bits, "a finite number")
    wanted = None if key_bits is None else math.ceil(key_bits)
    if over is not None:
        name, values = parse_axis("over", over)
        frame = plan_table(scenario, name, values, key_bits=wanted, seconds=seconds)
        print_frame(frame, as_json=as_json, as_csv=as_csv)
        return
    plain = asdict(plan(scenario, key_bits=wanted, seconds=seconds))
    shown: dict[str, object] = {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in plain.items()
    }
    shown["security"] = METHODS[scenario.method].label
    if as_json:
        typer.echo(json.dumps(shown, indent=2, allow_nan=False))
    elif as_csv:
        print_frame(pd.DataFrame([shown]), as_json=False, as_csv=True)
    else:
        for name, value in shown.items():
            typer.echo(f"{name.replace('_', ' ')}: {'-' if value is None else value}")
