"""`bench`: every stage measured and right, a wrong one told, files read back and compared."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import diqkd
from emulator.cli.app import app
from emulator.speed import cases, peers
from emulator.speed.cases import Case, Prepared, own_cases
from emulator.speed.measure import STAGES
from emulator.speed.result import Measurement
from emulator.speed.timing import timed
from postprocessing.errors import DiqkdError, InputFileError

REFERENCE = diqkd.read_benchmark()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make inputs so small that one only sees whether results are right."""
    cases.forget()
    monkeypatch.setattr(cases, "ROUNDS", 400_000)
    monkeypatch.setattr(cases, "KEY_BITS", 1 << 20)
    monkeypatch.setattr(cases, "SIFTED_BITS", (10_000,))
    monkeypatch.setattr(cases, "QBERS", (0.03,))
    monkeypatch.setattr(cases, "HASHED_BITS", (100_000,))
    monkeypatch.setattr(peers, "HASHED_BITS", (100_000,))
    monkeypatch.setattr(cases, "RUN_ROUNDS", (200_000,))
    yield
    cases.forget()


@pytest.mark.usefixtures("small")
def test_every_stage_is_measured_and_right() -> None:
    told: list[str] = []
    found = diqkd.bench(seconds=1e-3, threads=2, on_progress=lambda case, done: told.append(case))
    assert [one.stage for one in found.measurements] == sorted(
        (one.stage for one in found.measurements), key=STAGES.index
    )
    assert {one.stage for one in found.measurements} == set(STAGES)
    assert all(one.is_right for one in found.measurements)
    assert all(one.rate_wall > 0 and one.rate_cpu > 0 for one in found.measurements)
    assert len(told) == len(found.measurements) == len({one.key for one in found.measurements})
    assert {"diqkd", "numpy", "scipy"} <= {one.by for one in found.measurements}
    decoded = [one for one in found.measurements if one.stage == "decoding" and one.by == "diqkd"]
    for one in decoded:
        assert (one.frame_p50_ms is None) == (one.threads == "all")
        if one.frame_p50_ms is not None and one.frame_p99_ms is not None:
            assert 0 < one.frame_p50_ms <= one.frame_p99_ms
            assert one.frames_timed >= 2
    (sifted,) = (one for one in found.measurements if one.stage == "sifted keys")
    assert sifted.efficiency is not None
    assert 1 < sifted.efficiency < 1.6
    assert diqkd.bench([], seconds=1e-3).measurements == ()


def test_a_wrong_result_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Case("verification", "bent", "Mbit/s", lambda _: Prepared(9, int, lambda made: False))
    monkeypatch.setattr("emulator.speed.measure.own_cases", lambda: [wrong])
    found = diqkd.bench(["verification"], seconds=1e-3)
    assert not found.measurements[0].is_right
    assert found.present()[1].rows[0][0] == "bent: WRONG RESULT"


def test_the_shipped_benchmark_has_every_case_of_ours() -> None:
    ours = {(case.stage, case.what, case.by, case.threads) for case in own_cases()}
    assert ours <= {one.key for one in REFERENCE.measurements}
    assert all(one.is_right for one in REFERENCE.measurements)
    others = {"numpy", "scipy", "ldpc", "cryptomite", "randextract"}
    assert others <= {one.by for one in REFERENCE.measurements}


