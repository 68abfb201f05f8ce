"""Scenario: a run as flat, named parameters, read from TOML files, presets and flags alike."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)
from pydantic_core import PydanticCustomError

from postprocessing.errors import InputFileError, InvalidArgumentError

DEFAULT_PRESET = "ecs-100km"


def _whole_number(value: object) -> object:
    """Take 1e7 and "1e7" for the whole numbers they are."""
    if isinstance(value, str):
        try:
            value = float(value) if not value.strip().isdigit() else int(value)
        except ValueError:
            return value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _number_or_optimal(value: object) -> object:
    """Take "0.09" for the number it is, and no word but "optimal"."""
    if isinstance(value, str) and value != "optimal":
        try:
            return float(value)
        except ValueError:
            message = 'Input should be a number or "optimal"'
            raise PydanticCustomError("mean_photon_number", message) from None
    return value


WholeNumber = Annotated[int, BeforeValidator(_whole_number)]


class Scenario(BaseModel):
    """The parameters of a run. Ranges are checked by the objects that are built from it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    scheme: Annotated[Literal["ecs"], Field(description="how the entanglement is shared")] = "ecs"
    distance_km: Annotated[float, Field(description="fibre between the users, Charlie midway")] = (
        100.0
    )
    attenuation_db_per_km: Annotated[float, Field(description="fibre loss")] = 0.2
    detector_efficiency: Annotated[float, Field(description="of Charlie's detectors")] = 0.8
    dark_count_probability: Annotated[float, Field(description="per detector and pulse")] = 1e-7
    misalignment_error: Annotated[float, Field(description="e_d of the phase drift")] = 0.0
    mean_photon_number: Annotated[
        float | Literal["optimal"],
        BeforeValidator(_number_or_optimal),
        Field(description='of each sender\'s pulse, or "optimal"'),
    ] = "optimal"
    rounds: Annotated[
        WholeNumber | None,
        Field(description="heralded rounds after which the run stops", ge=1, le=10**9),
    ] = None
    pulses: Annotated[
        WholeNumber | None,
        Field(description="pulses after which the run stops instead", ge=1, le=2**53),
    ] = None
    security: Annotated[
        Literal["tan22", "asymptotic"], Field(description="how the key length is computed")
    ] = "tan22"
    soundness: Annotated[float, Field(description="epsilon of the keys")] = 1e-10
    completeness: Annotated[float, Field(description="abort probability of honest devices")] = 1e-2
    seed: Annotated[
        WholeNumber | None, Field(description="of everything random; fresh by default", ge=0)
    ] = None

    @field_validator("*", mode="before")
    @classmethod
    def _no_booleans(cls, value: object) -> object:
        """Refuse booleans, which would pass for 0 and 1."""
        if isinstance(value, bool):
            raise PydanticCustomError("boolean", "Input should be a number or a name")
        return value

    def stopping_rule(self) -> dict[str, int]:
        """Return the keyword that tells `run` when to stop: ``heralded_rounds`` or ``pulses``.

        Raises
        ------
        InvalidArgumentError
            Unless exactly one of `rounds` and `pulses` is given.
        """
        rules = {"heralded_rounds": self.rounds, "pulses": self.pulses}
        given = {name: value for name, value in rules.items() if value is not None}
        if len(given) != 1:
            value = (self.rounds, self.pulses)
            raise InvalidArgumentError("rounds", value, "given, or else pulses, and not both")
        return given


def preset_names() -> list[str]:
    """Return the names of the scenarios that come with the package."""
    folder = resources.files("emulator") / "presets"
    names = (Path(entry.name) for entry in folder.iterdir())
    return sorted(name.stem for name in names if name.suffix == ".toml")


def load_scenario(source: str, overrides: Mapping[str, object] | None = None) -> Scenario:
    """Read a scenario and override some of its parameters.

    Parameters
    ----------
    source : str
        Name of a preset, or path of a TOML file (ending in .toml).
    overrides : mapping, optional
        Parameters by name; `rounds` displaces `pulses` and the reverse.

    Returns
    -------
    Scenario
        The validated scenario.

    Raises
    ------
    InputFileError
        If the file cannot be read or is not TOML.
    InvalidArgumentError
        If the preset is unknown, or a parameter is unknown or has an impossible value.
    """
    parameters = dict(_read(source))
    changes = dict(overrides or {})
    for name, other in (("rounds", "pulses"), ("pulses", "rounds")):
        if name in changes and other not in changes:
            parameters.pop(other, None)
    try:
        return Scenario.model_validate({**parameters, **changes})
    except ValidationError as error:
        raise _first_problem(error) from None


def _read(source: str) -> dict[str, object]:
    """Return the raw parameters of a preset or a file."""
    if source.endswith(".toml"):
        try:
            return tomllib.loads(Path(source).read_text(encoding="utf-8"))
        except OSError as error:
            message = f"scenario must be a readable TOML file, got {source!r} ({error.strerror})"
            raise InputFileError(message) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            message = f"scenario must be valid TOML, {source!r} is not: {error}"
            raise InputFileError(message) from error
    if source not in preset_names():
        allowed = f"a path ending in .toml or one of {', '.join(preset_names())}"
        raise InvalidArgumentError("scenario", source, allowed)
    text = (resources.files("emulator") / "presets" / f"{source}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _first_problem(error: ValidationError) -> InvalidArgumentError:
    """Turn pydantic's report into one line that names argument, value and what is allowed."""
    problem = error.errors()[0]
    name = str(problem["loc"][0])
    if problem["type"] == "extra_forbidden":
        allowed = f"among {', '.join(Scenario.model_fields)}"
        return InvalidArgumentError("parameter", name, allowed)
    allowed = problem["msg"].removeprefix("Input should be ")
    return InvalidArgumentError(name, problem["input"], allowed)
