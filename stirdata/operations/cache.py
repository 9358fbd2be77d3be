"""What is in the cache: which files, in which state, and removing those that can be brought again.

Only files that stirdata itself puts there are known. All others, and everything behind a link, are
listed as unknown and never touched.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stirdata import atomic, locks
from stirdata.cache import HOME_VARIABLE, cache_folder
from stirdata.digest import sha256_of_file
from stirdata.errors import (
    LockError,
    ManifestError,
    MissingFileError,
    ParameterError,
    StirdataError,
    TargetError,
)
from stirdata.families import families
from stirdata.manifest import FILE_SUFFIX, SUMS_NAME, FileEntry, load
from stirdata.sources import FETCHABLE, MADE, source
from stirdata.transfer import zenodo_record
from stirdata.transfer.published import PublishedFiles
from stirdata.transfer.zenodo_record import LockedFile

OK = "ok"
_UNPROVEN = "not proven: "
UNKNOWN = "unknown, never touched"
PARTIAL = "unfinished download"
LOCK = "lock of a running or killed process"
PRESENT = "present"


@dataclass(frozen=True)
class Known:
    """A file that stirdata may have put into the cache.

    Attributes:
        group: One of :func:`groups`.
        path: Where it is.
        data: Whether it is data; else it is what describes data.
        kept: Whether it stays when the group is cleaned.
    """

    group: str
    path: Path
    data: bool = True
    kept: bool = False


@dataclass(frozen=True)
class Entry:
    """A file in the cache.

    Attributes:
        group: One of :func:`groups`; None if it is unknown.
        path: Where it is.
        size: Bytes.
        state: One of :data:`PRESENT`, :data:`PARTIAL`, :data:`LOCK` and :data:`UNKNOWN`; after verification
            ``ok``, ``damaged: …`` or ``not proven: …`` in place of the first.
    """

    group: str | None
    path: Path
    size: int
    state: str

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"group": self.group, "path": str(self.path), "size": self.size, "state": self.state}

    @property
    def right(self) -> bool:
        """Whether verification found nothing wrong; unknown files and unfinished downloads are not."""
        return self.state in {OK, PARTIAL, LOCK, UNKNOWN}


def published() -> dict[str, PublishedFiles]:
    """Return the published files of all families, by the name of their folder in the cache."""
    found = (family.published_files() for family in families().values())
    return {files.folder: files for files in found if files is not None}


def groups() -> tuple[str, ...]:
    """Return what can be cleaned by name."""
    return (*published(), *FETCHABLE, *MADE)


def known_files(folder: Path) -> list[Known]:
    """Return what stirdata may put into a cache folder."""
    known = []
    for group, files in published().items():
        place = files.folder_in(folder)
        names = [files.file_name(name) for name in files.names()]
        known += [Known(group, place / name) for name in names]
        known += [Known(group, place / f"{name}{FILE_SUFFIX}", data=False) for name in names]
        known.append(Known(group, place / SUMS_NAME, data=False))
        known.append(Known(group, place / files.lock_name, data=False, kept=True))
    for group in FETCHABLE:
        place = source(group).folder_in(folder)
        known += [Known(group, place / file.name) for file in source(group).remote_files()]
    return known + [Known(group, source(group).path_in(folder)) for group in MADE]


def contents(cache: Path | str | None = None) -> list[Entry]:
    """Return every file in the cache, in the order of the paths; nothing is read.

    Args:
        cache: The cache folder; see :func:`stirdata.cache.cache_folder`.

    Raises:
        TargetError: The cache is a file.
    """
    folder = cache_folder(cache)
    if folder.exists() and not folder.is_dir():
        raise TargetError(
            "a file is where the cache should be", where=folder, hint=f"set {HOME_VARIABLE} to a folder"
        )
    unknown: tuple[str | None, str] = (None, UNKNOWN)
    known: dict[Path, tuple[str | None, str]] = {}
    known |= {file.path: (file.group, PRESENT) for file in known_files(folder)}
    for path, (group, _) in list(known.items()):
        known[atomic.partial_of(path)] = group, PARTIAL
        known[locks.lock_of(path)] = group, LOCK
    entries = []
    for path, status in _files_below(folder):
        plain = stat.S_ISREG(status.st_mode)
        group, state = known.get(path, unknown) if plain else unknown
        entries.append(Entry(group, path, status.st_size if plain else 0, state))
    return sorted(entries, key=lambda entry: entry.path)


def _files_below(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield everything in a folder but folders; links are yielded, not followed."""
    try:
        children = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for child in children:
        if child.is_dir(follow_symlinks=False) and not _is_junction(child):
            yield from _files_below(Path(child.path))
        else:
            with suppress(FileNotFoundError):  # a lock, or a partial file that got its name meanwhile
                yield Path(child.path), child.stat(follow_symlinks=False)


def _is_junction(child: os.DirEntry[str]) -> bool:
    """Tell whether a folder is one of the links that Windows has for folders."""
    attributes = getattr(child.stat(follow_symlinks=False), "st_file_attributes", 0)
    return bool(attributes & getattr(stat, "FILE_ATTRIBUTE_REPARSE_POINT", 0))


def verify_contents(
    cache: Path | str | None = None, advance: Callable[[int], None] | None = None
) -> list[Entry]:
    """Return every file in the cache, of which those that are known are read and proven.

    Args:
        cache: The cache folder.
        advance: Called with the bytes of each file that was read.
    """
    folder = cache_folder(cache)
    entries = []
    for entry in contents(folder):
        state = entry.state
        if state == PRESENT and entry.group is not None:
            state = state_of(entry.group, entry.path)
            if advance is not None:
                advance(entry.size)
        entries.append(Entry(entry.group, entry.path, entry.size, state))
    return entries


