"""One HTML file that needs nothing else: no network, no script."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def html_page(
    *,
    title: str,
    outcome: str,
    is_good: bool,
    remark: str | None,
    sections: Iterable[str],
    everything: object,
    source: str,
) -> str:
    """Return a page, every text escaped.

    Parameters
    ----------
    title, outcome, remark : str
        What it is, what came out, and why.
    is_good : bool
        How the outcome is coloured.
    sections : iterable of str
        HTML.
    everything : object
        JSON values, all of them below the sections.
    source : str
        The file that holds these values too.
    """
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
        title=title,
        outcome=outcome,
        is_good=is_good,
        reason=remark,
        sections=[Markup(section) for section in sections],
        everything=json.dumps(everything, indent=2, ensure_ascii=False),
        source=source,
    )


def drawing(draw: Callable[[], Axes]) -> str:
    """Return a picture as SVG inside HTML: without links, black in the colour of the text."""
    import matplotlib as mpl

    from emulator.plotting.style import canvas_of

    text = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "diqkd"}):
        axes = draw()
        canvas = canvas_of(axes)
        canvas.patch.set_visible(False)
        axes.patch.set_visible(False)
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        canvas.savefig(text, format="svg", bbox_inches="tight", metadata=nothing)
    svg = text.getvalue()
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg[svg.index("<svg") :])
    svg = svg.replace("xlink:href", "href").replace("#000000", "currentColor")
    svg = svg.replace("<svg ", '<svg fill="currentColor" ', 1)
    return f'<div class="plot" role="img">{svg}</div>'
