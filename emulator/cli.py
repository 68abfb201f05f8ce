"""The `diqkd` command: results on standard output, progress on standard error.

Exit codes: 0 key made (or theory printed), 2 bad input, 3 protocol aborted, 1 failure.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from emulator.scenario import DEFAULT_PRESET, Scenario, load_scenario
from postprocessing.errors import DiqkdError, InputFileError, InvalidArgumentError
from postprocessing.keys import check_output_folder, write_output

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from emulator.report import RunReport

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

EXIT_FAILURE, EXIT_USAGE, EXIT_ABORTED = 1, 2, 3


def main() -> None:
    """Run the command line."""
    app()


@app.callback()
def diqkd() -> None:
    """Emulate device-independent QKD round by round and distil real keys."""


def scenario_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one flag for each scenario parameter, and the scenario they make.

    The command's first parameter receives the scenario; its other parameters stay its own. Values
    reach the scenario as text, so that one place alone validates them.
    """
    signature = inspect.signature(command, eval_str=True)
    own = [p for name, p in signature.parameters.items() if name != "scenario"]
    source = inspect.Parameter(
        "source",
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=DEFAULT_PRESET,
        annotation=Annotated[
            str, typer.Argument(metavar="SCENARIO", help="a preset, or a TOML file")
        ],
    )
    flags = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                str | None,
                typer.Option(f"--{name.replace('_', '-')}", help=_help(field)),
            ],
        )
        for name, field in Scenario.model_fields.items()
    ]

    @functools.wraps(command)
    def with_flags(source: str, **values: Any) -> None:
        given = {name: values.pop(name) for name in Scenario.model_fields}
        try:
            overrides = {name: value for name, value in given.items() if value is not None}
            command(load_scenario(source, overrides), **values)
        except (InvalidArgumentError, InputFileError) as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(EXIT_USAGE) from None
        except DiqkdError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(EXIT_FAILURE) from None

    parameters = [source, *(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own), *flags]
    with_flags.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_flags.__annotations__ = {p.name: p.annotation for p in parameters}
    return with_flags


def _help(field: FieldInfo) -> str:
    """Return what a parameter is, and its default."""
    default = "" if field.default is None else f" [default: {field.default}]"
    return f"{field.description}{default}"


@app.command("run")
@scenario_flags
def run_command(
    scenario: Scenario,
    out: Annotated[
        Path | None, typer.Option("--out", help="folder for alice.key, bob.key and report.json")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the report as JSON")] = False,
) -> None:
    """Emulate a link, distil its rounds into keys and hold the run against theory."""
    # Imported here so that help and bad input answer at once.
    from emulator.protocols.registry import build_model
    from emulator.runner import run
    from emulator.tables import print_report
    from postprocessing.design import Security

    model, stopping_rule = build_model(scenario), scenario.stopping_rule()
    security = Security(scenario.soundness, scenario.completeness, scenario.security)
    if out is not None:
        check_output_folder(out)
    with _Progress() as progress:
        report = run(
            model,
            **stopping_rule,
            security=security,
            seed=scenario.seed,
            on_progress=progress.show,
        )
    values = {"scenario": scenario.model_dump(), **report.to_dict()}
    text = json.dumps(values, indent=2, allow_nan=False)
    if as_json:
        typer.echo(text)
    else:
        print_report(report, Console())
    if out is not None:
        write_output(out, _files(report, text))
    if report.outcome == "aborted":
        raise typer.Exit(EXIT_ABORTED)
    if not report.keys_match:
        typer.echo("error: the keys differ although they were verified", err=True)
        raise typer.Exit(EXIT_FAILURE)


@app.command("predict")
@scenario_flags
def predict_command(
    scenario: Scenario,
    as_json: Annotated[bool, typer.Option("--json", help="print the values as JSON")] = False,
) -> None:
    """Print what theory says of a link: gain, CHSH value, QBER and asymptotic key rate."""
    from emulator.prediction import predict
    from emulator.protocols.registry import build_model
    from emulator.tables import print_prediction

    prediction = predict(build_model(scenario))
    if as_json:
        typer.echo(json.dumps(prediction.to_dict(), indent=2, allow_nan=False))
    else:
        print_prediction(prediction, Console())


def _files(report: RunReport, text: str) -> dict[str, bytes]:
    """Return the files of a run: the keys, if there are any, and the report."""
    files = {"report.json": f"{text}\n".encode()}
    if report.alice_key is not None and report.bob_key is not None:
        files = {"alice.key": report.alice_key, "bob.key": report.bob_key, **files}
    return files


class _Progress:
    """A progress line on standard error, shown on terminals only."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        console = Console(stderr=True)
        hidden = not console.is_terminal
        self._progress = Progress(*columns, console=console, transient=True, disable=hidden)
        self._task = self._progress.add_task("design", total=None)

    def __enter__(self) -> _Progress:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def show(self, stage: str, fraction: float | None) -> None:
        """Show a stage and how much of it is done."""
        total = None if fraction is None else 1.0
        self._progress.update(self._task, description=stage, total=total, completed=fraction or 0.0)
