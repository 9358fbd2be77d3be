"""Locks: one process at a time writes a target, also on file systems that have no locks of their own.

Where ``flock`` is not to be had (NFS without a lock daemon, some cluster file systems, some FUSE), the lock
is a file that is created exclusively. Its holder touches it now and then. It is taken over, by one process,
when the holder is known to be dead, or has left it untouched for :data:`PATIENCE`: dead on another machine.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from stirdata import interrupts
from stirdata.atomic import no_empty_parents, target_errors
from stirdata.errors import TargetError
from stirdata.progress import say

if TYPE_CHECKING:
    from filelock import BaseFileLock, SoftFileLease

PATIENCE = 300.0
"""Seconds that a lock file may stay untouched; who waits for one refuses to judge by any other number."""
_HEARTBEAT = 20.0
_NO_LOCKS = {
    *(errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP),
    errno.EINVAL,  # of a plain request for an open file, only the file system can find it invalid
    524,  # ENOTSUPP, which Linux keeps for itself, but some of its file systems hand out
}


@contextmanager
def locked(target: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock of a target while the body runs; create its parent folders.

    Args:
        target: The file or folder about to be written. The lock is ``.<name>.lock`` beside it and is
            removed afterwards.
        waiting: Called once if another process holds the lock.

    Raises:
        TargetError: The folder cannot be created or written to, or another process took the lock over.
    """
    with target_errors(target), no_empty_parents(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if _has_locks(target):
            with _held(_native_lock(lock_of(target)), 0, waiting or _wait_silently):
                yield
        else:
            lease = _lease(lock_of(target))
            with _held(lease, 4 * lease.poll_interval, lambda: _tell_waiting(lease, waiting)):
                yield
                _check_kept(lease, target)


def lock_of(target: Path) -> Path:
    """Return the lock file that :func:`locked` holds."""
    return target.with_name(f".{target.name}.lock")


def _native_lock(path: Path) -> BaseFileLock:
    from filelock import FileLock

    # Without locks it would go over to lock files by itself, for one of the errors, with a warning.
    return FileLock(path, fallback_to_soft=False)


def _lease(path: Path) -> SoftFileLease:
    from filelock import SoftFileLease

    return SoftFileLease(path, lease_duration=PATIENCE, heartbeat_interval=_HEARTBEAT)


@contextmanager
def _held(lock: BaseFileLock, first: float, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a lock while the body runs.

    Args:
        lock: Removed afterwards.
        first: Seconds to try for before waiting is told. A lock file that was left behind takes two tries.
        waiting: Called once if another process holds the lock.
    """
    from filelock import Timeout

    try:
        try:
            with interrupts.deferred():
                lock.acquire(timeout=first)
        except Timeout:
            waiting()
            lock.acquire()
        yield
    finally:
        _release(lock)


def _release(lock: BaseFileLock) -> None:
    """Let a lock go, if it is held, and remove its file.

    Unlinking a native lock while holding it is safe: who opened the old inode finds it without a name and
    starts over. Windows removes it on release; a lease removes its file if it is still its own.
    """
    from filelock import SoftFileLease

    with interrupts.deferred():
        if lock.is_locked:
            if not isinstance(lock, SoftFileLease):
                with suppress(OSError):
                    Path(lock.lock_file).unlink()
            lock.release()


def _has_locks(target: Path) -> bool:
    """Tell whether there are locks where a target is; say once if not."""
    device, trial = target.parent.stat().st_dev, target.with_name(f".{target.name}.trial")
    if device not in _LOCKING:
        _LOCKING[device] = _can_lock(trial)
    else:
        with suppress(OSError):
            trial.unlink()  # of a process that was killed while it tried
    return _LOCKING[device]


_LOCKING: dict[int, bool] = {}
"""By device; tried out once, since one file system should not be locked now in one way and now in another."""


def _can_lock(trial: Path) -> bool:
    """Lock a file that is there for nothing else, and remove it.

    Not the lock file itself: where it cannot be locked, it might by now be the lock file of another process.
    """
    from filelock import Timeout

    with interrupts.deferred():
        lock = _native_lock(trial)
        try:
            lock.acquire(timeout=0)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                _tell_once(trial.parent, error)
                return False
            if not isinstance(error, Timeout):  # then another process is trying it too, and has its lock
                raise
        finally:
            _release(lock)
            trial.unlink(missing_ok=True)
    return True


def _tell_once(folder: Path, error: OSError) -> None:
    if False not in _LOCKING.values():
        say(
            f"files in {folder} cannot be locked ({error.strerror}); lock files take the place of locks there"
        )


def _wait_silently() -> None:
    """Say nothing: who did not give a function to call is not to be told."""


def _tell_waiting(lease: SoftFileLease, waiting: Callable[[], None] | None) -> None:
    """Say who holds a lock file, and what happens if it is gone: no system lets go of the lock for it."""
    if waiting is not None:
        waiting()
    if (owner := lease.owner) is not None:
        host = owner.hostname.partition("?")[0]  # what follows names a container
        say(
            f"waiting for process {owner.pid} on {host}, which holds {lease.lock_file}; if it was killed, "
            f"this goes on within {PATIENCE / 60:.0f} minutes, or as soon as you remove that file"
        )


def _check_kept(lease: SoftFileLease, target: Path) -> None:
    """Raise TargetError if another process has taken the lock over meanwhile."""
    if not lease.is_lock_held_by_us:
        raise TargetError(
            "another process took over the lock while this one stood still",
            where=target,
            expected=f"no pause of {PATIENCE / 60:.0f} minutes",
            hint="verify the output",
        )
