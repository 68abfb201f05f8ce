"""Scenarios from presets and TOML files."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from emulator.scenario.parameters import scenario_class
from emulator.scenario.scenario import (
    STOPPING_RULES,
    Scenario,
    files_among,
    overridden,
    present_names,
)
from emulator.schemes.registry import DEFAULT_SCHEME, SCHEMES
from postprocessing.checks import instance_of
from postprocessing.errors import InvalidArgumentError
from postprocessing.files.toml import read_toml


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
    if source is not None:
        instance_of("source", source, str)
    changes = present_names(
        {} if overrides is None else instance_of("overrides", overrides, Mapping)
    )
    scheme = changes.get("scheme", DEFAULT_SCHEME)
    if source is None:
        source = SCHEMES.named("scheme", scheme).default_preset
    parameters = present_names(_read(source)) if source is not None else {}
    own_scheme = parameters.get("scheme", DEFAULT_SCHEME)
    if parameters and changes.get("scheme", own_scheme) != own_scheme:
        allowed = f"that of the scenario {source!r}, {own_scheme!r}"
        raise InvalidArgumentError("scheme", changes["scheme"], allowed)
    scheme = changes.get("scheme", own_scheme)
    alternatives = {**STOPPING_RULES, **SCHEMES.named("scheme", scheme).displaced}
    given = overridden(parameters, changes, alternatives)
    return scenario_class(scheme).from_parameters(given)


def _read(source: str) -> dict[str, object]:
    """Return the raw parameters of a preset or a file."""
    if source.endswith(".toml"):
        return _read_file(Path(source))
    if source not in preset_names():
        allowed = f"a path ending in .toml or one of {', '.join(preset_names())}"
        raise InvalidArgumentError("scenario", source, allowed)
    preset = resources.files("emulator.scenario") / "presets" / f"{source}.toml"
    with resources.as_file(preset) as path:
        return read_toml("scenario", path)


def _read_file(path: Path) -> dict[str, object]:
    """Return the raw parameters of a TOML file."""
    parameters = read_toml("scenario", path)
    fields = scenario_class(parameters.get("scheme", DEFAULT_SCHEME)).model_fields
    for name in files_among(fields) & parameters.keys():
        if isinstance(parameters[name], str):
            parameters[name] = (path.parent / parameters[name]).resolve()
    return parameters
