"""Reports and predictions as tables for the terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from emulator.report import Estimate, RunReport
from emulator.theory.prediction import Prediction
from postprocessing.design.design import Design
from postprocessing.security import METHODS, TERM_LABELS

if TYPE_CHECKING:
    import pandas as pd


def print_report(report: RunReport, console: Console) -> None:
    """Print a run: its outcome, the comparison with theory, the rates and where the key went."""
    console.print(_summary(report))
    if report.pulses:
        console.print(_comparison(report))
    console.print(_rates(report))
    if report.design is not None and report.key_terms:
        console.print(_waterfall(report.design, report.key_terms, report.key_length))


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
        typer.echo(json.dumps(records, indent=2, allow_nan=False))
    elif as_csv:
        typer.echo(frame.to_csv(index=False), nl=False)
    else:
        typer.echo(frame.astype(object).where(frame.notna(), "-").to_string(index=False))


def _summary(report: RunReport) -> Table:
    table = Table(show_header=False, title="run")
    distillation, tally = report.distillation, report.distillation.tally
    outcome = report.outcome if report.abort_reason is None else f"aborted: {report.abort_reason}"
    rows: dict[str, object] = {
        "outcome": outcome,
        "keys equal": {True: "yes", False: "NO", None: "-"}[report.keys_match],
        "key length": f"{report.key_length:,} bits",
        "asymptotic key length": _same_rounds(report.asymptotic_key_length),
        "security": report.design.label if report.design else "-",
        "soundness": _soundness(report),
        "heralded rounds": f"{report.heralded_rounds:,} of {report.pulses:,} pulses",
        "key / test rounds": f"{distillation.key_rounds:,} / {tally.rounds if tally else 0:,}",
        "leaked bits": f"{report.leaked_bits:,}",
        "reconciliation efficiency f": number(report.reconciliation_efficiency),
        "reconciliation": _reconciliation(report.design),
        "frames disclosed": f"{distillation.failed_frames} of {distillation.frames}",
        "seed": report.seed,
        "time": f"{report.timings_s['total']:.1f} s",
    }
    for name, value in rows.items():
        table.add_row(name, str(value))
    return table


def _reconciliation(design: Design | None) -> str:
    """Return mode and code of a design."""
    if design is None or design.leakage is None:
        return "-"
    return f"{design.leakage.mode}, code {design.leakage.reconciliation.code}"


def _comparison(report: RunReport) -> Table:
    table = Table("quantity", "emulated", "expected", "deviation", title="emulation against theory")
    estimates: Mapping[str, Estimate] = {
        "gain": report.gain,
        "CHSH value": report.chsh,
        "QBER": report.qber,
    }
    for name, value in estimates.items():
        emulated = f"{number(value.estimate)} ± {number(value.standard_error, 2)}"
        deviation = "-" if value.deviation is None else f"{value.deviation:+.2f} σ"
        table.add_row(name, emulated, number(value.expected), deviation)
    return table


def _rates(report: RunReport) -> Table:
    timed = report.prediction.repetition_rate_hz is not None
    units = ("per pulse", "per heralded round", *(("per second",) if timed else ()))
    table = Table("secret bits", *units, title="rates")
    gain, per_second = report.prediction.gain, report.rates_per_second
    for name, rate in report.rates_per_pulse.items():
        per_round = rate / gain if gain and rate is not None else None
        if name == "achieved" and report.heralded_rounds:
            per_round = report.key_length / report.heralded_rounds
        numbers = (rate, per_round, *((per_second[name],) if timed else ()))
        table.add_row(name.replace("_", " "), *map(number, numbers))
    return table


def _waterfall(design: Design, terms: Mapping[str, float], key_length: int) -> Table:
    table = Table("term", "bits", "bits per heralded round", title="where the key went")
    rounds = design.heralded_rounds
    for name, bits in terms.items():
        table.add_row(TERM_LABELS.get(name, name), f"{bits:+,.0f}", f"{bits / rounds:+.5f}")
    row = ("key, whole bytes", f"{key_length:,}", f"{key_length / rounds:.5f}")
    table.add_row(*row, style="bold")
    return table


def _soundness(report: RunReport) -> str:
    if report.design is None or not METHODS[report.design.method].composable:
        return "-"
    split = report.design.epsilons
    return f"{split.soundness:.3g} = {split.secrecy:.3g} secrecy + 2 × {split.correctness:.3g}"


def _same_rounds(bits: int | None) -> str:
    return "-" if bits is None else f"{bits:,} bits for the same rounds"


def number(value: object, digits: int = 6) -> str:
    """Return a number with a few digits, a dash for None, anything else as it is."""
    if value is None:
        return "-"
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)
