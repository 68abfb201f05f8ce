"""The tests of the post-processing import nothing of the emulator, nor does what they import."""

import ast
from pathlib import Path

TESTS = Path(__file__).parents[1]
# Helpers that live with the long runs, of which some tests here are short forms.
HELPERS = [
    TESTS / "acceptance" / f"{name}.py"
    for name in (
        "plain_rounds",
        "hostile_network",
        "local_realism",
        "claims",
        "independent",
        "extremes",
    )
]
FILES = [*TESTS.glob("postprocessing/**/*.py"), *HELPERS, TESTS / "conftest.py"]


def _imported(path: Path) -> set[str]:
    """Return the packages that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


def test_no_test_of_the_post_processing_imports_the_emulator():
    assert [path for path in FILES if "emulator" in _imported(path)] == []


def test_the_list_of_helpers_is_whole():
    imported = set().union(*(_imported(path) for path in FILES))
    inside = {path.stem for path in (TESTS / "acceptance").glob("*.py")}
    assert imported & inside == {path.stem for path in HELPERS}
