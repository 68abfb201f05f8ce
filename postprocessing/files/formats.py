"""Columns of Parquet, CSV, NPZ and HDF5 files, read and written a block of rows at a time."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from postprocessing.errors import DiqkdError, InputFileError
from postprocessing.keys import new_private_file

Batch = dict[str, pa.Array]
Column = npt.NDArray[np.int8]
Blocks = Callable[[Sequence[str]], Iterable[Mapping[str, Column]]]

SUFFIXES = (".parquet", ".csv", ".npz", ".h5", ".hdf5")
ROWS = 1 << 20

# What the libraries raise on files that are not what their name says.
_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    EOFError,
    RuntimeError,
    OverflowError,
    MemoryError,
    SyntaxError,
    zipfile.BadZipFile,
    zlib.error,
    pa.ArrowException,
)
_EMPTY_CELLS = ["", "NaN", "nan", "NA", "null", "None"]
_CSV_BLOCK_BYTES = 1 << 23


def read_batches(path: Path, columns: Sequence[str]) -> Iterator[Batch]:
    """Read some columns of a file, in order.

    Parameters
    ----------
    path : Path
        A file whose name ends as one of `SUFFIXES`.
    columns : sequence of str
        Names; in HDF5 files paths of datasets.

    Yields
    ------
    dict of str to pyarrow.Array
        Equally long columns.

    Raises
    ------
    InputFileError
        If the file cannot be read, is damaged, or lacks a column.
    """
    with _explained(path):
        match _suffix(path):
            case ".parquet":
                yield from _read_parquet(path, columns)
            case ".csv":
                yield from _read_csv(path, columns)
            case ".npz":
                yield from _read_npz(path, columns)
            case _:
                yield from _read_hdf5(path, columns)


def write_columns(path: Path, names: Sequence[str], rows: int, blocks: Blocks) -> None:
    """Write columns of small whole numbers to a new file, readable by its owner only (0600).

    Parameters
    ----------
    path : Path
        A file whose name ends as one of `SUFFIXES`.
    names : sequence of str
        Names of the columns.
    rows : int
        Number of rows.
    blocks : callable
        ``blocks(names)`` yields mappings of those columns to int8 arrays, block by block; it may
        be called several times.

    Raises
    ------
    InputFileError
        If something is there, or the file cannot be written.
    """
    suffix = _suffix(path)
    with new_private_file(path) as draft:
        match suffix:
            case ".parquet":
                _write_arrow(draft, names, blocks, pa.parquet.ParquetWriter)
            case ".csv":
                _write_arrow(draft, names, blocks, pa.csv.CSVWriter)
            case ".npz":
                _write_npz(draft, names, rows, blocks)
            case _:
                _write_hdf5(draft, names, rows, blocks)


def _suffix(path: Path) -> str:
    """Return how a file's name ends.

    Raises
    ------
    InputFileError
        If no format is known by it.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        text = f"a file of rounds must end in {', '.join(SUFFIXES)}, got {str(path)!r}"
        raise InputFileError(text)
    return suffix


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Name the file in whatever a library says of it."""
    try:
        yield
    except DiqkdError:
        raise
    except _UNREADABLE as error:
        reason = str(error).strip().split("\n")[0][:200] or type(error).__name__
        message = (
            f"{str(path)!r} must be a readable {path.suffix} file with the columns of its layout"
        )
        raise InputFileError(f"{message}: {reason}") from error


def _read_parquet(path: Path, columns: Sequence[str]) -> Iterator[Batch]:
    with pa.parquet.ParquetFile(path) as file:
        _check_columns(columns, file.schema_arrow.names)
        for batch in file.iter_batches(batch_size=ROWS, columns=list(columns)):
            yield {name: batch.column(name) for name in columns}


def _read_csv(path: Path, columns: Sequence[str]) -> Iterator[Batch]:
    with pa.csv.open_csv(
        path,
        read_options=pa.csv.ReadOptions(block_size=_CSV_BLOCK_BYTES),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()),
            null_values=_EMPTY_CELLS,
            strings_can_be_null=True,
        ),
    ) as reader:
        _check_columns(columns, reader.schema.names)
        for batch in reader:
            yield {name: batch.column(name) for name in columns}


def _read_npz(path: Path, columns: Sequence[str]) -> Iterator[Batch]:
    """Read the arrays of an archive side by side; loading one would take all of it."""
    with ExitStack() as stack:
        archive = stack.enter_context(zipfile.ZipFile(path))
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        _check_columns(columns, names)
        streams = {name: stack.enter_context(archive.open(f"{name}.npy")) for name in columns}
        heads = {name: _npy_head(stream) for name, stream in streams.items()}
        rows = _common_length({name: length for name, (length, _) in heads.items()})
        for start in range(0, rows, ROWS):
            size = min(ROWS, rows - start)
            batch = {}
            for name, (_, dtype) in heads.items():
                content = streams[name].read(size * dtype.itemsize)
                batch[name] = _arrow(np.frombuffer(content, dtype, count=size))
            yield batch


def _npy_head(stream: Any) -> tuple[int, np.dtype[Any]]:
    """Return length and type of a flat array, the stream at its first element."""
    version = np.lib.format.read_magic(stream)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    shape, _, dtype = readers[version](stream)
    if len(shape) != 1 or dtype.kind not in "biufSU" or dtype.itemsize == 0:
        raise ValueError(f"an array of {dtype} of shape {shape} is no column")
    return shape[0], dtype


def _read_hdf5(path: Path, columns: Sequence[str]) -> Iterator[Batch]:
    with h5py.File(path, "r") as file:
        _check_columns(columns, [name for name in columns if name in file] or list(file))
        sets = {name: file[name] for name in columns}
        for name, found in sets.items():
            if not isinstance(found, h5py.Dataset) or found.ndim != 1:
                raise ValueError(f"{name} is not a flat data set")
        rows = _common_length({name: len(found) for name, found in sets.items()})
        for start in range(0, rows, ROWS):
            yield {name: _arrow(found[start : start + ROWS]) for name, found in sets.items()}


def _arrow(column: npt.NDArray[Any]) -> pa.Array:
    """Return a column as an arrow array, whatever its byte order."""
    if column.dtype.kind in "SO":
        texts = [value.decode() if isinstance(value, bytes) else value for value in column.tolist()]
        return pa.array(texts, pa.string())
    return pa.array(column.astype(column.dtype.newbyteorder("=")))


def _check_columns(wanted: Sequence[str], there: Sequence[str]) -> None:
    for name in wanted:
        if there.count(name) != 1:
            shown = ", ".join(map(str, there[:20]))
            raise ValueError(f"{there.count(name)} columns named {name!r}, there are: {shown}")


def _common_length(lengths: Mapping[str, int]) -> int:
    if len(set(lengths.values())) > 1:
        raise ValueError(f"columns of different lengths: {dict(lengths)}")
    return next(iter(lengths.values()), 0)


def _write_arrow(path: Path, names: Sequence[str], blocks: Blocks, writer_type: Any) -> None:
    schema = pa.schema([(name, pa.int8()) for name in names])
    with writer_type(str(path), schema) as writer:
        for block in blocks(names):
            arrays = [pa.array(block[name]) for name in names]
            writer.write(pa.record_batch(arrays, schema=schema))


def _write_npz(path: Path, names: Sequence[str], rows: int, blocks: Blocks) -> None:
    head = {"descr": "|i1", "fortran_order": False, "shape": (rows,)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in names:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array_header_1_0(stream, head)
                for block in blocks([name]):
                    stream.write(block[name].tobytes())


def _write_hdf5(path: Path, names: Sequence[str], rows: int, blocks: Blocks) -> None:
    with h5py.File(path, "w") as file:
        chunk = min(ROWS, max(1, rows))
        sets = {
            name: file.create_dataset(
                name, (rows,), np.int8, chunks=(chunk,), compression="gzip", compression_opts=1
            )
            for name in names
        }
        start = 0
        for block in blocks(names):
            size = len(block[names[0]])
            for name, found in sets.items():
                found[start : start + size] = block[name]
            start += size
