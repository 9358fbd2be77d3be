"""Where work runs: in this process, on threads, in worker processes, or on a Dask cluster.

NumPy, hashlib and zlib release the interpreter lock, so array work runs on threads without copying.
Work that holds the lock, such as encoding PNG files, goes to processes.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import ExitStack, contextmanager
from copy import copy
from typing import Any, TypeVar

from stirdata import interrupts
from stirdata.errors import MissingLibraryError, StirdataError, WorkersUnavailableError

Item = TypeVar("Item")
Result = TypeVar("Result")
AnyExecutor = TypeVar("AnyExecutor", bound=Executor)

_HEARTBEAT = 0.3
"""Seconds to wait without looking up: a signal that comes just before a wait is noticed only after it."""

_HIDING = threading.Lock()

DASK_TIMEOUT = 30.0
"""Seconds to wait for a scheduler to answer."""


def available_cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def busy() -> bool:
    """Tell whether more than twice as many programs want to compute as there are cores.

    That is the average of the last minute; where the system does not tell it, no.
    """
    return hasattr(os, "getloadavg") and os.getloadavg()[0] > 2 * available_cores()


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
    with shutting_down(InProcess() if workers <= 1 else ThreadPoolExecutor(workers)) as executor:
        yield executor


@contextmanager
def processes(workers: int) -> Iterator[Executor]:
    """Yield an executor of that many fresh processes; none is started for one worker.

    Processes are spawned, never forked: a fork of a process with running threads can deadlock.
    """
    with shutting_down(InProcess() if workers <= 1 else _spawning_pool(workers)) as executor:
        yield executor


@contextmanager
def shutting_down(executor: AnyExecutor) -> Iterator[AnyExecutor]:
    """Yield an executor and wait for its work; what has not begun is dropped when the body fails.

    Ctrl-C takes effect after the wait: Python takes a thread that is being joined when it comes for one
    that has ended, and then hangs or crashes when it leaves.
    """
    try:
        yield executor
    except BaseException:
        with interrupts.deferred():
            executor.shutdown(cancel_futures=True)
        raise
    with interrupts.deferred():
        executor.shutdown()


def _spawning_pool(workers: int) -> Executor:
    from concurrent.futures import ProcessPoolExecutor  # which take long to import
    from multiprocessing import get_context

    class Pool(ProcessPoolExecutor):
        """A pool whose bookkeeping survives Ctrl-C: it starts its processes while work is submitted."""

        def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
            with interrupts.deferred(), _without_main_module():
                return super().submit(fn, *args, **kwargs)

    return Pool(workers, mp_context=get_context("spawn"), initializer=_follow_parent)


@contextmanager
def _without_main_module() -> Iterator[None]:
    """Keep processes that are started from running the user's script again, which would start some itself.

    A spawned process imports what runs as ``__main__``, for functions that are defined there. None of ours
    are, and a script need not have ``if __name__ == "__main__"`` for our sake.
    """
    main = sys.modules["__main__"].__dict__
    with _HIDING:
        kept: dict[str, Any] = {name: main[name] for name in ("__spec__", "__file__") if name in main}
        main["__spec__"] = None
        main.pop("__file__", None)
        try:
            yield
        finally:
            main.update(kept)


def _follow_parent() -> None:
    """Leave Ctrl-C, which reaches every process of a terminal, to the parent; end when it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Wait for the parent's end; without this a worker of a killed parent waits for work for ever."""
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def dask_cluster(address: str, *, timeout: float | None = None) -> Iterator[tuple[Executor, int]]:
    """Yield an executor on a running Dask cluster, and how many tasks it does at a time.

    Args:
        address: Of the scheduler, for example ``tcp://host:8786``. Its machines need stirdata, and the
            raw material under the same paths.
        timeout: Seconds to wait for the scheduler; :data:`DASK_TIMEOUT` if None.

    Raises:
        MissingLibraryError: The extra ``dask`` is not installed.
        WorkersUnavailableError: The scheduler does not answer, has no workers, or lost them.
    """
    with _dask_client(address, timeout or DASK_TIMEOUT) as client:
        slots = sum(client.nthreads().values())
        if not slots:
            raise WorkersUnavailableError(
                "the Dask cluster has no workers", where=address, hint="start one: dask worker ADDRESS"
            )
        with client.get_executor(pure=False) as executor:
            yield executor, slots


