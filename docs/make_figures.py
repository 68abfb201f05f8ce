"""Draw the figures of docs/figures anew, each by the command that a user has for it.

Run: ``python docs/make_figures.py [FIGURE...]`` (all by default), a quarter of an hour. What
tests/acceptance/reconciliation_table.py has measured is drawn of the table in reconciliation.md;
pictures of reports are not made here: a browser takes them of ``diqkd report``.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from emulator.papers import FIGURES
from emulator.plotting.bench import plot_benchmark
from emulator.plotting.style import COLOURS, legend_below, new_axes, save_axes, show_grid
from emulator.speed import Benchmark, read_benchmark
from postprocessing.reconciliation.performance import binary_entropy
from postprocessing.reconciliation.selection import MODES as MODE_NAMES
from postprocessing.reconciliation.sifted import cheapest

DOCS = Path(__file__).resolve().parent
FOLDER = DOCS / "figures"
MAIN = [sys.executable, "-c", "from emulator.cli.app import main; main()"]
# Each sweep: seeds, what all its runs share, and what varies.
SWEEPS = {
    "aligned": (3, "rounds = 3e6", "distance_km = [50, 100, 150, 200, 250, 300]"),
    "misaligned": (
        3,
        'rounds = 5e5\nmethod = "asymptotic"\nmisalignment_error = 0.04',
        "distance_km = [50, 100, 150, 200, 250, 300]",
    ),
    "errors": (
        8,
        'rounds = 1e6\nmethod = "asymptotic"',
        "misalignment_error = [0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06]",
    ),
    "sizes": (3, "", "rounds = [3e5, 1e6, 2e6, 2.5e6, 3e6, 5e6, 1e7, 3e7, 1e8]"),
}
# What each figure is drawn of: a sweep's store, a run, or nothing.
RESULTS = {
    "results-rate": "plot rate aligned.csv misaligned.csv",
    "results-chsh": "plot chsh errors.csv --over misalignment_error",
    "results-qber": "plot qber errors.csv --over misalignment_error",
    "results-finite-size": "plot finite-size sizes.csv",
    "results-waterfall": "plot waterfall run",
    "link-sensitivities": "plot sensitivities single-photon-11km",
}
STUDY, RECONCILIATION, SIZES = "finite-size-study", "reconciliation", "reconciliation-sizes"
SPEED, CODES = "speed", "codes"
SIZE_QBERS = {0.0144: "blue", 0.036: "vermillion", 0.078: "green"}
MODES = {"throughput": "blue", "efficiency": "vermillion"}
RUN = "run ecs-100km --seed 7 --out run"


def diqkd(words: str, folder: Path) -> None:
    """Run a command in a folder; what it prints is of no use here."""
    subprocess.run([*MAIN, *words.split()], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def prepare(words: str, folder: Path) -> None:
    """Make the stores and the run that a command reads, where they are not there yet."""
    for name, (seeds, shared, axis) in SWEEPS.items():
        if f"{name}.csv" in words and not (folder / f"{name}.csv").exists():
            scenario = f'[scenario]\npreset = "ecs-100km"\n{shared}\n'
            (folder / f"{name}.toml").write_text(f"seeds = {seeds}\n{scenario}[axes]\n{axis}\n")
            diqkd(f"sweep {name}.toml --store {name}.csv", folder)
    if words.endswith(" run") and not (folder / "run").exists():
        diqkd(RUN, folder)


def draw(name: str, folder: Path) -> None:
    """Draw one figure, with a folder to work in."""
    if name == STUDY:
        diqkd("study finite-size --out study", folder)
        (picture,) = (folder / "study").glob("*.png")
        (FOLDER / f"{name}.png").write_bytes(picture.read_bytes())
        return
    own = {RECONCILIATION: draw_reconciliation, SIZES: draw_sizes, SPEED: draw_speed}
    if name in own:
        own[name]()
        return
    if name == CODES:
        diqkd(f"codes --plot {FOLDER / name}.png --replace", folder)
        return
    words = RESULTS.get(name, f"plot {name}")
    prepare(words, folder)
    diqkd(f"{words} --replace --out {FOLDER / name}.png", folder)


def draw_reconciliation() -> None:
    """Draw f against the error rate for both modes, with the bound at their frame lengths."""
    page = (DOCS / "reconciliation.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page]
    (head,) = (row for row in rows if row[:2] == ["mode", "QBER"])
    table = pd.DataFrame([r for r in rows if r and r[0] in MODES], columns=head)
    axes = new_axes()
    axes.set_title("Reconciliation efficiency", fontsize="medium")
    for mode, colour in MODES.items():
        part = table[table["mode"] == mode]
        qber = part["QBER"].str.rstrip("%").astype(float) / 100
        for column, line, words in (("f", "o-", "all bits sent"), ("bound", "--", "bound")):
            values, style = part[column].astype(float), COLOURS[colour]
            axes.plot(qber, values, line, color=style, label=f"{mode} mode, {words}")
    axes.set(xscale="log", xlabel="QBER (dimensionless)", ylabel="f = bits sent / n h(QBER)")
    show_grid(axes)
    legend_below(axes, 2)
    save_axes(axes, FOLDER / f"{RECONCILIATION}.png")


def draw_sizes() -> None:
    """Draw the expected f of `reconcile` against the length of the key, beside the bound."""
    lengths = np.unique(np.geomspace(1_000, 1e7, 161).round().astype(int)).tolist()
    axes = new_axes()
    axes.set_title("Sifted keys alone: f against their length", fontsize="medium")
    for qber, colour in SIZE_QBERS.items():
        entropy = binary_entropy(qber)
        plans = [cheapest(MODE_NAMES, n, qber, 50, of_budget=False) for n in lengths]
        for name, line, values in (
            ("expected", "-", [plan.expected_bits() for plan in plans]),
            ("once in 400", ":", [plan.budget_bits(1 / 400) for plan in plans]),
            ("bound of that", "--", [least_budget_bits(n, qber) for n in lengths]),
        ):
            shown = np.array(values) / (np.array(lengths) * entropy)
            label = f"{qber:.2%}, {name}"
            axes.plot(lengths, shown, line, color=COLOURS[colour], label=label)
    axes.set(xscale="log", xlabel="key bits", ylabel="f = bits sent / n h(QBER)", ylim=(1, 1.8))
    show_grid(axes)
    legend_below(axes, 3)
    save_axes(axes, FOLDER / f"{SIZES}.png")


def draw_speed() -> None:
    """Draw the shipped benchmark, and write its table into the page."""
    reference = read_benchmark()
    save_axes(plot_benchmark(reference), FOLDER / f"{SPEED}.png")
    page = DOCS / "speed.md"
    before, _, rest = page.read_text(encoding="utf-8").partition("<!-- reference -->")
    table = "\n".join(speed_table(reference))
    after = rest.partition("<!-- end -->")[2]
    text = f"{before}<!-- reference -->\n{table}\n<!-- end -->{after}"
    page.write_text(text, encoding="utf-8")


def speed_table(benchmark: Benchmark) -> list[str]:
    """Return a benchmark as lines of Markdown."""
    machine = benchmark.machine
    packages = ", ".join(f"{name} {number}" for name, number in machine.packages.items())
    told = f"{machine.processor}, {machine.processors} processors, {' '.join(machine.instructions)}"
    lines = [f"{told}; Python {machine.python}, {packages}; {benchmark.date}.", ""]
    for section in benchmark.present()[1:]:
        head = ("stage", *section.header)
        if len(lines) == 2:
            names = (*head[:3], "rate", *head[4:])
            lines += [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
        unit = section.header[2]
        lines += [
            f"| {section.title} | {' | '.join((*row[:2], f'{row[2]} {unit}', *row[3:]))} |"
            for row in section.rows
        ]
    return lines


def least_budget_bits(n: int, qber: float) -> float:
    """Return the bits that all codes need with a probability of 1/400 (normal approximation)."""
    spread = math.sqrt(n * qber * (1 - qber)) * math.log2((1 - qber) / qber)
    return n * binary_entropy(qber) + spread * norm.isf(1 / 400) - 0.5 * math.log2(n)


def main() -> None:
    """Draw the figures that are named, or all."""
    known = [*FIGURES, *RESULTS, STUDY, RECONCILIATION, SIZES, SPEED, CODES]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=", ".join(known))
    names = parser.parse_args().figures or known
    for name in names:
        if name not in known:
            parser.error(f"no figure {name!r}, but {', '.join(known)}")
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            draw(name, Path(folder))
            sys.stdout.write(f"{name}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
