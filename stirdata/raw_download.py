"""Fetching raw material of which every byte is known: MNIST and the icons of Font Awesome."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from stirdata.cache import cache_folder
from stirdata.errors import ParameterError, SourceError, TargetExistsError
from stirdata.progress import bar
from stirdata.sources import fontawesome, mnist
from stirdata.transfer.addresses import checked_address
from stirdata.transfer.fetch import Fetched
from stirdata.transfer.remote_files import RemoteFile

SOURCES: dict[str, ModuleType] = {"mnist": mnist, "fontawesome": fontawesome}


@dataclass(frozen=True)
class RawRequest:
    """How to fetch raw material.

    Attributes:
        source: ``mnist`` or ``fontawesome``.
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
    source = source_named(request.source)
    mirrors = [checked_address(mirror, "mirror") for mirror in request.mirrors]
    files: list[RemoteFile] = source.remote_files()
    folder = request.dest
    if folder is None:
        folder = source.folder_in(cache_folder())
    elif not request.force:
        for file in files:
            _refuse_other(folder / file.name, file)
    many = len(files) > len(mnist.PARTS)  # a bar for each would only flicker
    with bar(len(files), request.source, "file", quiet=request.quiet or not many) as shown:
        for file in files:
            quiet = request.quiet or many
            yield file.fetch(folder, mirrors=mirrors, offline=request.offline, quiet=quiet, say=say)
            shown.advance(1)


def source_named(name: str) -> ModuleType:
    """Return the module of a source.

    Raises:
        ParameterError: There is none of this name.
    """
    if name not in SOURCES:
        raise ParameterError(
            "no such raw material can be fetched", where="source", expected=", ".join(SOURCES), got=name
        )
    return SOURCES[name]


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
