"""Files of rounds and the parties' records: read under a layout, written for others to read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from postprocessing.bits import Bits
from postprocessing.checks import file_path, instance_of, one_of
from postprocessing.errors import InputFileError, InvalidArgumentError
from postprocessing.files.cells import Place, codes_of
from postprocessing.files.formats import ROWS, Column, explained, read_batches, write_columns
from postprocessing.files.layout import Layout
from postprocessing.files.meanings import UNHERALDED, Meanings
from postprocessing.limits import MOST_ROUNDS
from postprocessing.records import PartyRecord, record_codes
from postprocessing.scheme import BellScheme, Party

_PARTIES: tuple[Party, Party] = ("alice", "bob")


def read_records(*paths: Path | str, layout: Layout) -> tuple[PartyRecord, PartyRecord]:
    r"""Read both parties' records, from one joint file or from one file a party.

    Parameters
    ----------
    *paths : Path
        The joint file, or Alice's and Bob's; Parquet, CSV, NPZ or HDF5 by the ends of their names.
    layout : Layout
        What their columns mean.

    Returns
    -------
    alice, bob : PartyRecord
        A byte a heralded round each, however large the files are.

    Raises
    ------
    InputFileError
        If a file cannot be read, or holds a value that the layout does not know.
    InvalidArgumentError
        If there are not one or two files, or one file whose columns have one name for both parties.

    Examples
    --------
    >>> import tempfile
    >>> import diqkd
    >>> scheme = diqkd.BellState(diqkd.Link(distance_km=10)).joint_distribution().scheme
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "rounds.csv")
    ...     columns = "herald,alice_setting,alice_outcome,bob_setting,bob_outcome"
    ...     _ = file.write_text(f"{columns}\n0,0,1,0,-1\n")
    ...     read_records(file, layout=Layout.of(scheme))
    (PartyRecord(1 rounds), PartyRecord(1 rounds))
    """
    files = [file_path("files", path) for path in paths]
    instance_of("layout", layout, Layout)
    if len(files) == 1:
        (alice, bob), _ = _read(files[0], layout, _PARTIES)
        return alice, bob
    if len(files) == 2:
        halves = [_read(file, layout, [side]) for file, side in zip(files, _PARTIES, strict=True)]
        _check_rows(files, layout, *(rows for _, rows in halves))
        ((alice,), _), ((bob,), _) = halves
        return alice, bob
    allowed = "one joint file, or Alice's and Bob's"
    raise InvalidArgumentError("files", [str(file) for file in files], allowed)


def read_party_record(path: Path | str, layout: Layout, party: Party) -> PartyRecord:
    """Read one party's record; the file may hold the other's columns, which are not looked at.

    Parameters and errors are those of `read_records`.
    """
    one_of("party", party, _PARTIES)
    (record,), _ = _read(file_path("record", path), layout, [party])
    return record


def write_records(path: Path, scheme: BellScheme, records: Mapping[Party, PartyRecord]) -> None:
    """Write the records of one or both parties to a new file, in the layout `Layout.of`.

    Parameters
    ----------
    path : Path
        The file, in the format that its name ends in.
    scheme : BellScheme
        Settings of the scheme.
    records : mapping of Party to PartyRecord
        One record or two, of the same rounds.

    Raises
    ------
    InputFileError
        If something is there, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import diqkd
    >>> scheme = diqkd.BellState(diqkd.Link(distance_km=10)).joint_distribution().scheme
    >>> record = PartyRecord(np.zeros(1000, np.uint8))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_records(Path(folder, "rounds.npz"), scheme, {"alice": record, "bob": record})
    ...     read_records(Path(folder, "rounds.npz"), layout=Layout.of(scheme))
    (PartyRecord(1,000 rounds), PartyRecord(1,000 rounds))
    """
    path, layout = file_path("path", path), Layout.of(scheme)
    _check_records(records)
    sources: dict[str, tuple[PartyRecord, str]] = {}
    for party, record in records.items():
        part = layout.party(party)
        sources[part.setting_column] = (record, "settings")
        sources[part.outcome_column] = (record, "outcomes")
        sources["herald"] = (record, "heralds")
    names = sorted(sources, key=lambda name: (name != "herald", name.partition("_")[0]))
    rounds = len(next(iter(records.values())))

    def blocks(wanted: Sequence[str]) -> Iterator[Mapping[str, Column]]:
        for start in range(0, rounds, ROWS):
            yield {
                name: _column(PartyRecord(record.codes[start : start + ROWS]), part)
                for name, (record, part) in sources.items()
                if name in wanted
            }

    write_columns(path, names, rounds, blocks)


def _check_records(records: Any) -> None:
    """Refuse anything but one record or two, of the same rounds."""
    if not isinstance(records, Mapping) or not records.keys() <= set(_PARTIES):
        raise InvalidArgumentError("records", records, "the record of alice, of bob, or of both")
    for party, record in records.items():
        instance_of(f"records[{party!r}]", record, PartyRecord)
    if len({len(record) for record in records.values()}) != 1:
        raise InvalidArgumentError("records", dict(records), "records of the same rounds")


def _column(record: PartyRecord, name: str) -> Column:
    """Return a column as the file has it."""
    values: Column = getattr(record, name).astype(np.int8)
    return np.int8(1) - np.int8(2) * values if name == "outcomes" else values


class _Rows(NamedTuple):
    """How many rows a file has, and a digest of which of them are rounds."""

    there: int
    kept: bytes


def _check_rows(files: Sequence[Path], layout: Layout, alice: _Rows, bob: _Rows) -> None:
    """Refuse two files of which other rows are rounds.

    A file may hold the heralded rounds alone, where only a herald column says which they are.
    """
    conditions = bool(layout.rows or layout.heralds.where)
    if alice != bob and (conditions or alice.there == bob.there):
        given = f"{alice.there} and {bob.there} rows" if alice.there != bob.there else "others"
        named = " and ".join(repr(str(file)) for file in files)
        raise InputFileError(f"{named} must have the same rows as rounds, got {given}")


def _read(path: Path, layout: Layout, parties: Sequence[Party]) -> tuple[list[PartyRecord], _Rows]:
    """Read the heralded rows of a file, and say which these are."""
    columns = layout.columns(parties)
    records = {party: bytearray() for party in parties}
    reader = _BatchReader(path, layout)
    with explained(path):
        for batch in read_batches(path, columns, layout.file):
            for party, codes in reader.read(batch, parties).items():
                records[party] += codes.data
                _check_size(path, len(records[party]))
    found = [PartyRecord(np.frombuffer(records[party], np.uint8)) for party in parties]
    return found, reader.rows


def _check_size(path: Path, rounds: int) -> None:
    """Refuse to fill the memory: a small file may claim to hold any number of rounds."""
    if rounds > MOST_ROUNDS:
        text = f"{str(path)!r} must hold at most {MOST_ROUNDS} heralded rounds, there are more"
        raise InputFileError(text)


class _BatchReader:
    """Turns blocks of columns into codes of rounds, and says where a value is wrong."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self._path, self._layout, self._row = path, layout, 0
        self._kept = hashlib.sha256()
        self._heralds = layout.heralds.codes()

    @property
    def rows(self) -> _Rows:
        """What has been read."""
        return _Rows(self._row, self._kept.digest())

    def read(self, batch: Mapping[str, pa.Array], parties: Sequence[Party]) -> dict[Party, Bits]:
        """Return each party's codes of the heralded rows."""
        size = len(next(iter(batch.values())))
        counts = np.ones(size, bool)
        for column, wanted in self._layout.rows.items():
            counts &= self._holds(batch[column], column, wanted)
        heralds = self._heralded(batch, counts)
        kept = counts & (heralds != UNHERALDED)
        # By number, so that files of other formats and blocks have the same digest.
        self._kept.update((self._row + np.flatnonzero(kept)).astype("<u8").tobytes())
        found: dict[Party, Bits] = {}
        for party in parties:
            part = self._layout.party(party)
            name = part.setting_column
            settings = self._codes(batch[name], name, part.setting_codes(), kept)
            name = part.outcome_column
            outcomes = self._codes(batch[name], name, part.outcome_codes(), kept)
            found[party] = record_codes(settings[kept], outcomes[kept], heralds[kept])
        self._row += size
        return found

    def _heralded(self, batch: Mapping[str, pa.Array], counts: npt.NDArray[np.bool_]) -> Bits:
        """Return the herald of each row, `UNHERALDED` of rows that are no rounds."""
        layout = self._layout.heralds
        if layout.column is not None:
            return self._codes(batch[layout.column], layout.column, self._heralds, counts)
        if not layout.where:
            return np.zeros(len(counts), np.uint8)
        found = np.full(len(counts), UNHERALDED, np.uint8)
        for number, (name, ways) in enumerate(layout.where.items()):
            for way in ways:
                holds = counts.copy()
                for column, wanted in way.items():
                    holds &= self._holds(batch[column], column, wanted)
                twice = holds & (found != UNHERALDED) & (found != number)
                if twice.any():
                    row = self._row + int(twice.argmax()) + 1
                    text = f"heralds must exclude each other, {name!r} and another in row {row}"
                    raise InputFileError(f"{str(self._path)!r}: {text}")
                found[holds] = number
        return found

    def _holds(self, column: pa.Array, name: str, wanted: Sequence[Any]) -> npt.NDArray[np.bool_]:
        """Tell in which rows a column has one of the values."""
        # Whatever else there is, empty or not, has none.
        pairs = [(value, 0) for value in wanted if value != ""]
        codes = Meanings.of(name, pairs)
        codes = replace(codes, exact={**codes.exact, None: 0 if "" in wanted else UNHERALDED})
        if codes.otherwise is None:
            codes = replace(codes, otherwise=UNHERALDED)
        found = self._codes(column, name, codes, np.ones(len(column), bool))
        return np.asarray(found == 0, np.bool_)

    def _codes(
        self, column: pa.Array, name: str, codes: Meanings, kept: npt.NDArray[np.bool_]
    ) -> Bits:
        """Return the code of each value; those of heralded rows must all have one."""
        where = Place(self._path, name, self._row)
        return codes_of(column, codes, where, kept, if_empty=self._of_empty(name))

    def _of_empty(self, name: str) -> str:
        """Return what is missing where a cell of a column is empty."""
        if name in self._layout.heralds.columns:
            return "; the herald is missing"
        if name in (self._layout.party(party).outcome_column for party in _PARTIES):
            return "; the layout must say what a missing outcome counts as"
        return "; the setting is missing"
