"""Scenario: a run as flat, named parameters, read from TOML files, presets and flags alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)
from pydantic_core import PydanticCustomError

from postprocessing.errors import InvalidArgumentError

if TYPE_CHECKING:
    from emulator.schemes.base import ProtocolModel
    from postprocessing.design.request import Security


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
            raise PydanticCustomError("number_or_optimal", message) from None
    return value


TakeWholeNumber = BeforeValidator(_whole_number)
WholeNumber = Annotated[int, TakeWholeNumber]
NumberOrOptimal = Annotated[float | Literal["optimal"], BeforeValidator(_number_or_optimal)]


class Scenario(BaseModel, ABC):
    """The parameters of every run; each scheme adds its own.

    Ranges are checked by the objects that are built from the parameters.

    Examples
    --------
    >>> import diqkd
    >>> diqkd.load_scenario("ecs-100km").replace(distance_km=50).build_model().link.distance_km
    50.0
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    # What a run of the scheme starts from when no scenario is named.
    default_preset: ClassVar[str | None] = None
    # Parameters that, given on top of a scenario, take the place of others.
    displaced: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "rounds": ("pulses",),
        "pulses": ("rounds",),
    }
    # The parameter that sets the brightness of the light, where there is a choice.
    intensity_parameter: ClassVar[str | None] = None
    # Parameters that name files; in a scenario file they are relative to its folder.
    file_parameters: ClassVar[frozenset[str]] = frozenset()

    scheme: Annotated[str, Field(description="how the entanglement is shared")]
    rounds: Annotated[
        WholeNumber | None,
        Field(description="heralded rounds after which the run stops", ge=1, le=10**9),
    ] = None
    pulses: Annotated[
        WholeNumber | None,
        Field(description="pulses after which the run stops instead", ge=1, le=2**53),
    ] = None
    security: Annotated[
        Literal["tan22", "geat", "renyi", "renyi_fixed", "asymptotic"],
        Field(description="how the key length is computed; renyi ones are not peer reviewed"),
    ] = "tan22"
    noisy_preprocessing: Annotated[
        NumberOrOptimal, Field(description='probability of inverting a raw key bit, or "optimal"')
    ] = 0.0
    reconciliation: Annotated[
        Literal["auto", "throughput", "efficiency"],
        Field(description="fast codes, codes that leak little, or what leaves more key"),
    ] = "auto"
    soundness: Annotated[float, Field(description="epsilon of the keys")] = 1e-10
    completeness: Annotated[float, Field(description="abort probability of honest devices")] = 1e-2
    seed: Annotated[
        WholeNumber | None, Field(description="of everything random; fresh by default", ge=0)
    ] = None

    @abstractmethod
    def build_model(self) -> ProtocolModel:
        """Return the model that the scenario describes.

        Raises
        ------
        InvalidArgumentError
            If a parameter is outside the range of the model.
        """

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
            self.security,
            noisy_preprocessing=self.noisy_preprocessing,
            reconciliation=self.reconciliation,
        )

    @field_validator("*", mode="before")
    @classmethod
    def _no_booleans(cls, value: object) -> object:
        """Refuse booleans, which would pass for 0 and 1."""
        if isinstance(value, bool):
            raise PydanticCustomError("boolean", "Input should be a number or a name")
        return value

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, object]) -> Self:
        """Check named parameters and make a scenario of them.

        Raises
        ------
        InvalidArgumentError
            If a parameter is unknown or has an impossible value.
        """
        try:
            return cls.model_validate(dict(parameters))
        except ValidationError as error:
            raise cls._first_problem(error) from None

    def replace(self, **changes: object) -> Self:
        """Return the scenario with some parameters changed and checked.

        Raises
        ------
        InvalidArgumentError
            If a parameter is unknown or has an impossible value.
        """
        return self.from_parameters(self.overridden(self.model_dump(exclude_unset=True), changes))

    @classmethod
    def overridden(
        cls, parameters: Mapping[str, object], changes: Mapping[str, object]
    ) -> dict[str, object]:
        """Return the parameters with changes, which displace what they are alternatives to."""
        gone = {other for name in changes for other in cls.displaced.get(name, ())}
        return {**{k: v for k, v in parameters.items() if k not in gone}, **changes}

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

    @classmethod
    def _first_problem(cls, error: ValidationError) -> InvalidArgumentError:
        """Turn pydantic's report into one line that names argument, value and what is allowed."""
        problem: Any = error.errors()[0]
        name = str(problem["loc"][0])
        if problem["type"] == "extra_forbidden":
            scheme = cls.model_fields["scheme"].default
            allowed = f"one of the scheme {scheme!r}: {', '.join(cls.model_fields)}"
            return InvalidArgumentError("parameter", name, allowed)
        if problem["type"] == "path_type":
            return InvalidArgumentError(name, problem["input"], "the path of a file")
        allowed = problem["msg"].removeprefix("Input should be ")
        return InvalidArgumentError(name, problem["input"], allowed)
