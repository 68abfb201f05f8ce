"""The public names exist, each in one place, and import lazily."""

import subprocess
import sys

import pytest

import emulator
import postprocessing


@pytest.mark.parametrize("package", [emulator, postprocessing])
def test_public_names(package):
    assert sorted(package.__all__) == sorted(package._HOMES)
    for name in package.__all__:
        value = getattr(package, name)
        assert value.__name__ == name
        assert value.__module__ == package._HOMES[name]
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = package.nothing


def test_help_does_not_wait_for_numba():
    code = "import sys, emulator.cli.app; print('numba' in sys.modules, 'scipy' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False", "False"]
