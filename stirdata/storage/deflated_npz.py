"""Compressed npz files, written by many threads at once.

A member is cut into portions that are deflated independently and joined to one stream that every reader
of zip files understands (Source: the method of M. Adler's pigz, with its option --independent). Where the
portions begin, and the CRC-32 of each, is in an extra field of the zip directory, which other readers pass
over; ours inflates only the portions that it needs, and those at the same time.

The bytes depend on the arrays and on the zlib library, not on the number of threads. Deflate libraries
differ in their bytes; what proves a dataset is therefore the digests of its arrays.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from stirdata.executors import map_ordered
from stirdata.storage import npy
from stirdata.storage.image_bytes import BlockedArray, Portion

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PORTION = 1 << 20
_LEVEL = 3  # of 9: half the time of zlib's default, 6, for files that are 5 % larger
_VERSION = 45  # of the zip format, which knows 64-bit sizes
_MADE_BY_UNIX = 3 << 8
_MODE = 0o100644 << 16
_DEFLATED = 8
_MIDNIGHT, _FIRST_DAY = 0, 1 << 5 | 1  # 1 January 1980: no time stamp
_IN_EXTRA = 0xFFFFFFFF  # the 64-bit value is in the extra field
_PORTIONS_FIELD = 0x5453
_LONGEST_FIELD = 60_000  # of the 65,535 bytes that all extra fields of a member have together


class _Portion(NamedTuple):
    data: memoryview
    is_last: bool


@dataclass(frozen=True)
class _Member:
    """An entry of the archive, with 64-bit sizes always: one form, whatever the size."""

    name: bytes
    offset: int
    crc: int
    size: int
    compressed_size: int
    portions: bytes = b""

    def local_header(self) -> bytes:
        extra = struct.pack("<HHQQ", 1, 16, self.size, self.compressed_size)
        return b"PK\3\4" + struct.pack("<H", _VERSION) + self._common(extra) + self.name + extra

    def directory_entry(self) -> bytes:
        extra = struct.pack("<HHQQQ", 1, 24, self.size, self.compressed_size, self.offset) + self.portions
        versions = struct.pack("<HH", _VERSION | _MADE_BY_UNIX, _VERSION)
        rest = struct.pack("<HHHII", 0, 0, 0, _MODE, _IN_EXTRA)
        return b"PK\1\2" + versions + self._common(extra) + rest + self.name + extra

    def _common(self, extra: bytes) -> bytes:
        sizes = (self.crc, _IN_EXTRA, _IN_EXTRA, len(self.name), len(extra))
        return struct.pack("<HHHHIIIHH", 0, _DEFLATED, _MIDNIGHT, _FIRST_DAY, *sizes)


def write(
    path: Path,
    arrays: Mapping[str, NDArray[Any] | BlockedArray],
    executor: Executor,
    workers: int = 1,
) -> None:
    """Write arrays in the order given, as ``numpy.savez_compressed`` does.

    Args:
        path: The file to make.
        arrays: Plain arrays by name, or what yields their blocks.
        executor: Threads to compress in.
        workers: How many there are; the bytes do not depend on it.
    """
    with path.open("wb") as file:
        members = [_write_member(file, name, array, executor, workers) for name, array in arrays.items()]
        _write_directory(file, members)


def _write_member(
    file: BinaryIO, name: str, array: NDArray[Any] | BlockedArray, executor: Executor, workers: int
) -> _Member:
    """Write one array behind a header whose checksum and sizes are filled in afterwards."""
    encoded, offset = f"{name}.npy".encode(), file.tell()
    file.write(_Member(encoded, offset, 0, 0, 0).local_header())
    start, crc, size = file.tell(), 0, 0
    entries = bytearray()

    def portions() -> Iterator[_Portion]:
        nonlocal crc, size
        for portion in _portions(array):
            crc, size = zlib.crc32(portion.data, crc), size + len(portion.data)
            yield portion

    for deflated, checksum in map_ordered(executor, _deflate, portions(), ahead=4 * workers):
        file.write(deflated)
        entries += struct.pack("<II", len(deflated), checksum)
    field = _portions_field(bytes(entries))
    member = _Member(encoded, offset, crc, size, file.tell() - start, field)
    file.seek(offset)
    file.write(member.local_header())
    file.seek(0, io.SEEK_END)
    return member


def _portions_field(entries: bytes) -> bytes:
    """Return the extra field that lists portions: bytes of array in each; compressed bytes and CRC-32."""
    if len(entries) > _LONGEST_FIELD:
        return b""
    return struct.pack("<HHI", _PORTIONS_FIELD, 4 + len(entries), _PORTION) + entries


def listed_portions(extra: bytes, compressed_size: int) -> tuple[int, list[Portion]] | None:
    """Return what the extra fields of a zip member say of its portions.

    The first portion is the npy header.

    Args:
        extra: The extra fields from the zip directory.
        compressed_size: Of the member.

    Returns:
        Bytes of the array in each portion but the last, and the portions; None if the fields list none,
        or list other bytes than the member has.
    """
    content = _extra_field(extra)
    if len(content) < 4 + 8 or (len(content) - 4) % 8:
        return None
    (step,) = struct.unpack_from("<I", content)
    portions, offset = [], 0
    for length, checksum in struct.iter_unpack("<II", content[4:]):
        portions.append(Portion(offset, length, checksum))
        offset += length
    return (step, portions) if step and offset == compressed_size else None


def _extra_field(extra: bytes) -> bytes:
    while len(extra) >= 4:
        number, length = struct.unpack_from("<HH", extra)
        if number == _PORTIONS_FIELD:
            return extra[4 : 4 + length]
        extra = extra[4 + length :]
    return b""


def _portions(array: NDArray[Any] | BlockedArray) -> Iterator[_Portion]:
    """Yield the bytes of the npy format: its header, then the array in portions."""
    header = npy.header_of(array.shape, array.dtype)
    yield _Portion(memoryview(header), is_last=not array.nbytes)
    done = 0
    for data in _cut(array):
        done += len(data)
        yield _Portion(data, is_last=done == array.nbytes)


def _cut(array: NDArray[Any] | BlockedArray) -> Iterator[memoryview]:
    import numpy as np

    if isinstance(array, BlockedArray):
        for portion in array.portions(_PORTION):
            yield memoryview(portion)
        return
    data = np.asarray(array, order="C").reshape(-1).view(np.uint8).data
    for start in range(0, len(data), _PORTION):
        yield data[start : start + _PORTION]


def _deflate(portion: _Portion) -> tuple[bytes, int]:
    """Deflate a portion to whole bytes, so that the next one can follow; return its CRC-32 as well."""
    stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    end = zlib.Z_FINISH if portion.is_last else zlib.Z_FULL_FLUSH
    return stream.compress(portion.data) + stream.flush(end), zlib.crc32(portion.data)


def _write_directory(file: BinaryIO, members: list[_Member]) -> None:
    start = file.tell()
    for member in members:
        file.write(member.directory_entry())
    end, count = file.tell(), len(members)
    sizes = (44, _VERSION | _MADE_BY_UNIX, _VERSION, 0, 0, count, count, end - start, start)
    file.write(b"PK\6\6" + struct.pack("<QHHIIQQQQ", *sizes))
    file.write(b"PK\6\7" + struct.pack("<IQI", 0, end, 1))
    file.write(b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, end - start, _IN_EXTRA, 0))
