"""The IDX format in which MNIST is distributed, gzipped or not, and the digits that come in it."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stirdata.errors import SourceError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLASS_NAMES = tuple("0123456789")

_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTES = 8  # the IDX code of the only element type that MNIST uses


@dataclass(frozen=True)
class DigitImages:
    """70,000 labelled digits: 60,000 training images in file order, then 10,000 test images.

    Attributes:
        images: uint8, shape (70000, 28, 28); 0 is background, 255 is ink.
        labels: uint8, shape (70000,), 0 to 9.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def read_stream(path: Path, limit: int) -> bytes:
    """Return the decompressed content of a file that may or may not be gzipped.

    Args:
        path: The file; what it is shows in its first bytes, not in its name.
        limit: Most bytes to return. One more is read, so that a longer stream shows as one, and a
            decompression bomb does not fill the memory.

    Raises:
        FileNotFoundError: There is no such file.
        SourceError: The file cannot be read, or its gzip stream is truncated or corrupt.
    """
    try:
        with path.open("rb") as raw:
            compressed = raw.read(2) == _GZIP_MAGIC
        with gzip.open(path) if compressed else path.open("rb") as stream:
            return stream.read(limit + 1)
    except EOFError as error:
        raise SourceError("the gzip stream is truncated", where=path, hint=_AGAIN) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise SourceError("the gzip stream is corrupt", where=path, got=error, hint=_AGAIN) from error
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SourceError("the file cannot be read", where=path, got=error.strerror) from error


def parse(data: bytes, path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Return the array in an IDX stream of unsigned bytes, a read-only view of ``data``.

    Args:
        data: The decompressed stream.
        path: Where it came from, for messages.
        dimensions: 3 for images, 1 for labels.

    Raises:
        SourceError: Wrong magic number, or not the bytes that the header promises.
    """
    import numpy as np

    magic = bytes([0, 0, _UNSIGNED_BYTES, dimensions])
    if data[:4] != magic:
        got = f"0x{data[:4].hex()}" if data else "an empty file"
        raise SourceError(
            "this is no IDX file of that kind: wrong magic number",
            where=path,
            expected=f"0x{magic.hex()}",
            got=got,
            hint=_AGAIN,
        )
    header = 4 + 4 * dimensions
    shape = tuple(int.from_bytes(data[at : at + 4], "big") for at in range(4, header, 4))
    expected = header + int(np.prod(shape, dtype=object))
    if len(data) != expected:
        what = "truncated" if len(data) < expected else "longer than its header says"
        got = f"{len(data)} bytes"
        raise SourceError(
            f"the IDX file is {what}", where=path, expected=f"{expected} bytes", got=got, hint=_AGAIN
        )
    try:
        return np.frombuffer(data, np.uint8, offset=header).reshape(shape)
    except ValueError as error:  # a header with a size of zero and others beyond every memory
        raise SourceError(
            "the IDX file has impossible sizes in its header", where=path, got=shape, hint=_AGAIN
        ) from error


_AGAIN = "get the file again from one of the mirrors named in the README"
