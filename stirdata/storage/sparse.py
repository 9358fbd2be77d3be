"""A file in memory that holds what was written and takes no room for what was skipped."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAGE = 1 << 12


class SparseFile(io.RawIOBase):
    """Bytes that can be read, written and sought; what was never written is zero.

    Examples:
        >>> file = SparseFile()
        >>> file.seek(10**15), file.write(b"end")
        (1000000000000000, 3)
        >>> file.seek(10**15 - 1), list(file.read(4))
        (999999999999999, [0, 101, 110, 100])
    """

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}
        self._size = 0
        self._at = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position and return it."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def truncate(self, size: int | None = None) -> int:
        """Set where the file ends; what lies behind is not kept from showing should it grow again."""
        self._size = self._at if size is None else size
        return self._size

    def write(self, data: Any) -> int:
        """Write at the position and return the number of bytes."""
        content = memoryview(data).cast("B")
        done = 0
        for page, start, stop in _parts(self._at, len(content)):
            kept = self._pages.setdefault(page, bytearray(_PAGE))
            kept[start:stop] = content[done : done + stop - start]
            done += stop - start
        self._at += done
        if done:
            self._size = max(self._size, self._at)
        return done

    def readinto(self, buffer: Any) -> int:
        """Read from the position on and return the number of bytes."""
        target = memoryview(buffer).cast("B")[: max(self._size - self._at, 0)]
        done = 0
        for page, start, stop in _parts(self._at, len(target)):
            target[done : done + stop - start] = self._pages.get(page, bytes(_PAGE))[start:stop]
            done += stop - start
        self._at += done
        return done

    @property
    def size(self) -> int:
        """Number of bytes, with those that were skipped."""
        return self._size

    def pieces(self, start: int, stop: int) -> Iterator[memoryview]:
        """Yield the bytes from one place to another, in parts."""
        empty = bytes(_PAGE)
        for page, first, last in _parts(start, stop - start):
            yield memoryview(self._pages.get(page, empty))[first:last]


def _parts(start: int, count: int) -> Iterator[tuple[int, int, int]]:
    """Cut consecutive bytes into page number, and where they begin and end in the page."""
    end = start + count
    while start < end:
        page, first = divmod(start, _PAGE)
        last = min(first + end - start, _PAGE)
        yield page, first, last
        start += last - first
