"""How kernels are compiled and kept: one decorator, no stale code, and no folder that must be."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import emulator
import postprocessing
from postprocessing.simd.cache import kernel_files, sources_digest

_PACKAGES = {package.__name__: Path(package.__path__[0]) for package in (emulator, postprocessing)}
_ROOT = _PACKAGES["postprocessing"].parent
_INNER = (
    "from postprocessing.simd.compile import kernel\n\n@kernel\ndef inner(x):\n    return x + {}\n"
)
_OUTER = """
from postprocessing.simd.compile import kernel
from made.kernels.inner import inner

@kernel
def outer(x):
    return 10 * inner(x)
"""
_USE = """
from made.kernels.outer import outer
print(outer(1), sum(outer.stats.cache_hits.values()))
print(outer._cache.cache_path)
"""
_WARNING = "warning: no folder can hold compiled kernels"


def test_every_kernel_goes_through_the_one_decorator():
    for package in _PACKAGES.values():
        users = {file for file in package.rglob("*.py") if "njit(" in file.read_text()}
        assert users <= {_PACKAGES["postprocessing"] / "simd" / "compile.py"}
        kernels = {file for file in package.rglob("*.py") if "@kernel" in file.read_text()}
        assert kernels <= set(kernel_files(package))


def test_kernels_are_made_of_what_the_digest_covers():
    """No kernel takes a constant or a function from a file outside of the digest."""
    covered = {file for package in _PACKAGES.values() for file in kernel_files(package)}
    for file in covered:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in _PACKAGES:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                paths = [_ROOT.joinpath(*name.split(".")).with_suffix(".py") for name in names]
                assert covered & set(paths), (file, node.module)


@pytest.mark.parametrize("package", _PACKAGES.values(), ids=_PACKAGES)
def test_the_digest_is_of_every_kernel_file(package, tmp_path):
    copies = []
    for file in kernel_files(package):
        copies.append(tmp_path / file.relative_to(package))
        copies[-1].parent.mkdir(parents=True, exist_ok=True)
        copies[-1].write_bytes(file.read_bytes())
    digests = {sources_digest(tmp_path)}
    for copy in copies:
        copy.write_bytes(copy.read_bytes() + b"\n")
        digests.add(sources_digest(tmp_path))
    assert len(digests) == len(copies) + 1 > 1
    (tmp_path / "other.py").touch()
    assert sources_digest(tmp_path) in digests


@pytest.fixture
def made(tmp_path):
    """Return a folder with a package of two kernels, and whatever folders a cache may be in."""
    kernels = tmp_path / "made" / "kernels"
    kernels.mkdir(parents=True)
    for folder in (kernels.parent, kernels):
        (folder / "__init__.py").touch()
    (kernels / "inner.py").write_text(_INNER.format(1))
    (kernels / "outer.py").write_text(_OUTER)
    (tmp_path / "home").mkdir()
    (tmp_path / "temporary").mkdir()
    return tmp_path


def _python(folder, *arguments):
    """Run Python with its home, temporary files and modules in a folder."""
    hidden = {"NUMBA_CACHE_DIR", "XDG_CACHE_HOME"}
    return subprocess.run(
        [sys.executable, *arguments],
        env={name: value for name, value in os.environ.items() if name not in hidden}
        | {
            "PYTHONPATH": f"{folder}{os.pathsep}{_ROOT}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "temporary"),
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )


def test_a_kernel_is_compiled_anew_when_one_that_it_calls_changes(made):
    found = [_python(made, "-c", _USE).stdout.splitlines()[0] for _ in range(2)]
    assert found == ["20 0", "20 1"]
    (made / "made" / "kernels" / "inner.py").write_text(_INNER.format(2))
    assert _python(made, "-c", _USE).stdout.splitlines()[0] == "30 0"


_FULL_DISK = """
from postprocessing.simd.cache import _CacheFile

def full(self, name, data):
    raise OSError(28, "No space left on device")

_CacheFile._save_data = full
"""


def test_a_full_disk_leaves_no_old_code_under_a_new_stamp(made):
    """The index of a kernel must not be renewed before its code is."""
    assert _python(made, "-c", _USE).stdout.startswith("20 0\n")
    (made / "made" / "kernels" / "inner.py").write_text(_INNER.format(2))
    assert _python(made, "-c", _FULL_DISK + _USE).stdout.startswith("30 0\n")
    assert _python(made, "-c", _USE).stdout.startswith("30 0\n")


def test_a_damaged_cache_is_none(made):
    folder = Path(_python(made, "-c", _USE).stdout.splitlines()[1])
    for file in folder.glob("*.nb?"):
        file.write_bytes(b"")
    assert _python(made, "-c", _USE).stdout.startswith("20 0\n")


def test_the_cache_is_where_it_can_be(made):
    """Beside the sources, else in the user's cache, else among the temporary files, else nowhere.

    A file in the way of a folder stands for one that cannot be written to, whoever runs the test.
    """

    def use():
        told = _python(made, "-c", _USE)
        return Path(told.stdout.splitlines()[1]), told.stderr

    kernels, home, temporary = made / "made" / "kernels", made / "home", made / "temporary"
    assert use() == (kernels / "__pycache__", "")
    for file in (kernels / "__pycache__").iterdir():
        file.unlink()
    (kernels / "__pycache__").rmdir()
    (kernels / "__pycache__").touch()
    folder, warning = use()
    assert folder.is_relative_to(home)
    assert warning == ""
    (made / "home").rename(made / "former home")
    home.touch()
    for _ in range(2):
        folder, warning = use()
        own = temporary / f"diqkd-kernels-{os.geteuid()}"
        assert folder.parent == own
        assert own.stat().st_mode & 0o777 == 0o700
        assert warning == ""
    # Others may have put code there.
    own.chmod(0o770)
    told = _python(made, "-c", _USE.splitlines()[1] + "\nprint(outer(1))")
    assert told.stdout == "20\n"
    assert told.stderr.startswith(_WARNING)
    assert told.stderr.count("\n") == 1


def test_commands_work_where_nothing_can_be_written(tmp_path):
    """A container under another user: installation, home and temporary files are read-only."""
    code = (
        "import sys, tempfile\n"
        "def refuse(*_, **__): raise PermissionError(13, 'Permission denied')\n"
        "tempfile.TemporaryFile = tempfile.gettempdir = refuse\n"
        "from emulator.cli.app import main\n"
        "sys.argv = ['diqkd', 'predict', 'ecs-100km']\n"
        "main()\n"
    )
    told = _python(tmp_path, "-c", code)
    assert "gain" in told.stdout
    assert told.stderr.startswith(_WARNING)
    assert told.stderr.count("\n") == 1
