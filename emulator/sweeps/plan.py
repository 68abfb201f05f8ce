"""Plans of sweeps: a base scenario, axes and seeds become tasks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    ValidationError,
)

from emulator.parameters import is_whole
from emulator.scenario.loading import load_scenario
from emulator.scenario.parameters import parameters_by_scheme, scenario_class
from emulator.scenario.scenario import (
    FORMER_NAMES,
    Scenario,
    WholeNumber,
    files_among,
)
from emulator.schemes.registry import SCHEMES
from emulator.sweeps.task import SweepTask, repeat_seed
from postprocessing.checks import file_path, plain
from postprocessing.errors import InvalidArgumentError
from postprocessing.files.toml import read_toml

_MOST_TASKS = 1_000_000
# Digits to which the values of a range are rounded, so that they are those one would write.
_DIGITS = 12

Parameters = dict[str, Any]

_LIST, _TABLE, _NAME, _NUMBER = "list", "table", "name", "number"
_KINDS = {list: _LIST, tuple: _LIST, dict: _TABLE, str: _NAME, int: _NUMBER, float: _NUMBER}


def _kind(value: object) -> str | None:
    """Tell apart what a plan takes in one place; None for anything else, such as a boolean."""
    return _TABLE if isinstance(value, BaseModel) else _KINDS.get(type(plain(value)))


class Range(BaseModel):
    """Evenly spaced values, or values of even ratios.

    Parameters
    ----------
    start, stop : float
        The first and the last value.
    points : int
        Their number, 2 to 100 000.
    spacing : {"linear", "log"}
        Whether differences or ratios are even.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    start: float
    stop: float
    points: Annotated[WholeNumber, Field(ge=2, le=100_000)]
    spacing: Literal["linear", "log"] = "linear"

    def values(self, name: str, *, whole: bool) -> list[float]:
        """Return the values of the axis `name` to 12 digits, or rounded to whole numbers.

        Raises
        ------
        InvalidArgumentError
            If ratios are to be even and a limit is not above 0.
        """
        if self.spacing == "log" and min(self.start, self.stop) <= 0:
            limits = (self.start, self.stop)
            raise InvalidArgumentError(f"axes.{name}", limits, "above 0 with spacing log")
        spaced = np.geomspace if self.spacing == "log" else np.linspace
        values = spaced(self.start, self.stop, self.points).tolist()
        return [round(v) if whole else float(f"{v:.{_DIGITS}g}") for v in values]


Values = Annotated[list[Any], Field(min_length=1)]
Axis = Annotated[
    Annotated[Values, Tag(_LIST)] | Annotated[Range, Tag(_TABLE)],
    Discriminator(
        _kind,
        custom_error_type="axis",
        custom_error_message="a list, or a table of start, stop, points and spacing",
    ),
]
Repeats = Annotated[WholeNumber, Field(ge=1, le=_MOST_TASKS, strict=True)]
Seeds = Annotated[
    list[Annotated[WholeNumber, Field(ge=0, lt=2**53, strict=True)]], Field(min_length=1)
]


