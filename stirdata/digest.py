"""Hashes of files and of growing ones, canonical hashes of arrays, the published checksum of a PNG tree."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHUNK = 1 << 20
_HEAD = 512


def sha256_of_bytes(data: bytes) -> str:
    """Return the SHA-256 of some bytes as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def md5_of_bytes(data: bytes) -> str:
    """Return the MD5 of bytes, which is what older datasets are published with."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits, reading 1 MiB at a time."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(_CHUNK))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
    return digest.hexdigest()


def canonical_dtype(array: NDArray[Any]) -> str:
    """Return the little-endian type string of an array, for example ``|u1``, ``<i8`` or ``<f8``."""
    return str(array.dtype.newbyteorder("<").str)


def sha256_of_array(array: NDArray[Any]) -> str:
    """Return the SHA-256 over the little-endian, C-order bytes of an array.

    The hash covers the values only; shape and type are recorded beside it.

    Examples:
        >>> import numpy as np
        >>> values = np.arange(3, dtype=">i4")
        >>> sha256_of_array(values) == sha256_of_array(values.astype("<i4"))
        True
    """
    import numpy as np

    little = np.ascontiguousarray(array, dtype=canonical_dtype(array))
    return hashlib.sha256(little.reshape(-1).view(np.uint8).data).hexdigest()


def md5_of_png_tree(files: Iterable[tuple[str, bytes]]) -> str:
    """Return the MD5 over the bytes of all PNG files, in the string order of their paths.

    Args:
        files: Pairs of a path relative to the tree's folder, with ``/``, and the file's bytes.

    Source: the checksum that the authors of MNIST-scale publish (arXiv 1910.11093, its data scripts).
    """
    digest = hashlib.md5(usedforsecurity=False)
    for _, content in sorted(files, key=lambda item: item[0]):
        digest.update(content)
    return digest.hexdigest()


class HashedFile:
    """The bytes of an open file; those that are there at the beginning are read and hashed first.

    Args:
        file: Opened without a buffer, so that what was appended survives a kill; to read and write, if it
            is to grow.
        algorithms: Names of :mod:`hashlib`.

    Attributes:
        size: Bytes in the file.
        head: The first 512 of them.
        joined: Whether they come from more than one answer, and so might not belong together.
    """

    def __init__(self, file: io.FileIO, algorithms: Iterable[str]) -> None:
        self._file = file
        self._algorithms = tuple(algorithms)
        self._begin()
        self._read()

    def _begin(self) -> None:
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in self._algorithms}
        self.size = 0
        self.head = b""
        self.joined = False

    def _read(self) -> None:
        buffer = memoryview(bytearray(min(_CHUNK, os.fstat(self._file.fileno()).st_size)))
        self._file.seek(0)
        while count := self._file.readinto(buffer):
            self._count(buffer[:count])
        self.joined = self.size > 0

    def _count(self, piece: bytes | memoryview) -> None:
        for value in self._hashes.values():
            value.update(piece)
        if len(self.head) < _HEAD:
            self.head += bytes(piece[: _HEAD - len(self.head)])
        self.size += len(piece)

    def append(self, piece: bytes) -> None:
        """Write bytes behind those that are there.

        Raises:
            OSError: The disk takes no more. What it has taken is in the file.
        """
        rest = memoryview(piece)
        while rest:  # an unbuffered write may take a part only
            taken = self._file.write(rest)
            self._count(rest[:taken])
            rest = rest[taken:]

    def clear(self) -> None:
        """Throw away what is there."""
        self._file.truncate(0)
        self._file.seek(0)
        self._begin()

    def digests(self) -> dict[str, str]:
        """Return the hashes in hexadecimal digits, by algorithm."""
        return {name: value.hexdigest() for name, value in self._hashes.items()}
