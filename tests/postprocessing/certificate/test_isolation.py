"""The checker stands alone, and is short enough to be read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import postprocessing.certificate

FOLDER = Path(postprocessing.certificate.__file__).parent
SOURCES = sorted(FOLDER.rglob("*.py"))
ALLOWED = {
    "__future__",
    "collections",
    "dataclasses",
    "flint",
    "fractions",
    "functools",
    "heapq",
    "math",
    "threading",
    "typing",
}
MOST_LINES = 450


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level
            yield node.module or ""


def test_it_imports_nothing_else_of_the_project() -> None:
    own = "postprocessing.certificate"
    for source in SOURCES:
        for name in imported(ast.parse(source.read_text())):
            assert name.startswith(own) or name.split(".")[0] in ALLOWED, f"{source.name}: {name}"


def code_lines(source: str) -> int:
    """Count lines that are neither blank, nor comments, nor docstrings."""
    told: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                told |= set(range(first.lineno, (first.end_lineno or 0) + 1))
    lines = enumerate(source.splitlines(), 1)
    return sum(bool(line.strip()) and line.strip()[0] != "#" and i not in told for i, line in lines)


def test_it_can_be_read_in_one_sitting() -> None:
    assert sum(code_lines(source.read_text()) for source in SOURCES) <= MOST_LINES
