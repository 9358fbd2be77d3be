"""Whether a known file in the cache is the right one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from stirdata.digest import sha256_of_file
from stirdata.errors import LockError, ManifestError, MissingFileError, StirdataError
from stirdata.manifest import FILE_SUFFIX, SUMS_NAME, FileEntry, load
from stirdata.raw_download import SOURCES
from stirdata.sources import synthetic_cache
from stirdata.transfer import zenodo_lock
from stirdata.transfer.zenodo_lock import LockedFile

OK = "ok"
_UNPROVEN = "not proven: "


def state_of(group: str, path: Path) -> str:
    """Read a file and say ``ok``, ``damaged: …`` or ``not proven: …``.

    Args:
        group: What the file belongs to.
        path: One of the known files of the group.
    """
    if group in SOURCES:
        checks = {file.name: file.check for file in SOURCES[group].remote_files()}
        return _told(lambda: checks[path.name](path))
    if group == "synthetic":
        return _told(lambda: synthetic_cache.check(path))
    try:
        return _stir_state(path)
    except OSError as error:
        return f"damaged: {error.strerror}"


def _told(check: Callable[[], None]) -> str:
    try:
        check()
    except (StirdataError, OSError) as error:
        return f"damaged: {error.what if isinstance(error, StirdataError) else error.strerror}"
    return OK


def _stir_state(path: Path) -> str:
    if path.name == zenodo_lock.NAME:
        return _told(lambda: _read_lock(path))
    if path.name == SUMS_NAME:
        return _sums_state(path)
    if path.name.endswith(FILE_SUFFIX):
        return _told(lambda: _read_manifest(path))
    return _file_state(path)


def _read_lock(path: Path) -> None:
    zenodo_lock.read(path)


def _read_manifest(path: Path) -> None:
    """Raise ManifestError if a manifest is none, or that of other bytes than the lock file says."""
    files, described = load(path).files, path.with_name(path.name.removesuffix(FILE_SUFFIX))
    locked = None
    with suppress(LockError):  # told where the lock file is listed
        locked = _locked(described)
    if locked is not None and files != [FileEntry(described.name, locked.size, locked.sha256)]:
        raise ManifestError("it describes another file than the lock file", where=path)


def _locked(path: Path) -> LockedFile | None:
    """Return what the lock file says of a published file; raise LockError if it is damaged."""
    lock = zenodo_lock.read(zenodo_lock.path_in(path.parent))
    return lock.files.get(path.name) if lock else None


def _file_state(path: Path) -> str:
    """Compare a published file with the lock file beside it."""
    try:
        locked = _locked(path)
    except LockError as error:
        return f"{_UNPROVEN}{error.what}"
    if locked is None:
        return f"{_UNPROVEN}it is not in {zenodo_lock.NAME}"
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
