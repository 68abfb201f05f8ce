"""The result of a benchmark: kept as JSON, held against another one, shown as tables."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from emulator.speed.cases import Threads, Unit
from emulator.speed.machine import Machine
from postprocessing.checks import file_path, instance_of
from postprocessing.errors import InputFileError, InvalidArgumentError
from postprocessing.sections import Section, number, pairs

if TYPE_CHECKING:
    import pandas as pd

REFERENCE_FILE = Path(__file__).parent / "reference.json"
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_STRICT = ConfigDict(extra="forbid")
Key = tuple[str, str, str, Threads]


@dataclass(frozen=True)
class Measurement:
    """One stage on one input.

    Parameters
    ----------
    stage, what, by : str
        The stage, on what, and whose implementation.
    threads : {"one", "all"}
        On how many threads.
    unit : {"Mrounds/s", "Mbit/s"}
        Of the rates: heralded rounds, or key bits that go in.
    amount : int
        Rounds or bits in a call.
    calls : int
        Calls that were timed, after the first.
    rate_wall, rate_cpu : float
        By the median time of a call: of the clock, and of all threads together.
    first_s : float
        Time of the first call: kernels compiled or loaded, codes grown.
    is_right : bool
        Whether the result was right.
    added_mib : float or None
        Most memory that calls took beside what the process held.
    frame_p50_ms, frame_p99_ms : float or None
        Quantiles of the time from a frame to its correction, one thread.
    frames_timed : int
        Of how many; the greater quantile of less than a hundred is nearly the longest.
    efficiency : float or None
        f, of sifted keys.
    """

    __pydantic_config__ = _STRICT

    stage: str
    what: str
    by: str
    threads: Threads
    unit: Unit
    amount: Annotated[int, Field(gt=0)]
    calls: Annotated[int, Field(gt=0)]
    rate_wall: Rate
    rate_cpu: Rate
    first_s: float
    is_right: bool
    added_mib: float | None = None
    frame_p50_ms: float | None = None
    frame_p99_ms: float | None = None
    frames_timed: int = 0
    efficiency: float | None = None

    @property
    def key(self) -> Key:
        """What tells it from the others of a benchmark."""
        return self.stage, self.what, self.by, self.threads


@dataclass(frozen=True)
class Benchmark:
    """How fast a machine is.

    Parameters
    ----------
    machine : Machine
        The machine, and what is installed there.
    date : str
        Day of the benchmark.
    measurements : tuple of Measurement
        In the order of the pipeline.

    Raises
    ------
    InvalidArgumentError
        If a case is there twice.

    Examples
    --------
    >>> import diqkd
    >>> reference = diqkd.read_benchmark()
    >>> bool((reference.table(against=reference)["of_reference"] == 1).all())
    True
    """

    __pydantic_config__ = _STRICT

    machine: Machine
    date: str
    measurements: tuple[Measurement, ...] = field(repr=False)

    def __post_init__(self) -> None:
        """Check that no case is there twice."""
        if len(self._rates()) < len(self.measurements):
            raise InvalidArgumentError("measurements", len(self.measurements), "different cases")

    def table(self, against: Benchmark | None = None) -> pd.DataFrame:
        """Return the measurements, a row each.

        Parameters
        ----------
        against : Benchmark, optional
            Another one; ``of_reference`` is then the rate by the clock over its, NaN where it has
            none.
        """
        import pandas as pd

        frame = pd.DataFrame([asdict(each) for each in self.measurements])
        if against is None:
            return frame
        rates = instance_of("against", against, Benchmark)._rates()
        shares = [each.rate_wall / rates.get(each.key, float("nan")) for each in self.measurements]
        return frame.assign(of_reference=shares)

    def _rates(self) -> dict[Key, float]:
        return {each.key: each.rate_wall for each in self.measurements}

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON-able values."""
        return dict(TypeAdapter(Benchmark).dump_python(self, mode="json"))

    def to_json(self) -> str:
        """Return all of it as JSON, as `read_benchmark` reads it."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"

    def present(self, against: Benchmark | None = None) -> tuple[Section, ...]:
        """Return it as sections of a page, beside another one."""
        machine = asdict(self.machine)
        machine["instructions"] = " ".join(self.machine.instructions) or "none of those known"
        machine["packages"] = " ".join(f"{k} {v}" for k, v in self.machine.packages.items())
        machine["memory_gib"] = number(self.machine.memory_gib, 3)
        sections = [Section("machine", pairs(machine | {"date": self.date}))]
        rates = {} if against is None else against._rates()
        for stage, group in groupby(self.measurements, lambda each: each.stage):
            found = tuple(group)
            header: tuple[str, ...] = ("", "by", found[0].unit, "a CPU", "frame in ms", "MiB")
            header += ("× ref.",) if rates else ()
            rows = tuple(_row(each, rates) for each in found)
            sections.append(Section(stage, rows, header))
        if against is not None:
            there = against.machine
            remark = f"× ref.: by the clock, of {there.processor}, {there.processors} processors, "
            sections.append(Section("reference", bullets=(remark + against.date,)))
        return tuple(sections)


def _row(one: Measurement, rates: dict[Key, float]) -> tuple[str, ...]:
    """Return the cells of a measurement."""
    what = one.what if one.efficiency is None else f"{one.what}, f {one.efficiency:.3f}"
    frame = "-"
    if one.frame_p50_ms is not None and one.frame_p99_ms is not None:
        frame = f"{one.frame_p50_ms:.3g}, {one.frame_p99_ms:.3g}"
    row = (
        what if one.is_right else f"{what}: WRONG RESULT",
        one.by if one.threads == "one" else f"{one.by}, {one.threads}",
        _rate(one.rate_wall),
        _rate(one.rate_cpu),
        frame,
        "-" if one.added_mib is None else f"{one.added_mib:.0f}",
    )
    if not rates:
        return row
    there = rates.get(one.key)
    return (*row, "-" if there is None else f"{one.rate_wall / there:.2f}")


def _rate(value: float) -> str:
    """Return three digits, thousands as they are."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def read_benchmark(path: Path | str | None = None) -> Benchmark:
    """Read a benchmark.

    Parameters
    ----------
    path : Path or str, optional
        A file of `Benchmark.to_json`; by default the one that diqkd ships.

    Returns
    -------
    Benchmark
        What was measured.

    Raises
    ------
    InputFileError
        If the file cannot be read, or holds something else.

    Examples
    --------
    >>> read_benchmark().measurements[0].stage
    'sampling'
    """
    path = REFERENCE_FILE if path is None else file_path("path", path)
    try:
        return TypeAdapter(Benchmark).validate_json(path.read_bytes())
    except OSError as error:
        raise InputFileError(
            f"benchmark must be a readable file, got {str(path)!r} ({error.strerror})"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InputFileError(
            f"benchmark must be a file of diqkd bench, got {str(path)!r} ({place}: {first['msg']})"
        ) from None
