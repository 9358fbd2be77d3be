"""Writing files and folders so that there is the old one or the new one, never half of one.

Output is written under a temporary name beside its target, flushed to disk and renamed. A lock
(:mod:`stirdata.locks`) keeps two processes from writing the same target at once; whatever a killed process
left under the temporary name is removed by the next one that holds the lock.
"""

from __future__ import annotations

import errno
import io
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stirdata import interrupts
from stirdata.errors import StirdataError, TargetError, TargetExistsError
from stirdata.progress import size_in_words

_FLUSHED_TOGETHER = 1 << 26
"""Bytes: enough for a disk to be written to at its speed."""
_REASONS = {
    errno.ENOSPC: "free some space or choose another folder",
    errno.EDQUOT: "your quota on this disk is used up: free some space or choose another folder",
    errno.EFBIG: "files of this size are not allowed here: choose another folder, or raise the limit",
    errno.EACCES: "choose a folder you may write to",
    errno.EPERM: "choose a folder you may write to",
    errno.EROFS: "this disk is read-only: choose another folder",
    errno.ENOTDIR: "a part of the path is a file: choose another folder",
    errno.EEXIST: "a part of the path is a file: choose another folder",
}


@contextmanager
def no_empty_parents(target: Path) -> Iterator[None]:
    """Take the folders above a target away again if the body fails and they are new and empty."""
    missing = [folder for folder in target.parents if not folder.exists()]
    try:
        yield
    except BaseException:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()
        raise


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path to write; rename it to ``target`` when the body succeeds.

    Args:
        target: Replaced atomically if it exists. Hold its lock (:func:`stirdata.locks.locked`).

    Raises:
        TargetError: The file cannot be written.
    """
    with new_files(target) as (partial,):
        yield partial


@contextmanager
def new_files(*targets: Path) -> Iterator[list[Path]]:
    """Yield temporary paths to write; rename them to ``targets`` when the body succeeds.

    Args:
        targets: Files in one folder, replaced if they exist, in this order, once all of them are
            safely on the disk. Errors name the last one.

    Raises:
        TargetError: A file cannot be written, or a folder has its name; no target has changed.
    """
    partials = [_beside(target, "partial") for target in targets]
    with target_errors(targets[-1]):
        try:
            _make_way(partials, targets)
            yield partials
            for partial in partials:
                flush(partial)
            with interrupts.deferred():
                for partial, target in zip(partials, targets, strict=True):
                    partial.replace(target)
            flush(targets[-1].parent)
        finally:
            for partial in partials:
                _remove(partial)


@contextmanager
def resumable_file(target: Path) -> Iterator[io.FileIO]:
    """Yield a file to read and write that becomes ``target`` when the body succeeds, and else is kept.

    It begins with what an earlier body that failed, or was killed, had written; one that is empty in the
    end is removed. After a full disk it is removed as well, since it would fill the disk unseen. A link, or
    a file that somebody else has put under the name, is never written to: it makes way for a new file.

    Args:
        target: Replaced atomically if it exists. Hold its lock (:func:`stirdata.locks.locked`).

    Raises:
        TargetError: The file cannot be written, or a folder has its name.
    """
    partial = _beside(target, "partial")
    with target_errors(target):
        _make_way([], [target])
        with _kept_unless_useless(partial), _opened_as_own(partial) as file:
            yield file
            os.fsync(file.fileno())
        with interrupts.deferred():
            partial.replace(target)
        flush(target.parent)


def partial_of(target: Path) -> Path:
    """Return where :func:`resumable_file` keeps what has been written so far."""
    return _beside(target, "partial")


@contextmanager
def _kept_unless_useless(partial: Path) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
        with suppress(OSError):
            if full or partial.stat().st_size == 0:
                partial.unlink()
        raise


def _opened_as_own(partial: Path) -> io.FileIO:
    """Open a file to read and write; remove what is there unless it is a plain file of our own."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    with suppress(FileNotFoundError):
        if not _is_own(partial.lstat()):
            _remove(partial)
    descriptor = os.open(partial, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)
    if not _is_own(os.fstat(descriptor)):
        os.close(descriptor)
        raise TargetError(
            "somebody else has just put a file in the place of the unfinished download",
            where=partial,
            hint="choose a folder that only you may write to",
        )
    return open(descriptor, "r+b", buffering=0)  # noqa: PTH123 - there is no path, it is open already


def _is_own(status: os.stat_result) -> bool:
    plain = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
    return plain and (not hasattr(os, "geteuid") or status.st_uid == os.geteuid())


