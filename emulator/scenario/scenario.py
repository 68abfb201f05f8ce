"""Scenario: a run as flat, named parameters, read from TOML files, presets and flags alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    field_serializer,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from emulator.parameters import first_problem, is_whole, kinds
from emulator.scenario.axes import parse_axis
from emulator.schemes.flat import build, fields_of, may_drift
from emulator.schemes.registry import SCHEMES
from postprocessing.checks import plain
from postprocessing.errors import InvalidArgumentError
from postprocessing.limits import MOST_PULSES, MOST_ROUNDS
from postprocessing.registry import METHODS

if TYPE_CHECKING:
    from emulator.schemes.base import ProtocolModel
    from postprocessing.design.request import Security

# Parameters that, given on top of a scenario, take the place of others; schemes have more.
STOPPING_RULES: Mapping[str, tuple[str, ...]] = {"rounds": ("pulses",), "pulses": ("rounds",)}
# Names that parameters had before, which files, flags and stores may still have.
FORMER_NAMES = {"security": "method"}


def _whole_number(value: object) -> object:
    """Take 1e7, "1e7" and numpy's scalars for the whole numbers they are."""
    value = plain(value)
    if isinstance(value, str):
        try:
            value = float(value) if not value.strip().isdigit() else int(value)
        except ValueError:
            return value
    return int(value) if isinstance(value, float) and value.is_integer() else value


WholeNumber = Annotated[int, BeforeValidator(_whole_number)]


def _known_method(value: str) -> str:
    """Take the name of a key-length method, the project's own or another distribution's."""
    if value not in METHODS:
        *others, last = (repr(name) for name in METHODS)
        allowed = f"{', '.join(others)} or {last}"
        raise PydanticCustomError("method", "Input should be {allowed}", {"allowed": allowed})
    return value


class RunParameters(BaseModel):
    """What is run, until when, and with which randomness."""

    scheme: Annotated[str, Field(description="how the entanglement is shared")]
    rounds: Annotated[
        int | None,
        Field(description="heralded rounds after which the run stops", ge=1, le=MOST_ROUNDS),
    ] = None
    pulses: Annotated[
        int | None,
        Field(description="pulses after which the run stops instead", ge=1, le=MOST_PULSES),
    ] = None
    seed: Annotated[
        int | None, Field(description="of everything random; fresh by default", ge=0)
    ] = None


