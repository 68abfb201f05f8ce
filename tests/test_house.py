"""The house rules that no linter knows: sizes, first lines, and where a name may be compared."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from emulator.schemes import registry as schemes
from postprocessing import registry

ROOT = Path(__file__).parents[1]
PACKAGES = ("emulator", "postprocessing")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
FOLDERS = sorted({path.parent for path in SOURCES})
MOST_LINES, MOST_BODY_LINES = 400, 50

# Names under which methods and schemes are registered: a branch on one belongs into its object.
METHODS = set(registry.METHODS)
SCHEMES = set(schemes.SCHEMES)


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _shown(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def _body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines from the first statement after the docstring to the last."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def _compared(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Yield the strings that something is compared with: ==, in a collection, or by match."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            sides = [node.value]
        else:
            continue
        while sides:
            side = sides.pop()
            if isinstance(side, ast.Tuple | ast.List | ast.Set):
                sides.extend(side.elts)
            elif isinstance(side, ast.Constant) and isinstance(side.value, str):
                yield node, side.value


def _is_home(path: Path, name: str) -> bool:
    """Tell whether a file is the method's or the scheme's own, or a registry of them."""
    folder = "methods" if name in METHODS else "schemes"
    own = path.parent.name == folder or name.startswith(path.stem)
    return own or path.stem in ("registry", folder)


@pytest.mark.parametrize("package", PACKAGES)
def test_files_are_short(package):
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in SOURCES
        if path.is_relative_to(ROOT / package)
    }
    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


def test_functions_are_short():
    long = {
        f"{_shown(path, node)} {node.name}": _body_lines(node)
        for path in SOURCES
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and _body_lines(node) > MOST_BODY_LINES
    }
    assert long == {}


def test_every_folder_and_file_says_its_job():
    """The first line of a docstring, a sentence."""
    assert [folder for folder in FOLDERS if not (folder / "__init__.py").exists()] == []
    firsts = {path: (ast.get_docstring(_tree(path)) or "").partition("\n")[0] for path in SOURCES}
    assert [path for path, line in firsts.items() if not line.endswith(".") or len(line) < 10] == []


def test_types_are_ignored_once():
    """Where a function is given the signature of its flags."""
    ignored = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        for line in path.read_text(encoding="utf-8").splitlines()
        if "type: ignore" in line
    ]
    assert ignored in ([], ["emulator/cli/flags.py"])


def test_names_of_methods_and_schemes_are_compared_nowhere():
    """What differs between methods, or between schemes, is said by their objects."""
    found = [
        f"{_shown(path, node)} {name!r}"
        for path in SOURCES
        for node, name in _compared(_tree(path))
        if name in METHODS | SCHEMES and not _is_home(path, name)
    ]
    assert found == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_tables_of_rooms_repeat_what_the_folders_say(package):
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").splitlines()
    rooms = []
    for folder in FOLDERS:
        if folder.is_relative_to(ROOT / package):
            job = ast.get_docstring(_tree(folder / "__init__.py")).partition("\n")[0]
            rooms.append(f"| `{folder.relative_to(ROOT).as_posix()}/` | {job} |")
    assert [line for line in page if line.startswith(f"| `{package}/")] == rooms
