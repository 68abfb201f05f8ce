"""sweep(): the tasks of a plan run on an executor, and their rows are kept in a store."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
)
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from types import FrameType, NoneType

from emulator.sweeps.executors import dask_executor, local_processes, process_count
from emulator.sweeps.plan import SweepPlan
from emulator.sweeps.store import Row, Store
from emulator.sweeps.task import SweepTask, failed_row, run_task
from postprocessing.checks import callback, file_path, flag, instance_of
from postprocessing.errors import DiqkdError

# Tasks handed to an executor at a time: more than the workers of a cluster, less than a sweep.
_WINDOW = 1000
# For each local process: enough to keep it busy, and few to suspect when one dies.
_WINDOW_OF_PROCESS = 2


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

    def __str__(self) -> str:
        """Return what there is and what this call did, in words."""
        done = self.key + self.aborted + self.failed
        lines = [
            f"{done} of {self.tasks} tasks, {self.finished} of them new",
            f"{self.key} with a key, {self.aborted} aborted, {self.failed} failed",
            *([f"{self.seconds:.1f} s"] if self.finished else []),
        ]
        return "\n".join(lines)


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

    Every task runs on one thread of a worker. A task that fails makes a row with its error; so
    does one that takes the local process it runs in down, twice and the second time alone. The
    first interrupt (Ctrl-C) lets the tasks that have begun end (Dask drops them) and returns; a
    second one raises KeyboardInterrupt.

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

    Examples
    --------
    >>> import tempfile
    >>> from emulator.sweeps.plan import SweepPlan
    >>> short = SweepPlan(scenario={"preset": "ecs-100km", "rounds": 1000}, seeds=2)
    >>> with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as here:
    ...     print(sweep(short, f"{folder}/results.csv", here))
    2 of 2 tasks, 2 of them new
    0 with a key, 2 aborted, 0 failed
    ... s
    """
    instance_of("executor", executor, Executor, NoneType)
    callback("on_row", on_row)
    sweep_run = SweepRun(plan, file_path("store", store), retry_failed=retry_failed)
    if executor is not None:
        return sweep_run.run(executor, on_row)
    return sweep_run.run_on_processes(None, on_row)


class SweepRun:
    """One call of `sweep`: what there was to do, and what has become of it.

    Parameters
    ----------
    plan, store, retry_failed
        As of `sweep`, which says what is raised. Nothing is written yet.
    """

    def __init__(self, plan: SweepPlan, store: Path, *, retry_failed: bool = False) -> None:
        self._started = time.perf_counter()
        instance_of("plan", plan, SweepPlan)
        self._retry_failed = flag("retry_failed", retry_failed)
        self._store = Store(store)
        tasks, present = plan.tasks(), self._store.statuses()
        self._statuses = {task.identity: present.get(task.identity) for task in tasks}
        self._counts = Counter(self._statuses.values())
        unsettled = (None, "failed") if retry_failed else (None,)
        self.to_run = [task for task in tasks if self._statuses[task.identity] in unsettled]
        self._finished: set[str] = set()
        self._interrupted = False

    def run(
        self,
        executor: Executor,
        on_row: RowCallback | None = None,
        on_interrupt: Callable[[], None] | None = None,
    ) -> SweepSummary:
        """Run the tasks and return the summary, as `sweep` does; say so at the first interrupt."""
        if self._run_on(executor, self.to_run, _WINDOW, on_row, on_interrupt):
            raise self._workers_gone()
        return self.summary()

    def run_where(
        self,
        workers: int | None = None,
        *,
        in_process: bool = False,
        dask: str | None = None,
        on_row: RowCallback | None = None,
        on_interrupt: Callable[[], None] | None = None,
    ) -> SweepSummary:
        """Run the tasks on local processes, in this one, or on a Dask scheduler by its address."""
        if dask is not None:
            with dask_executor(dask) as executor:
                return self.run(executor, on_row, on_interrupt)
        if in_process:
            with ThreadPoolExecutor(1) as executor:
                return self.run(executor, on_row, on_interrupt)
        return self.run_on_processes(workers, on_row, on_interrupt)

    def run_on_processes(
        self,
        workers: int | None = None,
        on_row: RowCallback | None = None,
        on_interrupt: Callable[[], None] | None = None,
    ) -> SweepSummary:
        """Run the tasks on local processes, and find out which task takes its process down.

        When a process dies, its pool breaks, and the few tasks handed to it are suspects. Each
        runs again in a process of its own: one that dies again makes a failed row.
        """
        window = _WINDOW_OF_PROCESS * process_count(workers)
        while (left := self._left()) and not self._interrupted:
            with local_processes(workers) as pool:
                suspects = self._run_on(pool, left, window, on_row, on_interrupt)
            if len(left) == len(self._left()) and not suspects:
                raise self._workers_gone()
            for task in suspects:
                if self._interrupted:
                    break
                with local_processes(1) as alone:
                    died = self._run_on(alone, [task], 1, on_row, on_interrupt)
                if died and not self._interrupted:
                    error = DiqkdError("its process died (killed, or out of memory?)")
                    self._settle(task, failed_row(task, error), on_row)
        return self.summary()

    def _left(self) -> list[SweepTask]:
        """Return the tasks that this call has yet to run."""
        return [task for task in self.to_run if task.identity not in self._finished]

    def _workers_gone(self) -> DiqkdError:
        message = "the workers are gone (killed, or out of memory?)"
        left = self.summary().remaining
        return DiqkdError(f"{message}: {left} tasks are left, run the sweep again to continue")

    def _run_on(
        self,
        executor: Executor,
        tasks: Sequence[SweepTask],
        window: int,
        on_row: RowCallback | None,
        on_interrupt: Callable[[], None] | None,
    ) -> list[SweepTask]:
        """Run tasks; return those that an executor which broke had been handed and not finished."""
        if tasks:
            self._store.check_lock()
        finished: SimpleQueue[Future[Row] | None] = SimpleQueue()
        lost = []
        futures = self._futures(executor, tasks, window, finished, on_interrupt)
        with _first_interrupt(lambda: finished.put(None)), closing(futures):
            for task, future in futures:
                error = None if future.cancelled() else future.exception()
                if future.cancelled() or isinstance(error, CancelledError | BrokenExecutor):
                    lost.append(task)
                    continue
                row = future.result() if error is None else failed_row(task, error)
                self._settle(task, row, on_row)
        return [] if self._interrupted else lost

    def summary(self) -> SweepSummary:
        """Return how far it is."""
        return SweepSummary(
            tasks=len(self._statuses),
            key=self._counts["key"],
            aborted=self._counts["aborted"],
            failed=self._counts["failed"],
            finished=len(self._finished),
            remaining=len(self.to_run) - len(self._finished),
            seconds=time.perf_counter() - self._started,
            interrupted=self._interrupted,
        )

    def _futures(
        self,
        executor: Executor,
        to_run: Sequence[SweepTask],
        window: int,
        finished: SimpleQueue[Future[Row] | None],
        on_interrupt: Callable[[], None] | None,
    ) -> Generator[tuple[SweepTask, Future[Row]]]:
        """Yield tasks with their futures as they end; None in the queue stops the submission."""
        waiting = iter(to_run)
        tasks: dict[Future[Row], SweepTask] = {}

        def submit(count: int) -> None:
            for task in islice(waiting, count):
                future = executor.submit(run_task, task)
                tasks[future] = task
                future.add_done_callback(finished.put)

        try:
            with suppress(BrokenExecutor):
                submit(window)
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
        self._finished.add(task.identity)
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
