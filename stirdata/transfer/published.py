"""Fetching published files of which a record on Zenodo says what they are: lock file, transfer, manifest.

What is published is asked for when something has to be downloaded, and compared with the lock file that
the first fetch has written beside the files. What is there is proven by the lock file alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata import locks, progress
from stirdata.cache import cache_folder
from stirdata.digest import HashedFile
from stirdata.errors import (
    ManifestError,
    MissingFileError,
    ParameterError,
    SourceUnavailableError,
    TargetError,
    TargetExistsError,
)
from stirdata.manifest import SUMS_NAME, FileEntry, load, manifest_path, pinned
from stirdata.progress import size_in_words
from stirdata.transfer import zenodo_record
from stirdata.transfer.fetch import Fetched, fetch, is_offline, offline_error
from stirdata.transfer.http_replies import plain
from stirdata.transfer.remote import checked_address
from stirdata.transfer.zenodo_lookup import look_up, record_number, site_of
from stirdata.transfer.zenodo_record import Lock, LockedFile

if TYPE_CHECKING:
    from stirdata.transfer.zenodo_record import Record, RecordFile

Say = Callable[[str], None]


@dataclass(frozen=True)
class PublishedRequest:
    """Which published files to fetch, from where, and where to put them.

    Attributes:
        sets: Names such as ``emoji``; all if empty.
        dest: Folder; None is the one in the cache.
        record: Number of the record on Zenodo; None is the pinned one.
        base_url: Of a server like Zenodo; None takes it from ``STIRDATA_ZENODO_URL``, else Zenodo itself.
        mirrors: Addresses of folders with the files, tried before the record's own.
        offline: Make no connection; None takes it from ``STIRDATA_OFFLINE``.
        force: Replace files that have the names of the published ones and are others.
        quiet: Show no progress bars and say nothing.
    """

    sets: tuple[str, ...] = ()
    dest: Path | None = None
    record: str | None = None
    base_url: str | None = None
    mirrors: tuple[str, ...] = ()
    offline: bool | None = None
    force: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class PublishedFiles:
    """The files of a family that are published in a record of Zenodo.

    Attributes:
        facts_name: Name of the JSON in ``stirdata.manifests`` with ``site``, ``record``, ``citation`` and, by
            name, ``sets``: ``file``, ``license``, ``commercial``, ``material``.
        folder: Of the files in the cache.
        title: Of the family, as people write it.
        describe: Checks a file that is proven and writes its manifest; told the set, the file, its source
            as a manifest tells it, and whether the record is the pinned one.
    """

    facts_name: str
    folder: str
    title: str
    describe: Callable[[str, Fetched, dict[str, Any], bool], None]

    @property
    def facts(self) -> dict[str, Any]:
        """What is pinned of them."""
        return pinned(self.facts_name)

    @property
    def lock_name(self) -> str:
        """Name of the lock file beside them."""
        return f"{self.facts_name}.lock.json"

    def names(self) -> tuple[str, ...]:
        """Return the names of the published sets."""
        return tuple(self.facts["sets"])

    def file_name(self, name: str) -> str:
        """Return the name of a published set's file."""
        return str(self.facts["sets"][name]["file"])

    def folder_in(self, cache: Path) -> Path:
        """Return where they are in a cache folder."""
        return cache / self.folder

    def page(self) -> str:
        """Return the address of the record's web page."""
        return f"{site_of()}/records/{self.facts['record']}"

    def path_of(self, name_or_path: Path | str) -> Path:
        """Return the path of a set; fetch it into the cache if it is published and not there.

        Args:
            name_or_path: A file or folder, which is taken if it exists. Else the name of a published file,
                such as ``mnist.npz``, or of its set, such as ``mnist``: it is fetched from Zenodo into the
                cache, and found there the next time. Folders in front of the name only say where to look
                first.

        Raises:
            MissingFileError: Neither exists such a file, nor is one of this name published.
            SourceUnavailableError: It cannot be downloaded.
            LockError: The record says something else than at the first fetch.
            FormatError: The published file breaks the layout.
        """
        path = Path(name_or_path)
        if path.exists():
            return path
        known = {self.file_name(name): name for name in self.names()}
        name = known.get(path.name, path.name)
        if name not in known.values():
            raise MissingFileError(
                "there is no such file, and none of this name is published",
                where=path,
                expected=", ".join(known),
                hint="name one of the published files, or a file that exists",
            )
        ((_, file),) = self.fetch(PublishedRequest(sets=(name,)))
        return file.path

    def fetch(self, request: PublishedRequest, say: Say | None = None) -> Iterator[tuple[str, Fetched]]:
        """Fetch published files and yield them, each proven, fitting its layout and with a manifest.

        Nothing is asked of anybody if all of them are there, as the lock file says. Of several processes
        that fetch into the same folder, one works and the others wait.

        Args:
            request: Which, and from where.
            say: Told in one line what is about to come, under which license, and what is waited for; by
                default it is printed on standard error.

        Yields:
            The name of a set, and its file.

        Raises:
            ParameterError: A set, an address or a number makes no sense; nothing was done.
            LockError: The record says something else than at the first fetch, or is another one.
            SourceError: The record is none, or lists dangerous files.
            SourceUnavailableError: Not there, and not to be downloaded.
            TargetExistsError: Another file has the name of a published one.
            TargetError: The folder cannot be written to.
            FormatError: A published file breaks the layout.
        """
        job = _Job(self, request, progress.teller(say, request.quiet))
        complete = job.complete()
        if complete is None:
            job.check_offline()
            with locks.locked(job.lock_path, job.tell_waiting):
                yield from job.run()
        else:
            yield from complete.items()


