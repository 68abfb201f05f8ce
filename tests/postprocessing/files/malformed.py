"""Files that are malformed by construction, and how: material of test_malformed.py.

Each is a sound file of a few rounds with one fault that no layout of it allows.
"""

from __future__ import annotations

import io
import itertools
import random
import struct
import warnings
import zipfile
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet

from postprocessing.records import PartyRecord

Faulty = Iterator[tuple[str, bytes]]
Columns = list[tuple[str, list]]

UNPICKLED: list[str] = []
# No value of any column: out of range, of another kind, or missing.
WRONG_NUMBERS = (3, -2, 99, -128, 0.5, 1e300, float("inf"), float("-inf"), float("nan"), 2**40)
WRONG_WORDS = ("up", "A0", "1 0", "0x1", "--1", "0_1", "Yes", "")


class Bomb:
    """An object that betrays its unpickling."""

    def __reduce__(self):
        """Return a call that leaves a trace."""
        return UNPICKLED.append, ("unpickled",)


def columns_of(records: dict[str, PartyRecord]) -> Columns:
    """Return the columns of sound rounds."""
    found = [("herald", records["alice"].heralds.tolist())]
    for party, record in records.items():
        found.append((f"{party}_setting", record.settings.tolist()))
        found.append((f"{party}_outcome", (1 - 2 * record.outcomes.astype(int)).tolist()))
    return found


def written(suffix: str, columns: Columns, folder: Path) -> bytes:
    """Return the bytes of a file with any columns."""
    if suffix == "csv":
        head = ",".join(name for name, _ in columns)
        rows = itertools.zip_longest(*(values for _, values in columns), fillvalue="")
        lines = [",".join("" if v is None else str(v) for v in row) for row in rows]
        return "\n".join([head, *lines, ""]).encode()
    if suffix == "parquet":
        arrays = [
            values if isinstance(values, pa.Array) else pa.array(values) for _, values in columns
        ]
        stream = io.BytesIO()
        pa.parquet.write_table(pa.Table.from_arrays(arrays, [name for name, _ in columns]), stream)
        return stream.getvalue()
    if suffix == "npz":
        return archive([(f"{name}.npy", npy(np.array(values))) for name, values in columns])
    path = folder / "written.h5"
    with h5py.File(path, "w") as file:
        for name, values in columns:
            array = np.array(values)
            file[name] = array.astype(object) if array.dtype.kind == "U" else array
    return path.read_bytes()


