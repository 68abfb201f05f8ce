"""One task of a sweep: a scenario with its seed, its identity, and the row that its run makes."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from importlib.metadata import version
from pathlib import Path

from pydantic.fields import FieldInfo

from emulator.scenario.scenario import Scenario, former_name
from emulator.schemes.registry import SCHEMES
from emulator.sweeps.store import COLUMNS, PARAMETERS, STORE_VERSION, Cell, Row
from postprocessing.errors import DiqkdError, InputFileError

# What the packages are made of.
_SOURCES = frozenset({".py", ".npz", ".json", ".toml"})
# Bits that a number keeps in every reader of CSV and JSON.
_SEED_BITS = 53
# Parameters that the first version did not have.
_LATER = frozenset(
    {
        "grid_bits",
        "setting_probability_tolerance",
        "test_probability_alice",
        "test_probability_bob",
    }
)


@dataclass(frozen=True)
class SweepTask:
    """One run of a sweep.

    Parameters
    ----------
    scenario : Scenario
        Everything about the run, its seed included.
    identity : str
        Digest of everything that affects the result, see `task_identity`.
    """

    scenario: Scenario
    identity: str

    @classmethod
    def of(cls, scenario: Scenario) -> SweepTask:
        """Return the task of a scenario that has a seed."""
        return cls(scenario, task_identity(scenario))


def task_identity(scenario: Scenario) -> str:
    """Return the SHA-256 digest, in hexadecimal, of everything that affects the result of a run.

    It is taken of canonical JSON (sorted keys) of every parameter, defaults and seed included; of
    the contents of the files that it names, in place of their paths; of the version and the source
    files of diqkd, the version of the store, and the feature releases of numpy, scipy and numba.

    Raises
    ------
    InputFileError
        If a file that the scenario names cannot be read.
    """
    return _digest({"scenario": _substance(scenario), "versions": _versions()})


def repeat_seed(scenario: Scenario, repeat: int) -> int:
    """Return the seed of a repeat of a point: below 2**53, and different for each.

    It follows from the parameters of the scenario but its seed, and from the number of the repeat;
    not from the rest of the sweep, nor from versions.

    Raises
    ------
    InputFileError
        If a file that the scenario names cannot be read.
    """
    parameters = _substance(scenario)
    del parameters["seed"]
    digest = _digest({"scenario": parameters, "repeat": repeat})
    return int(digest, 16) >> (256 - _SEED_BITS)


def run_task(task: SweepTask) -> Row:
    """Run a task on one thread and return its row of the store, whatever happens.

    A task whose identity is another one here, because this machine has other versions or files
    than the one that planned it, fails.
    """
    from emulator.runner import run

    started = time.perf_counter()
    scenario = task.scenario
    outcome: dict[str, Cell]
    try:
        if task_identity(scenario) != task.identity:
            raise DiqkdError("the versions or files of this worker differ from those of the plan")
        security = scenario.build_security()
        report = run(
            scenario.build_model(),
            heralded_rounds=scenario.rounds,
            pulses=scenario.pulses,
            security=security,
            seed=scenario.seed,
            threads=1,
        )
        outcome = report.row()
    except Exception as error:
        outcome = _failure(error)
    return _row(task, outcome, time.perf_counter() - started)


def failed_row(task: SweepTask, error: BaseException) -> Row:
    """Return the row of a task that came to nothing outside of `run_task`."""
    return _row(task, _failure(error), None)


def _row(task: SweepTask, outcome: Mapping[str, Cell], seconds: float | None) -> Row:
    """Join what identifies a task with its outcome."""
    parameters = task.scenario.model_dump(mode="json")
    row: Row = dict.fromkeys(COLUMNS)
    row |= {PARAMETERS[name]: value for name, value in parameters.items()}
    row |= {"store_version": STORE_VERSION, "task": task.identity, **outcome}
    row |= {"diqkd_version": version("diqkd"), "seconds": seconds}
    with suppress(InputFileError):
        row["files_sha256"] = _files_digest(task.scenario)
    row["finished_at"] = datetime.now(UTC).isoformat(timespec="milliseconds")
    return row


def _failure(error: BaseException) -> dict[str, Cell]:
    """Return the outcome of a failed task: the error on one line."""
    name = "" if isinstance(error, DiqkdError) else f"{type(error).__name__}: "
    return {"status": "failed", "reason": " ".join(f"{name}{error}".split())}


def _substance(scenario: Scenario) -> dict[str, object]:
    """Return the parameters as JSON values, with digests of files in place of their paths."""
    values: dict[str, object] = scenario.model_dump(mode="json")
    for name in scenario.file_parameters:
        if values[name] is not None:
            values[name] = {"sha256": _file_digest(name, Path(str(values[name])))}
    # Under the names of the first version, and without what it did not have: the seeds of repeats
    # follow from them.
    fields, since = type(scenario).model_fields, _LATER | SCHEMES[scenario.scheme].later
    later = {name for name in since if name in fields and not _differs(values[name], fields[name])}
    return {former_name(name): values[name] for name in values if name not in later}


def _differs(value: object, field: FieldInfo) -> bool:
    """Tell whether a JSON value is another one than the field's default; infinity is null."""
    return value != field.default and not (value is None and field.default == math.inf)


def _file_digest(name: str, path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        message = f"{name} must be a readable file, got {str(path)!r} ({error.strerror})"
        raise InputFileError(message) from error


def _digest(values: Mapping[str, object]) -> str:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _versions() -> dict[str, str | int]:
    """Return the versions that a result may depend on."""
    releases = {
        name: ".".join(version(name).split(".")[:2]) for name in ("numpy", "scipy", "numba")
    }
    own = {"diqkd": version("diqkd"), "sources": _sources_digest()}
    return {**own, "store": STORE_VERSION, **releases}


def _files_digest(scenario: Scenario) -> str | None:
    """Return the digest of the contents of the files that a scenario names; None if it has none."""
    substance = _substance(scenario)
    files = {name: substance[name] for name in sorted(scenario.file_parameters) if substance[name]}
    return _digest(files) if files else None


def _sources_digest() -> str:
    """Return the digest of the code and data of both packages: an edit makes other results."""
    digest = hashlib.sha256()
    for package in ("emulator", "postprocessing"):
        root = Path(str(resources.files(package)))
        for path in sorted(root.rglob("*")):
            if path.suffix in _SOURCES:
                digest.update(f"{package}/{path.relative_to(root).as_posix()}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
