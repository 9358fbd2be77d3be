"""Compressed npz files, written by many threads at once.

A member is cut into portions that are deflated independently, each with the 32 KiB before it as its
dictionary, and joined to one stream that every reader of zip files understands (Source: the method of
M. Adler's pigz). The bytes depend on the arrays and on the zlib library, not on the number of threads.
Deflate libraries differ in their bytes; what proves a dataset is therefore the digests of its arrays.
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

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PORTION = 1 << 20
_WINDOW = 1 << 15
_LEVEL = 3  # of 9: half the time of zlib's default, 6, for files that are 5 % larger
_VERSION = 45  # of the zip format, which knows 64-bit sizes
_MADE_BY_UNIX = 3 << 8
_MODE = 0o100644 << 16
_DEFLATED = 8
_MIDNIGHT, _FIRST_DAY = 0, 1 << 5 | 1  # 1 January 1980: no time stamp
_IN_EXTRA = 0xFFFFFFFF  # the 64-bit value is in the extra field


class _Portion(NamedTuple):
    before: memoryview
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

    def local_header(self) -> bytes:
        extra = struct.pack("<HHQQ", 1, 16, self.size, self.compressed_size)
        return b"PK\3\4" + struct.pack("<H", _VERSION) + self._common(extra) + self.name + extra

    def directory_entry(self) -> bytes:
        extra = struct.pack("<HHQQQ", 1, 24, self.size, self.compressed_size, self.offset)
        versions = struct.pack("<HH", _VERSION | _MADE_BY_UNIX, _VERSION)
        rest = struct.pack("<HHHII", 0, 0, 0, _MODE, _IN_EXTRA)
        return b"PK\1\2" + versions + self._common(extra) + rest + self.name + extra

    def _common(self, extra: bytes) -> bytes:
        sizes = (self.crc, _IN_EXTRA, _IN_EXTRA, len(self.name), len(extra))
        return struct.pack("<HHHHIIIHH", 0, _DEFLATED, _MIDNIGHT, _FIRST_DAY, *sizes)


def write(path: Path, arrays: Mapping[str, NDArray[Any]], executor: Executor, workers: int = 1) -> None:
    """Write arrays in the order given, as ``numpy.savez_compressed`` does.

    Args:
        path: The file to make.
        arrays: Plain arrays by name.
        executor: Threads to compress in.
        workers: How many there are; the bytes do not depend on it.
    """
    with path.open("wb") as file:
        members = [_write_member(file, name, array, executor, workers) for name, array in arrays.items()]
        _write_directory(file, members)


def _write_member(
    file: BinaryIO, name: str, array: NDArray[Any], executor: Executor, workers: int
) -> _Member:
    """Write one array behind a header whose checksum and sizes are filled in afterwards."""
    encoded, offset = f"{name}.npy".encode(), file.tell()
    file.write(_Member(encoded, offset, 0, 0, 0).local_header())
    start, crc, size = file.tell(), 0, 0

    def portions() -> Iterator[_Portion]:
        nonlocal crc, size
        for portion in _portions(array):
            crc, size = zlib.crc32(portion.data, crc), size + len(portion.data)
            yield portion

    for deflated in map_ordered(executor, _deflate, portions(), ahead=4 * workers):
        file.write(deflated)
    member = _Member(encoded, offset, crc, size, file.tell() - start)
    file.seek(offset)
    file.write(member.local_header())
    file.seek(0, io.SEEK_END)
    return member


def _portions(array: NDArray[Any]) -> Iterator[_Portion]:
    """Yield the bytes of the npy format: its header, then the array in portions."""
    import numpy as np
    from numpy.lib import format as npy

    header = io.BytesIO()
    plain = np.asarray(array, order="C")
    npy.write_array_header_1_0(header, npy.header_data_from_array_1_0(plain))
    data = plain.reshape(-1).view(np.uint8).data
    yield _Portion(memoryview(b""), memoryview(header.getvalue()), is_last=not data.nbytes)
    for start in range(0, len(data), _PORTION):
        stop = start + _PORTION
        yield _Portion(data[max(start - _WINDOW, 0) : start], data[start:stop], is_last=stop >= len(data))


def _deflate(portion: _Portion) -> bytes:
    """Deflate a portion to whole bytes, so that the next one can follow."""
    options: dict[str, Any] = {"zdict": portion.before} if len(portion.before) else {}
    stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, **options)
    end = zlib.Z_FINISH if portion.is_last else zlib.Z_SYNC_FLUSH
    return stream.compress(portion.data) + stream.flush(end)


def _write_directory(file: BinaryIO, members: list[_Member]) -> None:
    start = file.tell()
    for member in members:
        file.write(member.directory_entry())
    end, count = file.tell(), len(members)
    sizes = (44, _VERSION | _MADE_BY_UNIX, _VERSION, 0, 0, count, count, end - start, start)
    file.write(b"PK\6\6" + struct.pack("<QHHIIQQQQ", *sizes))
    file.write(b"PK\6\7" + struct.pack("<IQI", 0, end, 1))
    file.write(b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, end - start, _IN_EXTRA, 0))
