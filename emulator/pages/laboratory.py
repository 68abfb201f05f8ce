"""Recorded rounds and their keys as text for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from emulator.lab_report import EXPLORATORY, PRIVATE, Exploration, LabReport
from emulator.pages.terminal import number

if TYPE_CHECKING:
    from postprocessing.design.design import Design
    from postprocessing.files.validation import Validation
    from postprocessing.network.party import PartyRun


def print_design(design: Design) -> None:
    """Print what a design promises, what it makes the key depend on, and how settings are drawn."""
    typer.echo(
        f"key of {design.key_length:,} bits from {design.heralded_rounds:,} heralded rounds, "
        f"{acceptance_rule(design)}"
    )
    for party in ("alice", "bob"):
        labels = design.scheme.labels(party)
        choice = design.setting_choice.choice(design.scheme, party)
        shown = ", ".join(f"{label} {p:.6f}" for label, p in zip(labels, choice, strict=True))
        typer.echo(f"{party} draws each setting with probability: {shown}")


def print_exploration(found: Exploration) -> None:
    """Print what rounds look like, without a key."""
    typer.echo(f"{EXPLORATORY}: a key needs a design made before the rounds (diqkd design)")
    _print_validation(found.validation)
    typer.echo(f"asymptotic key fraction at these values: {found.asymptotic_key_fraction}")


def print_lab_report(report: LabReport) -> None:
    """Print what came of recorded rounds."""
    distillation, design = report.distillation, report.design
    reason = distillation.abort_reason
    typer.echo("key" if reason is None else f"aborted: {reason}")
    typer.echo(f"key length: {distillation.key_length:,} bits, {design.label}")
    if report.warning is not None:
        typer.echo(report.warning)
    if distillation.tally is not None:
        lost, rounds = distillation.tally.lost, distillation.tally.rounds
        typer.echo(f"tests lost: {lost:,} of {rounds:,}; {acceptance_rule(design)}")
    typer.echo(f"leaked bits: {distillation.transcript.leaked_bits:,}")
    _print_validation(report.validation)


def print_party(done: PartyRun) -> None:
    """Print what a party's session came to, and what it cost."""
    report = done.session
    if report.abort_reason is not None:
        typer.echo(f"aborted: {report.abort_reason}")
    else:
        typer.echo(f"{report.outcome}: {report.key_length:,} bits, {done.design.label}")
        if report.warning is not None:
            typer.echo(report.warning)
        if report.confirmed:
            typer.echo(str(done.key_path))
    traffic = report.traffic
    typer.echo(f"bytes sent: {traffic.sent_bytes:,}, received: {traffic.received_bytes:,}")
    typer.echo(f"authentication: {traffic.keys} one-time keys, {traffic.key_bits:,} bits")
    typer.echo(f"forged unnoticed with probability at most {traffic.forgery_probability:.3g}")
    typer.echo(f"net key: {report.net_key_bits:,} bits")


def acceptance_rule(design: Design) -> str:
    """Return what a design makes the key depend on, in words."""
    if design.method == "renyi":
        return "the length follows from the tests won and lost"
    if design.least_score is not None:
        return f"a score of at least {design.least_score:,.0f} bits"
    return f"at most {design.tolerated_test_losses:,} lost tests"


def _print_validation(validation: Validation) -> None:
    typer.echo(PRIVATE)
    typer.echo(f"heralded rounds: {validation.rounds:,}")
    typer.echo(f"S: {number(validation.chsh)} ± {number(validation.chsh_error, 2)}")
    typer.echo(f"QBER: {number(validation.qber)}")
    for finding in validation.findings:
        mark = "  WARNING" if finding.suspicious else ""
        typer.echo(f"p = {finding.p_value:.3g}  {finding.name}{mark}")
    shown = " ".join(number(chsh, 4) for chsh in validation.chsh_over_time)
    typer.echo(f"S over time: {shown}")