def npy(array: np.ndarray) -> bytes:
    """Return an array as the bytes of a .npy file."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array)
    return stream.getvalue()


def archive(members: list[tuple[str, bytes]]) -> bytes:
    """Return a zip archive, whose names may repeat."""
    stream = io.BytesIO()
    with (
        warnings.catch_warnings(action="ignore"),
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file,
    ):
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            with file.open(info, "w") as member:
                member.write(content)
    return stream.getvalue()


def replaced(columns: Columns, name: str, values) -> Columns:
    """Return columns of which one has other values."""
    return [(other, values if other == name else old) for other, old in columns]


def wrong_values(suffix: str, columns: Columns, folder: Path) -> Faulty:
    """One value that the layout does not know, in each column, at the start, middle or end."""
    for (name, values), wrong in itertools.product(columns, WRONG_NUMBERS + WRONG_WORDS):
        for row in (0, len(values) // 2, len(values) - 1)[:: 2 if suffix == "h5" else 1]:
            spoiled: list = [str(v) if isinstance(wrong, str) else v for v in values]
            spoiled[row] = wrong
            if isinstance(wrong, float):
                spoiled = [float(v) for v in spoiled]
            label = f"{name} is {wrong!r} in row {row + 1}"
            yield label, written(suffix, replaced(columns, name, spoiled), folder)


def wrong_columns(suffix: str, columns: Columns, folder: Path) -> Faulty:
    """Columns that are missing, named otherwise, there twice, or of different lengths."""
    for i, (name, values) in enumerate(columns):
        rest = columns[:i] + columns[i + 1 :]
        yield f"no {name}", written(suffix, rest, folder)
        for other in (name.upper(), f" {name}", f"{name}s"):
            yield f"{name} is called {other}", written(suffix, [*rest, (other, values)], folder)
        if suffix != "h5":
            yield f"{name} twice", written(suffix, [*columns, (name, values)], folder)
        if suffix != "parquet":
            for size in (0, 1, len(values) - 1):
                short = replaced(columns, name, values[:size])
                yield f"{name} of {size} rows", written(suffix, short, folder)
    yield "no columns of rounds", written(suffix, [("x", [1, 2])], folder)


def wrong_types(suffix: str, columns: Columns, folder: Path) -> Faulty:
    """Columns of a type that has neither numbers nor words."""
    for name, values in columns:
        for label, array in _types(suffix, values):
            yield f"{name} of {label}", written(suffix, replaced(columns, name, array), folder)


def _types(suffix: str, values: list) -> Iterator[tuple[str, object]]:
    now = datetime(2024, 1, 1)
    if suffix == "parquet":
        yield "times", pa.array([now] * len(values))
        yield "dates", pa.array([now.date()] * len(values))
        yield "lists", pa.array([[v] for v in values])
        yield "structs", pa.array([{"value": v} for v in values])
        yield "maps", pa.array([[("v", v)] for v in values], pa.map_(pa.string(), pa.int8()))
        yield "decimals", pa.array([Decimal(v) for v in values])
        yield "durations", pa.array(values, pa.duration("s"))
        yield "nothing", pa.nulls(len(values))
        yield "bytes", pa.array([b"\xff\xfe"] * len(values))
        broken = pa.array([b"\xff"] * len(values)).view(pa.string())
        yield "broken text", broken
    elif suffix == "npz":
        yield "complex numbers", np.array(values, complex)
        yield "times", np.array([now] * len(values), "M8[s]")
        yield "records", np.array([(v,) for v in values], [("v", "i1")])
        yield "pairs", np.array([values, values])
        yield "nothing flat", np.array(1)
        yield "long text", np.array(values).astype("U5000")
        yield "broken text", np.array([b"\xff"] * len(values))
    elif suffix == "h5":
        yield "complex numbers", np.array(values, complex)
        yield "records", np.array([(v,) for v in values], [("v", "i1")])
        yield "pairs", np.array([values, values])
        yield "nothing flat", np.array(1)
        yield "long text", np.array(values).astype("S5000")
        yield "broken text", np.array([b"\xff"] * len(values))


def wrong_containers(suffix: str, whole: dict[str, bytes]) -> Faulty:
    """Contents that are no file of this format at all, or a part of one."""
    content, chance = whole[suffix], random.Random(suffix)
    yield "empty", b""
    for size in (1, 7, 100, 4000):
        yield f"{size} zeros", bytes(size)
        yield f"{size} random bytes", chance.randbytes(size)
    for other in whole.keys() - {suffix}:
        yield f"in truth {other}", whole[other]
    if suffix == "csv":
        text = content.decode()
        cuts = [i for i, letter in enumerate(text) if letter == ","]
        for cut in [*cuts[:4], *chance.sample(cuts, 40)]:
            yield f"cut short after {cut} bytes", content[: cut + 1]
        for label, letter in (("semicolons", ";"), ("tabs", "\t"), ("blanks", " ")):
            yield label, text.replace(",", letter).encode()
        for encoding in ("utf-16", "utf-32", "utf-7"):
            yield encoding, ("é" + text).encode(encoding)
        yield "an open quote", text.replace("1,", '"1,', 1).encode()
        yield "no head", text.split("\n", 1)[1].encode()
        yield "broken text", content.replace(b"1", b"\xff", 1)
        yield "a cell too many", content.replace(b"\n", b",1\n").replace(b",1\n", b"\n", 1)
    else:
        for cut in [1, 4, 8, 100, len(content) - 1, len(content) - 8]:
            yield f"cut short after {cut} bytes", content[:cut]
        for _ in range(40):
            cut = chance.randrange(1, len(content))
            yield f"cut short after {cut} bytes", content[:cut]
        if suffix == "npz":
            return
        for size in (4, 8):
            yield f"other first {size} bytes", chance.randbytes(size) + content[size:]


def wrong_archives(columns: Columns) -> Faulty:
    """NPZ files: members that are no arrays, that lie about themselves, or hold objects."""
    members = [(f"{name}.npy", npy(np.array(values, np.int8))) for name, values in columns]
    for i, (name, content) in enumerate(members):
        for label, other in _members(content):
            yield f"{name}: {label}", archive([*members[:i], (name, other), *members[i + 1 :]])
    whole = archive(members)
    at = whole.index(b"PK\x01\x02")
    yield "encrypted", whole[: at + 8] + b"\x01" + whole[at + 9 :]
    yield "compressed otherwise", whole[: at + 10] + b"\x63" + whole[at + 11 :]
    crc = struct.unpack_from("<I", whole, at + 16)[0] ^ 1
    yield "another checksum", whole[: at + 16] + struct.pack("<I", crc) + whole[at + 20 :]


def _members(content: bytes) -> Iterator[tuple[str, bytes]]:
    size = struct.unpack_from("<H", content, 8)[0]
    head, data = content[10 : 10 + size], content[10 + size :]

    def headed(text: bytes, version: bytes = b"\x01\x00") -> bytes:
        return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + data

    yield "objects", npy(np.array([Bomb()] * 3, object))
    yield "a pickle", b"\x80\x04K\x01."
    yield "empty", b""
    yield "no magic", b"\x92" + content[1:]
    yield "version 9", headed(head, b"\x09\x00")
    yield "no head", headed(b"")
    yield "a head that is no Python", headed(b"{'descr': '|i1', (")
    yield "a head that ends early", headed(b'{"descr": """|i1')
    yield "a head of something else", headed(b"[1, 2]")
    yield "a head that calls", headed(b"__import__('os').getpid()")
    yield "unknown type", headed(head.replace(b"|i1", b"|q9"))
    yield "wider type", headed(head.replace(b"|i1", b"<i8"))
    rows = head.partition(b"'shape': (")[2].partition(b",")[0]
    for other in (b"-5", b"'a'", b"1", b"%d" % 10**12, b"%d" % 2**63, b"2, 3", b""):
        shape = b"(" + rows + b",)"
        yield f"shape ({other.decode()})", headed(head.replace(shape, b"(" + other + b",)"))
    yield "data cut short", content[:-1]
    yield "data too long", content + b"\x01"


def wrong_trees(columns: Columns, folder: Path) -> Faulty:
    """HDF5 files whose names lead to no flat data set of numbers or words."""

    def dead(file, name):
        file[name] = h5py.SoftLink("/gone")

    def elsewhere(file, name):
        file[name] = h5py.ExternalLink("gone.h5", "/x")

    def a_type(file, name):
        file[name] = np.dtype("i1")

    def references(file, name):
        file.create_dataset(name, data=[file.ref] * rows, dtype=h5py.ref_dtype)

    def lists(file, name):
        file.create_dataset(name, (rows,), h5py.vlen_dtype(np.int8))

    def nothing(file, name):
        file.create_dataset(name, data=h5py.Empty("i1"))

    rows, path = len(columns[0][1]), folder / "tree.h5"
    makers = (h5py.File.create_group, dead, elsewhere, a_type, references, lists, nothing)
    for (name, _), make in itertools.product(columns, makers):
        with h5py.File(path, "w") as file:
            for other, kept in columns:
                if other != name:
                    file[other] = kept
            make(file, name)
        yield f"{name}: {make.__name__}", path.read_bytes()
