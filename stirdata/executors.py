"""Where work runs: in this process, on threads, or in worker processes.

NumPy, hashlib and zlib release the interpreter lock, so array work runs on threads without copying.
Work that holds the lock, such as encoding PNG files, goes to processes.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

from stirdata import interrupts

Item = TypeVar("Item")
Result = TypeVar("Result")


def available_cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class InProcess(Executor):
    """An executor that does the work at once, where it is called."""

    def submit(self, fn: Callable[..., Result], /, *args: object, **kwargs: object) -> Future[Result]:
        """Run ``fn`` and return its finished future."""
        future: Future[Result] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def threads(workers: int) -> Iterator[Executor]:
    """Yield an executor of that many threads; none is started for one worker."""
    with InProcess() if workers <= 1 else ThreadPoolExecutor(workers) as executor:
        yield executor


@contextmanager
def processes(workers: int) -> Iterator[Executor]:
    """Yield an executor of that many fresh processes; none is started for one worker.

    Processes are spawned, never forked: a fork of a process with running threads can deadlock. What
    has not begun is dropped when the body fails.
    """
    executor = InProcess() if workers <= 1 else _spawning_pool(workers)
    try:
        yield executor
    except BaseException:
        executor.shutdown(wait=True, cancel_futures=True)
        raise
    executor.shutdown()


class _Pool(ProcessPoolExecutor):
    """A pool whose bookkeeping survives Ctrl-C: it starts its processes while work is submitted."""

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        with interrupts.deferred():
            return super().submit(fn, *args, **kwargs)


def _spawning_pool(workers: int) -> Executor:
    return _Pool(workers, mp_context=get_context("spawn"), initializer=_follow_parent)


def _follow_parent() -> None:
    """Leave Ctrl-C, which reaches every process of a terminal, to the parent; end when it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # nothing else wakes a worker that waits for work


def map_ordered(
    executor: Executor, function: Callable[[Item], Result], items: Iterable[Item], *, ahead: int = 8
) -> Iterator[Result]:
    """Yield ``function(item)`` in the order of the items, keeping ``ahead`` of them submitted.

    Unlike ``Executor.map`` it never holds more than ``ahead`` unfinished items and results. When it
    ends early, nothing that it submitted is running any more, so that its caller can clean up.
    """
    waiting: list[Future[Result]] = []
    try:
        for item in items:
            waiting.append(executor.submit(function, item))
            if len(waiting) >= ahead:
                yield waiting.pop(0).result()
        while waiting:
            yield waiting.pop(0).result()
    finally:
        wait([future for future in waiting if not future.cancel()])
