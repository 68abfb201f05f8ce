"""`diqkd emulate`, `design` and `distill`: rounds to files, the design before, the key after."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from emulator.cli.flags import EXIT_ABORTED, EXIT_FAILURE, run_or_explain, scenario_flags
from emulator.cli.progress import StageProgress
from emulator.scenario.scenario import Scenario
from postprocessing.errors import InputFileError, InvalidArgumentError

if TYPE_CHECKING:
    from postprocessing.design.design import Design
    from postprocessing.files.layout import Layout
    from postprocessing.files.validation import Validation
    from postprocessing.protocol.distillation import DistillationReport
    from postprocessing.records import PartyRecord
    from postprocessing.scheme import Party

EXPLORATORY = "exploratory, no key"
PRIVATE = "statistics of outcomes, for your eyes only: what is published of them is not paid for"

AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
LayoutFile = Annotated[
    Path | None,
    typer.Option(
        "--layout", help="TOML file: columns and their values [default: those diqkd emulate writes]"
    ),
]
Threads = Annotated[int | None, typer.Option(help="threads to work on [default: one a processor]")]


@scenario_flags
def emulate_command(
    scenario: Scenario,
    out: Annotated[Path, typer.Option("--out", help="folder for the rounds and design.json")],
    file_format: Annotated[
        Literal["parquet", "csv", "npz", "h5"], typer.Option("--format", help="of the rounds")
    ] = "parquet",
    joint: Annotated[
        bool, typer.Option("--joint", help="one file rounds.* instead of alice.* and bob.*")
    ] = False,
) -> None:
    """Emulate the quantum phase alone: each party's rounds, and the design they fall under."""
    from emulator.sampling.emulation import emulate
    from emulator.sampling.sampler import Sampler
    from emulator.schemes.drifting import distributions_of
    from postprocessing.checks import thread_count
    from postprocessing.files.atomic import check_output_folder
    from postprocessing.files.designs import write_design
    from postprocessing.files.records import write_records

    names = ["rounds"] if joint else ["alice", "bob"]
    check_output_folder(out, [*(f"{name}.{file_format}" for name in names), "design.json"])
    design = _design(scenario, None)
    with StageProgress() as progress:
        model, rule = scenario.build_model().working_point(), scenario.stopping_rule()
        seed = _seed(scenario)
        progress.show("emulation", None)
        rounds = emulate(
            [Sampler(part, design.setting_choice, seed) for part in distributions_of(model)],
            heralded_rounds=rule.get("heralded_rounds"),
            pulses=rule.get("pulses"),
            threads=thread_count(None),
        )
        progress.show("files", None)
        settings = design.scheme
        if joint:
            both: dict[Party, PartyRecord] = {"alice": rounds.alice, "bob": rounds.bob}
            write_records(out / f"rounds.{file_format}", settings, both)
        else:
            write_records(out / f"alice.{file_format}", settings, {"alice": rounds.alice})
            write_records(out / f"bob.{file_format}", settings, {"bob": rounds.bob})
        write_design(out / "design.json", design, emulated=True)
    typer.echo(f"{out}: {len(rounds):,} heralded rounds of {rounds.pulses:,} pulses, seed {seed}")
    typer.echo(f"{out / 'design.json'}: a key of {design.key_length:,} bits")


@scenario_flags
def design_command(
    scenario: Scenario,
    out: Annotated[Path, typer.Option("--out", help="JSON file of the design")],
    layout: LayoutFile = None,
) -> None:
    """Fix everything that decides security, before any data: from theory or expected values.

    Where a layout is given, settings and heralds are the layout's, and the scenario says what CHSH
    value and QBER to expect.
    """
    from postprocessing.files.designs import write_design
    from postprocessing.files.layout import Layout

    design = _design(scenario, Layout.read(layout) if layout is not None else None)
    write_design(out, design)
    typer.echo(f"{out}: {design.label}")
    typer.echo(
        f"key of {design.key_length:,} bits from {design.heralded_rounds:,} heralded rounds, "
        f"{acceptance_rule(design)}"
    )
    for party in ("alice", "bob"):
        labels = design.scheme.labels(party)
        choice = design.setting_choice.choice(design.scheme, party)
        shown = ", ".join(f"{label} {p:.6f}" for label, p in zip(labels, choice, strict=True))
        typer.echo(f"{party} draws each setting with probability: {shown}")
    if design.key_length == 0:
        raise typer.Exit(EXIT_ABORTED)