def test_files_are_read_back_and_compared(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    path.write_text(REFERENCE.to_json(), encoding="utf-8")
    assert diqkd.read_benchmark(path) == REFERENCE
    twice = replace(
        REFERENCE,
        measurements=tuple(
            replace(one, rate_wall=2 * one.rate_wall) for one in REFERENCE.measurements
        ),
    )
    assert (twice.table(against=REFERENCE)["of_reference"] == 2).all()
    cells = [row[-1] for section in twice.present(REFERENCE)[1:-1] for row in section.rows]
    assert set(cells) == {"2.00"}
    assert "of_reference" not in REFERENCE.table()
    other = replace(REFERENCE.measurements[0], what="another")
    alone = replace(REFERENCE, measurements=(other,))
    assert alone.table(against=REFERENCE)["of_reference"].isna().all()
    assert alone.present(REFERENCE)[1].rows[0][-1] == "-"


VALUES = REFERENCE.to_dict()
ONE = VALUES["measurements"][0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        json.dumps({**VALUES, "machine": None}),
        json.dumps({**VALUES, "measurements": [{**ONE, "rate_wall": "fast"}]}),
        json.dumps({**VALUES, "measurements": [{**ONE, "rate_wall": -1}]}),
        json.dumps({**VALUES, "measurements": [{**ONE, "rate_wall": 0}]}),
        json.dumps({**VALUES, "measurements": [{**ONE, "threads": "some"}]}),
        json.dumps({**VALUES, "measurements": [{**ONE, "speed": 1}]}),
        json.dumps({**VALUES, "measurements": [ONE, ONE]}),
        json.dumps({**VALUES, "measurements": [{**ONE, "rate_wall": float("nan")}]}),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bench.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputFileError, match=r"^benchmark must be a file of diqkd bench"):
        diqkd.read_benchmark(path)


@pytest.mark.parametrize("stages", ["decoding", ["sleeping"], 7, [None]])
def test_stages_that_are_none(stages: object) -> None:
    with pytest.raises(DiqkdError, match=r"^stages must be"):
        diqkd.bench(stages)  # type: ignore[arg-type]


def test_a_stage_that_is_named_twice_is_measured_once() -> None:
    found = diqkd.bench(["verification"] * 2, seconds=1e-3, peers=False)
    assert [one.stage for one in found.measurements] == ["verification"]


def test_the_picture_has_a_line_for_each_case() -> None:
    axes = diqkd.plot_benchmark(REFERENCE, against=REFERENCE)
    lines = {f"{one.stage}: {one.what}" for one in REFERENCE.measurements}
    assert {label.get_text() for label in axes.get_yticklabels()} == lines
    drawn = sorted(float(line.get_xdata()[0]) for line in axes.lines)
    own = [one.rate_wall for one in REFERENCE.measurements if one.by == "diqkd"]
    assert drawn == sorted([one.rate_wall for one in REFERENCE.measurements] + own)


def test_the_command(tmp_path: Path) -> None:
    out = tmp_path / "speed"
    out.mkdir()
    words = ["bench", "--stage", "verification", "--seconds", "0.01", "--no-peers"]
    done = CliRunner().invoke(app, [*words, "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    found = diqkd.read_benchmark(out / "bench.json")
    assert json.loads(done.stdout) == found.to_dict()
    assert [one.stage for one in found.measurements] == ["verification"]
    assert {path.name for path in out.iterdir()} == {"bench.json", "bench.html", "bench.png"}
    shown = CliRunner().invoke(app, [*words, "--compare", str(out / "bench.json")])
    assert shown.exit_code == 0
    assert "× ref." in shown.stdout
    assert CliRunner().invoke(app, [*words, "--out", str(out)]).exit_code == 2
    assert CliRunner().invoke(app, ["bench", "--compare", str(tmp_path / "none")]).exit_code == 2


def test_calls_are_counted_after_the_first() -> None:
    called: list[int] = []
    timing = timed(lambda: called.append(len(called)), 1e-9, 4)
    assert (len(called), timing.calls, timing.result) == (5, 4, None)
    assert isinstance(REFERENCE.measurements[0], Measurement)


def test_the_page_shows_the_shipped_benchmark() -> None:
    docs = Path(__file__).parents[2] / "docs"
    table = runpy.run_path(str(docs / "make_figures.py"))["speed_table"](REFERENCE)
    page = (docs / "speed.md").read_text(encoding="utf-8")
    assert page.partition("<!-- reference -->\n")[2].startswith("\n".join(table) + "\n<!-- end -->")


@pytest.mark.usefixtures("small")
def test_wrong_results_are_not_taken_for_right_ones() -> None:
    """Of each stage whose check is more than a look at a flag: one bit of the result turned."""
    for case in own_cases():
        if case.stage in ("verification", "encoding", "amplification"):
            ready = case.prepare(1)
            result = ready.work()
            assert ready.is_right(result)
            if case.stage == "verification":
                assert not ready.is_right(bytes([result[0] ^ 1]) + result[1:])
            elif case.stage == "encoding":
                result[0, 0] ^= 1
                assert not ready.is_right(result)
            else:
                result.words[0] ^= 1
                assert not ready.is_right(result)