def cleanable(names: Sequence[str] = (), cache: Path | str | None = None) -> list[Entry]:
    """Return the files that cleaning would remove: known ones, and unfinished downloads of them.

    Lock files of published files are not among them, so that the next fetch brings the same bytes.

    Args:
        names: Of :func:`groups`; all if empty.
        cache: The cache folder.

    Raises:
        ParameterError: A name is unknown.
    """
    unknown = [name for name in names if name not in groups()]
    if unknown:
        raise ParameterError(
            "nothing of this name is in the cache",
            where="names",
            expected=", ".join(groups()),
            got=", ".join(unknown),
        )
    kept = {file.path for file in known_files(cache_folder(cache)) if file.kept}
    return [
        entry for entry in contents(cache) if entry.group in (names or groups()) and entry.path not in kept
    ]


def remove(entries: Sequence[Entry], cache: Path | str | None = None) -> int:
    """Remove files that :func:`cleanable` returned, wait for whoever is at work on them; return the bytes.

    Args:
        entries: Files that are no longer there are skipped, and so is what is no plain file by now.
        cache: The cache folder.

    Raises:
        TargetError: A file cannot be removed.
    """
    folder = cache_folder(cache)
    removed = 0
    for entry in entries:
        with locks.locked(_whose_lock(folder, entry)):
            removed += 0 if entry.state == LOCK else _unlink(entry.path)  # letting the lock go removes it
    for parent in sorted({entry.path.parent for entry in entries}, reverse=True):
        _remove_empty(parent, folder)
    return removed


def _whose_lock(folder: Path, entry: Entry) -> Path:
    """Return the target whose lock is held by who writes a file."""
    if entry.state in {PARTIAL, LOCK}:  # which are .<name>.partial and .<name>.lock
        return entry.path.with_name(entry.path.stem.removeprefix("."))
    files = published().get(entry.group or "")
    return entry.path if files is None else files.folder_in(folder) / files.lock_name


def _unlink(path: Path) -> int:
    with suppress(FileNotFoundError):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            path.unlink()
            return status.st_size
    return 0


def _remove_empty(parent: Path, folder: Path) -> None:
    """Remove a folder and those above it that are empty now, inside the cache."""
    while parent != folder and folder in parent.parents:
        with suppress(OSError):
            parent.rmdir()
        parent = parent.parent


def state_of(group: str, path: Path) -> str:
    """Read a file and say ``ok``, ``damaged: …`` or ``not proven: …``.

    Args:
        group: What the file belongs to.
        path: One of the known files of the group.
    """
    if group in FETCHABLE:
        checks = {file.name: file.check for file in source(group).remote_files()}
        return _told(lambda: checks[path.name](path))
    if group in MADE:
        return _told(lambda: source(group).check(path))
    try:
        return _published_state(path, path.with_name(published()[group].lock_name))
    except OSError as error:
        return f"damaged: {error.strerror}"


def _told(check: Callable[[], None]) -> str:
    try:
        check()
    except (StirdataError, OSError) as error:
        return f"damaged: {error.what if isinstance(error, StirdataError) else error.strerror}"
    return OK


def _published_state(path: Path, lock_path: Path) -> str:
    if path == lock_path:
        return _told(lambda: _read_lock(path))
    if path.name == SUMS_NAME:
        return _sums_state(path)
    if path.name.endswith(FILE_SUFFIX):
        return _told(lambda: _read_manifest(path, lock_path))
    return _file_state(path, lock_path)


def _read_lock(path: Path) -> None:
    zenodo_record.read_lock(path)


def _read_manifest(path: Path, lock_path: Path) -> None:
    """Raise ManifestError if a manifest is none, or that of other bytes than the lock file says."""
    files, described = load(path).files, path.with_name(path.name.removesuffix(FILE_SUFFIX))
    locked = None
    with suppress(LockError):  # told where the lock file is listed
        locked = _locked(described, lock_path)
    if locked is not None and files != [FileEntry(described.name, locked.size, locked.sha256)]:
        raise ManifestError("it describes another file than the lock file", where=path)


def _locked(path: Path, lock_path: Path) -> LockedFile | None:
    """Return what the lock file says of a published file; raise LockError if it is damaged."""
    lock = zenodo_record.read_lock(lock_path)
    return lock.files.get(path.name) if lock else None


def _file_state(path: Path, lock_path: Path) -> str:
    """Compare a published file with the lock file beside it."""
    try:
        locked = _locked(path, lock_path)
    except LockError as error:
        return f"{_UNPROVEN}{error.what}"
    if locked is None:
        return f"{_UNPROVEN}it is not in {lock_path.name}"
    if path.stat().st_size != locked.size:
        return f"damaged: {path.stat().st_size} bytes instead of {locked.size}"
    return OK if sha256_of_file(path) == locked.sha256 else "damaged: another sha256 than in the lock file"


def _sums_state(path: Path) -> str:
    """Compare SHA256SUMS with the manifests beside it."""
    lines = set(path.read_bytes().splitlines())
    for manifest in path.parent.glob(f"*{FILE_SUFFIX}"):
        try:
            entries = load(manifest).files
        except (ManifestError, MissingFileError):
            continue  # told where the manifest is listed
        for entry in entries:
            if f"{entry.sha256}  {entry.path}".encode() not in lines:
                return f"damaged: no right line for {entry.path}"
    return OK
