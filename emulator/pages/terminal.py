"""Reports and predictions as tables for the terminal."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from postprocessing.sections import Section, number

if TYPE_CHECKING:
    import pandas as pd

    from emulator.scenario.scenario import Scenario
    from emulator.theory.prediction import Prediction
    from postprocessing.protocol.report import DistillationReport


def print_report(report: DistillationReport, console: Console | None = None) -> None:
    """Print the summary of a report: its outcome, what it is held against, where the key went.

    Parameters
    ----------
    report : DistillationReport
        Of a run, of distilled rounds or of a party.
    console : Console, optional
        Where to print, by default on standard output.
    """
    shown = (section for section in report.present() if not section.is_detail)
    print_sections(shown, console)


def print_sections(sections: Iterable[Section], console: Console | None = None) -> None:
    """Print sections, each as a table and a list."""
    console = console or Console()
    for section in sections:
        if section.rows:
            console.print(_table(section))
        for text in section.bullets:
            console.print(Text(text))


def print_json(values: object) -> None:
    """Print values as JSON: indented, without NaN."""
    typer.echo(json.dumps(values, indent=2, allow_nan=False))


def worth(scenario: Scenario) -> dict[str, object]:
    """Return what keys of a scenario are worth: the label, and its ε beside it."""
    # Tables of other things do not wait for the methods.
    from postprocessing.security import METHODS
    from postprocessing.security.epsilons import weakness

    method = METHODS[scenario.method]
    soundness = scenario.soundness if method.composable else None
    weak = weakness(soundness)
    told: dict[str, object] = {"security": method.label, "soundness": soundness}
    return told if weak is None else told | {"warning": weak}


def print_values(values: Mapping[str, object]) -> None:
    """Print values by name, a line each."""
    for name, value in values.items():
        shown = number(value, digits=17) if value is None or isinstance(value, tuple) else value
        typer.echo(f"{name.replace('_', ' ')}: {shown}")


def print_prediction(prediction: Prediction, console: Console) -> None:
    """Print the theory of a link."""
    table = Table("quantity", "value", title="theory")
    for name, value in prediction.to_dict().items():
        table.add_row(name.replace("_", " "), number(value))
    console.print(table)


def print_frame(frame: pd.DataFrame, *, as_json: bool, as_csv: bool) -> None:
    """Print a table in the format asked for, as text by default."""
    if as_json:
        records = frame.astype(object).where(frame.notna(), None).to_dict("records")
        print_json(records)
    elif as_csv:
        typer.echo(frame.to_csv(index=False), nl=False)
    else:
        # Each number with digits of its own: a column may go over decades.
        typer.echo(frame.map(lambda cell: number(_plain(cell))).to_string(index=False))


def _plain(cell: object) -> object:
    """Return a cell of a table, None where it holds nothing."""
    if isinstance(cell, float):
        return None if math.isnan(cell) else float(cell)
    return cell


def _table(section: Section) -> Table:
    """Return the table of a section; below a picture the last row is the result."""
    names = section.header or ("",) * len(section.rows[0])
    # A digest is longer than a column is wide.
    columns = (Column(name, overflow="fold") for name in names)
    table = Table(*columns, title=section.title, show_header=bool(section.header))
    last = section.rows[-1] if section.picture is not None else None
    for row in section.rows:
        # As it is: square brackets in a value are no markup.
        table.add_row(*map(Text, row), style="bold" if row is last else None)
    return table
