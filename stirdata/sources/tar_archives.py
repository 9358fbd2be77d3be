"""Official .tar.gz archives, read without unpacking them to disk and without holding them in memory."""

from __future__ import annotations

import hashlib
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from stirdata.cache import HOME_VARIABLE, cache_folder
from stirdata.errors import SourceError, SourceUnavailableError
from stirdata.manifest import pinned
from stirdata.transfer.remote import RemoteFile

SMALL = 1 << 20
"""Most bytes of a member of which only this is known: that it is a short text."""
_PIECE = 1 << 20


@dataclass(frozen=True)
class OfficialArchive:
    """One archive that a dataset is published as.

    Attributes:
        title: Of the dataset.
        name: Of the file.
        size: Of it in bytes.
        md5: Of it.
        mirrors: Addresses of folders that have it.
    """

    title: str
    name: str
    size: int
    md5: str
    mirrors: tuple[str, ...]

    @classmethod
    def pinned(cls, source: str, title: str) -> OfficialArchive:
        """Return what is pinned of a source's archive."""
        facts = pinned(source)
        archive = facts["archive"]
        return cls(title, archive["name"], archive["size"], archive["md5"], tuple(facts["mirrors"]))


def remote_file(archive: OfficialArchive) -> RemoteFile:
    """Return an archive as it is downloaded."""
    return RemoteFile(archive.name, archive.mirrors, archive.size, lambda path: check_md5(archive, path))


def find(archive: OfficialArchive, source_dir: Path) -> Path | None:
    """Return the archive if it is in a folder, or is what the path names."""
    path = source_dir if source_dir.is_file() else source_dir / archive.name
    return path if path.is_file() else None


def cached(archive: OfficialArchive, folder_in: Callable[[Path], Path], *, quiet: bool) -> Path:
    """Return the archive in the cache, downloaded into it if it is missing.

    Raises:
        SourceUnavailableError: It is neither there nor to be downloaded.
    """
    folder = folder_in(cache_folder())
    path = folder / archive.name
    if not path.is_file():
        try:
            remote_file(archive).fetch(folder, quiet=quiet)
        except SourceUnavailableError as error:
            raise SourceUnavailableError(
                f"{archive.title} is not available",
                where=folder,
                expected=f"{archive.name} in the cache, or a mirror that can be reached",
                got=f"{error.what}:\n            {error.got}",
                hint=f"name a folder with {archive.name} by --source-dir DIR, or set {HOME_VARIABLE} to a "
                "cache that has it",
            ) from error
    return path


def check_md5(archive: OfficialArchive, path: Path) -> None:
    """Raise SourceError unless a file has the published MD5 of an archive."""
    digest = hashlib.md5(usedforsecurity=False)
    for piece in pieces_of_file(path, _PIECE):
        digest.update(piece)
    _compare(archive, path, digest.hexdigest(), in_cache=False)


def read_proven(
    archive: OfficialArchive, path: Path, wanted: Mapping[str, int], *, in_cache: bool
) -> dict[str, bytes]:
    """Return members of an archive whose MD5 is the published one; hashed while it is read.

    Raises:
        SourceError: It is damaged, or another archive.
    """
    with path.open("rb") as file:
        hashing = _Hashing(file)
        problem = None
        found: dict[str, bytes] = {}
        try:
            found = _members(hashing, path, wanted, "get the archive again")
        except SourceError as error:
            problem = error
        while hashing.read(_PIECE):
            pass
    _compare(archive, path, hashing.digest.hexdigest(), in_cache=in_cache)
    if problem is not None:  # the archive has the right sum, so this cannot be
        raise problem
    return found


def _compare(archive: OfficialArchive, path: Path, found: str, *, in_cache: bool) -> None:
    if found != archive.md5:
        hint = (
            "delete this file; it is downloaded again when it is needed"
            if in_cache
            else f"get {archive.name} again from {archive.mirrors[0]}, or leave out --source-dir"
        )
        raise SourceError(
            f"the file is not the official archive of {archive.title}, or was cut short",
            where=path,
            expected=f"md5 {archive.md5}",
            got=f"md5 {found}",
            hint=hint,
        )


def read_members(path: Path, wanted: Mapping[str, int], hint: str) -> dict[str, bytes]:
    """Return members of an archive; what lies behind the last of them is not read.

    Args:
        path: The archive.
        wanted: Most bytes of each member, by its name.
        hint: What to do where it is damaged.

    Raises:
        SourceError: It is damaged, or lacks some of them.
    """
    with _open(path, hint) as file:
        return _members(file, path, wanted, hint)


def _members(file: Any, path: Path, wanted: Mapping[str, int], hint: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with _telling_damage(path, hint), tarfile.open(fileobj=file, mode="r|*") as archive:
        for member in archive:
            name = member.name.removeprefix("./")
            if name in wanted:
                found[name] = b"".join(_pieces(archive, member, wanted[name], _PIECE, path, hint))
            if len(found) == len(wanted):
                break
    missing = [name for name in wanted if name not in found]
    if missing:
        raise SourceError(
            "the archive lacks files", where=path, expected=", ".join(missing), got="others", hint=hint
        )
    return found


def pieces_of_member(path: Path, name: str, size: int, piece: int, hint: str) -> Iterator[bytes]:
    """Yield a member of an archive in pieces of ``piece`` bytes.

    Raises:
        SourceError: It is not there, is damaged, or has another size.
    """
    with (
        _open(path, hint) as file,
        _telling_damage(path, hint),
        tarfile.open(fileobj=file, mode="r|*") as archive,
    ):
        for member in archive:
            if member.name.removeprefix("./") == name:
                yield from _pieces(archive, member, size, piece, path, hint)
                return
    raise SourceError("the archive lacks a file", where=path, expected=name, hint=hint)


def pieces_of_file(path: Path, piece: int) -> Iterator[bytes]:
    """Yield the content of a file in pieces."""
    with _open(path, "") as file:
        while data := file.read(piece):
            yield data


def _pieces(
    archive: tarfile.TarFile, member: tarfile.TarInfo, most: int, piece: int, path: Path, hint: str
) -> Iterator[bytes]:
    content = archive.extractfile(member) if member.isfile() else None
    if content is None or member.size > most:
        raise SourceError(
            "a file in the archive has another size",
            where=f"{member.name} in {path}",
            expected=f"at most {most} bytes",
            got=f"{member.size} bytes",
            hint=hint,
        )
    left = member.size
    while left:
        data = content.read(min(piece, left))
        if not data:
            raise EOFError("the file ends too early")
        left -= len(data)
        yield data


@contextmanager
def _open(path: Path, hint: str) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise SourceError("the file cannot be read", where=path, got=error.strerror, hint=hint) from error


@contextmanager
def _telling_damage(path: Path, hint: str) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise SourceError("the archive is damaged or cut short", where=path, got=error, hint=hint) from error


class _Hashing:
    """A file that is hashed while it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.md5(usedforsecurity=False)

    def read(self, count: int = -1) -> bytes:
        """Read, and hash what was read."""
        data = self._file.read(count)
        self.digest.update(data)
        return data
