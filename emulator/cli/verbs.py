"""Every verb of the command line, as `verbs.toml` describes it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator.cli.errors import EXIT_CODES


@dataclass(frozen=True)
class Verb:
    """One verb; `emulator.cli.<name>` holds its command.

    Parameters
    ----------
    panel : str
        The panel of `diqkd --help` that it stands in.
    summary : str
        What it does, in one sentence.
    examples : list of str
        Two command lines, without the ``diqkd`` in front.
    more : str
        What else its help says.
    verbs : mapping of str to Verb
        Verbs of its own; their commands are functions of the same module.
    """

    panel: str
    summary: str
    examples: list[str]
    more: str = ""
    verbs: Mapping[str, Verb] = field(default_factory=dict)

    @classmethod
    def of(cls, values: dict[str, Any]) -> Verb:
        """Return the verb of a table."""
        own = {name: cls.of(table) for name, table in values.get("verbs", {}).items()}
        return cls(**values | {"verbs": own})

    @property
    def help(self) -> str:
        """The text of its help."""
        return "\n\n".join(part for part in (self.summary, self.more) if part)

    @property
    def epilog(self) -> str:
        """Examples and exit codes, below its options."""
        return "\n".join(["Examples:", *(f"  diqkd {e}" for e in self.examples), EXIT_CODES])


_TABLES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
VERBS = {name: Verb.of(table) for name, table in _TABLES.items()}
