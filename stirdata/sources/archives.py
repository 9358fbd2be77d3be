"""Members of zip archives, looked up by name once and read on their own afterwards.

A member is described by where its bytes are, so that a worker reads one picture without reading the
archive's directory again. Archives come from outside: dangerous names are refused, and no member is
ever inflated beyond the size that its directory entry promises.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from stirdata.errors import MissingFileError, SourceError
from stirdata.manifest import is_leftover

LARGEST_MEMBER = 1 << 31
"""Most bytes of one member, inflated; the largest pictures of DOTA take less than a gigabyte."""

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_LOCAL_MAGIC = b"PK\x03\x04"
_ENCRYPTED = 0x1
_AGAIN = "download the archive again and compare its checksum with the official one"


@dataclass(frozen=True)
class Member:
    """One file inside an archive.

    Attributes:
        archive: The archive's path.
        name: Of the member, as the archive gives it.
        offset: Of the member's local header, in bytes.
        packed: Bytes that it takes in the archive.
        size: Bytes of its content.
        crc: CRC-32 of its content.
        deflated: Whether it is compressed.
    """

    archive: Path
    name: str
    offset: int
    packed: int
    size: int
    crc: int
    deflated: bool

    @property
    def where(self) -> str:
        """The member and its archive, for messages."""
        return f"{self.name} in {self.archive}"

    def read(self) -> bytes:
        """Return the whole content, checked by its CRC-32.

        Raises:
            SourceError: The archive was cut short or changed, or the content is not what was promised.
        """
        content = self._content(self.packed, self.size)
        if len(content) != self.size or zlib.crc32(content) != self.crc:
            raise self._damaged("its content does not fit its checksum")
        return content

    def read_start(self, count: int) -> bytes:
        """Return the first ``count`` bytes of the content, or all of it; they are not checked."""
        # Deflated data can be slightly longer than its content, by 5 bytes for every 16 KiB or so.
        return self._content(min(self.packed, count + count // 1024 + 64), min(self.size, count))

    def _content(self, packed: int, size: int) -> bytes:
        if not size:  # to zlib a limit of 0 means none
            return b""
        try:
            with self.archive.open("rb") as file:
                file.seek(self.offset)
                header = file.read(_LOCAL_HEADER.size)
                magic, name_length, extra_length = _LOCAL_HEADER.unpack(header)
                if magic != _LOCAL_MAGIC:
                    raise self._damaged("there is no member where its directory says")
                file.seek(name_length + extra_length, 1)
                data = file.read(packed)
            return (
                zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size) if self.deflated else data[:size]
            )
        except (struct.error, zlib.error) as error:
            raise self._damaged(error) from error
        except FileNotFoundError as error:
            raise MissingFileError(
                "the archive is not there any more, or not on the machine of this worker",
                where=self.archive,
                hint="every worker needs the archives under the same paths",
            ) from error
        except OSError as error:
            raise SourceError("the archive cannot be read", where=self.where, got=error.strerror) from error

    def _damaged(self, reason: object) -> SourceError:
        return SourceError("the archive is damaged", where=self.where, got=reason, hint=_AGAIN)


def find_archives(folder: Path, wanted: Iterable[tuple[str, ...]], hint: str) -> list[Path]:
    """Return the archives of a dataset, each under the first of its names that exists.

    Args:
        folder: Where to look.
        wanted: Per archive the paths it may have below the folder.
        hint: What to do when some are missing.

    Raises:
        MissingFileError: The folder does not exist, or some archives are missing; all are named.
    """
    if not folder.is_dir():
        raise MissingFileError("the source folder does not exist", where=folder, hint=hint)
    found, missing = [], []
    for names in wanted:
        present = [folder / name for name in names if (folder / name).is_file()]
        found += present[:1]
        if not present:
            missing.append(" or ".join(names))
    if missing:
        raise MissingFileError(
            f"{len(missing)} of the archives are missing",
            where=folder,
            expected=", ".join(missing),
            hint=hint,
        )
    return found


def members(archive: Path) -> list[Member]:
    """Return the files in an archive in the order of its directory; folders are left out.

    Raises:
        SourceError: It is no zip archive, is cut short, or has a member with a dangerous name, an
            unknown compression, a password, or a size beyond :data:`LARGEST_MEMBER`.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [entry for entry in opened.infolist() if not entry.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise SourceError(
            "the file is not a complete zip archive", where=archive, got=error, hint=_AGAIN
        ) from error
    return [_checked(archive, entry) for entry in entries]


def index_by_name(archives: Iterable[Path], suffix: str) -> dict[str, Member]:
    """Return the members with a suffix, such as ``.png``, by file name without folder and suffix.

    Where two archives hold the same name, the first one counts.

    Raises:
        SourceError: As for :func:`members`.
    """
    index: dict[str, Member] = {}
    for archive in archives:
        for member in members(archive):
            path = PurePosixPath(member.name)
            if path.suffix.lower() == suffix and not is_leftover(path):
                index.setdefault(path.stem, member)
    return index


def check_named(
    names: Iterable[str], index: dict[str, Member], archives: Iterable[Path], suffix: str
) -> None:
    """Raise SourceError if a picture that the annotations name is in none of the archives."""
    absent = [name for name in names if name not in index]
    if absent:
        listed = ", ".join(f"{name}{suffix}" for name in absent[:5])
        raise SourceError(
            f"{len(absent)} of the pictures that the annotations name are in no archive",
            where=", ".join(str(archive) for archive in archives),
            expected=listed + (f" and {len(absent) - 5} more" if len(absent) > 5 else ""),
            hint="are annotations and archives of the same version? Download what is incomplete again",
        )


def _checked(archive: Path, entry: zipfile.ZipInfo) -> Member:
    """Turn a directory entry into a member, or refuse it."""
    for problem, refused in (
        ("a name that leads out of the folder", _is_dangerous(entry.orig_filename)),
        ("a password", bool(entry.flag_bits & _ENCRYPTED)),
        (
            f"compression method {entry.compress_type}",
            entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED),
        ),
        (f"{entry.file_size} bytes", max(entry.file_size, entry.compress_size) > LARGEST_MEMBER),
    ):
        if refused:
            raise SourceError(
                "the archive has a member that is refused",
                where=archive,
                expected=f"relative names, deflate or none, at most {LARGEST_MEMBER} bytes",
                got=f"{entry.orig_filename!r} with {problem}",
                hint="this is not the official archive",
            )
    return Member(
        archive=archive,
        name=entry.filename,
        offset=entry.header_offset,
        packed=entry.compress_size,
        size=entry.file_size,
        crc=entry.CRC,
        deflated=entry.compress_type == zipfile.ZIP_DEFLATED,
    )


def _is_dangerous(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0] or "\0" in name