class Scenario(RunParameters):
    """The parameters of every run and of its keys; those of a scheme come on top.

    See `emulator.scenario.parameters.scenario_class`. Ranges are checked by the objects that are
    built from the parameters.

    Examples
    --------
    >>> import diqkd
    >>> diqkd.load_scenario("ecs-100km").replace(distance_km=50).build_model().link.distance_km
    50.0
    """

    # Help reads the fields alone.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    method: Annotated[
        str,
        AfterValidator(_known_method),
        Field(description="how the key length is computed; renyi ones are not peer reviewed"),
    ] = "tan22"
    noisy_preprocessing: Annotated[
        float | Literal["optimal"],
        Field(description="probability of inverting a raw key bit"),
    ] = 0.0
    reconciliation: Annotated[
        Literal["auto", "throughput", "efficiency"],
        Field(description="fast codes, codes that leak little, or what leaves more key"),
    ] = "auto"
    soundness: Annotated[float, Field(description="epsilon of the keys")] = 1e-10
    completeness: Annotated[float, Field(description="abort probability of honest devices")] = 1e-2
    grid_bits: Annotated[
        int, Field(description="settings have whole multiples of 2^-BITS as probabilities, 8 to 32")
    ] = 16
    setting_probability_tolerance: Annotated[
        float,
        Field(description="by how much these may be off, up to 0.01; keys are those of the worst"),
    ] = 0.0
    test_probability_alice: Annotated[
        float | None,
        Field(description="how often Alice tests, instead of what is best; given for both"),
    ] = None
    test_probability_bob: Annotated[
        float | None,
        Field(description="how often Bob tests, instead of what is best; given for both"),
    ] = None

    def __init__(self, **parameters: Any) -> None:
        try:
            super().__init__(**parameters)
        except ValidationError as error:
            raise first_problem(error, type(self).model_fields, parameters) from None

    @property
    def intensity_parameter(self) -> str | None:
        """The parameter that sets the brightness of the light, where there is a choice."""
        return SCHEMES[self.scheme].intensity_parameter

    @property
    def file_parameters(self) -> set[str]:
        """The parameters that name files."""
        return files_among(type(self).model_fields)

    def build_model(self) -> ProtocolModel:
        """Return the model that the scenario describes, in parts if a parameter drifts.

        Raises
        ------
        InvalidArgumentError
            If a parameter is outside the range of the model, or the drift impossible.
        InputFileError
            If a file that the parameters name cannot be read.
        """
        scheme = SCHEMES[self.scheme]
        parameters = {name: getattr(self, name) for name in fields_of(scheme)}
        drift = getattr(self, "drift", None)
        if drift is None:
            return build(scheme, parameters).model()
        from emulator.schemes.drifting import Drifting

        name, values = parse_axis("drift", drift)
        if name not in may_drift(scheme):
            allowed = f"of one of {', '.join(sorted(may_drift(scheme)))}"
            raise InvalidArgumentError("drift", drift, allowed)
        start = build(scheme, {**parameters, name: values[0]}).model()
        return Drifting.along(start, name, values[1:])

    def build_security(self) -> Security:
        """Return what is asked of the keys.

        Raises
        ------
        InvalidArgumentError
            If a parameter is outside its range.
        """
        from postprocessing.design.request import Security

        return Security(
            self.soundness,
            self.completeness,
            self.method,
            noisy_preprocessing=self.noisy_preprocessing,
            reconciliation=self.reconciliation,
            settings=getattr(self, "settings", "local"),
            grid_bits=self.grid_bits,
            setting_probability_tolerance=self.setting_probability_tolerance,
            test_probability_alice=self.test_probability_alice,
            test_probability_bob=self.test_probability_bob,
        )

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

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: object, info: ValidationInfo) -> object:
        """Take scalars and text for the numbers they are; refuse booleans, which would pass too."""
        value = plain(value)
        if isinstance(value, bool):
            raise PydanticCustomError("boolean", "Input should be a number or a name")
        whole = info.field_name is not None and is_whole(cls.model_fields[info.field_name])
        return _whole_number(value) if whole else value

    @field_validator("*", mode="after")
    @classmethod
    def _one_zero(cls, value: object) -> object:
        """Take −0 for 0: they are the same link, and so the same task."""
        return 0.0 if isinstance(value, float) and value == 0 else value

    @field_serializer("*", mode="wrap", when_used="json")
    def _finite(self, value: object, handler: SerializerFunctionWrapHandler) -> Any:
        """Write infinity as null, which JSON lacks."""
        return None if value == math.inf else handler(value)

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, object]) -> Self:
        """Check named parameters and make a scenario of them.

        Raises
        ------
        InvalidArgumentError
            If a parameter is unknown or has an impossible value.
        """
        given = present_names(parameters)
        for name in given:
            if name not in cls.model_fields:
                scheme = cls.model_fields["scheme"].default
                if _of_others(name):
                    allowed = f"left out for {scheme}, to which it means nothing"
                    raise InvalidArgumentError(name, given[name], allowed)
                allowed = f"one of the scheme {scheme!r}: {', '.join(cls.model_fields)}"
                raise InvalidArgumentError("parameter", name, allowed)
        return cls(**given)

    def replace(self, **changes: object) -> Self:
        """Return the scenario with some parameters changed and checked.

        Raises
        ------
        InvalidArgumentError
            If a parameter is unknown or has an impossible value.
        """
        alternatives = {**STOPPING_RULES, **SCHEMES[self.scheme].displaced}
        own = self.model_dump(exclude_unset=True)
        return self.from_parameters(overridden(own, present_names(changes), alternatives))


def _of_others(name: str) -> bool:
    """Tell whether any scheme has a parameter of that name."""
    # The classes of scenarios are made of this one.
    from emulator.scenario.parameters import parameters_by_scheme

    return name in parameters_by_scheme()


def overridden(
    parameters: Mapping[str, object],
    changes: Mapping[str, object],
    alternatives: Mapping[str, tuple[str, ...]],
) -> dict[str, object]:
    """Return parameters with changes, which displace what they are alternatives to.

    A drift among the changes counts instead of a value beside it, as in lists of all parameters.

    Raises
    ------
    InvalidArgumentError
        If one of the changes is of what the parameters let drift, and so would count for nothing.
    """
    if "drift" not in changes:
        for name in _drifting(parameters) & changes.keys():
            raise InvalidArgumentError(name, changes[name], "left out where it drifts")
    named = changes.keys() | _drifting(changes)
    gone = {other for name in named for other in alternatives.get(name, ())}
    return {**{k: v for k, v in parameters.items() if k not in gone}, **changes}


def _drifting(parameters: Mapping[str, object]) -> set[str]:
    """Return the name of the parameter that is to drift, where there is one."""
    drift = parameters.get("drift")
    return {parse_axis("drift", drift)[0]} if isinstance(drift, str) else set()


def present_names(parameters: Mapping[str, object]) -> dict[str, object]:
    """Return parameters by the names that they have now.

    Raises
    ------
    InvalidArgumentError
        If one is given by two names.
    """
    for former, present in FORMER_NAMES.items():
        if {former, present} <= parameters.keys():
            allowed = f"left out where {present} is given"
            raise InvalidArgumentError(former, parameters[former], allowed)
    return {FORMER_NAMES.get(name, name): value for name, value in parameters.items()}


def former_name(name: str) -> str:
    """Return the name that a parameter had in the first version."""
    return next((old for old, new in FORMER_NAMES.items() if new == name), name)


def files_among(fields: Mapping[str, FieldInfo]) -> set[str]:
    """Return the parameters that name files; in a scenario file they are relative to its folder."""
    return {name for name, field in fields.items() if Path in kinds(field)}