def distill_command(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="one joint file, or Alice's and Bob's: .parquet, .csv, .npz, .h5",
        ),
    ],
    design: Annotated[
        Path | None,
        typer.Option("--design", help=f"of diqkd design, made beforehand; without: {EXPLORATORY}"),
    ] = None,
    layout: LayoutFile = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="folder for alice.key, bob.key and report.json")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="of coins and hash seeds, for emulated rounds: the keys are worthless"),
    ] = None,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Distil recorded rounds into keys, under a design made before they were recorded.

    The security statement is for one run on a block of rounds: of several, use the keys of one.
    """

    def distill() -> None:
        from postprocessing.files.designs import is_emulated, read_design
        from postprocessing.files.layout import Layout

        described = Layout.read(layout) if layout is not None else None
        if design is None:
            if out is not None:
                raise InvalidArgumentError("--out", str(out), "left out without --design")
            _explore(files, chosen_layout(None, described), as_json=as_json)
            return
        given, emulated = read_design(design), is_emulated(design)
        chosen = chosen_layout(given, described)
        _distill(files, chosen, given, out, seed, threads, emulated=emulated, as_json=as_json)

    run_or_explain(distill)


def chosen_layout(design: Design | None, layout: Layout | None) -> Layout:
    """Return the layout of the rounds, which must be of the design's settings.

    Raises
    ------
    InvalidArgumentError
        If they differ, or neither is given.
    """
    from postprocessing.files.layout import Layout as LayoutType

    if layout is None:
        if design is None:
            raise InvalidArgumentError("--layout", None, "given, or else --design")
        return LayoutType.of(design.scheme)
    if design is not None and layout.bell_scheme() != design.scheme:
        given = layout.bell_scheme()
        raise InvalidArgumentError("--layout", given, f"of the design's {design.scheme}")
    return layout


def _design(scenario: Scenario, layout: Layout | None) -> Design:
    """Make the design of a scenario, for the settings of a layout where there is one."""
    from emulator.runner import designed_rounds
    from postprocessing.design.request import ExpectedValues

    security = scenario.build_security()
    joint = scenario.build_model().working_point().joint_distribution()
    rule = scenario.stopping_rule()
    rounds = designed_rounds(joint.gain, rule.get("heralded_rounds"), rule.get("pulses"), security)
    if rounds == 0:
        raise InvalidArgumentError("pulses", scenario.pulses, "enough for a heralded round")
    if layout is None:
        return security.design(joint, rounds)
    expected = ExpectedValues(layout.bell_scheme(), joint.chsh, joint.qber)
    return security.design(expected, rounds)


def _seed(scenario: Scenario) -> int:
    import secrets

    return secrets.randbits(63) if scenario.seed is None else scenario.seed


def _explore(files: list[Path], layout: Layout, *, as_json: bool) -> None:
    """Say what rounds look like, without a key: no design was there before them."""
    from postprocessing.files.records import read_records
    from postprocessing.files.validation import validate
    from postprocessing.security import asymptotic_key_fraction

    alice, bob = read_records(*files, layout=layout)
    check_halves(len(alice), len(bob), same=alice.same_heralds(bob))
    validation = validate(alice, bob, layout.bell_scheme())
    chsh, qber = validation.chsh, validation.qber
    fraction = None
    if chsh is not None and qber is not None:
        fraction = float(asymptotic_key_fraction(chsh, qber))
    values: dict[str, object] = {
        "private": PRIVATE,
        "outcome": EXPLORATORY,
        "key_length": 0,
        "asymptotic_key_fraction": fraction,
        "validation": validation.to_dict(),
    }
    if as_json:
        typer.echo(json.dumps(values, indent=2, allow_nan=False))
        return
    typer.echo(f"{EXPLORATORY}: a key needs a design made before the rounds (diqkd design)")
    _print_validation(validation)
    typer.echo(f"asymptotic key fraction at these values: {fraction}")


def check_halves(alice: int, bob: int, *, same: bool) -> None:
    """Refuse two records that are not of the same rounds.

    Raises
    ------
    InputFileError
        If so.
    """
    if alice != bob or not same:
        text = f"the files must hold the same heralded rounds, got {alice} and {bob}"
        raise InputFileError(text if alice != bob else "the files must hold the same heralds")


def _distill(
    files: list[Path],
    layout: Layout,
    design: Design,
    out: Path | None,
    seed: int | None,
    threads: int | None,
    *,
    emulated: bool,
    as_json: bool,
) -> None:
    """Distil, report, and write the keys."""
    from emulator.sampling.streams import emulated_randomness
    from postprocessing.files.atomic import check_output_folder, write_output
    from postprocessing.files.records import read_records
    from postprocessing.files.validation import validate
    from postprocessing.network.key_files import no_secret
    from postprocessing.protocol.distillation import distill
    from postprocessing.protocol.randomness import PartyRandomness

    if out is not None:
        check_output_folder(out)
    with StageProgress() as progress:
        progress.show("files", None)
        alice, bob = read_records(*files, layout=layout)
        check_halves(len(alice), len(bob), same=alice.same_heralds(bob))
        progress.show("validation", None)
        validation = validate(alice, bob, design.scheme, design.setting_choice)
        fresh = PartyRandomness()
        report = distill(
            alice,
            bob,
            design,
            alice_randomness=fresh if seed is None else emulated_randomness("alice", seed),
            bob_randomness=fresh if seed is None else emulated_randomness("bob", seed),
            on_stage=lambda stage: progress.show(stage, None),
            threads=threads,
        )
    values = _report_values(report, design, validation, seed, emulated=emulated)
    text = json.dumps(values, indent=2, allow_nan=False)
    if as_json:
        typer.echo(text)
    else:
        _print_distillation(report, design, no_secret(seed, emulated))
        _print_validation(validation)
    if out is not None:
        keys = {"alice.key": report.alice_key, "bob.key": report.bob_key}
        held = {name: key for name, key in keys.items() if key is not None}
        write_output(out, {"report.json": f"{text}\n".encode(), **held})
    if report.abort_reason is not None:
        raise typer.Exit(EXIT_ABORTED)
    if report.alice_key != report.bob_key:
        typer.echo("error: the keys differ although they were verified", err=True)
        raise typer.Exit(EXIT_FAILURE)


def _report_values(
    report: DistillationReport,
    design: Design,
    validation: Validation,
    seed: int | None,
    *,
    emulated: bool,
) -> dict[str, object]:
    """Return everything but the keys as JSON values."""
    from postprocessing.network.key_files import no_secret
    from postprocessing.security.assumptions import assumptions

    return {
        "private": PRIVATE,
        "outcome": "key" if report.abort_reason is None else "aborted",
        "abort_reason": report.abort_reason,
        "key_length": report.key_length,
        "key_rounds": report.key_rounds,
        "test_rounds": report.tally.rounds if report.tally else 0,
        "lost_tests": report.tally.lost if report.tally else None,
        "corrected_errors": report.errors,
        "leaked_bits": report.transcript.leaked_bits,
        "security": design.label,
        "seed": seed,
        "emulated": emulated,
        "warning": no_secret(seed, emulated),
        "assumptions": assumptions(design.setting_choice),
        "design": design.to_dict(),
        "design_sha256": design.fingerprint(),
        "validation": validation.to_dict(),
        "transcript": report.transcript.to_list(),
        "timings_s": report.timings_s,
    }


def _print_distillation(report: DistillationReport, design: Design, warning: str | None) -> None:
    reason = report.abort_reason
    typer.echo("key" if reason is None else f"aborted: {reason}")
    typer.echo(f"key length: {report.key_length:,} bits, {design.label}")
    if warning is not None:
        typer.echo(warning)
    if report.tally is not None:
        lost, rounds = report.tally.lost, report.tally.rounds
        typer.echo(f"tests lost: {lost:,} of {rounds:,}; {acceptance_rule(design)}")
    typer.echo(f"leaked bits: {report.transcript.leaked_bits:,}")


def acceptance_rule(design: Design) -> str:
    """Return what a design makes the key depend on, in words."""
    if design.method == "renyi":
        return "the length follows from the tests won and lost"
    if design.least_score is not None:
        return f"a score of at least {design.least_score:,.0f} bits"
    return f"at most {design.tolerated_test_losses:,} lost tests"


def _print_validation(validation: Validation) -> None:
    from emulator.pages.terminal import number

    typer.echo(PRIVATE)
    typer.echo(f"heralded rounds: {validation.rounds:,}")
    typer.echo(f"S: {number(validation.chsh)} ± {number(validation.chsh_error, 2)}")
    typer.echo(f"QBER: {number(validation.qber)}")
    for finding in validation.findings:
        mark = "  WARNING" if finding.suspicious else ""
        typer.echo(f"p = {finding.p_value:.3g}  {finding.name}{mark}")
    shown = " ".join(number(chsh, 4) for chsh in validation.chsh_over_time)
    typer.echo(f"S over time: {shown}")
