"""Arrays in npz files: written with bytes that depend on nothing but the arrays, read without trust."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

from stirdata.errors import FormatError, MissingFileError
from stirdata.storage import npy
from stirdata.storage.deflated_npz import listed_portions
from stirdata.storage.image_bytes import (
    DeflatedBytes,
    FilePart,
    ImageBytes,
    PlainBytes,
    PortionedBytes,
    stamp_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

Found = TypeVar("Found")

_SUFFIX = ".npy"
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_ZIP64_FROM = 1 << 31
_LOCAL_HEADER = 30
_MOST_INFLATED = 1032  # bytes from one: the most that deflate can do (Source: zlib's technical details)
_ENCRYPTED = 1


def write(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays in the order given, uncompressed: deflate libraries differ in their bytes."""
    from numpy.lib import format as numpy_format

    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}{_SUFFIX}", _NO_TIME)
            member.create_system = _UNIX
            member.external_attr = 0o644 << 16
            with archive.open(member, "w", force_zip64=array.nbytes >= _ZIP64_FROM) as stream:
                numpy_format.write_array(stream, array, version=(1, 0), allow_pickle=False)


def headers(path: Path) -> dict[str, npy.Header]:
    """Return what every array of an archive says of itself, in the order of the archive.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is no npz archive, is damaged, promises too much, or holds objects.
    """
    return _guarded(
        path, lambda archive, file: {name: _header(archive, name, path) for name in _names(archive, path)}
    )


def read(path: Path, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
    """Read arrays by name, all of them by default; nothing is ever unpickled.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is no npz file, is cut short, lacks one of the names, or holds objects.
    """

    def look(archive: zipfile.ZipFile, file: BinaryIO) -> dict[str, NDArray[Any]]:
        present = _names(archive, path)
        absent = [name for name in names or [] if name not in present]
        if absent:
            raise FormatError(
                "the npz file lacks arrays",
                where=path,
                expected=", ".join(absent),
                got=", ".join(present) or "no arrays",
            )
        return {name: _array(archive, name, path) for name in (present if names is None else names)}

    return _guarded(path, look)


def bytes_of(path: Path, name: str, stamp: tuple[int, int]) -> ImageBytes:
    """Return where the bytes of an array are.

    Args:
        path: The archive.
        name: Of the array.
        stamp: What :func:`stirdata.storage.image_bytes.stamp_of` returned when the file was looked at.

    Raises:
        FormatError: The array is in Fortran order, or the archive is damaged.
    """
    return _guarded(path, lambda archive, file: _bytes(archive, file, name, path, stamp))


def _guarded(path: Path, look: Callable[[zipfile.ZipFile, BinaryIO], Found]) -> Found:
    """Look into an archive; a damaged one makes zipfile and zlib raise almost anything."""
    if not path.is_file():
        raise MissingFileError("there is no such file", where=path)
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            return look(archive, file)
    except (FormatError, FileNotFoundError):
        raise
    except Exception as error:
        raise FormatError(
            "the file is not a complete npz archive of plain arrays",
            where=path,
            got=str(error).splitlines()[0] if str(error) else type(error).__name__,
            hint="generate or fetch it again",
        ) from error


def _names(archive: zipfile.ZipFile, path: Path) -> list[str]:
    names = archive.namelist()
    leading = [name for name in names if "/" in name or "\\" in name]
    if leading:
        raise FormatError(
            "a name in the archive has a folder in it",
            where=path,
            got=repr(leading[0]),
            hint="do not trust this file",
        )
    others = [name for name in names if not name.endswith(_SUFFIX)]
    if others:
        raise FormatError(
            "the npz file holds other things than arrays", where=path, got=", ".join(others[:4])
        )
    return [name.removesuffix(_SUFFIX) for name in names]


def _header(archive: zipfile.ZipFile, name: str, path: Path) -> npy.Header:
    info = archive.getinfo(f"{name}{_SUFFIX}")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & _ENCRYPTED:
        raise FormatError(
            "an array is encrypted or compressed in an unknown way",
            where=path,
            expected="stored or deflated",
            got=f"{info.filename}, method {info.compress_type}, flags {info.flag_bits:#x}",
            hint="save it again by numpy.savez_compressed",
        )
    most = max(info.compress_size * _MOST_INFLATED, 1 << 12)
    if info.file_size > most or info.compress_size > path.stat().st_size:
        raise FormatError(
            "an array cannot be as large as the archive says",
            where=path,
            expected=f"at most {most} bytes",
            got=f"{info.filename} of {info.file_size} bytes",
            hint="do not trust this file",
        )
    with archive.open(info) as member:
        return npy.read_header(cast(BinaryIO, member), f"{path}: {info.filename}", info.file_size)


def _array(archive: zipfile.ZipFile, name: str, path: Path) -> NDArray[Any]:
    _header(archive, name, path)  # checks what the archive promises, before memory is taken
    info, where = archive.getinfo(f"{name}{_SUFFIX}"), f"{path}: {name}{_SUFFIX}"
    with archive.open(info) as member:
        stream = cast(BinaryIO, member)
        array = npy.read_array(stream, npy.read_header(stream, where, info.file_size), where)
        if member.read(1):  # reading up to the end is what checks the CRC-32
            raise FormatError("an array is longer than its header says", where=where)
    return array


def _bytes(
    archive: zipfile.ZipFile, file: BinaryIO, name: str, path: Path, stamp: tuple[int, int]
) -> ImageBytes:
    import numpy as np

    header, info = _header(archive, name, path), archive.getinfo(f"{name}{_SUFFIX}")
    npy.check_order(header, path)
    file.seek(info.header_offset)
    local = file.read(_LOCAL_HEADER)
    start = info.header_offset + _LOCAL_HEADER + sum(np.frombuffer(local[26:30], "<u2").tolist())
    before = len(header.raw)
    if start + info.compress_size > stamp[0]:
        raise FormatError("the images end after the file", where=path, hint="generate or fetch it again")
    if info.compress_type == zipfile.ZIP_STORED:
        return PlainBytes(FilePart(path, start + before, header.size, stamp), header.raw, info.CRC)
    part = FilePart(path, start, info.compress_size, stamp)
    listed = listed_portions(info.extra, info.compress_size)
    if listed is not None:
        step, (_, *portions) = listed
        if len(portions) == -(-header.size // step):
            return PortionedBytes(part, header.size, step, tuple(portions))
    return DeflatedBytes(part, before, header.size, info.CRC)


def stamp(path: Path) -> tuple[int, int]:
    """Return the stamp of a file before anything of it is read, so that all that is read is of one file.

    Raises:
        MissingFileError: There is no such file.
    """
    try:
        with path.open("rb") as file:
            return stamp_of(file)
    except FileNotFoundError as error:
        raise MissingFileError("there is no such file", where=path) from error