def _make_way(partials: Iterable[Path], targets: Iterable[Path]) -> None:
    for partial in partials:
        _remove(partial)
    for target in targets:
        if target.is_dir():
            raise TargetError(
                "a folder is where a file should go",
                where=target,
                hint="move the folder away, or choose another output",
            )


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder to fill; rename it to ``target`` when the body succeeds.

    A folder cannot replace another in one step everywhere, so an existing target is renamed aside
    first and brought back if the second rename fails or was never reached.

    Raises:
        TargetError: The folder cannot be written.
    """
    partial = _beside(target, "partial")
    with target_errors(target):
        restore_folder(target)
        _remove(partial)
        try:
            partial.mkdir()
            yield partial
            _flush_everything(partial)
            with interrupts.deferred():
                _exchange(partial, target)
        finally:
            _remove(partial)


def restore_folder(target: Path) -> None:
    """Bring back a folder whose replacement was killed between its two renames; hold the lock."""
    aside = _beside(target, "replaced")
    if aside.exists() and not target.exists():
        aside.rename(target)
    _remove(aside)


def finish_file(target: Path, is_whole: Callable[[Path], bool]) -> bool:
    """Give a file its name whose writer was killed just before, and tell whether there is one; hold the lock.

    Args:
        target: Replaced if it exists.
        is_whole: Tells whether what was left under the temporary name is the whole new file.

    Raises:
        TargetError: The file cannot be renamed.
    """
    partial = _beside(target, "partial")
    with target_errors(target):
        if not partial.is_file() or partial.is_symlink() or not is_whole(partial):
            return False
        with interrupts.deferred():
            partial.replace(target)
        flush(target.parent)
        return True


def _exchange(partial: Path, target: Path) -> None:
    aside = _beside(target, "replaced")
    if target.exists():
        target.rename(aside)
    try:
        partial.rename(target)
    except OSError:
        restore_folder(target)
        raise
    flush(target.parent)
    _remove(aside)


def _beside(target: Path, purpose: str) -> Path:
    return target.with_name(f".{target.name}.{purpose}")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Bring a file's or folder's content safely to the disk."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open folders, and journals renames itself
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def flushing(descriptor: int) -> Iterator[Callable[[int], None]]:
    """Bring a file to the disk bit by bit on a thread, while it is written; wait for what has been begun.

    Args:
        descriptor: Of the file, open for writing.

    Yields:
        A function to call with the number of bytes that have been written since the last call.
    """
    from concurrent.futures import Future, ThreadPoolExecutor

    bring = getattr(os, "fdatasync", os.fsync)
    waiting = 0
    running: Future[None] | None = None
    with ThreadPoolExecutor(1) as executor:

        def written(count: int) -> None:
            nonlocal waiting, running
            waiting += count
            if waiting >= _FLUSHED_TOGETHER and (running is None or running.done()):
                if running is not None:
                    running.result()
                waiting, running = 0, executor.submit(bring, descriptor)

        yield written
        if running is not None:
            running.result()


def _flush_everything(folder: Path) -> None:
    """Flush a whole tree: one call for the file system where there is one, else file by file."""
    if hasattr(os, "sync"):
        os.sync()
        return
    for path in folder.rglob("*"):
        if path.is_file():
            flush(path)


def check_room(target: Path, needed: int, hint: str) -> None:
    """Raise TargetError if the disk of a target has less room than is needed.

    Args:
        target: Of which the folder may be missing yet.
        needed: Bytes.
        hint: What to do about it.
    """
    folder = next(parent for parent in target.absolute().parents if parent.exists())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise TargetError(
            "there is not enough room on the disk",
            where=target,
            expected=f"{size_in_words(needed)} ({needed} bytes)",
            got=f"{size_in_words(free)} ({free} bytes) free",
            hint=hint,
        )


@contextmanager
def target_errors(target: Path) -> Iterator[None]:
    """Turn the operating system's refusals into an error that says which output and what to do."""
    try:
        yield
    except (StirdataError, BrokenPipeError):  # a pipe is never the output, but what is told meanwhile
        raise
    except OSError as error:
        raise _as_target_error(target, error) from error


def _as_target_error(target: Path, error: OSError) -> StirdataError:
    if isinstance(error, FileExistsError) and target.exists():
        return TargetExistsError("the output exists already", where=target, hint="use --force to replace it")
    reason = error.strerror or str(error)
    hint = _REASONS.get(error.errno or 0, "check the disk and the path")
    return TargetError("the output cannot be written", where=target, got=reason, hint=hint)
