"""Scenarios from presets and TOML files."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from emulator.scenario.parameters import SCHEMES
from emulator.scenario.scenario import Scenario
from postprocessing.errors import InputFileError, InvalidArgumentError

DEFAULT_SCHEME = "ecs"


def preset_names() -> list[str]:
    """Return the names of the scenarios that come with the package."""
    folder = resources.files("emulator.scenario") / "presets"
    names = (Path(entry.name) for entry in folder.iterdir())
    return sorted(name.stem for name in names if name.suffix == ".toml")


def load_scenario(
    source: str | None = None, overrides: Mapping[str, object] | None = None
) -> Scenario:
    """Read a scenario and override some of its parameters.

    Parameters
    ----------
    source : str, optional
        Name of a preset, or path of a TOML file (ending in .toml). By default the first preset of
        the scheme in `overrides`, which itself is by default that with entangled coherent states.
    overrides : mapping, optional
        Parameters by name; they displace alternatives to them, as `rounds` displaces `pulses`.

    Returns
    -------
    Scenario
        The validated scenario.

    Raises
    ------
    InputFileError
        If the file cannot be read or is not TOML.
    InvalidArgumentError
        If the preset or the scheme is unknown, the scenario is of another scheme, or a parameter is
        unknown to the scheme or has an impossible value.

    Examples
    --------
    >>> load_scenario("ecs-300km", {"rounds": "1e8"}).rounds
    100000000
    """
    changes = dict(overrides or {})
    if source is None:
        source = _scenario_class(changes.get("scheme", DEFAULT_SCHEME)).default_preset
    parameters = dict(_read(source)) if source is not None else {}
    own_scheme = parameters.get("scheme", DEFAULT_SCHEME)
    if parameters and changes.get("scheme", own_scheme) != own_scheme:
        allowed = f"that of the scenario {source!r}, {own_scheme!r}"
        raise InvalidArgumentError("scheme", changes["scheme"], allowed)
    scenario_class = _scenario_class(changes.get("scheme", own_scheme))
    return scenario_class.from_parameters(scenario_class.overridden(parameters, changes))


def _scenario_class(scheme: object) -> type[Scenario]:
    """Return the parameters' class of a scheme."""
    if not isinstance(scheme, str) or scheme not in SCHEMES:
        raise InvalidArgumentError("scheme", scheme, f"one of {', '.join(SCHEMES)}")
    return SCHEMES[scheme]


def _read(source: str) -> dict[str, object]:
    """Return the raw parameters of a preset or a file."""
    if source.endswith(".toml"):
        return _read_file(Path(source))
    if source not in preset_names():
        allowed = f"a path ending in .toml or one of {', '.join(preset_names())}"
        raise InvalidArgumentError("scenario", source, allowed)
    text = (resources.files("emulator.scenario") / "presets" / f"{source}.toml").read_text(
        encoding="utf-8"
    )
    return tomllib.loads(text)


def _read_file(path: Path) -> dict[str, object]:
    """Return the raw parameters of a TOML file."""
    try:
        parameters = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"scenario must be a readable TOML file, got {str(path)!r} ({error.strerror})"
        raise InputFileError(message) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"scenario must be valid TOML, {str(path)!r} is not: {error}"
        raise InputFileError(message) from error
    scenario_class = _scenario_class(parameters.get("scheme", DEFAULT_SCHEME))
    for name in scenario_class.file_parameters & parameters.keys():
        if isinstance(parameters[name], str):
            parameters[name] = (path.parent / parameters[name]).resolve()
    return parameters
