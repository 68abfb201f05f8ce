"""How far a command is, on standard error."""

from __future__ import annotations

from rich.console import Console


class StageProgress:
    """A progress line on standard error, shown on terminals only."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        console = Console(stderr=True)
        hidden = not console.is_terminal
        self._progress = Progress(*columns, console=console, transient=True, disable=hidden)
        self._task = self._progress.add_task("design", total=None)

    def __enter__(self) -> StageProgress:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def show(self, stage: str, fraction: float | None) -> None:
        """Show a stage and how much of it is done."""
        total = None if fraction is None else 1.0
        self._progress.update(self._task, description=stage, total=total, completed=fraction or 0.0)