class _Job:
    """One run of :meth:`PublishedFiles.fetch`."""

    def __init__(self, files: PublishedFiles, request: PublishedRequest, say: Say) -> None:
        self._files = files
        self._request = request
        self._say = say
        self._names = _checked_names(files, request.sets)
        self._site = site_of(request.base_url)
        self._number = record_number(request.record or str(files.facts["record"]), self._site)
        self._mirrors = [checked_address(mirror, "mirror").rstrip("/") for mirror in request.mirrors]
        self._folder = files.folder_in(cache_folder()) if request.dest is None else request.dest
        if self._folder.exists() and not self._folder.is_dir():
            raise TargetError(
                "a file is where the folder should be", where=self._folder, hint="choose another folder"
            )
        self.lock_path = self._folder / files.lock_name
        self._lock = self._read_lock()
        self._record: Record | None = None
        self._unavailable: SourceUnavailableError | None = None

    def _read_lock(self) -> Lock | None:
        lock = zenodo_record.read_lock(self.lock_path)
        if lock is not None:
            zenodo_record.check_asked(lock, self._number, self.lock_path)
        return lock

    def tell_waiting(self) -> None:
        """Say that another process is at work."""
        self._say(f"waiting for another process that fetches into {self._folder}")

    def complete(self) -> dict[str, Fetched] | None:
        """Return the files if all of them are there, proven and described; else None."""
        files = {}
        for name in self._names:
            locked, target = self._locked(name), self._target(name)
            found = _matching(target, locked) if locked and target.is_file() else None
            if found is None or not _is_described(found):
                return None
            files[name] = found
        return files

    def check_offline(self) -> None:
        """Raise SourceUnavailableError if a file is missing and must not be asked for."""
        missing = [target for name in self._names if not (target := self._target(name)).is_file()]
        if missing and is_offline(self._request.offline):
            raise offline_error(missing[0])

    def run(self) -> Iterator[tuple[str, Fetched]]:
        """Bring, prove and describe what is asked for; the lock of the lock file is held."""
        self._lock = self._read_lock()  # another process may have written it
        standing = {name: self._standing(name) for name in self._names}
        self._announce([name for name in self._names if standing[name] is None])
        for name in self._names:
            found = standing[name] or self._download(name)
            lock = self._noted(name, found)
            if not _is_described(found):
                self._files.describe(name, found, self._source(lock, name), self._is_pinned())
            yield name, found

    def _target(self, name: str) -> Path:
        return self._folder / self._files.file_name(name)

    def _locked(self, name: str) -> LockedFile | None:
        return self._lock.files.get(self._files.file_name(name)) if self._lock else None

    def _standing(self, name: str) -> Fetched | None:
        """Return the file that is there if it is the published one; None if it is to be downloaded."""
        target = self._target(name)
        if not target.is_file():
            return None
        wanted = self._locked(name) or self._published(name)
        found = _matching(target, wanted)
        if found is None and not self._request.force:
            raise TargetExistsError(
                "another file has the name of the published one",
                where=target,
                expected=f"{wanted.size} bytes with md5 {wanted.md5}",
                got=f"{target.stat().st_size} bytes with other hashes",
                hint="use --force to replace it, or choose another folder by --dest",
            )
        return found

    def _announce(self, names: list[str]) -> None:
        for name in names:
            facts, published = self._files.facts["sets"][name], self._published(name)
            restriction = "" if facts["commercial"] else ", not for commercial use"
            self._say(
                f"{self._files.file_name(name)}: {size_in_words(published.size)}, license {facts['license']}"
                f"{restriction} (made from {facts['material']})"
            )

    def _published(self, name: str) -> LockedFile | RecordFile:
        """Return what the record says of a file, or the lock file if the record cannot be asked."""
        locked = self._locked(name)
        if locked is not None and (self._unavailable or is_offline(self._request.offline)):
            return locked
        try:
            return _file_in(self._asked_record(), self._files.file_name(name))
        except SourceUnavailableError as error:
            if locked is None:
                raise
            self._say(f"{error.what}: {error.got}; going on with what the lock file says")
            return locked

    def _asked_record(self) -> Record:
        """Return the record, which is asked for once and says what the lock file says."""
        if self._unavailable is not None:
            raise self._unavailable
        if self._record is None:
            number = self._lock.record if self._lock else self._number
            try:
                record = look_up(number, self._site, offline=self._request.offline, say=self._say)
            except SourceUnavailableError as error:
                self._unavailable = error
                raise
            if self._lock is not None:
                zenodo_record.check_record(self._lock, record, self.lock_path)
            self._record = record
        return self._record

    def _download(self, name: str) -> Fetched:
        published, locked = self._published(name), self._locked(name)
        hashes = {"md5": published.md5} | ({"sha256": locked.sha256} if locked else {})
        return fetch(
            [*(f"{mirror}/{self._files.file_name(name)}" for mirror in self._mirrors), published.url],
            self._target(name),
            size=published.size,
            hashes=hashes,
            limit=published.size,
            quiet=self._request.quiet,
            offline=self._request.offline,
            say=self._say,
        )

    def _noted(self, name: str, found: Fetched) -> Lock:
        """Return the content of the lock file, with a proven file in it."""
        if self._lock is not None and self._locked(name) is not None:
            return self._lock
        record = self._asked_record()
        file = record.files[self._files.file_name(name)]
        lock = self._lock or Lock(self._number, record.id, record.doi)
        self._lock = lock.with_file(file.key, LockedFile(file.size, file.md5, found.sha256, file.url))
        zenodo_record.write_lock(self.lock_path, self._lock)
        return self._lock

    def _is_pinned(self) -> bool:
        facts = self._files.facts
        return (self._number, self._site) == (facts["record"], facts["site"])

    def _source(self, lock: Lock, name: str) -> dict[str, Any]:
        """Return where a file comes from, as its manifest tells it."""
        facts = self._files.facts["sets"][name]
        locked = lock.files[facts["file"]]
        return {
            "name": "zenodo",
            "record": lock.record,
            "doi": lock.doi,
            "file": facts["file"],
            "md5": locked.md5,
            "sha256": locked.sha256,
            "license": facts["license"],
            "material": facts["material"],
        }


