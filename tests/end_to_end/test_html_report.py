"""The HTML report of a run: complete, self-contained, and safe whatever the report says."""

from __future__ import annotations

import json
import re
import stat
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emulator.cli.app import app
from emulator.pages.html_report import write_html_report
from emulator.pages.saved import read_report
from postprocessing.errors import InputFileError, InvalidArgumentError

ASYMPTOTIC = ["--security", "asymptotic", "--rounds", "2e5", "--seed", "7"]
ALLOWED = "report must be one that diqkd run, distill or party has written"
VOID = {"meta", "br", "hr", "img", "link", "input"}


class _Page(HTMLParser):
    """Collects text, tags and attributes; every tag must be closed in its turn."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


def _run(folder: Path, *arguments: str) -> dict:
    result = CliRunner().invoke(app, ["run", *arguments, "--out", str(folder)])
    assert result.exit_code in (0, 3)
    return json.loads((folder / "report.json").read_text())


@pytest.fixture(scope="module")
def key_run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("key")
    assert _run(folder, "--rounds", "3e6", "--seed", "7")["outcome"] == "key"
    return folder


def _leaves(values: object):
    if isinstance(values, dict):
        for name, value in values.items():
            yield name
            yield from _leaves(value)
    elif isinstance(values, list):
        for value in values:
            yield from _leaves(value)
    else:
        yield values if isinstance(values, str) else json.dumps(values)


def _is_self_contained(page: _Page) -> None:
    assert not {"script", "link", "img", "iframe", "object", "a"} & set(page.tags)
    for tag, name, value in page.attributes:
        assert not name.startswith("on")
        assert name != "src"
        if name.endswith("href"):
            assert value is not None
            assert value.startswith("#"), (tag, value)
    for words in page.words:
        assert "@import" not in words
        assert "url(http" not in words


def test_every_value_is_on_the_page(key_run):
    values = json.loads((key_run / "report.json").read_text())
    path = write_html_report(key_run)
    assert path == key_run / "report.html"
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"https?:|//[a-z]", text)
    page = _Page(text)
    _is_self_contained(page)
    missing = [leaf for leaf in _leaves(values) if leaf not in page.text]
    assert not missing
    for words in (
        "emulation against theory", "CHSH value", "where the key went", "transcript",
        "DisclosedTests", "assumptions", "scenario", "versions", "time spent (s)",
        f"{values['key_length']:,} bits", f"{values['chsh']['deviation']:+.2f} σ",
    ):  # fmt: skip
        assert words in page.text
    assert page.tags.count("svg") == 1


def test_the_page_tells_no_key(key_run):
    page = write_html_report(key_run).read_bytes()
    key = (key_run / "alice.key").read_bytes()
    for part in (key[:8], key[-8:]):
        assert part not in page
        assert part.hex().encode() not in page.lower()
    # The seed on it makes the key again.
    assert stat.S_IMODE((key_run / "report.html").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("arguments", "words", "pictures"),
    [
        (["--rounds", "1e5", "--seed", "1"], "what the design counted on (the run aborted)", 1),
        (["--distance-km", "470", "--seed", "1"], "no positive key rate at any mean photon", 0),
        (["--pulses", "10", "--seed", "1"], "too few heralded rounds", 0),
        (ASYMPTOTIC, "asymptotic: not secure at finite size", 1),
        (["trapped-ions-2022", "--rounds", "1e5", "--seed", "1"], "behaviour", 1),
    ],
)
def test_every_kind_of_run_has_a_page(tmp_path, arguments, words, pictures):
    values = _run(tmp_path, *arguments)
    page = _Page(write_html_report(tmp_path).read_text(encoding="utf-8"))
    _is_self_contained(page)
    assert words in page.text
    assert values["outcome"] in page.text
    assert values["abort_reason"] is None or values["abort_reason"] in page.text
    assert page.tags.count("svg") == pictures


def test_hostile_text_stays_text(key_run, tmp_path):
    values = json.loads((key_run / "report.json").read_text())
    hostile = '<script>alert("1")</script>&<img src=x onerror=alert(1)>\'"]]></pre></style>{{ 7 }}'
    values |= {"scheme": hostile, "abort_reason": hostile, "label": hostile}
    values |= {"key_sha256": hostile, "assumptions": [hostile], "versions": {hostile: hostile}}
    values["key_terms"][hostile] = 1.0
    values["scenario"][hostile] = [hostile, {hostile: hostile}]
    values["transcript"][0] |= {"message": hostile}
    values["rates_per_pulse"][hostile] = 0.5
    values["design"]["scheme"]["alice_labels"][0] = hostile
    (tmp_path / "report.json").write_text(json.dumps(values))
    page = _Page(write_html_report(tmp_path).read_text(encoding="utf-8"))
    _is_self_contained(page)
    assert page.text.count("<script>") >= 10
    assert {name for _, name, _ in page.attributes} <= {
        "aria-label", "charset", "class", "clip-path", "content", "d", "fill", "height", "href",
        "http-equiv", "id", "lang", "name", "role", "style", "transform", "version", "viewbox",
        "width", "x", "y", "type", "clip-rule", "x1", "x2", "y1", "y2",
    }  # fmt: skip


def test_the_command(key_run, tmp_path):
    out = tmp_path / "mine.html"
    result = CliRunner().invoke(app, ["report", str(key_run), "--out", str(out)])
    assert (result.exit_code, result.stdout.strip()) == (0, str(out))
    first = out.read_text(encoding="utf-8")
    assert CliRunner().invoke(app, ["report", str(key_run), "--out", str(out)]).exit_code == 0
    assert out.read_text(encoding="utf-8") == first
    assert [path.name for path in tmp_path.iterdir()] == ["mine.html"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"run must be a folder with a report.json, .* or bob.report.json, got '.*'"),
        (b"", rf"{ALLOWED}, '.*' is not \(not JSON"),
        (b"\xff\xfe\x00", rf"{ALLOWED}, '.*' is not \(not JSON"),
        (b'{"scheme": "ecs"', rf"{ALLOWED}, '.*' is not \(not JSON"),
        (b"[" * 100_000, rf"{ALLOWED}, '.*' is not \(not JSON"),
        (b"[1, 2]", rf"{ALLOWED}, '.*' is not \(the whole: Input should be an object"),
        (b'{"name": "other", "version": 1}', rf"{ALLOWED}, '.*' is not \(outcome: Field required"),
    ],
)
def test_other_folders_are_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / "report.json").write_bytes(content)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(InputFileError, match=message):
        read_report(tmp_path)
    result = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("pulses", "many", r"\(pulses: Input should be a valid integer"),
        ("outcome", "won", r"\(outcome: Input should be 'key', 'unconfirmed key', 'aborted' or"),
        ("gain", None, r"\(gain: Input should be"),
        ("leaked_bits", float("nan"), r"not JSON: NaN is no JSON"),
    ],
)
def test_wrong_values_are_refused(key_run, tmp_path, name, value, message):
    values = json.loads((key_run / "report.json").read_text())
    (tmp_path / "report.json").write_text(json.dumps(values | {name: value}))
    with pytest.raises(InputFileError, match=message):
        write_html_report(tmp_path)
    del values[name]
    (tmp_path / "report.json").write_text(json.dumps(values))
    with pytest.raises(InputFileError, match=rf"\({name}: Field required\)"):
        write_html_report(tmp_path)


def test_the_file_must_be_one_that_can_be_written(key_run, tmp_path):
    with pytest.raises(InputFileError, match=r"cannot write '.*missing"):
        write_html_report(key_run, tmp_path / "missing" / "report.html")
    with pytest.raises(InvalidArgumentError, match=r"out must be a file ending in \.html"):
        write_html_report(key_run, key_run / "report.json")
