"""The public names exist, each in one place, and import lazily."""

import inspect
import subprocess
import sys

import diqkd
import pytest

import emulator
import postprocessing
from emulator import face

PACKAGES = [diqkd, emulator, postprocessing]


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names(package):
    for name in face.__all__ if package is diqkd else package.__all__:
        value = getattr(package, name)
        assert value.__name__ == name
        assert inspect.getdoc(value)
    with pytest.raises(AttributeError, match="nothing"):
        _ = package.nothing


def test_a_name_is_the_same_thing_everywhere():
    for name in face.__all__:
        homes = [package for package in (emulator, postprocessing) if name in package.__all__]
        assert [getattr(home, name) for home in homes] == [getattr(diqkd, name)]


def test_the_front_door_shows_its_names_alone():
    assert dir(diqkd) == sorted([*face.__all__, "__version__"])


@pytest.mark.parametrize("package", ["emulator.cli.app", "diqkd"])
def test_help_does_not_wait_for_numba(package):
    code = f"import sys, {package}; print('numba' in sys.modules, 'scipy' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False", "False"]
