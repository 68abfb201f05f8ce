"""The commands of what is already there: results of sweeps, pictures, the report of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emulator.cli.flags import run_or_explain
from postprocessing.errors import InvalidArgumentError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from emulator.plotting.series import Interval

_STORE_PLOTS = ("rate", "chsh", "qber", "finite-size")
_WATERFALL = "waterfall"

Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where", metavar="NAME=VALUE", help="only runs with this value; may be repeated"
    ),
]


def results_command(
    stores: Annotated[list[Path], typer.Argument(metavar="STORE...", help="results of sweeps")],
    by: Annotated[
        list[str] | None,
        typer.Option(help="group by this parameter [default: all that vary but the seed]"),
    ] = None,
    value: Annotated[
        list[str] | None,
        typer.Option(help="result to average [default: chsh, qber, rate_achieved]"),
    ] = None,
    quantile: Annotated[
        list[float] | None, typer.Option(help="of the results, in [0, 1]; may be repeated")
    ] = None,
    where: Where = None,
    export: Annotated[
        Path | None, typer.Option(help="write every run to this .parquet or .csv file as well")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="print comma-separated values")] = False,
) -> None:
    """Print statistics of sweeps over their seeds; export their runs."""

    def show() -> None:
        from emulator.pages.terminal import print_frame
        from emulator.sweeps.results import DEFAULT_VALUES, aggregate, load, select
        from emulator.sweeps.results import export as export_frame

        if as_json and as_csv:
            raise InvalidArgumentError("options", "--json --csv", "one of the two")
        if export is not None and export.resolve() in [store.resolve() for store in stores]:
            raise InvalidArgumentError("export", str(export), "another file than the stores")
        frame = select(load(*stores), _conditions(where))
        table = aggregate(frame, by, value or DEFAULT_VALUES, quantile or ())
        if export is not None:
            export_frame(frame, export)
        print_frame(table, as_json=as_json, as_csv=as_csv)

    run_or_explain(show)


def report_command(
    run: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="folder of diqkd run --out")],
    out: Annotated[
        Path | None, typer.Option("--out", help="HTML file [default: RUN_DIR/report.html]")
    ] = None,
) -> None:
    """Turn the report of a run into one HTML file, readable without network."""

    def write() -> None:
        from emulator.pages.html_report import write_html_report

        typer.echo(str(write_html_report(run, out)))

    run_or_explain(write)


def plot_command(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="a figure of the papers (xie-fig2, …, li-fig4c), or of your own results: "
            f"{', '.join(_STORE_PLOTS)} (of stores), {_WATERFALL} (of a run)",
        ),
    ],
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[STORE... | RUN_DIR]", help="what to draw; nothing for a figure"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="PNG, SVG or PDF file [default: WHAT.png]")
    ] = None,
    over: Annotated[
        str | None,
        typer.Option(help="parameter of the horizontal axis: for chsh and qber; rate: distance_km"),
    ] = None,
    where: Where = None,
    quantiles: Annotated[
        bool, typer.Option("--quantiles", help="median, 5 % and 95 %, not mean ± standard error")
    ] = False,
) -> None:
    """Draw results beside theory, the waterfall of a run, or a figure of the two papers."""
    options = {"--over": over, "--where": where, "--quantiles": quantiles}

    def draw() -> None:
        from emulator.plotting.style import check_suffix, save_axes

        path = Path(f"{what}.png") if out is None else out
        check_suffix(path)
        if what in _STORE_PLOTS:
            axes = _store_plot(what, inputs or [], over, where, quantiles)
        else:
            given = [name for name, value in options.items() if value]
            if given:
                allowed = f"left out, except for {', '.join(_STORE_PLOTS)}"
                raise InvalidArgumentError(given[0], options[given[0]], allowed)
            axes = _waterfall(inputs or []) if what == _WATERFALL else _figure(what, inputs or [])
        save_axes(axes, path)
        typer.echo(str(path))

    run_or_explain(draw)


def _figure(name: str, inputs: Sequence[Path]) -> Axes:
    """Draw a figure of the papers."""
    from emulator.papers import FIGURES, figure_data
    from emulator.plotting.papers import draw

    if name not in FIGURES:
        own = ", ".join((*_STORE_PLOTS, _WATERFALL))
        raise InvalidArgumentError("figure", name, f"one of {', '.join(FIGURES)}, {own}")
    if inputs:
        raise InvalidArgumentError("inputs", str(inputs[0]), f"left out for {name}")
    return draw(figure_data(name))


def _waterfall(inputs: Sequence[Path]) -> Axes:
    """Draw the waterfall of a run."""
    from emulator.pages.saved import read_report
    from emulator.plotting.waterfall import plot_waterfall

    if len(inputs) != 1:
        raise InvalidArgumentError("RUN_DIR", [*map(str, inputs)], "one folder of a run")
    report = read_report(inputs[0])
    title, terms = report.waterfall
    return plot_waterfall(terms, report.key_length, title=title)


def _store_plot(
    what: str,
    paths: Sequence[Path],
    over: str | None,
    where: Sequence[str] | None,
    quantiles: bool,
) -> Axes:
    """Draw results of stores."""
    from emulator.plotting.results import plot_finite_size, plot_quantity, plot_rate

    if not paths:
        raise InvalidArgumentError("STORE", [], f"given for {what}")
    if what in ("chsh", "qber") and over is None:
        raise InvalidArgumentError(
            "--over", None, f"given for {what}: the parameter below the axis"
        )
    if what == "finite-size" and over is not None:
        raise InvalidArgumentError("--over", over, "left out for finite-size")
    stores = _stores(paths, _conditions(where))
    axis = (over or "distance_km").replace("-", "_")
    interval: Interval = "quantiles" if quantiles else "standard error"
    if what == "rate":
        return plot_rate(stores, over=axis, interval=interval)
    if what == "finite-size":
        return plot_finite_size(stores, interval=interval)
    return plot_quantity(stores, what, axis, interval=interval)


def _stores(paths: Sequence[Path], conditions: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """Load stores under the names of their files, or their paths where names are alike."""
    from emulator.sweeps.results import load, select

    names = [path.stem for path in paths]
    labels = [
        str(path) if names.count(name) > 1 else name
        for path, name in zip(paths, names, strict=True)
    ]
    if len(set(labels)) < len(labels):
        raise InvalidArgumentError("STORE", labels, "different files")
    return {
        label: select(load(path), conditions) for label, path in zip(labels, paths, strict=True)
    }


def _conditions(where: Sequence[str] | None) -> dict[str, str]:
    """Return the values by name of NAME=VALUE."""
    for text in where or ():
        if not all(text.partition("=")):
            raise InvalidArgumentError("--where", text, "NAME=VALUE")
    return {name: value for name, _, value in (text.partition("=") for text in where or ())}
