"""`diqkd bell`: a file in, numbers, a page and pictures out."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import diqkd
from emulator.cli.app import app
from emulator.pages.bell import BELL_FILES, bell_page
from emulator.plotting.bell import BELL_PICTURES

EXAMPLE = Path(__file__).parents[2] / "docs" / "example" / "bell.csv"


def call(*arguments):
    return CliRunner().invoke(app, ["bell", *map(str, arguments)], env={"COLUMNS": "80"})


@pytest.fixture(scope="module")
def test():
    return diqkd.bell_test(diqkd.read_plain_trials(EXAMPLE))


def delft(path):
    """Write 245 trials, 196 won."""
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 2, (2, 245))
    a = rng.choice([-1, 1], 245)
    b = a * (-1) ** (x * y) * np.where(rng.permutation(245) < 196, 1, -1)
    rows = "\n".join(f"{','.join(map(str, row))}" for row in zip(x, y, a, b, strict=True))
    path.write_text(f"x,y,a,b\n{rows}\n", encoding="utf-8")
    return path


def test_the_example_is_what_its_maker_makes():
    made = runpy.run_path(str(EXAMPLE.with_name("make_bell.py")))
    assert made["content"]() == EXAMPLE.read_text(encoding="utf-8")


def test_json_of_delft(tmp_path):
    result = call(delft(tmp_path / "delft.csv"), "--json", "--predictability", "1.08e-5")
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert (found["trials"], found["wins"]) == (245, 196)
    assert round(found["p_value_binomial"], 3) == 0.039
    assert found["chsh"] == pytest.approx(2.4, abs=0.1)
    assert found["chsh_standard_error"] == pytest.approx(0.2, abs=0.02)
    assert sum(sum(cells.values()) for cells in found["counts"]["all"].values()) == 245
    assert len(found["no_signalling_p_values"]) == 4


def test_the_command_and_the_library_say_the_same(test):
    found = json.loads(call(EXAMPLE, "--json").stdout)
    assert found == json.loads(json.dumps(test.to_dict()))
    options = ["--predictability", 1e-3, "--setting-probability-alice", 0.49, "--game", "++-+"]
    options += ["--setting-probability-bob", 0.51, "--training-trials", 99, "--most-trials", 2000]
    other = diqkd.bell_test(
        diqkd.read_plain_trials(EXAMPLE),
        diqkd.Game("++-+"),
        predictability=1e-3,
        setting_probability_alice=0.49,
        setting_probability_bob=0.51,
        training_trials=99,
        most_trials=2000,
    )
    found = json.loads(call(EXAMPLE, "--json", *options).stdout)
    assert found == json.loads(json.dumps(other.to_dict()))


def test_a_folder_takes_the_page_and_the_pictures_once(tmp_path):
    folder = tmp_path / "out"
    assert call(EXAMPLE, "--out", folder).exit_code == 0
    assert {path.name for path in folder.iterdir()} == set(BELL_FILES)
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())
    assert all((folder / f"{what}.png").stat().st_size > 5000 for what in BELL_PICTURES)
    assert json.loads((folder / "bell.json").read_text())["wins"] == 818
    again = call(EXAMPLE, "--out", folder)
    assert again.exit_code == 2
    assert "without earlier output" in again.stderr


def test_the_page_needs_nothing_and_escapes_names(test):
    page = bell_page(test, "<script>.csv")
    assert "<script" not in page
    assert "&lt;script&gt;.csv" in page
    assert not re.search(r"(src|href)=\"(?!#)", page)
    assert page.count("<svg ") == len(BELL_PICTURES)
    assert "no signalling to alice_0" in page


def test_pictures_show_the_numbers(test):
    axes = diqkd.plot_bell_test(test)
    binomial, ratio = axes.get_lines()
    assert binomial.get_xdata()[-1] == ratio.get_xdata()[-1] == 1000
    assert binomial.get_ydata()[-1] == test.log10_p_value_binomial
    assert ratio.get_ydata()[-1] == test.log10_p_value_pbr
    wins = diqkd.plot_bell_test(test, "wins").get_lines()[0].get_ydata()
    shares = [part.wins / part.trials for part in test.over_time]
    assert wins == pytest.approx(shares)
    products = diqkd.plot_bell_test(test, "correlators").get_lines()[0].get_ydata()
    assert products == pytest.approx([value for value, _ in test.correlators["all"].values()])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--game", "++++"], "--game must be signs of which one or three are -, got '++++'"),
        (["--game", "psi=+++-"], "--game must be one of all, got 'psi'"),
        (["--predictability", "0.5"], "--predictability must be at least 0 and below"),
        (["--setting-probability-alice", "1"], "--setting-probability-alice must be in"),
        (["--training-trials", "0"], "--training-trials must be a whole number in"),
        (["--most-trials", "9"], "--most-trials must be at least the 1000 trials"),
    ],
)
def test_bad_options_are_refused_by_name(arguments, told):
    result = call(EXAMPLE, *arguments)
    assert result.exit_code == 2
    assert told in result.stderr


def test_a_malformed_file_is_refused(tmp_path):
    path = tmp_path / "trials.csv"
    path.write_text("x,y,a,b\n0,0,1,-1\n0,2,1,1\n", encoding="utf-8")
    result = call(path)
    assert result.exit_code == 2
    assert "'y' must be one of 0.0, 1.0, got 2.0 in row 2" in result.stderr


def test_a_layout_describes_other_files(tmp_path: Path) -> None:
    """Two settings a side, or a key layout whose rounds of the game are taken."""
    file = tmp_path / "trials.txt"
    rows = [f"{k % 2}\t{k // 2 % 2}\t{0 if k % 4 == 3 else 1}\t1\n" for k in range(400)]
    file.write_text("% made by hand\n" + "".join(rows), encoding="ascii")
    layout = tmp_path / "lab.toml"
    sides = "".join(
        f'[{party}]\nsetting_column = "{setting}"\nsettings = {{ "0" = 0, "1" = 1 }}\n'
        f'outcome_column = "{outcome}"\nplus = [1]\nminus = [{{ otherwise = true }}]\n'
        'no_click = "never"\n'
        for party, setting, outcome in (("alice", 1, 3), ("bob", 2, 4))
    )
    layout.write_text(
        sides + '[file]\nheader = false\nseparator = "tab"\ncomment = "%"\n', encoding="ascii"
    )
    done = CliRunner().invoke(app, ["bell", str(file), "--layout", str(layout), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["trials"], told["wins"]) == (400, 400)
    other = CliRunner().invoke(
        app, ["bell", str(file), "--layout", str(layout), "--game", "-+++", "--json"]
    )
    assert json.loads(other.stdout)["wins"] == 200
    assert CliRunner().invoke(app, ["bell", str(file), str(file)]).exit_code == 2
