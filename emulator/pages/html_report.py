"""The report of a run as one HTML file that needs nothing else: no network, no script."""

from __future__ import annotations

import io
import json
import math
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator.pages.saved_report import SavedReport, read_report
from emulator.pages.terminal import number
from emulator.plotting.waterfall import TERM_NAMES
from postprocessing.errors import InputFileError, InvalidArgumentError

if TYPE_CHECKING:
    from markupsafe import Markup

Row = Sequence[str]


@dataclass(frozen=True)
class Section:
    """A part of the page: a table, a list or a picture under a title.

    Parameters
    ----------
    title : str
        What it is.
    rows : sequence of rows of str
        The table.
    header : sequence of str
        Names of its columns, of which all but the first hold numbers.
    bullets : sequence of str
        A list of sentences.
    plot : Markup, optional
        SVG to stand above the table.
    """

    title: str
    rows: Sequence[Row] = ()
    header: Row = ()
    bullets: Sequence[str] = ()
    plot: Markup | None = None


def write_html_report(folder: Path, path: Path | None = None) -> Path:
    """Turn the report of a run into one HTML file.

    Parameters
    ----------
    folder : Path
        The folder of the run, with its report.json.
    path : Path, optional
        A file ending in .html, by default report.html in the folder; an earlier one is replaced.
        Only its owner can read it: the seed in it makes the key again.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputFileError
        If there is no report, it is not the report of a run, or the file cannot be written.
    InvalidArgumentError
        If the file has another suffix.

    Examples
    --------
    >>> import tempfile
    >>> import diqkd
    >>> from emulator.laboratory import run_scenario
    >>> scenario = diqkd.load_scenario("ecs-100km", {"rounds": 1000, "seed": 1})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = run_scenario(scenario, out=folder)
    ...     write_html_report(Path(folder)).name
    'report.html'
    """
    file = folder / "report.html" if path is None else path
    if file.suffix.lower() != ".html":
        raise InvalidArgumentError("out", str(file), "a file ending in .html")
    page = html_report(*read_report(folder))
    try:
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".unfinished-") as unfinished:
            draft = Path(unfinished) / "report.html"
            draft.touch(mode=0o600)
            draft.write_text(page, encoding="utf-8")
            draft.replace(file)
    except OSError as error:
        raise InputFileError(f"cannot write {str(file)!r} ({error.strerror})") from error
    return file


