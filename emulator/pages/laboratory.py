"""Designs, and rounds without one, as text for the terminal."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import typer

from emulator.pages.terminal import print_sections
from postprocessing.design.comparison import outdone
from postprocessing.design.request import ExpectedValues
from postprocessing.files.lab_report import EXPLORATORY, Exploration, validation_sections
from postprocessing.security import METHODS

if TYPE_CHECKING:
    from emulator.scenario.scenario import Scenario
    from postprocessing.design.design import Design


def print_design(design: Design) -> None:
    """Print what a design promises, what it makes the key depend on, and how settings are drawn."""
    typer.echo(
        f"key of {design.key_length:,} bits from {design.heralded_rounds:,} heralded rounds, "
        f"{design.acceptance_rule}"
    )
    if design.noisy_preprocessing:
        typer.echo(f"a raw key bit is inverted with probability {design.noisy_preprocessing}")
    for party in ("alice", "bob"):
        labels = design.scheme.labels(party)
        choice = design.setting_choice.choice(design.scheme, party)
        shown = ", ".join(f"{label} {_exact(p)}" for label, p in zip(labels, choice, strict=True))
        typer.echo(f"{party} draws each setting with probability: {shown}")
    if (coin := getattr(design.setting_choice, "coin_probability", None)) is not None:
        typer.echo(
            f"{design.scheme.corrector}'s coin keeps a surplus round with probability {coin}"
        )
    if (off := design.setting_choice.setting_probability_tolerance) > 0:
        typer.echo(f"each test setting, mark and coin may be off by {off}, round by round")


def print_cost(design: Design, best: Design) -> None:
    """Print what settings that were given cost against the best ones."""
    cost = best.key_length - design.key_length
    typer.echo(
        f"these probabilities cost {cost:,} bits: the best ones give a key of "
        f"{best.key_length:,} bits"
    )


def print_outdone(design: Design, scenario: Scenario, *, err: bool = False) -> None:
    """Print what other methods would give, where the design has less than half of the best."""
    joint = scenario.build_model().working_point().joint_distribution()
    # What theory says of the two kinds of tests is of the scheme's settings, not of a layout's.
    part = joint.chsh_at_key_setting if joint.scheme == design.scheme else None
    expected = ExpectedValues(design.scheme, design.expected_chsh, design.expected_qber, part)
    keys = outdone(design, scenario.build_security(), expected)
    if not keys:
        return
    typer.echo(
        f"{design.method} has a key of {design.key_length:,} bits here; other methods, and what "
        "their keys are worth:",
        err=err,
    )
    width, digits = max(map(len, keys)), max(len(f"{bits:,}") for bits in keys.values())
    for name, bits in keys.items():
        label = METHODS[name].label
        typer.echo(f"  {name:{width}}  {bits:{digits},} bits  {label}", err=err)


def _exact(probability: float) -> str:
    """Return all of a probability, by its binary and by its decimal digits."""
    exact = Fraction(float(probability))
    bits = max(16, exact.denominator.bit_length() - 1)
    return f"{exact * 2**bits}/2^{bits} = {Decimal(float(probability)):f}"


def print_exploration(found: Exploration) -> None:
    """Print what rounds look like, without a key."""
    typer.echo(f"{EXPLORATORY}: a key needs a design made before the rounds (diqkd design)")
    print_sections(validation_sections(found.validation))
    typer.echo(f"asymptotic key fraction at these values: {found.asymptotic_key_fraction}")
