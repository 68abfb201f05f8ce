"""Pictures: what is drawn is the data, readable, in the formats promised."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas

from emulator.papers import FIGURES, Figure, figure_data
from emulator.plotting.papers import SUFFIXES, draw, save_figure
from emulator.plotting.style import new_axes, save_axes
from postprocessing.errors import InputFileError, InvalidArgumentError

DOCS = Path(__file__).parents[2] / "docs"
SIGNATURES = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    return {name: figure_data(name) for name in FIGURES}


def test_matplotlib_waits_until_it_is_needed() -> None:
    code = "import sys, emulator, emulator.plotting.papers; print('matplotlib' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"


@pytest.mark.parametrize("name", FIGURES)
def test_every_curve_is_drawn_as_it_is(figures: dict[str, Figure], name: str) -> None:
    figure = figures[name]
    axes = draw(figure)
    assert axes.get_title() == figure.title
    assert axes.get_xlabel() == figure.x_axis.label
    assert axes.get_ylabel() == figure.y_axis.label
    assert (axes.get_xscale(), axes.get_yscale()) == (figure.x_axis.scale, figure.y_axis.scale)
    sides = axes.get_figure().get_axes()
    assert len(sides) == (1 if figure.right_axis is None else 2)
    drawn = [line for side in sides for line in side.get_lines()]
    assert len(drawn) == len(figure.curves)
    for line in drawn:
        assert any(
            np.array_equal(line.get_xdata(), curve.x)
            and np.array_equal(line.get_ydata(), curve.y, equal_nan=True)
            for curve in figure.curves
        )
    if figure.right_axis is not None:
        assert sides[1].get_ylabel() == figure.right_axis.label


@pytest.mark.parametrize("name", FIGURES)
def test_the_legend_names_every_curve_beside_them(figures: dict[str, Figure], name: str) -> None:
    figure = figures[name]
    axes = draw(figure)
    axes.get_figure().draw_without_rendering()
    legend = axes.get_legend()
    assert legend is not None
    named = [text.get_text() for text in legend.get_texts()]
    groups = [f"{group}:" for group in dict.fromkeys(c.group for c in figure.curves) if group]
    assert sorted(named) == sorted([*groups, *(curve.label for curve in figure.curves)])
    box = legend.get_window_extent()
    labels = axes.xaxis.get_label().get_window_extent()
    assert box.y1 < labels.y0
    assert box.y1 < axes.get_window_extent().y0


@pytest.mark.parametrize("name", FIGURES)
def test_no_two_curves_look_alike(figures: dict[str, Figure], name: str) -> None:
    styles = [(c.style.colour, c.style.line, c.style.marker) for c in figures[name].curves]
    assert len(set(styles)) == len(styles)


@pytest.mark.parametrize("name", FIGURES)
def test_no_curve_leaves_the_frame(figures: dict[str, Figure], name: str) -> None:
    figure = figures[name]
    for curve in figure.curves:
        axis = figure.y_axis if curve.axis == "left" else figure.right_axis
        assert axis is not None
        assert axis.limits is not None
        assert np.nanmax(curve.y) <= axis.limits[1]
        if axis.scale == "linear":
            assert np.nanmin(curve.y) >= axis.limits[0]


def test_it_draws_where_it_is_told(figures: dict[str, Figure]) -> None:
    panels = Canvas().subplots(1, 2)
    assert draw(figures["li-fig2a"], panels[1]) is panels[1]
    assert not panels[0].get_lines()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_suffix_is_the_format(figures: dict[str, Figure], tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"figure{suffix.upper()}"
    save_figure(figures["li-fig2b"], file)
    assert file.read_bytes().startswith(SIGNATURES[suffix])


@pytest.mark.parametrize("name", ["figure.gif", "figure", "png"])
def test_other_suffixes_are_refused(figures: dict[str, Figure], tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidArgumentError, match=r"a file ending in \.png, \.svg, \.pdf, got"):
        save_figure(figures["li-fig2b"], tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_an_error_of_input(
    figures: dict[str, Figure], tmp_path: Path
) -> None:
    with pytest.raises(InputFileError, match=r"cannot write '.*missing"):
        save_figure(figures["li-fig2b"], tmp_path / "missing" / "figure.png")


def test_the_documentation_shows_every_figure() -> None:
    pages = ("figures.md", "links.md")
    text = "".join((DOCS / page).read_text(encoding="utf-8") for page in pages)
    for name in FIGURES:
        assert f"](figures/{name}.png)" in text
        assert (DOCS / "figures" / f"{name}.png").stat().st_size < 120_000


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_leaves_no_picture_and_no_traceback(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    axes = new_axes()
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputFileError, match="No space left on device"):
        save_axes(axes, tmp_path / f"picture{suffix}")
    assert list(tmp_path.iterdir()) == []
