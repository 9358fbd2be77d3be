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

from stirdata import atomic
from stirdata.cache import HOME_VARIABLE, cache_folder
from stirdata.cache_checks import OK, state_of
from stirdata.errors import ParameterError, TargetError
from stirdata.manifest import FILE_SUFFIX, SUMS_NAME
from stirdata.raw_download import SOURCES
from stirdata.sources import synthetic_cache
from stirdata.stir_download import FOLDER, file_name, set_names
from stirdata.transfer import zenodo_lock

GROUPS = ("stir", *SOURCES, "synthetic")
"""What can be cleaned by name."""

UNKNOWN = "unknown, never touched"
PARTIAL = "unfinished download"
LOCK = "lock of a running or killed process"
PRESENT = "present"


@dataclass(frozen=True)
class Known:
    """A file that stirdata may have put into the cache.

    Attributes:
        group: One of :data:`GROUPS`.
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
        group: One of :data:`GROUPS`; None if it is unknown.
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


def known_files(folder: Path) -> list[Known]:
    """Return what stirdata may put into a cache folder."""
    stir = folder / FOLDER
    files = [Known("stir", stir / file_name(name)) for name in set_names()]
    files += [Known("stir", stir / f"{file_name(name)}{FILE_SUFFIX}", data=False) for name in set_names()]
    files.append(Known("stir", stir / SUMS_NAME, data=False))
    files.append(Known("stir", zenodo_lock.path_in(stir), data=False, kept=True))
    for group, source in SOURCES.items():
        files += [Known(group, source.folder_in(folder) / file.name) for file in source.remote_files()]
    files.append(Known("synthetic", synthetic_cache.path_in(folder)))
    return files


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
        known[atomic.lock_of(path)] = group, LOCK
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

    The lock file of the STIR sets is not among them, so that the next fetch brings the same bytes.

    Args:
        names: Of :data:`GROUPS`; all if empty.
        cache: The cache folder.

    Raises:
        ParameterError: A name is unknown.
    """
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        raise ParameterError(
            "nothing of this name is in the cache",
            where="names",
            expected=", ".join(GROUPS),
            got=", ".join(unknown),
        )
    kept = {file.path for file in known_files(cache_folder(cache)) if file.kept}
    return [entry for entry in contents(cache) if entry.group in (names or GROUPS) and entry.path not in kept]


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
        with atomic.locked(_whose_lock(folder, entry)):
            removed += 0 if entry.state == LOCK else _unlink(entry.path)  # letting the lock go removes it
    for parent in sorted({entry.path.parent for entry in entries}, reverse=True):
        _remove_empty(parent, folder)
    return removed


def _whose_lock(folder: Path, entry: Entry) -> Path:
    """Return the target whose lock is held by who writes a file."""
    if entry.state in {PARTIAL, LOCK}:  # which are .<name>.partial and .<name>.lock
        return entry.path.with_name(entry.path.stem.removeprefix("."))
    return zenodo_lock.path_in(folder / FOLDER) if entry.group == "stir" else entry.path


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
