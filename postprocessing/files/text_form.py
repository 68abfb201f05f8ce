"""How a text file of rounds is written: its separators, comments, and names of columns."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pyarrow as pa
import pyarrow.csv
from pydantic import Field, model_validator

from postprocessing.errors import InvalidArgumentError
from postprocessing.files.meanings import Part

_SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "blanks": "\t"}
_QUOTED = ("comma", "semicolon")
_BLOCK_BYTES = 1 << 23
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class TextForm(Part):
    """How a text file is written.

    Parameters
    ----------
    separator : {"comma", "semicolon", "tab", "bar", "blanks"}
        What stands between cells; "blanks" are any number of spaces and tabs, so that no cell is
        empty. Quotation marks enclose cells between commas and semicolons only.
    header : bool
        Whether a line names the columns; without, they are called "1", "2" and so on.
    comment : str, optional
        What a line begins with that is none.
    skip_lines : int
        Lines at the beginning of the file that are none, before comments are looked for.
    """

    separator: Literal["comma", "semicolon", "tab", "bar", "blanks"] = "comma"
    header: bool = True
    comment: str | None = None
    skip_lines: Annotated[int, Field(ge=0, le=10**6, strict=True)] = 0

    @model_validator(mode="after")
    def _is_a_comment(self) -> Self:
        if self.comment is not None and (self.comment.strip() != self.comment or not self.comment):
            raise InvalidArgumentError("comment", self.comment, "characters that are no blanks")
        return self

    def check_columns(self, columns: Sequence[str]) -> None:
        """Check that columns without names are numbered.

        Raises
        ------
        InvalidArgumentError
            If one is called otherwise.
        """
        for name in columns:
            numbered = name.isdecimal() and name.isascii() and str(int(name)) == name != "0"
            if not self.header and not numbered:
                allowed = 'numbered "1", "2" and so on, as the file has no header'
                raise InvalidArgumentError("columns", name, allowed)


@contextmanager
def text_reader(path: Path, form: TextForm, columns: Sequence[str] | None = None) -> Iterator[Any]:
    """Open a text file as a reader of arrow batches.

    Parameters
    ----------
    path : Path
        The file.
    form : TextForm
        How it is written.
    columns : sequence of str, optional
        Columns to read, as words; by default all, to see what they are called.
    """
    options = pa.csv.ReadOptions(
        block_size=_BLOCK_BYTES,
        skip_rows=form.skip_lines,
        column_names=None if form.header else _numbers(path, form),
    )
    # A quotation mark in a remark would swallow rows up to the next one.
    quotes = '"' if form.separator in _QUOTED else False
    parsing = pa.csv.ParseOptions(delimiter=_SEPARATORS[form.separator], quote_char=quotes)
    converted = None
    if columns is not None:
        # Columns that the layout does not name may hold anything.
        converted = pa.csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()),
            include_columns=list(columns),
            null_values=[""],
            strings_can_be_null=True,
        )
    with (
        _lines(path, form) as stream,
        pa.csv.open_csv(stream, options, parsing, converted) as reader,
    ):
        yield reader


def _numbers(path: Path, form: TextForm) -> list[str]:
    """Return the numbers of the columns, as the first line has them."""
    with _lines(path, form) as stream:
        content = stream if isinstance(stream, _Lines) else stream.open("rb")
        with content:
            for _ in range(form.skip_lines + 1):
                first = content.readline(_BLOCK_BYTES)
    separator = _SEPARATORS[form.separator].encode()
    return [str(number) for number in range(1, first.count(separator) + 2)]


@contextmanager
def _lines(path: Path, form: TextForm) -> Iterator[Any]:
    """Open a file; as it is, where nothing has to be changed."""
    if form.comment is None and form.separator != "blanks":
        yield path
        return
    with path.open("rb") as content:
        yield _Lines(content, form)


class _Lines(io.RawIOBase):
    """A text file without its comments, and with one separator between cells."""

    def __init__(self, content: io.BufferedReader, form: TextForm) -> None:
        super().__init__()
        self._content, self._skip = content, form.skip_lines
        self._comment = None if form.comment is None else form.comment.encode()
        self._joined, self._rest = form.separator == "blanks", b""
        # Before a comment there may be blanks, but no empty cells.
        self._blanks = b" " if form.separator == "tab" else b" \t"
        self._is_first = True

    def readable(self) -> bool:
        """Tell that one can read it."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with the next lines."""
        while not self._rest:
            lines = self._content.readlines(_BLOCK_BYTES)
            if not lines:
                return 0
            self._rest = b"".join(self._cleaned(lines))
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size

    def _cleaned(self, lines: list[bytes]) -> Iterator[bytes]:
        for line in lines:
            if self._is_first:
                line, self._is_first = line.removeprefix(_BYTE_ORDER_MARK), False
            if b"\r" in line.rstrip(b"\r\n"):
                raise ValueError("lines must end as those of Unix or Windows do")
            if self._skip:
                self._skip -= 1
                yield b"\n"
            elif self._comment is not None and line.lstrip(self._blanks).startswith(self._comment):
                continue
            elif self._joined:
                words = line.split()
                if words:
                    yield b"\t".join(words) + b"\n"
            else:
                yield line
