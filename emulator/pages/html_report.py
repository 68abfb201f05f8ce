"""A report as one HTML file that needs nothing else: no network, no script."""

from __future__ import annotations

from pathlib import Path

from emulator.pages.page import drawing, html_page
from emulator.pages.saved import read_report, report_file
from postprocessing.checks import file_path
from postprocessing.errors import InvalidArgumentError
from postprocessing.files.atomic import atomic_write
from postprocessing.protocol.report import DistillationReport
from postprocessing.sections import Section


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
    return html_page(
        title=report.heading,
        outcome=report.outcome,
        is_good=report.key_length > 0,
        remark=report.abort_reason,
        sections=map(_section, report.present()),
        everything=report.to_dict(),
        source="report.json",
    )


def _section(section: Section) -> str:
    """Return a section as HTML, with its picture if it has one."""
    picture = section.picture
    if picture is None:
        return section.to_html()
    from emulator.plotting.waterfall import plot_waterfall

    terms, key_length = picture.terms, picture.key_length
    return section.to_html(drawing(lambda: plot_waterfall(terms, key_length, title="")))
