"""A benchmark as a folder: every value, one HTML page, and the picture."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from emulator.pages.page import drawing, html_page
from emulator.plotting.bench import plot_benchmark
from emulator.plotting.style import save_axes
from emulator.speed.result import Benchmark
from postprocessing.files.atomic import all_or_none, write_output

_VALUES, _PAGE, _PICTURE = "bench.json", "bench.html", "bench.png"
BENCH_FILES = (_VALUES, _PAGE, _PICTURE)


def write_benchmark(folder: Path, benchmark: Benchmark, against: Benchmark) -> None:
    """Write `BENCH_FILES` to a folder that has none of them.

    Parameters
    ----------
    folder : Path
        An existing folder.
    benchmark : Benchmark
        What was measured.
    against : Benchmark
        What it is held against.

    Raises
    ------
    InputFileError
        If a file is there or cannot be written.
    """
    draw = partial(plot_benchmark, benchmark, against)
    first, *others = benchmark.present(against)
    page = html_page(
        title="diqkd bench",
        outcome=f"{len(benchmark.measurements)} cases",
        is_good=all(each.is_right for each in benchmark.measurements),
        remark=f"{benchmark.machine.processor}, {benchmark.date}",
        sections=(first.to_html(), drawing(draw), *(each.to_html() for each in others)),
        everything=benchmark.to_dict(),
        source=_VALUES,
    )
    with all_or_none([folder / file for file in BENCH_FILES]):
        write_output(folder, {_VALUES: benchmark.to_json().encode(), _PAGE: page.encode()})
        save_axes(draw(), folder / _PICTURE)
