"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from postprocessing.errors import InvalidArgumentError

AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
AsCsv = Annotated[bool, typer.Option("--csv", help="print comma-separated values")]
KeyFolder = Annotated[
    Path | None, typer.Option("--out", help="folder for alice.key, bob.key and report.json")
]
LayoutFile = Annotated[
    Path | None,
    typer.Option(
        "--layout",
        help="TOML file: columns and their values [default: as diqkd emulate writes]",
    ),
]
ProtocolChoice = Annotated[
    Literal["paper", "best"],
    typer.Option(
        "--protocol",
        help="intensity and directions as given, or those of the most key for this very block",
    ),
]
Replace = Annotated[
    bool, typer.Option("--replace", help="put the file in the place of an earlier one")
]
Threads = Annotated[int | None, typer.Option(help="threads to work on [default: one a processor]")]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where", metavar="NAME=VALUE", help="only runs with this value; may be repeated"
    ),
]


def conditions(where: list[str] | None) -> dict[str, str]:
    """Return the values by name of NAME=VALUE.

    Raises
    ------
    InvalidArgumentError
        If a text is something else.
    """
    for text in where or ():
        if not all(text.partition("=")):
            raise InvalidArgumentError("where", text, "NAME=VALUE")
    return {name: value for name, _, value in (text.partition("=") for text in where or ())}


def check_format(as_json: bool, as_csv: bool) -> None:
    """Refuse two formats at once.

    Raises
    ------
    InvalidArgumentError
        If both are asked for.
    """
    if as_json and as_csv:
        raise InvalidArgumentError("options", "--json --csv", "one of the two")
