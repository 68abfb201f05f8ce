"""A report as one HTML file that needs nothing else: no network, no script."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

from emulator.pages.saved import read_report, report_file
from postprocessing.checks import file_path
from postprocessing.errors import InvalidArgumentError
from postprocessing.files.atomic import atomic_write
from postprocessing.protocol.report import DistillationReport
from postprocessing.sections import Section, Waterfall


def write_html_report(source: Path | str, path: Path | str | None = None) -> Path:
    """Turn the report of a folder into one HTML file.

    Parameters
    ----------
    source : Path or str
        The folder of a run, of distilled rounds or of a party; or the report in it.
    path : Path or str, optional
        A file ending in .html, by default beside the report and with its name; an earlier one is
        replaced. Only its owner can read it: the seed in it makes the key again.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputFileError
        If there is no report, it is none, or the file cannot be written.
    InvalidArgumentError
        If the file has another suffix, or there are several reports.

    Examples
    --------
    >>> import tempfile
    >>> import diqkd
    >>> scenario = diqkd.load_scenario("ecs-100km", {"rounds": 1000, "seed": 1})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = diqkd.run_scenario(scenario, out=folder)
    ...     write_html_report(Path(folder)).name
    'report.html'
    """
    file = report_file(source).with_suffix(".html") if path is None else file_path("out", path)
    if file.suffix.lower() != ".html":
        raise InvalidArgumentError("out", str(file), "a file ending in .html")
    page = html_report(read_report(source))
    with atomic_write(file, replace=True) as draft:
        draft.write_text(page, encoding="utf-8")
    return file


def html_report(report: DistillationReport) -> str:
    """Return the page of a report: HTML with the picture inline and every text escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    templates = Environment(
        loader=PackageLoader("emulator.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template("report.html").render(
        title=report.heading,
        outcome=report.outcome,
        has_key=report.key_length > 0,
        reason=report.abort_reason,
        sections=[Markup(_section(section)) for section in report.present()],
        everything=json.dumps(report.to_dict(), indent=2, ensure_ascii=False),
    )


def _section(section: Section) -> str:
    """Return a section as HTML, with its picture if it has one."""
    if section.picture is None:
        return section.to_html()
    drawing = f'<div class="plot" role="img">{_svg(section.picture)}</div>'
    return section.to_html(drawing)


def _svg(picture: Waterfall) -> str:
    """Return the picture as SVG inside HTML: without links, black in the colour of the text."""
    import matplotlib as mpl

    from emulator.plotting.style import canvas_of
    from emulator.plotting.waterfall import plot_waterfall

    text = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "diqkd"}):
        axes = plot_waterfall(picture.terms, picture.key_length, title="")
        canvas = canvas_of(axes)
        canvas.patch.set_visible(False)
        axes.patch.set_visible(False)
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        canvas.savefig(text, format="svg", bbox_inches="tight", metadata=nothing)
    svg = text.getvalue()
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg[svg.index("<svg") :])
    svg = svg.replace("xlink:href", "href").replace("#000000", "currentColor")
    return svg.replace("<svg ", '<svg fill="currentColor" ', 1)
