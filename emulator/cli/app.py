"""The `diqkd` command: results on standard output, progress on standard error.

Exit codes: 0 key made (or theory printed), 2 bad input, 3 protocol aborted, 1 failure.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from emulator.cli.attack import attack_command
from emulator.cli.flags import EXIT_ABORTED, EXIT_FAILURE, scenario_flags
from emulator.cli.lab import design_command, distill_command, emulate_command
from emulator.cli.party import party_command, pool_command
from emulator.cli.plan import plan_command
from emulator.cli.progress import StageProgress
from emulator.cli.results import plot_command, report_command, results_command
from emulator.cli.study import study_app
from emulator.cli.sweep import sweep_command
from emulator.scenario.axes import parse_axis
from emulator.scenario.scenario import Scenario
from postprocessing.errors import InvalidArgumentError
from postprocessing.files.atomic import check_output_folder, write_output

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
AsCsv = Annotated[bool, typer.Option("--csv", help="print comma-separated values")]


def main() -> None:
    """Run the command line."""
    app()


@app.callback()
def diqkd() -> None:
    """Emulate device-independent QKD round by round and distill real keys."""


@app.command("run")
@scenario_flags
def run_command(
    scenario: Scenario,
    out: Annotated[
        Path | None, typer.Option("--out", help="folder for alice.key, bob.key and report.json")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Emulate a link, distill its rounds into keys and hold the run against theory."""
    # Imported here so that help and bad input answer at once.
    from emulator.pages.terminal import print_report
    from emulator.runner import run

    model, stopping_rule = scenario.build_model(), scenario.stopping_rule()
    security = scenario.build_security()
    if out is not None:
        check_output_folder(out)
    with StageProgress() as progress:
        report = run(
            model,
            **stopping_rule,
            security=security,
            seed=scenario.seed,
            on_progress=progress.show,
        )
    report = replace(report, scenario=scenario.model_dump(mode="json"))
    if as_json:
        typer.echo(report.to_json())
    else:
        print_report(report)
    if out is not None:
        write_output(out, report.files())
    if report.outcome == "aborted":
        raise typer.Exit(EXIT_ABORTED)
    if not report.keys_match:
        typer.echo("error: the keys differ although they were verified", err=True)
        raise typer.Exit(EXIT_FAILURE)


@app.command("predict")
@scenario_flags
def predict_command(
    scenario: Scenario,
    over: Annotated[
        str | None,
        typer.Option(
            help="a curve: NAME=START:STOP:POINTS, with :log behind, or NAME=VALUE,VALUE,..."
        ),
    ] = None,
    figure: Annotated[
        str | None, typer.Option(help="the numbers of a published figure, whatever the scenario")
    ] = None,
    statements: Annotated[
        bool, typer.Option("--statements", help="the papers' statements beside exact values")
    ] = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Print what theory says of a link: gain, CHSH value, QBER and asymptotic key rate."""
    from emulator.pages.terminal import print_frame, print_prediction
    from emulator.theory.prediction import predict, prediction_curve

    if sum([over is not None, figure is not None, statements]) > 1:
        given = {"over": over, "figure": figure, "statements": statements}
        raise InvalidArgumentError("options", given, "one of over, figure and statements")
    if as_json and as_csv:
        raise InvalidArgumentError("options", "--json --csv", "one of the two")
    if figure is not None:
        from emulator.papers import figure_data

        print_frame(figure_data(figure).to_frame(), as_json=as_json, as_csv=as_csv)
    elif statements:
        from emulator.papers.statements import statements as statements_of_papers

        print_frame(statements_of_papers(), as_json=as_json, as_csv=as_csv)
    elif over is not None:
        name, values = parse_axis("over", over)
        curve = prediction_curve(scenario, name, values)
        print_frame(curve, as_json=as_json, as_csv=as_csv)
    elif as_csv:
        print_frame(predict(scenario.build_model()).to_frame(), as_json=False, as_csv=True)
    elif as_json:
        values_by_name = predict(scenario.build_model()).to_dict()
        typer.echo(json.dumps(values_by_name, indent=2, allow_nan=False))
    else:
        print_prediction(predict(scenario.build_model()), Console())


app.command("emulate")(emulate_command)
app.command("design")(design_command)
app.command("distill")(distill_command)
app.command("pool")(pool_command)
app.command("party")(party_command)
app.command("attack")(attack_command)
app.command("plan")(plan_command)
app.add_typer(study_app, name="study")
app.command("sweep")(sweep_command)
app.command("results")(results_command)
app.command("plot")(plot_command)
app.command("report")(report_command)
