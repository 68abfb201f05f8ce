"""The option `--protocol`: a scenario as given, or as its own block has most key."""

from __future__ import annotations

import typer

from emulator.cli.progress import StageProgress
from emulator.scenario.scenario import Scenario


def by_protocol(scenario: Scenario, protocol: str) -> Scenario:
    """Return the scenario, by the best protocol if asked for; what that chooses is told.

    Raises
    ------
    InvalidArgumentError
        If there are no directions to choose, or there is no block to choose for.
    """
    if protocol == "paper":
        return scenario
    from emulator.theory.planning import best_scenario

    with StageProgress() as progress:
        progress.show("intensity and directions", None)
        best = best_scenario(scenario)
    changed = (
        (name, value)
        for name in type(best).model_fields
        if (value := getattr(best, name)) != getattr(scenario, name)
    )
    flags = " ".join(f"--{name.replace('_', '-')} {_text(value)}" for name, value in changed)
    typer.echo(f"most key bits per pulse for this block: {flags}", err=True)
    return best


def _text(value: object) -> str:
    """Return a value as the command line takes it."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f'"{value}"' if isinstance(value, str) else str(value)
