"""A Bell test as a folder: every value, one HTML page, and the pictures."""

from __future__ import annotations

import json
from pathlib import Path

from emulator.pages.page import drawing, html_page
from emulator.plotting.bell import BELL_PICTURES, plot_bell_test
from emulator.plotting.style import save_axes
from postprocessing.bell.result import BellTest
from postprocessing.files.atomic import all_or_none, write_output

_VALUES, _PAGE = "bell.json", "bell.html"
BELL_FILES = (_VALUES, _PAGE, *(f"{what}.png" for what in BELL_PICTURES))
# Below the table that says the same in numbers.
_PICTURES = {
    "Bell test": ("p-values",),
    "correlators": ("correlators",),
    "tests of the trials": ("chsh", "wins"),
}


def write_bell_test(folder: Path, test: BellTest, name: str) -> None:
    """Write `BELL_FILES` to a folder that has none of them, for its owner alone.

    Parameters
    ----------
    folder : Path
        An existing folder.
    test : BellTest
        What to write.
    name : str
        What the trials are called.

    Raises
    ------
    InputFileError
        If a file is there or cannot be written.
    """
    values = json.dumps(test.to_dict(), indent=2, allow_nan=False) + "\n"
    page = bell_page(test, name)
    with all_or_none([folder / file for file in BELL_FILES]):
        write_output(folder, {_VALUES: values.encode(), _PAGE: page.encode()})
        for what in BELL_PICTURES:
            save_axes(plot_bell_test(test, what), folder / f"{what}.png", private=True)


def bell_page(test: BellTest, name: str) -> str:
    """Return the page of a Bell test: HTML with the pictures inline and every text escaped."""
    return html_page(
        title=f"Bell test of {name}",
        outcome=f"{test.trials:,} trials",
        is_good=True,
        remark=repr(test),
        sections=(
            section.to_html(
                "".join(_drawn(test, what) for what in _PICTURES.get(section.title, ()))
            )
            for section in test.present()
        ),
        everything=test.to_dict(),
        source=_VALUES,
    )


def _drawn(test: BellTest, what: str) -> str:
    return drawing(lambda: plot_bell_test(test, what))
