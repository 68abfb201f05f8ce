"""Help in panels that never cuts a name short, whatever the width of the terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from typer.core import TyperGroup

from emulator.cli.errors import ExplainedCommand

Rows = defaultdict[str, list[tuple[str, str]]]
_WIDEST = 34  # the type of a longer option stands with its explanation


class PanelCommand(ExplainedCommand):
    """A command whose options stand in panels."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        _write(self, ctx, formatter, _parameters(self.get_params(ctx), ctx))


class PanelGroup(TyperGroup):
    """Commands in panels."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        rows: Rows = defaultdict(list)
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            summary = (command.help or "").partition("\n\n")[0]
            rows[command.rich_help_panel or "commands"].append((name, summary))
        _write(self, ctx, formatter, rows | _parameters(self.get_params(ctx), ctx))


def _parameters(parameters: Iterable[Any], ctx: Any) -> Rows:
    """Return name and explanation of each parameter, by its panel."""
    rows: Rows = defaultdict(list)
    for parameter in parameters:
        if (record := parameter.get_help_record(ctx)) is None:
            continue
        left, right = record
        kind = parameter.param_type_name
        if kind == "option" and len(left) > _WIDEST:
            names = ", ".join(parameter.opts)
            left, right = names, f"{left.removeprefix(names).strip()}  {right}"
        rows[getattr(parameter, "rich_help_panel", None) or f"{kind}s"].append((left, right))
    return rows


def _write(command: Any, ctx: Any, formatter: Any, rows: Rows) -> None:
    """Write usage, text, panels and epilog of a command."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(highlight=False)
    widest = max(len(left) for panel in rows.values() for left, _ in panel)
    with console.capture() as capture:
        console.print(Text(command.get_usage(ctx), style="bold"))
        console.print(Padding(Text(command.help or ""), (1, 2)))
        for title, panel in rows.items():
            console.print(_panel(title, panel, widest))
        # Uncut, so that examples can be copied.
        console.print(Text(command.epilog or ""), soft_wrap=True)
    formatter.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


def _panel(title: str, rows: list[tuple[str, str]], widest: int) -> Any:
    """Return a panel of two columns, the first as wide in all panels."""
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(no_wrap=True, min_width=widest, style="cyan")
    table.add_column(ratio=1)
    for left, right in rows:
        table.add_row(Text(left), Text(right))
    return Panel(table, title=title, title_align="left", border_style="dim")