class SweepPlan(BaseModel):
    """A sweep as its file describes it: a base scenario, axes, and seeds.

    Parameters
    ----------
    scenario : str or dict, optional
        A preset, a TOML file, or parameters, which go on top of `preset` among them or else of the
        default preset of the scheme.
    axes : dict
        For each parameter that varies its values, or a `Range` of them.
    zip : list of list of str
        Groups of axes of equal lengths that vary together; all others are crossed.
    seeds : int or list of int
        Repeats of each point, whose seeds are all different, see
        `emulator.sweeps.task.repeat_seed`; or the seeds that every point runs with.

    Examples
    --------
    >>> scenario = {"preset": "ecs-100km", "security": "asymptotic"}
    >>> len(SweepPlan(scenario=scenario, axes={"distance_km": [50, 100]}, seeds=3).tasks())
    6
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    scenario: Annotated[
        Annotated[str, Tag(_NAME)] | Annotated[dict[str, Any], Tag(_TABLE)],
        Discriminator(
            _kind, custom_error_type="scenario", custom_error_message="a name or a table"
        ),
    ] = Field(default_factory=dict)
    axes: dict[str, Axis] = Field(default_factory=dict)
    zip: list[list[str]] = []
    seeds: Annotated[
        Annotated[Repeats, Tag(_NUMBER)] | Annotated[Seeds, Tag(_LIST)],
        Discriminator(
            _kind, custom_error_type="seeds", custom_error_message="a number or a list of numbers"
        ),
    ] = 1

    _folder: Path = PrivateAttr(Path())

    def __init__(self, **parameters: Any) -> None:
        try:
            super().__init__(**parameters)
        except ValidationError as error:
            raise _first_problem(error) from None

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, object], folder: Path = Path()) -> Self:
        """Check a plan and make it.

        Parameters
        ----------
        parameters : mapping
            As in a sweep file.
        folder : Path
            The folder that the files named by the plan are relative to.

        Raises
        ------
        InvalidArgumentError
            If the plan is malformed.
        """
        plan = cls(**parameters)
        plan._folder = folder
        return plan

    def tasks(self) -> list[SweepTask]:
        """Return the tasks of the sweep, each once, in the order of the axes.

        Raises
        ------
        InvalidArgumentError
            If an axis is unknown, groups of axes do not fit, a parameter has an impossible value,
            or there are more than a million tasks.
        InputFileError
            If a file that the plan names cannot be read.
        """
        groups = self._groups()
        repeats = len(self.seeds) if isinstance(self.seeds, list) else self.seeds
        count = repeats * math.prod(len(points) for points in groups)
        if count > _MOST_TASKS:
            raise InvalidArgumentError("axes", f"{count} tasks", f"of at most {_MOST_TASKS} tasks")
        tasks = (
            SweepTask.of(scenario.model_copy(update={"seed": seed}))
            for scenario in self._scenarios(groups)
            for seed in self._seeds_of(scenario)
        )
        return list({task.identity: task for task in tasks}.values())

    def _seeds_of(self, scenario: Scenario) -> list[int]:
        if isinstance(self.seeds, list):
            return self.seeds
        return [repeat_seed(scenario, repeat) for repeat in range(self.seeds)]

    def _scenarios(self, groups: list[list[Parameters]]) -> Iterator[Scenario]:
        """Yield the scenario of each point."""
        bases: dict[str, Scenario] = {}
        for parts in itertools.product(*groups):
            point = self._located({name: value for part in parts for name, value in part.items()})
            scheme = repr(point.get("scheme"))
            if scheme not in bases:
                bases[scheme] = self._base({k: v for k, v in point.items() if k == "scheme"})
            scenario = bases[scheme].replace(**point)
            scenario.stopping_rule()
            yield scenario

    def _base(self, scheme: Parameters) -> Scenario:
        """Return the scenario that the points of a scheme start from."""
        named = {"preset": self.scenario} if isinstance(self.scenario, str) else self.scenario
        parameters = {"preset": None, **named}
        source = parameters.pop("preset")
        if not isinstance(source, str | None):
            raise InvalidArgumentError("preset", source, "a name")
        if source is not None and source.endswith(".toml"):
            source = str(self._folder / source)
        base = load_scenario(source, self._located({**parameters, **scheme}))
        if base.seed is not None:
            raise InvalidArgumentError("seed", base.seed, "left to the seeds of the sweep")
        return base

    def _located(self, parameters: Parameters) -> Parameters:
        """Return parameters with the files among them in the folder of the plan."""
        classes = (scenario_class(scheme) for scheme in SCHEMES)
        files = set[str]().union(*(files_among(each.model_fields) for each in classes))
        return {
            # Workers may be elsewhere, with another working directory.
            name: (self._folder / value).resolve()
            if name in files and isinstance(value, str)
            else value
            for name, value in parameters.items()
        }

    def _groups(self) -> list[list[Parameters]]:
        """Return the points of each group of axes that vary together."""
        group_of = {name: tuple(group) for group in self.zip for name in group}
        if sum(map(len, self.zip)) != len(group_of) or not group_of.keys() <= self.axes.keys():
            raise InvalidArgumentError("zip", self.zip, "groups of axes, each axis once at most")
        values = {name: _axis_values(name, axis) for name, axis in self.axes.items()}
        groups = []
        for names in dict.fromkeys(group_of.get(name, (name,)) for name in self.axes):
            lengths = {name: len(values[name]) for name in names}
            if len(set(lengths.values())) > 1:
                raise InvalidArgumentError("zip", lengths, "groups of axes of equal lengths")
            columns = (values[name] for name in names)
            groups.append(
                [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
            )
        return groups


def load_plan(path: str | Path) -> SweepPlan:
    r"""Read a sweep file.

    Parameters
    ----------
    path : str or Path
        TOML with the parameters of `SweepPlan`. The files that it names are relative to its folder.

    Returns
    -------
    SweepPlan
        The plan.

    Raises
    ------
    InputFileError
        If the file cannot be read or is not TOML.
    InvalidArgumentError
        If the plan is malformed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "sweep.toml")
    ...     _ = file.write_text("seeds = 5\n[axes]\ndistance_km = [50, 100]\n")
    ...     len(load_plan(file).tasks())
    10
    """
    path = file_path("sweep", path)
    return SweepPlan.from_parameters(read_toml("sweep", path), path.parent)


def _axis_values(name: str, axis: list[Any] | Range) -> list[Any]:
    """Return the values of an axis, whole numbers where its parameter is one."""
    known, name = parameters_by_scheme(), FORMER_NAMES.get(name, name)
    if name == "seed" or name not in known:
        allowed = f"one of {', '.join(other for other in known if other != 'seed')}"
        raise InvalidArgumentError("axis", name, allowed)
    if isinstance(axis, list):
        return axis
    return axis.values(name, whole=is_whole(next(iter(known[name].values()))))


def _first_problem(error: ValidationError) -> InvalidArgumentError:
    """Turn pydantic's report into one line that names argument, value and what is allowed."""
    problem: Any = error.errors()[0]
    name = ".".join(str(part) for part in problem["loc"] if part not in _KINDS.values())
    if problem["type"] == "extra_forbidden":
        fields = Range if problem["loc"][0] == "axes" else SweepPlan
        return InvalidArgumentError("name", name, f"one of {', '.join(fields.model_fields)}")
    allowed = problem["msg"].removeprefix("Input should be ")
    if problem["type"] == "too_short":
        allowed = f"of at least {problem['ctx']['min_length']} item"
    return InvalidArgumentError(name, problem["input"], allowed[0].lower() + allowed[1:])
