"""Results of sweeps: stores become tables, tables become means with intervals, or files."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from emulator.parameters import kinds
from emulator.scenario.parameters import parameters_by_scheme, scenario_class
from emulator.scenario.scenario import FORMER_NAMES, Scenario
from emulator.sweeps.store import (
    COLUMNS,
    PARAMETERS,
    STORE_VERSION,
    check_regular,
    check_status,
    columns_of,
)
from postprocessing.checks import file_path
from postprocessing.errors import InputFileError, InvalidArgumentError
from postprocessing.files.atomic import atomic_write

DEFAULT_VALUES = ("chsh", "qber", "rate_achieved")
DEFAULT_QUANTILES = (0.05, 0.5, 0.95)

_COUNTS = (
    "store_version", "pulses", "heralded_rounds", "key_rounds", "test_rounds", "lost_tests",
    "key_length", "asymptotic_key_length", "designed_key_length", "leaked_bits",
)  # fmt: skip
_ARROW_TYPES = {"float64": "float64", "Int64": "int64", "str": "string"}
_TEXTS = (
    "task", "status", "reason", "files_sha256", "key_sha256", "diqkd_version", "finished_at",
)  # fmt: skip


def load_results(*paths: Path | str) -> pd.DataFrame:
    """Read stores into one table.

    Parameters
    ----------
    *paths : Path or str
        One or more stores. An unfinished last line, which a killed writer leaves, is ignored.

    Returns
    -------
    DataFrame
        One row a task, the one that finished last, in the order of the stores: the columns of
        `emulator.sweeps.store.COLUMNS`. Numbers are float64, whole numbers Int64, the rest
        text; empty cells are missing values. Floats are exactly those written.

    Raises
    ------
    InputFileError
        If a file cannot be read, is no store, or is a store of another version.
    InvalidArgumentError
        If there is no path.

    Examples
    --------
    >>> load_results("missing.csv")
    Traceback (most recent call last):
    postprocessing.errors.InputFileError: store must be a readable file, got 'missing.csv' ...
    """
    if not paths:
        raise InvalidArgumentError("paths", paths, "at least one store")
    return combine(_load_store(file_path("paths", path)) for path in paths)


def combine(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Join tables of results; of each task the row that finished last remains.

    A failure remains only where there is nothing else.

    Parameters
    ----------
    frames : iterable of DataFrame
        Tables of `load_results`.

    Returns
    -------
    DataFrame
        All tasks, each once.
    """
    joined = pd.concat(list(frames), ignore_index=True)
    return _newest(joined, ["task"]).reset_index(drop=True)


