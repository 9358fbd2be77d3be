"""Bringing published files and raw material of which every byte is known, and saying what there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stirdata.cache import cache_folder
from stirdata.errors import LockError, ParameterError, SourceError, TargetExistsError
from stirdata.families import families
from stirdata.manifest import pinned
from stirdata.progress import bar, size_in_words
from stirdata.sources import FETCHABLE, source
from stirdata.transfer import zenodo_record
from stirdata.transfer.fetch import Fetched
from stirdata.transfer.published import PublishedFiles
from stirdata.transfer.remote import RemoteFile, checked_address

_MANY = 4
"""More files than these get one bar together: a bar for each would only flicker."""


@dataclass(frozen=True)
class Fetchable:
    """One thing that can be fetched.

    Attributes:
        command: Arguments of ``stirdata fetch`` that bring it.
        title: What it is.
        files: How many files it has.
        size: Bytes; None if nobody has said so yet.
        license: Of its content.
        commercial: Whether the license allows commercial use.
        urls: Where it comes from.
        folder: Where it goes, or is, in the cache.
        cached: How many of the files are there; ``cache verify`` says whether they are right.
    """

    command: str
    title: str
    files: int
    size: int | None
    license: str
    commercial: bool
    urls: list[str]
    folder: Path
    cached: int

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self) | {"folder": str(self.folder)}

    def lines(self) -> list[str]:
        """Return it as text for people."""
        size = "size unknown before the first fetch" if self.size is None else size_in_words(self.size)
        use = "" if self.commercial else ", not for commercial use"
        state = {0: "not in the cache", self.files: f"in the cache: {self.folder}"}
        return [
            f"{self.command}",
            f"  {self.title}; {self.files} file{'s' if self.files > 1 else ''}, {size}",
            f"  license {self.license}{use}",
            *(f"  from {url}" for url in self.urls),
            f"  {state.get(self.cached, f'{self.cached} of {self.files} files in the cache: {self.folder}')}",
        ]


def fetchables() -> list[Fetchable]:
    """Return everything that ``stirdata fetch`` can bring; nobody is asked.

    Raises:
        ParameterError: ``STIRDATA_ZENODO_URL`` is no address.
    """
    published = [files for family in families().values() if (files := family.published_files()) is not None]
    return [
        *(_published(files, name) for files in published for name in files.names()),
        *(_raw(name) for name in FETCHABLE),
    ]


def _published(files: PublishedFiles, name: str) -> Fetchable:
    facts, folder = files.facts["sets"][name], files.folder_in(cache_folder())
    path = folder / files.file_name(name)
    return Fetchable(
        command=f"{files.folder} --zenodo --only {name}",
        title=f"{files.title} {name}, as published",
        files=1,
        size=_locked_size(folder / files.lock_name, path.name),
        license=facts["license"],
        commercial=facts["commercial"],
        urls=[files.page()],
        folder=folder,
        cached=int(path.is_file()),
    )


def _locked_size(lock_path: Path, name: str) -> int | None:
    try:
        lock = zenodo_record.read_lock(lock_path)
    except LockError:  # told by whatever needs the lock
        return None
    return lock.files[name].size if lock and name in lock.files else None


def _raw(name: str) -> Fetchable:
    module, facts = source(name), pinned(name)
    files, folder = module.remote_files(), module.folder_in(cache_folder())
    return Fetchable(
        command=name,
        title=facts["title"],
        files=len(files),
        size=sum(file.size for file in files),
        license=facts["license"],
        commercial=facts.get("commercial", True),
        urls=list(facts["mirrors"]),
        folder=folder,
        cached=sum((folder / file.name).is_file() for file in files),
    )


@dataclass(frozen=True)
class RawRequest:
    """How to fetch raw material.

    Attributes:
        source: One of :data:`stirdata.sources.FETCHABLE`.
        dest: Folder; None is the one in the cache, where the generators look.
        mirrors: Addresses of folders that have the files, tried before the known ones.
        offline: Make no connection; None takes it from ``STIRDATA_OFFLINE``.
        force: Replace other files of the same names in ``dest``; in the cache they always are.
        quiet: Show no progress bars and say nothing.
    """

    source: str
    dest: Path | None = None
    mirrors: tuple[str, ...] = ()
    offline: bool | None = None
    force: bool = False
    quiet: bool = False


def fetch_raw(request: RawRequest, say: Callable[[str], None] | None = None) -> Iterator[Fetched]:
    """Fetch the files of a source and yield them, each proven by its hash.

    Args:
        request: Which, from where, and where to.
        say: Told in one line what is waited for; by default it is printed on standard error.

    Raises:
        ParameterError: The source or an address makes no sense; nothing was done.
        SourceUnavailableError: A file is not there, and no mirror delivers the right one.
        TargetExistsError: Another file has the name of one of them.
        TargetError: The folder cannot be written to.
    """
    if request.source not in FETCHABLE:
        expected = ", ".join(FETCHABLE)
        raise ParameterError(
            "no such raw material can be fetched", where="source", expected=expected, got=request.source
        )
    module = source(request.source)
    mirrors = [checked_address(mirror, "mirror") for mirror in request.mirrors]
    files: list[RemoteFile] = module.remote_files()
    folder = request.dest
    if folder is None:
        folder = module.folder_in(cache_folder())
    elif not request.force:
        for file in files:
            _refuse_other(folder / file.name, file)
    many = len(files) > _MANY
    with bar(len(files), request.source, "file", quiet=request.quiet or not many) as shown:
        for file in files:
            quiet = request.quiet or many
            yield file.fetch(folder, mirrors=mirrors, offline=request.offline, quiet=quiet, say=say)
            shown.advance(1)


def _refuse_other(target: Path, file: RemoteFile) -> None:
    """Raise if a file of this name is another one: it may be all that its owner has of it."""
    if not target.is_file():  # a folder is refused by whoever writes the file
        return
    try:
        if target.stat().st_size > file.limit:
            raise SourceError(f"it has {target.stat().st_size} bytes", where=target)
        file.check(target)
    except SourceError as error:
        raise TargetExistsError(
            "another file has the name of one that is to be fetched",
            where=target,
            got=error.what,
            hint="use --force to replace it, or choose another folder by --dest",
        ) from error
