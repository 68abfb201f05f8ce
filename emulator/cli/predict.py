"""`diqkd predict`: theory alone, at a point, over a curve, or as the papers have it."""

from __future__ import annotations

from typing import Annotated

import typer

from emulator.cli.flags import scenario_flags
from emulator.cli.options import AsCsv, AsJson, ProtocolChoice, check_format
from emulator.cli.progress import StageProgress
from emulator.cli.protocol import by_protocol
from emulator.scenario.axes import parse_axis
from emulator.scenario.scenario import Scenario
from postprocessing.errors import InvalidArgumentError


@scenario_flags
def command(
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
    limits: Annotated[
        bool,
        typer.Option("--limits", help="by how much a 1 % change of each parameter changes the key"),
    ] = False,
    protocol: ProtocolChoice = "paper",
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Print what theory says."""
    asked = [over is not None, figure is not None, statements, limits]
    if sum(asked) > 1:
        given = {"over": over, "figure": figure, "statements": statements, "limits": limits}
        raise InvalidArgumentError("options", given, "one of over, figure, statements and limits")
    if any(asked) and protocol == "best":
        raise InvalidArgumentError("protocol", protocol, "paper, but for one given block")
    check_format(as_json, as_csv)
    from rich.console import Console

    from emulator.pages.terminal import print_frame, print_json, print_prediction
    from emulator.papers import figure_data
    from emulator.papers import statements as papers
    from emulator.theory.curves import prediction_curve
    from emulator.theory.prediction import predict
    from emulator.theory.sensitivity import sensitivities

    if figure is not None:
        print_frame(figure_data(figure).to_frame(), as_json=as_json, as_csv=as_csv)
    elif statements:
        print_frame(papers.statements(), as_json=as_json, as_csv=as_csv)
    elif over is not None:
        name, values = parse_axis("over", over)
        with StageProgress() as progress:
            curve = prediction_curve(scenario, name, progress.steps("theory", values))
        print_frame(curve, as_json=as_json, as_csv=as_csv)
    elif limits:
        print_frame(sensitivities(scenario), as_json=as_json, as_csv=as_csv)
    else:
        scenario = by_protocol(scenario, protocol)
        rule = scenario.stopping_rule() if scenario.rounds or scenario.pulses else {}
        security = scenario.build_security() if rule else None
        prediction = predict(scenario.build_model(), **rule, security=security)
        if as_csv:
            print_frame(prediction.to_frame(), as_json=False, as_csv=True)
        elif as_json:
            print_json(prediction.to_dict())
        else:
            print_prediction(prediction, Console())
