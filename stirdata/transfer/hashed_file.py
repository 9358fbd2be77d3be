"""An open file that may grow, with the hashes of its bytes always at hand."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable

_CHUNK = 1 << 20
_HEAD = 512


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