def distinct_runs(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the newest run of each scenario and seed, whatever the versions it ran under.

    After an upgrade a sweep adds its tasks anew; a repetition of a seed is no other seed.
    """
    if frame.empty:
        return frame
    # Tables joined by hand may repeat labels.
    frame = frame.reset_index(drop=True)
    return _newest(frame, [*PARAMETERS.values(), "files_sha256"])


def _newest(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return of the rows with equal keys the one that finished last, a failure only if alone."""
    ranked = pd.DataFrame({"done": frame["status"] != "failed", "at": frame["finished_at"]})
    order = ranked.sort_values(["done", "at"], kind="stable").index
    repeated = frame.loc[order, keys].duplicated(keep="last")
    return frame.loc[~repeated.sort_index()]


def select(frame: pd.DataFrame, conditions: Mapping[str, object]) -> pd.DataFrame:
    """Return the rows in which parameters have given values.

    Parameters
    ----------
    frame : DataFrame
        Table of `load_results`.
    conditions : mapping of str to object
        Values by parameter (or other column); text is compared as a number where it is one.

    Returns
    -------
    DataFrame
        The rows that meet every condition.

    Raises
    ------
    InvalidArgumentError
        If a name is unknown or no row remains.
    """
    for name, value in conditions.items():
        column = frame[column_of(name)]
        numbers = pd.to_numeric(column, errors="coerce")
        wanted = pd.to_numeric(pd.Series([value], dtype=object), errors="coerce").iloc[0]
        same = column == value if pd.isna(wanted) else numbers == wanted
        frame = frame[same.fillna(value=False).astype(bool)]
    if frame.empty:
        raise InvalidArgumentError("conditions", dict(conditions), "met by at least one row")
    return frame


def aggregate(
    frame: pd.DataFrame,
    by: Sequence[str] | None = None,
    values: Sequence[str] = DEFAULT_VALUES,
    quantiles: Sequence[float] = DEFAULT_QUANTILES,
) -> pd.DataFrame:
    """Return statistics over seeds, or over whatever else the rows of a group differ in.

    Parameters
    ----------
    frame : DataFrame
        Table of `load_results`.
    by : sequence of str, optional
        Parameters that define a group; by default all that vary, the seed aside.
    values : sequence of str
        Columns of numbers.
    quantiles : sequence of float
        In [0, 1].

    Returns
    -------
    DataFrame
        One row a group, in order: the parameters; ``count`` (runs that ended with a key or an
        abort), ``keys``, ``aborted`` and ``failed``; then for each value ``_count`` (rows that have
        it), ``_mean``, ``_standard_error`` (of the mean, missing for fewer than 2 rows) and one
        column a quantile, such as ``_q0.05``. Failed tasks have no values. An aborted run has
        achieved the rate 0, which the mean counts.

    Raises
    ------
    InvalidArgumentError
        If a column is unknown or has no numbers, or a quantile is outside [0, 1].
    """
    frame = distinct_runs(frame)
    keys = varying_parameters(frame) if by is None else [column_of(name) for name in by]
    for value in values:
        if not pd.api.types.is_numeric_dtype(frame[column_of(value)]):
            raise InvalidArgumentError("values", value, "a column of numbers")
    for quantile in quantiles:
        if not 0 <= quantile <= 1:
            raise InvalidArgumentError("quantiles", quantile, "in [0, 1]")
    columns = [column_of(value) for value in values]
    numbers = frame[columns].astype(np.float64)
    # A group for all rows where no parameter is named.
    labels = [frame[key] for key in keys] or [pd.Series(0, frame.index, name="all")]
    groups = numbers.groupby(labels, dropna=False)
    table = pd.DataFrame(
        {
            "count": _tally(frame["status"].isin(["key", "aborted"]), labels),
            "keys": _tally(frame["status"] == "key", labels),
            "aborted": _tally(frame["status"] == "aborted", labels),
            "failed": _tally(frame["status"] == "failed", labels),
        }
    )
    for column in columns:
        table[f"{column}_count"] = groups[column].count()
        table[f"{column}_mean"] = groups[column].mean()
        table[f"{column}_standard_error"] = groups[column].sem()
        for quantile in quantiles:
            table[f"{column}_q{quantile:g}"] = groups[column].quantile(quantile)
    return table.reset_index(drop=not keys)


def export(frame: pd.DataFrame, path: Path | str) -> None:
    """Write a table to a file that only its owner can read, in the format of its suffix.

    A table has seeds, and a seed makes the key again.

    Parameters
    ----------
    frame : DataFrame
        Any table.
    path : Path or str
        A file ending in .parquet or .csv; an earlier one is replaced. Floats of a CSV file
        round-trip exactly.

    Raises
    ------
    InvalidArgumentError
        If the suffix is another.
    InputFileError
        If the file cannot be written.
    """
    writers: dict[str, Callable[[Path], object]] = {
        ".parquet": lambda draft: frame.to_parquet(draft, index=False),
        ".csv": lambda draft: frame.to_csv(draft, index=False, lineterminator="\n"),
    }
    suffix = Path(path).suffix.lower()
    if suffix not in writers:
        raise InvalidArgumentError("path", str(path), "a file ending in .parquet or .csv")
    with atomic_write(Path(path), replace=True) as draft:
        writers[suffix](draft)


def column_of(name: str) -> str:
    """Return the column of a parameter, or that of another name of the store.

    A name that a parameter shares with a result is that of the result; the parameter's own column
    begins with ``scenario_``.

    Raises
    ------
    InvalidArgumentError
        If there is no such column.
    """
    known = name.replace("-", "_")
    known = next((old for old, new in FORMER_NAMES.items() if new == known), known)
    if known not in COLUMNS:
        allowed = f"a parameter or a result: {', '.join(COLUMNS[2:])}"
        raise InvalidArgumentError("column", name, allowed)
    return known


def varying_parameters(frame: pd.DataFrame) -> list[str]:
    """Return the columns of the parameters with more than one value (or none), the seed aside.

    Files with other contents are other parameters, whatever their names.
    """
    columns = [column for name, column in PARAMETERS.items() if name != "seed"]
    columns.append("files_sha256")
    return [c for c in columns if frame[c].nunique(dropna=False) > 1]


def scenario_of(row: Mapping[str, Any]) -> Scenario:
    """Return the scenario of a row.

    Parameters
    ----------
    row : mapping of str to object
        Values of a row of `load_results` by column.

    Returns
    -------
    Scenario
        With every parameter as it was; null stands for None.

    Raises
    ------
    InvalidArgumentError
        If the scheme is unknown or a parameter impossible.
    """
    own = scenario_class(row["scheme"])
    cells = {name: row[PARAMETERS[name]] for name in own.model_fields}
    return own.from_parameters({k: v for k, v in cells.items() if not pd.isna(v)})


def _parse(data: bytes) -> pd.DataFrame:
    """Read whole lines; Arrow rounds every float correctly, which pandas' own parser does not."""
    import pyarrow as arrow
    from pyarrow import csv

    options = csv.ConvertOptions(
        column_types={name: _ARROW_TYPES[kind] for name, kind in column_types().items()},
        null_values=[""],
        strings_can_be_null=True,
    )
    table = csv.read_csv(io.BytesIO(data), convert_options=options)
    frame: pd.DataFrame = table.to_pandas(types_mapper={arrow.int64(): pd.Int64Dtype()}.get)
    # Parameters that came after the store have no values in it.
    later = [name for name in COLUMNS if name not in frame]
    return frame.reindex(columns=[*frame.columns, *later]) if later else frame


def _tally(marks: pd.Series[bool], labels: Sequence[pd.Series[Any]]) -> pd.Series[int]:
    """Count the marked rows of each group."""
    return marks.astype(np.int64).groupby(list(labels), dropna=False).sum()


def _load_store(path: Path) -> pd.DataFrame:
    """Read one store: of each task the last whole row."""
    try:
        check_regular(path)
        data = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        message = f"store must be a readable file, got {str(path)!r} ({error.strerror})"
        raise InputFileError(message) from error
    data = data[: data.rfind(b"\n") + 1]
    header, _, rows = data.partition(b"\n")
    rows = rows.lstrip(b"\n")
    if not header.startswith(b"store_version,"):
        raise InputFileError(f"store must be the results of a sweep, {str(path)!r} is not")
    found = rows[: rows.find(b",")].decode(errors="replace") if rows else str(STORE_VERSION)
    if found != str(STORE_VERSION):
        message = f"store must be of version {STORE_VERSION}, {str(path)!r} is of version {found}"
        raise InputFileError(message)
    if columns_of(header) is None:
        message = (
            f"store must have the columns of version {STORE_VERSION}, {str(path)!r} has others"
        )
        raise InputFileError(message)
    try:
        frame = _parse(data)
    except ValueError as error:
        reason = str(error).splitlines()[0]
        message = f"store {str(path)!r} has a row that cannot be read ({reason})"
        raise InputFileError(message) from error
    if not (frame["store_version"] == STORE_VERSION).all() or frame["finished_at"].isna().any():
        allowed = f"whole, of version {STORE_VERSION}"
        raise InputFileError(f"every row of a store must be {allowed}, {str(path)!r} has others")
    for status in frame["status"].unique():
        check_status(path, status)
    return frame.drop_duplicates("task", keep="last")


@cache
def column_types() -> dict[str, str]:
    """Return the type of every column of a store: "float64", "Int64" or "str"."""
    found = dict.fromkeys(COLUMNS, "float64")
    found |= dict.fromkeys(_COUNTS, "Int64") | dict.fromkeys(_TEXTS, "str")
    for name, fields in parameters_by_scheme().items():
        taken = frozenset[type]().union(*map(kinds, fields.values()))
        whole, numeric = taken <= {int}, taken <= {int, float}
        found[PARAMETERS[name]] = "Int64" if whole else "float64" if numeric else "str"
    return found
