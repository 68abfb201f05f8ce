"""Where the tasks of a sweep run: executors of `concurrent.futures` for processes and for Dask."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import wait

from postprocessing.checks import whole_number
from postprocessing.errors import InvalidArgumentError

_CONNECT_SECONDS = 5


def processor_count() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def process_count(workers: int | None) -> int:
    """Return the number of local processes, by default one a processor.

    Raises
    ------
    InvalidArgumentError
        If `workers` is out of [1, 1000].
    """
    return processor_count() if workers is None else whole_number("workers", workers, 1, 1000)


def local_processes(workers: int | None = None) -> Executor:
    """Return worker processes on this machine.

    They start afresh with everything a run needs already imported, leave interrupts to this
    process, and end with it however it ends.

    Parameters
    ----------
    workers : int, optional
        Their number, in [1, 1000]; by default one a processor.

    Raises
    ------
    InvalidArgumentError
        If `workers` is out of range.
    """
    count = process_count(workers)
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(count, context, initializer=_prepare_worker)
    with _interrupts_ignored():
        # A process is started for each call, as none is ready yet.
        for _ in range(count):
            executor.submit(os.getpid)
    return executor


@contextmanager
def dask_executor(address: str) -> Iterator[Executor]:
    """Connect to a Dask scheduler, and yield the executor of its workers.

    Parameters
    ----------
    address : str
        Such as "tcp://host:8786".

    Raises
    ------
    InvalidArgumentError
        If Dask is not installed, or no scheduler answers.
    """
    try:
        from distributed import Client
    except ImportError:
        allowed = "used with Dask installed: pip install 'diqkd[dask]'"
        raise InvalidArgumentError("dask", address, allowed) from None
    # The client would start a cluster of its own, or take long to give up.
    if not re.fullmatch(r"(tcp|tls|ws|wss)://\S+:\d+", address):
        raise InvalidArgumentError("dask", address, "of the form tcp://host:port (or tls, ws, wss)")
    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        allowed = f"the address of a Dask scheduler that answers within {_CONNECT_SECONDS} s"
        raise InvalidArgumentError("dask", address, allowed) from error
    with client:
        yield client.get_executor()


def _prepare_worker() -> None:
    """Import what runs need, and tie the process to its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import emulator.runner  # noqa: F401


def _end_with_parent() -> None:
    """Wait for the parent's end; a worker would otherwise wait for tasks for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ignore interrupts, as do then the processes started in between, from their first moment."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
