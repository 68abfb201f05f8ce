"""Columns of Parquet, CSV, NPZ and HDF5 files, read and written a block of rows at a time."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from postprocessing.errors import InputFileError
from postprocessing.files.atomic import atomic_write
from postprocessing.files.text_form import TextForm, text_reader

Batch = dict[str, pa.Array]
Column = npt.NDArray[np.int8]
Blocks = Callable[[Sequence[str]], Iterable[Mapping[str, Column]]]

SUFFIXES = (".parquet", ".csv", ".npz", ".h5", ".hdf5")
# Of text files too, where a layout says how they are written.
TEXT_SUFFIXES = (".csv", ".txt", ".dat", ".tsv", ".asc")
ROWS = 1 << 20

# No setting or outcome is written longer, and no file is read in larger pieces.
_MOST_VALUE_BYTES = 256
_MOST_CHUNK_BYTES = 1 << 28


def read_batches(
    path: Path, columns: Sequence[str], form: TextForm | None = None
) -> Iterator[Batch]:
    """Read some columns of a file, in order.

    Parameters
    ----------
    path : Path
        A file whose name ends as one of `SUFFIXES`.
    columns : sequence of str
        Names; in HDF5 files paths of datasets.
    form : TextForm, optional
        How a text file is written: then a name may end as one of `TEXT_SUFFIXES`.

    Yields
    ------
    dict of str to pyarrow.Array
        Equally long columns.

    Raises
    ------
    InputFileError
        If no format is known by the file's name.
    Exception
        Whatever a library raises on a file that it cannot read; `explained` gives it a name.
    """
    if form is not None and path.suffix.lower() in TEXT_SUFFIXES:
        yield from _read_text(path, columns, form)
        return
    match _suffix(path):
        case ".parquet":
            yield from _read_parquet(path, columns)
        case ".csv":
            yield from _read_text(path, columns, TextForm())
        case ".npz":
            yield from _read_npz(path, columns)
        case _:
            yield from _read_hdf5(path, columns)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Name the file in whatever is raised while it is read.

    No list of what the libraries raise on damaged files would be complete.

    Raises
    ------
    InputFileError
        In the place of any other exception.
    """
    try:
        yield
    except InputFileError:
        raise
    except Exception as error:
        first = str(error).strip().split("\n")[0][:200] or type(error).__name__
        # What a damaged file is quoted with must not steer a terminal.
        reason = "".join(letter if letter.isprintable() else "?" for letter in first)
        message = (
            f"{str(path)!r} must be a readable {path.suffix} file with the columns of its layout"
        )
        raise InputFileError(f"{message}: {reason}") from error


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
    with atomic_write(path) as draft:
        match suffix:
            case ".parquet":
                checked = partial(pa.parquet.ParquetWriter, write_page_checksum=True)
                _write_arrow(draft, names, blocks, checked)
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


def _read_parquet(path: Path, columns: Sequence[str]) -> Iterator[Batch]:
    with path.open("rb") as stream:
        # The library looks at the end of a file alone.
        if stream.read(4) != b"PAR1":
            raise ValueError("it does not begin as a Parquet file")
    with pa.parquet.ParquetFile(path, page_checksum_verification=True) as file:
        _check_columns(columns, file.schema_arrow.names)
        for batch in file.iter_batches(batch_size=ROWS, columns=list(columns)):
            yield {name: batch.column(name) for name in columns}


def _read_text(path: Path, columns: Sequence[str], form: TextForm) -> Iterator[Batch]:
    with text_reader(path, form) as reader:
        _check_columns(columns, reader.schema.names)
    with text_reader(path, form, columns) as reader:
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
        step = _block_rows(dtype for _, dtype in heads.values())
        for start in range(0, rows, step):
            size = min(step, rows - start)
            batch = {}
            for name, (_, dtype) in heads.items():
                content = streams[name].read(size * dtype.itemsize)
                batch[name] = _arrow(np.frombuffer(content, dtype, count=size))
            yield batch
        for name, stream in streams.items():
            # The archive compares the checksum at the end.
            if stream.read(1):
                raise ValueError(f"{name} is longer than its head says")


def _npy_head(stream: Any) -> tuple[int, np.dtype[Any]]:
    """Return length and type of a flat array, the stream at its first element."""
    version = np.lib.format.read_magic(stream)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    shape, _, dtype = readers[version](stream)
    if len(shape) != 1 or shape[0] < 0 or not _holds_values(dtype, "biufSU"):
        raise ValueError(f"an array of {dtype} of shape {shape} is no column")
    return shape[0], dtype


def _holds_values(dtype: np.dtype[Any], kinds: str) -> bool:
    """Tell whether a type is one of numbers or of short words."""
    return dtype.kind in kinds and 0 < dtype.itemsize <= _MOST_VALUE_BYTES


def _read_hdf5(path: Path, columns: Sequence[str]) -> Iterator[Batch]:
    with h5py.File(path, "r") as file:
        _check_columns(columns, [name for name in columns if name in file] or list(file))
        sets = {name: file[name] for name in columns}
        for name, found in sets.items():
            flat = isinstance(found, h5py.Dataset) and found.ndim == 1
            # Words of any length are objects.
            if not flat or not _holds_values(found.dtype, "biufSO"):
                raise ValueError(f"{name} is not a flat data set of numbers or short words")
            if math.prod(found.chunks or ()) * found.dtype.itemsize > _MOST_CHUNK_BYTES:
                raise ValueError(f"{name} has chunks of more than {_MOST_CHUNK_BYTES} bytes")
        if len(set(sets.values())) < len(sets):
            raise ValueError(f"two of {', '.join(sets)} are links to one data set")
        rows = _common_length({name: len(found) for name, found in sets.items()})
        step = _block_rows(found.dtype for found in sets.values())
        for start in range(0, rows, step):
            yield {name: _arrow(found[start : start + step]) for name, found in sets.items()}


def _block_rows(types: Iterable[np.dtype[Any]]) -> int:
    """Return how many rows to read at once: fewer of long words."""
    widest = max((dtype.itemsize for dtype in types), default=1)
    return max(1, ROWS * 8 // max(8, widest))


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


def _write_arrow(path: Path, names: Sequence[str], blocks: Blocks, writer_of: Any) -> None:
    schema = pa.schema([(name, pa.int8()) for name in names])
    with writer_of(str(path), schema) as writer:
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
    with _Disk(path, "r+") as disk:
        with h5py.File(disk, "w") as file:
            chunk = min(ROWS, max(1, rows))
            sets = {
                name: file.create_dataset(
                    name,
                    (rows,),
                    np.int8,
                    chunks=(chunk,),
                    compression="gzip",
                    compression_opts=1,
                    fletcher32=True,
                )
                for name in names
            }
            start = 0
            for block in blocks(names):
                size = len(block[names[0]])
                for name, found in sets.items():
                    found[start : start + size] = block[name]
                start += size
                if disk.failure is not None:
                    break
        if disk.failure is not None:
            raise disk.failure


class _Disk(io.FileIO):
    """A file that remembers why it could not be written to, and takes in the rest nevertheless.

    The HDF5 library crashes, at the latest when the process ends, if a write has failed.
    """

    failure: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all bytes, or none any more after a failure."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        while rest and self.failure is None:
            try:
                rest = rest[super().write(rest) :]
            except OSError as error:
                self.failure = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Make the file longer or shorter, unless it has failed."""
        if self.failure is None:
            try:
                return super().truncate(size)
            except OSError as error:
                self.failure = error
        return self.tell() if size is None else size