def _dask_client(address: str, timeout: float) -> Any:
    try:
        import distributed
    except ImportError as error:
        raise MissingLibraryError(
            "work on a Dask cluster needs the library distributed",
            where=address,
            hint="pip install 'stirdata[dask]', here and on the cluster",
        ) from error
    connect: Any = distributed.Client  # it is not annotated
    try:
        return connect(address, timeout=timeout, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise WorkersUnavailableError(
            "the Dask scheduler cannot be reached",
            where=address,
            expected="the address of a running scheduler, such as tcp://host:8786",
            got=error,
        ) from error


class Workers:
    """Where the work of a command runs: threads and processes of this machine, or a Dask cluster.

    Nothing is started before it is needed, and what was started ends with the context.

    Args:
        count: Threads and processes to use.
        dask: Address of a Dask scheduler, to work there instead of in processes of this machine.

    Examples:
        >>> with Workers(2) as workers:
        ...     list(map_ordered(workers.threads(), abs, [-1, 2]))
        [1, 2]
    """

    def __init__(self, count: int = 1, dask: str | None = None) -> None:
        self.count = count
        self.dask = dask
        self._started: dict[str, Executor] = {}
        self._cluster_slots: list[int] = []
        self._stack = ExitStack()
        self._starting = threading.Lock()
        self._whole = count

    def part(self, parts: int) -> Workers:
        """Return one of equal parts, for jobs that run at the same time; they share what is started."""
        part = copy(self)
        part.count = max(1, self.count // parts)
        return part

    def __enter__(self) -> Workers:
        self._stack.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._started.clear()
        self._stack.__exit__(*error)

    @property
    def slots(self) -> int:
        """How many tasks :meth:`processes` does at a time."""
        if self.dask is None:
            return self.count
        self.processes()
        return self._cluster_slots[0]

    def threads(self) -> Executor:
        """Return an executor on threads of this machine, for work that releases the interpreter's lock."""
        return self._executor("threads", lambda: self._stack.enter_context(threads(self._whole)))

    def processes(self) -> Executor:
        """Return an executor on fresh processes, or on the cluster; all that travels there is pickled.

        Raises:
            MissingLibraryError: The extra ``dask`` is needed and not installed.
            WorkersUnavailableError: The scheduler does not answer, or has no workers.
        """
        return self._executor("processes", self._start_processes)

    def prepare(self, function: Callable[[], object]) -> None:
        """Let the processes of this machine start, and call a function each, while something else is done."""
        if self.dask is None and self.count > 1:
            executor = self.processes()
            for _ in range(self.count):
                executor.submit(function)

    def _executor(self, kind: str, start: Callable[[], Executor]) -> Executor:
        with self._starting:
            if kind not in self._started:
                self._started[kind] = start()
            return self._started[kind]

    def _start_processes(self) -> Executor:
        if self.dask is None:
            return self._stack.enter_context(processes(self._whole))
        executor, slots = self._stack.enter_context(dask_cluster(self.dask))
        self._cluster_slots.append(slots)
        return executor


def map_ordered(
    executor: Executor,
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    ahead: int = 8,
    stop: Callable[[], object] = lambda: None,
) -> Iterator[Result]:
    """Yield ``function(item)`` in the order of the items, keeping ``ahead`` of them submitted.

    Unlike ``Executor.map`` it never holds more than ``ahead`` unfinished items and results. When it
    ends early, nothing that it submitted is running any more, so that its caller can clean up.

    Args:
        executor: Where the work runs.
        function: The work.
        items: What to work on.
        ahead: Items submitted at a time.
        stop: Called before the wait for what is still running, in the end or when it ends early.

    Raises:
        WorkersUnavailableError: A worker died, or a cluster lost it.
    """
    waiting: list[Future[Result]] = []
    try:
        for item in items:
            waiting.append(executor.submit(function, item))
            if len(waiting) >= ahead:
                yield _result(waiting.pop(0))
        while waiting:
            yield _result(waiting.pop(0))
    finally:
        stop()
        wait([future for future in waiting if not future.cancel()])


def _result(future: Future[Result]) -> Result:
    """Return a result; tell the death of a worker from an error in its work."""
    while not future.done():
        wait([future], _HEARTBEAT)
    try:
        return future.result()
    except StirdataError:
        raise
    except Exception as error:
        # Dask raises errors of its own, such as KilledWorker; they are known by where they come from.
        if isinstance(error, BrokenExecutor | CancelledError) or type(error).__module__.startswith(
            "distributed"
        ):
            raise WorkersUnavailableError(
                "a worker died before its work was done",
                got=f"{type(error).__name__}: {error}",
                hint="was it killed for its memory? Try fewer workers",
            ) from error
        raise
