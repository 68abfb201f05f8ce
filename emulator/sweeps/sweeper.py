"""sweep(): the tasks of a plan run on an executor, and their rows are kept in a store."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from types import FrameType

from emulator.sweeps.executors import local_processes
from emulator.sweeps.plan import SweepPlan
from emulator.sweeps.store import Row, Store
from emulator.sweeps.task import SweepTask, failed_row, run_task
from postprocessing.errors import DiqkdError

# Tasks handed to an executor at a time: more than the workers of a cluster, less than a sweep.
_WINDOW = 1000


@dataclass(frozen=True)
class SweepSummary:
    """What there is of a sweep.

    Parameters
    ----------
    tasks : int
        Tasks of the plan.
    key, aborted, failed : int
        Those of them that the store has, by their status.
    finished, remaining : int
        Tasks that this call has run to their end, and that are left to run.
    seconds : float
        Time since the call.
    interrupted : bool
        Whether an interrupt ended it.
    """

    tasks: int
    key: int
    aborted: int
    failed: int
    finished: int
    remaining: int
    seconds: float
    interrupted: bool


RowCallback = Callable[[Row, SweepSummary], None]


def sweep(
    plan: SweepPlan,
    store: str | Path,
    executor: Executor | None = None,
    *,
    retry_failed: bool = False,
    on_row: RowCallback | None = None,
) -> SweepSummary:
    """Run the tasks of a plan that a store lacks, and add their rows to it.

    Every task runs on one thread of a worker. A task that fails makes a row with its error. The
    first interrupt (Ctrl-C) lets the tasks that have begun end and returns; a second one raises
    KeyboardInterrupt.

    Parameters
    ----------
    plan : SweepPlan
        The sweep, see `emulator.load_plan`.
    store : str or Path
        CSV file, made if there is none; see `emulator.sweeps.store.Store`.
    executor : Executor, optional
        Where tasks run, as ``ThreadPoolExecutor(1)`` or ``distributed.Client(...).get_executor()``;
        by default a process for each processor.
    retry_failed : bool
        Whether tasks that have failed run again.
    on_row : callable, optional
        Called with each row that this call has added, and the summary so far.

    Returns
    -------
    SweepSummary
        Counts of tasks by what became of them.

    Raises
    ------
    InvalidArgumentError, InputFileError
        If the plan cannot be carried out or the store is none, before anything has run.
    DiqkdError
        If the workers are gone before the sweep has ended; what is finished is in the store.
    """
    sweep_run = SweepRun(plan, Path(store), retry_failed=retry_failed)
    if not sweep_run.to_run:
        return sweep_run.summary()
    if executor is not None:
        return sweep_run.run(executor, on_row)
    with local_processes() as processes:
        return sweep_run.run(processes, on_row)


class SweepRun:
    """One call of `sweep`: what there was to do, and what has become of it.

    Parameters
    ----------
    plan, store, retry_failed
        As of `sweep`, which says what is raised. Nothing is written yet.
    """

    def __init__(self, plan: SweepPlan, store: Path, *, retry_failed: bool = False) -> None:
        self._started = time.perf_counter()
        self._retry_failed = retry_failed
        self._store = Store(store)
        tasks, present = plan.tasks(), self._store.statuses()
        self._statuses = {task.identity: present.get(task.identity) for task in tasks}
        self._counts = Counter(self._statuses.values())
        unsettled = (None, "failed") if retry_failed else (None,)
        self.to_run = [task for task in tasks if self._statuses[task.identity] in unsettled]
        self._finished = 0
        self._interrupted = False

    def run(
        self,
        executor: Executor,
        on_row: RowCallback | None = None,
        on_interrupt: Callable[[], None] | None = None,
    ) -> SweepSummary:
        """Run the tasks and return the summary, as `sweep` does; say so at the first interrupt."""
        if self.to_run:
            self._store.check_lock()
        finished: SimpleQueue[Future[Row] | None] = SimpleQueue()
        broken = False
        futures = self._futures(executor, finished, on_interrupt)
        with _first_interrupt(lambda: finished.put(None)), closing(futures):
            for task, future in futures:
                error = None if future.cancelled() else future.exception()
                if future.cancelled() or isinstance(error, CancelledError | BrokenExecutor):
                    broken = broken or not self._interrupted
                    continue
                row = future.result() if error is None else failed_row(task, error)
                self._settle(task, row, on_row)
        if broken:
            message = "the workers are gone (killed, or out of memory?)"
            left = self.summary().remaining
            raise DiqkdError(f"{message}: {left} tasks are left, run the sweep again to continue")
        return self.summary()

    def summary(self) -> SweepSummary:
        """Return how far it is."""
        return SweepSummary(
            tasks=len(self._statuses),
            key=self._counts["key"],
            aborted=self._counts["aborted"],
            failed=self._counts["failed"],
            finished=self._finished,
            remaining=len(self.to_run) - self._finished,
            seconds=time.perf_counter() - self._started,
            interrupted=self._interrupted,
        )

    def _futures(
        self,
        executor: Executor,
        finished: SimpleQueue[Future[Row] | None],
        on_interrupt: Callable[[], None] | None,
    ) -> Generator[tuple[SweepTask, Future[Row]]]:
        """Yield tasks with their futures as they end; None in the queue stops the submission."""
        waiting = iter(self.to_run)
        tasks: dict[Future[Row], SweepTask] = {}

        def submit(count: int) -> None:
            for task in islice(waiting, count):
                future = executor.submit(run_task, task)
                tasks[future] = task
                future.add_done_callback(finished.put)

        try:
            submit(_WINDOW)
            while tasks:
                future = finished.get()
                if future is not None:
                    yield tasks.pop(future), future
                    with suppress(BrokenExecutor):
                        submit(1)
                    continue
                self._interrupted, waiting = True, iter(())
                for pending in list(tasks):
                    pending.cancel()
                if on_interrupt is not None:
                    on_interrupt()
        finally:
            for future in list(tasks):
                future.cancel()

    def _settle(self, task: SweepTask, row: Row, on_row: RowCallback | None) -> None:
        """Keep the row of a task, unless another process has been faster."""
        added = self._store.append(row, replace_failed=self._retry_failed)
        status = self._store.statuses()[task.identity]
        self._counts[self._statuses[task.identity]] -= 1
        self._counts[status] += 1
        self._statuses[task.identity] = status
        self._finished += 1
        if added and on_row is not None:
            on_row(row, self.summary())


@contextmanager
def _first_interrupt(action: Callable[[], None]) -> Iterator[None]:
    """Do `action` on the first interrupt; the next ones are as before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, previous)
        action()

    previous = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