def html_report(report: SavedReport, values: Mapping[str, Any]) -> str:
    """Return the page of a report.

    Parameters
    ----------
    report : SavedReport
        The report.
    values : mapping of str to object
        Every value of its file, which the page lists at its end.

    Returns
    -------
    str
        HTML with the picture inline and every text escaped.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("emulator.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template("report.html").render(
        title=f"Run of the scheme {report.scheme}, seed {report.seed}",
        outcome=report.outcome,
        reason=report.abort_reason,
        security=report.security,
        sections=list(_sections(report)),
        everything=json.dumps(values, indent=2, ensure_ascii=False),
    )


def _sections(report: SavedReport) -> Iterator[Section]:
    """Yield the parts of the page in order."""
    yield Section("run", _summary(report))
    yield _comparison(report)
    yield _rates(report)
    title, terms = report.waterfall
    if terms:
        yield _waterfall(report, title, terms)
    yield _transcript(report)
    yield Section("theory", _pairs(report.prediction))
    if report.design is not None:
        fingerprint = ("SHA-256 of the design", report.design_sha256 or "-")
        yield Section("design", [fingerprint, *_pairs(report.design)])
    yield Section("assumptions", bullets=report.assumptions)
    yield Section("scenario", _pairs(report.scenario))
    yield Section("time spent (s)", _pairs(report.timings_s))
    yield Section("versions", _pairs(report.versions))


def _summary(report: SavedReport) -> list[Row]:
    """Return what came of the run."""
    equal = {True: "yes", False: "NO", None: "-"}[report.keys_match]
    same_rounds = report.asymptotic_key_length
    return [
        ("keys equal", equal),
        ("key length", f"{report.key_length:,} bits"),
        ("SHA-256 of the key", report.key_sha256 or "-"),
        (
            "asymptotic key length",
            "-" if same_rounds is None else f"{same_rounds:,} bits for the same rounds",
        ),
        ("heralded rounds", f"{report.heralded_rounds:,} of {report.pulses:,} pulses"),
        ("key rounds", f"{report.key_rounds:,}"),
        ("test rounds", f"{report.test_rounds:,}"),
        ("lost tests", _count(report.lost_tests)),
        ("leaked bits", f"{report.leaked_bits:,}"),
        ("corrected errors", _count(report.corrected_errors)),
        ("reconciliation efficiency f", number(report.reconciliation_efficiency)),
        ("frames disclosed", f"{report.failed_frames} of {report.frames}"),
    ]


def _comparison(report: SavedReport) -> Section:
    """Return the emulation against theory."""
    rows = []
    named = {"gain": report.gain, "CHSH value": report.chsh, "QBER": report.qber}
    for name, value in named.items():
        deviation = "-" if value.deviation is None else f"{value.deviation:+.2f} σ"
        emulated = "-"
        if value.estimate is not None:
            emulated = f"{number(value.estimate)} ± {number(value.standard_error, 2)}"
        rows.append((name, emulated, number(value.expected), deviation))
    header = ("quantity", "emulated", "expected", "deviation")
    return Section("emulation against theory", rows, header)


def _rates(report: SavedReport) -> Section:
    """Return the rates per pulse, per heralded round and per second."""
    gain = report.gain.expected
    rows = []
    for name, rate in report.rates_per_pulse.items():
        per_round = rate / gain if gain and rate is not None else None
        if name == "achieved" and report.heralded_rounds:
            per_round = report.key_length / report.heralded_rounds
        per_second = report.rates_per_second.get(name)
        rows.append((name.replace("_", " "), *map(number, (rate, per_round, per_second))))
    return Section("rates", rows, ("secret bits", "per pulse", "per heralded round", "per second"))


def _waterfall(report: SavedReport, title: str, terms: Mapping[str, float]) -> Section:
    """Return the waterfall as a picture and as a table."""
    rounds = report.designed_rounds or math.nan
    rows = [
        (TERM_NAMES.get(name, name), f"{bits:+,.0f}", f"{bits / rounds:+.5f}")
        for name, bits in terms.items()
    ]
    key = report.key_length
    rows.append(("key, whole bytes", f"{key:,}", f"{key / rounds:.5f}"))
    plot = _waterfall_svg(terms, report.key_length)
    return Section(title, rows, ("term", "bits", "bits per heralded round"), plot=plot)


def _waterfall_svg(terms: Mapping[str, float], key_length: int) -> Markup:
    """Return the picture as SVG inside HTML: without links, black in the colour of the text."""
    import matplotlib as mpl
    from markupsafe import Markup

    from emulator.plotting.style import canvas_of
    from emulator.plotting.waterfall import plot_waterfall

    text = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "diqkd"}):
        axes = plot_waterfall(terms, key_length, title="")
        canvas = canvas_of(axes)
        canvas.patch.set_visible(False)
        axes.patch.set_visible(False)
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        canvas.savefig(text, format="svg", bbox_inches="tight", metadata=nothing)
    svg = text.getvalue()
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg[svg.index("<svg") :])
    svg = svg.replace("xlink:href", "href").replace("#000000", "currentColor")
    return Markup(svg.replace("<svg ", '<svg fill="currentColor" ', 1))


def _transcript(report: SavedReport) -> Section:
    """Return the public messages with the bits that they leak."""
    rows = [
        (f"{place}. {entry.message}", entry.sender, f"{entry.leaked_bits:,}")
        for place, entry in enumerate(report.transcript, start=1)
    ]
    rows.append(("in all", "", f"{report.leaked_bits:,}"))
    return Section("transcript", rows, ("message", "sender", "leaked bits"))


def _pairs(values: object, prefix: str = "") -> list[Row]:
    """Return nested values as pairs of a name and an exact value."""
    if isinstance(values, Mapping):
        inner = [(f"{prefix} {name}".strip(), value) for name, value in values.items()]
        return [row for name, value in inner for row in _pairs(value, name)]
    text = values if isinstance(values, str) else json.dumps(values, ensure_ascii=False)
    return [(prefix.replace("_", " "), "-" if values is None else text)]


def _count(value: int | None) -> str:
    """Return a count, a dash for None."""
    return "-" if value is None else f"{value:,}"
