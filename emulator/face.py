"""The names of `import diqkd`, in the order of the pipeline, each imported on first use.

What they are and how they are grouped stands in the stub beside this file, and there alone.
"""

import ast
import importlib
from pathlib import Path


def _packages() -> dict[str, str]:
    """Return the package that each name of the stub comes from."""
    stub = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    lines = [line for line in stub.body if isinstance(line, ast.ImportFrom) and line.module]
    return {name.name: str(line.module) for line in lines for name in line.names}


_PACKAGES = _packages()
__all__ = list(_PACKAGES)


def __getattr__(name: str) -> object:
    """Import a name on first use, so that nobody waits for what is not used."""
    if name == "__version__":
        from importlib.metadata import version

        return version("diqkd")
    if name not in _PACKAGES:
        raise AttributeError(f"module 'diqkd' has no attribute {name!r}")
    return getattr(importlib.import_module(_PACKAGES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
