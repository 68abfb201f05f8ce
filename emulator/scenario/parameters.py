"""The scenario of each scheme: the parameters of its class, and those of every run."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, cast

from pydantic import Field, create_model
from pydantic.fields import FieldInfo

from emulator.parameters import without_range
from emulator.scenario.scenario import Scenario
from emulator.schemes.flat import fields_of, may_drift
from emulator.schemes.registry import SCHEMES

_DRIFT = Field(None, description="parameter that changes during the run, NAME=START:STOP:PARTS")
_SETTINGS = Field(
    "local",
    description="chosen by each side alone, or by marks announced before measuring, "
    "which needs 2 travel times and geat",
)


class _Restored(Scenario):
    """A scenario whose class is made when it is needed, in whatever process."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pass from process to process as what it was made of."""
        return restored, (self.scheme, self.model_dump(exclude_unset=True))


def restored(scheme: str, parameters: dict[str, object]) -> Scenario:
    """Return a scenario that another process had."""
    return scenario_class(scheme).from_parameters(parameters)


def scenario_class(scheme: object) -> type[Scenario]:
    """Return the class of the scenarios of a scheme.

    Parameters
    ----------
    scheme : str
        Its name.

    Raises
    ------
    InvalidArgumentError
        If there is no such scheme.
    """
    SCHEMES.named("scheme", scheme)
    return _made(str(scheme))


@cache
def _made(scheme: str) -> type[Scenario]:
    owner = SCHEMES[scheme]
    own_name = Field(scheme, description=Scenario.model_fields["scheme"].description)
    fields: dict[str, Any] = {"scheme": (Literal[scheme], own_name)}
    # Ranges are checked by the models: a sweep keeps its points beyond them, as failures.
    loose = {name: without_range(field) for name, field in fields_of(owner).items()}
    fields |= {name: (field.annotation, field) for name, field in loose.items()}
    if may_drift(owner):
        fields["drift"] = (str | None, _DRIFT)
    if owner.may_await_herald:
        fields["settings"] = (Literal["local", "announced"], _SETTINGS)
    made = create_model(f"{owner.__name__}Scenario", __base__=_Restored, **fields)
    return cast(type[Scenario], made)


def parameters_by_scheme() -> dict[str, dict[str, FieldInfo]]:
    """Return every parameter name with the schemes that have it: the schemes' own first."""
    found: dict[str, dict[str, FieldInfo]] = {}
    for scheme in SCHEMES:
        for name, field in scenario_class(scheme).model_fields.items():
            found.setdefault(name, {})[scheme] = field
    return dict(sorted(found.items(), key=lambda item: item[0] in Scenario.model_fields))