def _is_described(file: Fetched) -> bool:
    """Return whether the manifest beside a file is that of its bytes, and SHA256SUMS is there."""
    try:
        manifest = load(manifest_path(file.path))
    except (MissingFileError, ManifestError):
        return False
    entry = FileEntry(file.path.name, file.size, file.sha256)
    return manifest.files == [entry] and file.path.with_name(SUMS_NAME).is_file()


def _checked_names(files: PublishedFiles, asked: tuple[str, ...]) -> tuple[str, ...]:
    known = files.names()
    unknown = [name for name in asked if name not in known]
    if unknown:
        raise ParameterError(
            "no such set is published", where="sets", expected=", ".join(known), got=", ".join(unknown)
        )
    return tuple(name for name in known if name in asked or not asked)


def _matching(target: Path, wanted: LockedFile | RecordFile) -> Fetched | None:
    """Return a file if it has the size and all hashes that are known."""
    if target.stat().st_size != wanted.size:
        return None
    expected = {"md5": wanted.md5}
    if isinstance(wanted, LockedFile):
        expected = {"sha256": wanted.sha256}
    with target.open("rb", buffering=0) as file:
        digests = HashedFile(file, sorted({"sha256", *expected})).digests()
    if any(digests[kind] != value for kind, value in expected.items()):
        return None
    return Fetched(target, wanted.size, digests["sha256"], True, None)


def _file_in(record: Record, name: str) -> RecordFile:
    if name not in record.files:
        raise SourceUnavailableError(
            f"record {record.id} of Zenodo has no file {name}",
            expected=name,
            got=plain(", ".join(record.files)),
            hint="name the record that has it by --record",
        )
    return record.files[name]
